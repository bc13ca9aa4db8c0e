"""How long do `import ratchet` and `ratchet --help` take, as whole processes?

python benchmarks/startup.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 11


def seconds(command: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begun


def main() -> None:
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "import ratchet": [sys.executable, "-c", "import ratchet"],
        "ratchet --help": [str(Path(sys.executable).with_name("ratchet")), "--help"],
        "ratchet run --help": [str(Path(sys.executable).with_name("ratchet")), "run", "--help"],
    }
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            taken[name].append(seconds(command))
    print("| whole process | median, s | fastest | slowest | bar |\n|---|---|---|---|---|")
    for name, values in taken.items():
        bar = "" if name == "python -c pass" else "0.3"
        print(f"| {name} | {statistics.median(values):.3f} | {min(values):.3f} | {max(values):.3f} | {bar} |")


if __name__ == "__main__":
    main()
