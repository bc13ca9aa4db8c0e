"""Which allocator the tables are held by."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

SHOW = "import ratchet.tables.read, pyarrow; print(pyarrow.default_memory_pool().backend_name)"


@pytest.mark.parametrize(("given", "used"), [({}, "system"), ({"ARROW_DEFAULT_MEMORY_POOL": "mimalloc"}, "mimalloc")])
def test_tables_are_held_by_the_allocator_of_the_system_unless_the_user_says_otherwise(
    given: dict[str, str], used: str
) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "ARROW_DEFAULT_MEMORY_POOL"} | given
    found = subprocess.run([sys.executable, "-c", SHOW], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == used


CHECK = """
import resource, sys
from pathlib import Path
from ratchet.checks import run_checks
from ratchet.checkup.target import open_target
from ratchet.tables import parse
if sys.argv[2] == "held":
    parse.LARGE = 1 << 60
target = open_target(Path(sys.argv[1]))
run_checks(target.dataset, config=target.recipe, cost="cheap")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
"""


@pytest.mark.slow
def test_a_large_table_is_checked_in_far_less_memory_than_it_takes(tmp_path: Path) -> None:
    path, rows = tmp_path / "x.parquet", 100_000
    words = [f"词{i:05}" * 20 for i in range(20_000)]
    with pq.ParquetWriter(path, pa.schema({"text": pa.string(), "label": pa.string()})) as writer:
        for start in range(0, 25 * rows, rows):
            texts = [f"{start + i:o} {words[(start * 7 + i * 13) % 20_000]} {words[i % 19_997]}" for i in range(rows)]
            writer.write_table(pa.table({"text": texts, "label": ["a", "b"] * (rows // 2)}))
    peaks = {}
    for how in ("held", "spilled"):
        command = [sys.executable, "-c", CHECK, str(path), how]
        peaks[how] = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert peaks["spilled"] < 0.7 * peaks["held"], peaks
