from __future__ import annotations

import csv
import io
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ratchet.bundle.bundle import Bundle
from ratchet.errors import DataError
from ratchet.serve import predict_file
from ratchet.tables.sources import stdin_bytes

Model = Any  # the Lengths of conftest.py


def rows_of(path: Path, *, encoding: str = "utf-8", delimiter: str = ",") -> list[dict[str, str]]:
    with path.open(encoding=encoding, newline="") as reader:
        return list(csv.DictReader(reader, delimiter=delimiter))


PIPED = {
    "csv": ("csv", "编号,评论\n" + "".join(f"{i},房间很好{i}\n" for i in range(9_000))),
    "tsv": ("tsv", "编号\t评论\n" + "".join(f'{i}\t5" 房间很好{i}\n' for i in range(9_000))),
    "jsonl": ("jsonl", "".join(f'{{"编号": {i}, "评论": "房间很好{i}"}}\n' for i in range(9_000))),
    "json": ("csv", json.dumps([{"评论": f"房间很好{i}"} for i in range(9_000)], ensure_ascii=False)),
    "lines": ("text", "".join(f"房间很好{i}\n" for i in range(9_000))),
    "no end": ("csv", "编号,评论\n1,好"),
}


def test_the_result_stays_what_its_name_says(tmp_path: Path, bundle: Bundle, model: Model) -> None:
    source = tmp_path / "x.csv"
    source.write_text("评论\na\n", encoding="utf-8")
    for name in ("o.xlsx", "o.json", "o.arrow", "o.parquet", "o.jsonl.gz"):
        with pytest.raises(DataError, match=f"must be csv but .*{name} ends in"):
            predict_file(bundle, source, tmp_path / name, model=model)
    with pytest.raises(DataError, match=r"must be a file but .* is a folder"):
        predict_file(bundle, source, tmp_path, model=model)
    (tmp_path / "real.csv").write_text("old", encoding="utf-8")
    (tmp_path / "link.csv").symlink_to("real.csv")
    predict_file(bundle, source, tmp_path / "link.csv", model=model)
    assert (tmp_path / "link.csv").is_symlink()
    assert len(rows_of(tmp_path / "real.csv")) == 1


def test_pipes_and_devices_stay_what_they_are(tmp_path: Path, bundle: Bundle, model: Model) -> None:
    source, pipe = tmp_path / "x.csv", tmp_path / "pipe.csv"
    source.write_text("评论\na\n", encoding="utf-8")
    os.mkfifo(pipe)
    with pytest.raises(DataError, match=r"pipe\.csv must be a file but is a pipe"):
        predict_file(bundle, pipe, model=model)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        predict_file(bundle, source, pipe, model=model)
        assert os.read(reader, 4096).startswith("评论,prediction".encode())
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    predict_file(bundle, source, Path(os.devnull), model=model)
    assert Path(os.devnull).is_char_device()


@pytest.mark.parametrize(
    ("target", "message"), [("x.csv", "must not replace its source"), ("y.parquet", "must be csv but .* ends in")]
)
def test_targets_that_would_harm(tmp_path: Path, bundle: Bundle, model: Model, target: str, message: str) -> None:
    source = tmp_path / "x.csv"
    source.write_text("评论\na\n", encoding="utf-8")
    with pytest.raises(DataError, match=message):
        predict_file(bundle, source, tmp_path / target, model=model)
    assert source.read_text(encoding="utf-8") == "评论\na\n"


def test_wrong_encodings_are_named(tmp_path: Path, bundle: Bundle, model: Model) -> None:
    source = tmp_path / "x.csv"
    source.write_bytes("评论\n好\n".encode("gb18030"))
    with pytest.raises(DataError, match="must be in the encoding utf-8 but has the bytes"):
        predict_file(bundle, source, model=model, encoding="utf-8")
    with pytest.raises(DataError, match=r"one of auto, utf-8, .*latin-1 but got 'rot13'"):
        predict_file(bundle, source, model=model, encoding="rot13")


