"""Run the benchmarks one after the other and write a dated result beside each: what `make bench` does.

python benchmarks/run_all.py [NAME ...]
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
PRINTING = ("check_speed", "drift", "near_duplicates", "startup")
"""Scripts that print Markdown; the others write their own results."""
MODULES = ("own_metrics", "resume_run", "resume_trainings", "run_all")
"""What other scripts import or start."""
USAGE = 2
"""Exit code of a script that was called without what it needs."""


def machine() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    return f"{found[1] if found else platform.processor()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def command() -> str:
    """How this script was called."""
    return f"python benchmarks/{Path(sys.argv[0]).name} {shlex.join(sys.argv[1:])}".rstrip()


def main() -> None:
    wanted = sys.argv[1:] or sorted(path.stem for path in HERE.glob("*.py") if path.stem not in MODULES)
    for name in wanted:
        print(f"== {name}", flush=True)
        command = [sys.executable, str(HERE / f"{name}.py")]
        if name not in PRINTING:
            ran = subprocess.run(command, check=False)
            if ran.returncode == USAGE:
                print(f"{name} needs arguments: see what stands at its top", flush=True)
            else:
                ran.check_returncode()
            continue
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        head = f"# {name}\n\n{datetime.now(UTC):%Y-%m-%d}, `python benchmarks/{name}.py`, {machine()}.\n\n"
        (HERE / "results" / f"{name}.md").write_text(head + done.stdout, encoding="utf-8")
        print(done.stdout)


if __name__ == "__main__":
    main()
