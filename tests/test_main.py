"""`python -m ratchet` as a process: how it ends when it is interrupted."""

import os
import subprocess
import sys
from pathlib import Path


def test_ctrl_c_in_code_that_came_as_a_string_ends_with_the_same_exit_code(tmp_path: Path) -> None:
    (tmp_path / "interrupted.py").write_text(
        "import sys\n"
        "import ratchet.cli.main as cli\n"
        "from ratchet.__main__ import program\n"
        "def main(**how):\n"
        "    try:\n"
        "        exec('raise KeyboardInterrupt')\n"
        "    except KeyboardInterrupt:\n"
        "        sys.exit(2)\n"
        "cli.main = main\n"
        "program()\n"
    )
    command = [sys.executable, "-m", "interrupted"]
    done = subprocess.run(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)}, check=False)
    assert done.returncode == 2