def test_a_table_on_standard_input_is_told_from_lines(
    tmp_path: Path, bundle: Bundle, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("编号,评论\n1,好\n".encode())))
    done = predict_file(bundle, "-", tmp_path / "y.csv", model=model)
    assert (done.format, rows_of(done.target)[0]["评论"]) == ("csv", "好")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("我说, 好\n".encode())))
    assert predict_file(bundle, "-", tmp_path / "y.tsv", model=model).rows == 1


@pytest.mark.parametrize("case", PIPED)
@pytest.mark.parametrize("first", [1, 5, 4097, 65_537])
def test_a_pipe_is_looked_at_and_still_read_from_its_start(
    tmp_path: Path, bundle: Bundle, model: Model, monkeypatch: pytest.MonkeyPatch, case: str, first: int
) -> None:
    kind, text = PIPED[case]
    data = text.encode()
    reader, writer = os.pipe()

    def write() -> None:
        with os.fdopen(writer, "wb", buffering=0) as pipe:
            pipe.write(data[:first])
            time.sleep(0.02)
            pipe.write(data[first:])

    writing = threading.Thread(target=write)
    writing.start()
    stdin_bytes.cache_clear()
    with io.TextIOWrapper(os.fdopen(reader, "rb")) as given_:
        monkeypatch.setattr(sys, "stdin", given_)
        done = predict_file(bundle, "-", tmp_path / "y", model=model)
    writing.join(20)
    stdin_bytes.cache_clear()
    texts = [text for block in model.seen for text in block]
    wanted = [f"{'5' + chr(34) + ' ' if case == 'tsv' else ''}房间很好{i}" for i in range(9_000)]
    assert (done.format, done.rows) == (kind, len(texts))
    assert texts == (["好"] if case == "no end" else wanted)


@pytest.mark.parametrize(
    ("data", "encoding", "kind", "texts"),
    [
        ("评论,b\n好,a\n".encode("utf-16"), "utf-16", "csv", ["好"]),
        (("题\n评论,b\n" + "好,a\n坏,b\n" * 9_000).encode(), "auto", "csv", ["好", "坏"] * 9_000),
        (b'{"id":1}\n' + '{"评论":"好"}'.encode(), "auto", "jsonl", ["好"]),
        (("好" * 50_000 + "\n坏\n").encode(), "auto", "text", ["好" * 50_000, "坏"]),
    ],
)
def test_standard_input_is_told_by_whole_lines(
    tmp_path: Path,
    bundle: Bundle,
    model: Model,
    monkeypatch: pytest.MonkeyPatch,
    data: bytes,
    encoding: str,
    kind: str,
    texts: list[str],
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    done = predict_file(bundle, "-", tmp_path / "y", encoding=encoding, model=model)
    assert (done.format, [text for block in model.seen for text in block]) == (kind, texts)
    if kind == "text":
        (tmp_path / "x.txt").write_bytes(data)
        assert predict_file(bundle, tmp_path / "x.txt", model=model).rows == 2


def test_a_long_line_on_standard_input_is_looked_at_once(
    tmp_path: Path, bundle: Bundle, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = json.dumps([{"评论": "好" * 1_000}] * 6_000, ensure_ascii=False).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(rows)))
    stdin_bytes.cache_clear()
    begun = time.perf_counter()
    assert predict_file(bundle, "-", tmp_path / "y.csv", model=model).rows == 6_000
    stdin_bytes.cache_clear()
    assert time.perf_counter() - begun < 20


def test_utf16_without_a_mark_is_read_as_check_reads_it(tmp_path: Path, bundle: Bundle, model: Model) -> None:
    source = tmp_path / "x.csv"
    source.write_bytes("评论\n好的\n".encode("utf-16-be"))
    assert predict_file(bundle, source, tmp_path / "y.csv", encoding="utf-16", model=model).rows == 1
    assert model.seen == [["好的"]]
    source.write_bytes("评论\n好的\n".encode("utf-16-le")[:-1])
    with pytest.raises(DataError, match="must be in the encoding"):
        predict_file(bundle, source, tmp_path / "z.csv", encoding="utf-16", model=model)
