"""Files that cannot be compared: every message names the file and what to do next."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ratchet.compare.files import compare_files
from ratchet.compare.question import Question
from ratchet.errors import DataError

Write = Callable[..., str]
ROWS = [{"id": f"q{n}", "text": f"text {n}", "label": "pn"[n % 2], "prediction": "pn"[n % 2]} for n in range(40)]


@pytest.fixture
def sound(table: Write) -> str:
    return table("sound.csv", ROWS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda n, row: {**row, "id": f"z{n}", "text": f"other {n}"},
            "other.csv must answer the rows of .* 40 of 80 rows",
        ),
        (lambda n, row: {**ROWS[39 - n], "id": row["id"]}, r"40 of 40 differ in 'text', row 1 of .*other\.csv first"),
        (
            lambda n, row: {**row, "label": "n"},
            "40 differ: row 1 of the first file has 'p' and row 1 of the second 'n', in 'l",
        ),
        (lambda n, row: {**row, "prediction": "positive"}, r"40 of 40 predictions of .*other\.csv .* row 1 first"),
        (lambda n, row: {**row, "prediction": ""}, r"other\.csv must answer .* 40 of 40 rows have no answer"),
        (
            lambda n, row: {k: v for k, v in row.items() if k != "prediction"},
            r"other\.csv must have a column of answers",
        ),
    ],
)
def test_tables_that_do_not_fit(sound: str, table: Write, change: Callable[..., object], message: str) -> None:
    other = table("other.csv", [change(n, row) for n, row in enumerate(ROWS)])
    with pytest.raises(
        DataError, match=message.replace("other.csv must answer the", r"(other|sound)\.csv must answer the")
    ):
        compare_files(sound, other, Question())


def test_a_jsonl_that_was_cut_off(sound: str, tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl"
    path.write_text('{"id": "q0", "prediction": "p"}\n{"id": "q1", "predi', encoding="utf-8")
    with pytest.raises(DataError, match=r"(?i)(line 2 of .*cut\.jsonl|cut\.jsonl.* line 2)"):
        compare_files(sound, str(path), Question())


def test_a_zip_bomb(sound: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ratchet.bounds.UNPACKED_BYTES", 1 << 16)
    path = tmp_path / "bomb.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("header.json", '{"version": 2, "eval": {"model": "m"}, "status": "success"}')
        package.writestr("samples/1_epoch_1.json", '{"id": 1, "epoch": 1, "input": "' + "a" * (1 << 22) + '"}')
    with pytest.raises(DataError, match=r"bomb\.eval must unpack to a log but samples/1_epoch_1\.json would make it"):
        compare_files(str(path), sound, Question())


def test_a_folder_without_samples(sound: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty must be a folder with samples_\*\.jsonl of lm-evaluation-harness"):
        compare_files(str(tmp_path / "empty"), sound, Question())


def test_a_label_that_no_file_has(sound: str) -> None:
    with pytest.raises(DataError, match="must have a column 'lable' but neither has a row with one"):
        compare_files(sound, sound, Question(label="lable", metrics=("accuracy",)))


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_that_is_none(share: float) -> None:
    with pytest.raises(DataError, match="must be from 0 to 1"):
        Question(most_missing=share)
