"""Finished work: used again only as it was written."""

from __future__ import annotations

from pathlib import Path

import pytest

from ratchet.errors import WorkspaceError
from ratchet.workspace.finished import SUMS, finished, load_json, save_json


def build(folder: Path) -> None:
    save_json(folder / "facts.json", {"rows": 3})
    (folder / "model").mkdir()
    (folder / "model" / "weights.bin").write_bytes(bytes(range(256)))


def test_what_is_finished_is_not_done_again(tmp_path: Path) -> None:
    calls: list[Path] = []

    def once(folder: Path) -> None:
        calls.append(folder)
        build(folder)

    assert [finished(tmp_path / "a", once, final=True) for _ in range(3)] == [False, True, True]
    assert len(calls) == 1
    assert set(load_json(tmp_path / "a" / SUMS)) == {"facts.json", "model/weights.bin"}


@pytest.mark.parametrize("content", ["{}", "[]", "", '{"rows": ', "[" * 100_000])
def test_a_changed_file_is_named(tmp_path: Path, content: str) -> None:
    finished(tmp_path / "a", build, final=True)
    (tmp_path / "a" / "facts.json").write_text(content)
    with pytest.raises(
        WorkspaceError, match=r"facts\.json must be as it was written but was changed.*Remove the folder"
    ):
        finished(tmp_path / "a", build, final=True)


def test_a_missing_file_and_damaged_sums_are_named(tmp_path: Path) -> None:
    finished(tmp_path / "a", build, final=True)
    (tmp_path / "a" / "model" / "weights.bin").unlink()
    with pytest.raises(WorkspaceError, match=r"weights\.bin must be as it was written but is missing"):
        finished(tmp_path / "a", build, final=True)
    (tmp_path / "a" / SUMS).write_text("{")
    with pytest.raises(WorkspaceError, match=r"sums\.json must be readable JSON"):
        finished(tmp_path / "a", build, final=True)


def test_work_of_a_version_without_sums_is_taken(tmp_path: Path) -> None:
    finished(tmp_path / "a", build, final=True)
    (tmp_path / "a" / SUMS).unlink()
    assert finished(tmp_path / "a", build, final=True)
