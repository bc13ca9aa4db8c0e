"""Which allocator the tables are held by."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SHOW = "import ratchet.data, pyarrow; print(pyarrow.default_memory_pool().backend_name)"


@pytest.mark.parametrize(("given", "used"), [({}, "system"), ({"ARROW_DEFAULT_MEMORY_POOL": "mimalloc"}, "mimalloc")])
def test_tables_are_held_by_the_allocator_of_the_system_unless_the_user_says_otherwise(
    given: dict[str, str], used: str
) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "ARROW_DEFAULT_MEMORY_POOL"} | given
    found = subprocess.run([sys.executable, "-c", SHOW], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == used
