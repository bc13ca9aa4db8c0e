from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ratchet.bundle.bundle import Bundle
from ratchet.errors import DataError
from ratchet.serve import formats, predict_file
from ratchet.serve.rows import Fields
from ratchet.tasks.generation import PROMPT

Model = Any  # the Lengths of conftest.py


def rows_of(path: Path, *, encoding: str = "utf-8", delimiter: str = ",") -> list[dict[str, str]]:
    with path.open(encoding=encoding, newline="") as reader:
        return list(csv.DictReader(reader, delimiter=delimiter))


def test_cells_with_carriage_returns_and_nul_survive(tmp_path: Path, bundle: Bundle, model: Model) -> None:
    source = tmp_path / "x.csv"
    source.write_bytes('评论,b\r\n"a\rb",c\r\n"d\r\ne","\0"\r\n'.encode())
    found = rows_of(predict_file(bundle, source, model=model).target)
    assert [(row["评论"], row["b"]) for row in found] == [("a\rb", "c"), ("d\r\ne", "\0")]


def test_tsv_with_and_without_quoting(tmp_path: Path, bundle: Bundle, model: Model) -> None:
    source = tmp_path / "x.tsv"
    source.write_text('a\t评论\n\n1\t"坏\t了"\n', encoding="utf-8")
    predict_file(bundle, source, model=model)
    source.write_text('a\t评论\n1\t他说"好\n"2\t"好\n', encoding="utf-8")
    done = predict_file(bundle, source, model=model)
    assert model.seen == [["坏\t了"], ['他说"好', '"好']]
    written = done.target.read_text(encoding="utf-8").splitlines()
    assert [line.split("\t")[:2] for line in written[1:]] == [["1", '他说"好'], ['"2', '"好']]


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_csv_with_another_separator(tmp_path: Path, bundle: Bundle, model: Model, mark: str) -> None:
    source = tmp_path / "x.csv"
    source.write_text(f"a{mark} 评论 \n1{mark}好,的\n", encoding="utf-8")
    found = rows_of(predict_file(bundle, source, model=model).target, delimiter=mark)
    assert found[0][" 评论 "] == "好,的"
    assert found[0]["prediction"] == "好"


def test_jsonl_is_copied_byte_for_byte(tmp_path: Path, bundle: Bundle, model: Model) -> None:
    lines = [
        '{"评论": "好", "n": 1.10, "deep": {"a": [1, 2]}}',
        '{"n": 12345678901234567890123, "评论":"一"}',
        '{"n": null}',
        "{ }",
    ]
    source = tmp_path / "x.jsonl"
    source.write_text("\n".join([lines[0], "", *lines[1:]]), encoding="utf-8")
    done = predict_file(bundle, source, model=model)
    written = done.target.read_text(encoding="utf-8").splitlines()
    assert [new.startswith(old[:-1]) for old, new in zip(lines, written, strict=True)] == [True] * 4
    found = [json.loads(line) for line in written]
    assert [row["prediction"] for row in found] == ["坏", "坏", None, None]
    assert (done.rows, done.without_text) == (4, 2)
    assert model.seen == [["好", "一"]]


HALVES = {
    "x.jsonl": '{"评论": "好"}\n\n{"评论": "\\ud800", "n": 1}\n',
    "x.json": '[{"评论": "好"}, {"评论": "一\\udc00"}]',
}


@pytest.mark.parametrize(("name", "data"), HALVES.items(), ids=HALVES)
def test_a_row_with_half_a_character_is_named(
    tmp_path: Path, bundle: Bundle, model: Model, name: str, data: str
) -> None:
    (tmp_path / name).write_text(data, encoding="utf-8")
    with pytest.raises(DataError, match=r"Row 2 of .*x\.jsonl? must be text but '评论' holds half a surrogate pair"):
        predict_file(bundle, tmp_path / name, model=model)
    assert [path.name for path in tmp_path.iterdir() if "predictions" in path.name] == []


@pytest.mark.parametrize("text", ["text", "messages"])
def test_a_turn_with_half_a_character_is_named(text: str) -> None:
    fields = Fields(texts=("text",)) if text == "text" else Fields(texts=(PROMPT,)).called(text)
    cell = '[{"role": "user", "content": "x\\ud83d"}]'
    assert fields.broken((cell,)) == (None if text == "text" else text)
    assert fields.broken(("x\ud83d",)) == text
    assert fields.broken(("x\\ud83d 😀",)) is None


def test_parquet_keeps_its_types(tmp_path: Path, bundle: Bundle, model: Model) -> None:
    source = tmp_path / "x.parquet"
    texts = pa.array(["好", None, "坏了吧"]).dictionary_encode()
    pq.write_table(pa.table({"n": pa.array([1, 2, 3], pa.int8()), "评论": texts}), source)
    done = predict_file(bundle, source, model=model)
    table = pq.read_table(done.target)
    assert table.schema.field("n").type == pa.int8()
    assert table.schema.field("probability").type == pa.float64()
    assert table["prediction"].to_pylist() == ["坏", None, "好"]
    assert table["评论"].to_pylist() == ["好", None, "坏了吧"]


def test_plain_lines_become_tsv(tmp_path: Path, bundle: Bundle, model: Model) -> None:
    source = tmp_path / "x.txt"
    source.write_bytes("好\t的\r\n\n\u2028a\n末".encode())
    done = predict_file(bundle, source, model=model)
    assert done.target.name == "x.predictions.tsv"
    found = rows_of(done.target, delimiter="\t")
    assert [row["text"] for row in found] == ["好\t的", "", "\u2028a", "末"]
    assert [bool(row["prediction"]) for row in found] == [True, False, True, True]


def test_blocks_are_bounded_in_rows_and_in_characters(
    tmp_path: Path, bundle: Bundle, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "BLOCK_ROWS", 4)
    monkeypatch.setattr(formats, "BLOCK_CHARACTERS", 10)
    source = tmp_path / "x.txt"
    source.write_text("\n".join(["a"] * 9 + ["bbbbbbbbbbbb"] * 2), encoding="utf-8")
    reports: list[tuple[int, float | None]] = []
    predict_file(bundle, source, model=model, progress=lambda rows, share: reports.append((rows, share)))
    assert [len(block) for block in model.seen] == [4, 4, 2, 1]
    assert [rows for rows, _ in reports] == [4, 8, 10, 11]
    assert reports[-1][1] == 1.0


def test_parquet_columns_that_are_not_text(tmp_path: Path, bundle: Bundle, model: Model) -> None:
    source = tmp_path / "x.parquet"
    pq.write_table(pa.table({"评论": [[1], [2]]}), source)
    with pytest.raises(DataError, match="must be text but is list"):
        predict_file(bundle, source, model=model)


def test_a_label_that_a_file_without_quoting_can_not_hold(tmp_path: Path, bundle: Bundle, model: Model) -> None:
    source = tmp_path / "x.tsv"
    source.write_text('评论\tb\n5" tall\tx\n', encoding="utf-8")
    model.labels = ("a\tb", "c\td", "e\tf")
    with pytest.raises(DataError, match=r"A prediction must be without tabs and line breaks, since .* has no quoting"):
        predict_file(bundle, source, model=model)
