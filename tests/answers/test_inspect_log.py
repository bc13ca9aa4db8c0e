"""Logs of Inspect, written here with the members and fields of its recorder."""

from __future__ import annotations

import json
import math
import stat
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ratchet.answers.answer_file import AnswerFile
from ratchet.answers.read import read_answers
from ratchet.errors import DataError

HEADER = {
    "version": 2,
    "status": "success",
    "eval": {"task": "t", "model": "openai/gpt-4o", "dataset": {}, "config": {}},
}


def sample(id: int | str, said: str, *, epoch: int = 1, value: Any = "C", **changed: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": said}
    return {
        "id": id,
        "epoch": epoch,
        "input": f"question {id}",
        "target": "yes",
        "messages": [{"role": "user", "content": f"question {id}"}, message],
        "output": {
            "model": "gpt-4o",
            "choices": [{"message": message, "stop_reason": "stop"}],
            "completion": said,
            "time": 0.5,
        },
        "scores": {"match": {"value": value, "answer": said}},
        "model_usage": {"openai/gpt-4o": {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}},
        "working_time": 2.0,
        "total_time": 3.0,
        "events": [],
        **changed,
    }


def packed(path: Path, samples: list[dict[str, Any]], *, header: str = "header.json") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("_journal/start.json", json.dumps(HEADER))
        package.writestr("summaries.json", "[]")
        for one in samples:
            package.writestr(f"samples/{one['id']}_epoch_{one['epoch']}.json", json.dumps(one))
        package.writestr(header, json.dumps(HEADER))
    return path


SAMPLES = [
    sample(2, "no", value="I"),
    sample(1, "yes"),
    sample(1, "maybe", epoch=2, value="P"),
    sample(2, "", epoch=2, value="N", error={"message": "timeout", "traceback": "", "traceback_ansi": ""}),
]


def expect(found: AnswerFile) -> None:
    assert (found.format, found.model) == ("inspect", "openai/gpt-4o")
    assert (found.ids, found.epochs.tolist()) == (("1", "2", "1", "2"), [0, 0, 1, 1])
    assert found.answers == ("yes", "no", "maybe", None)
    assert found.inputs == ("question 1", "question 2") * 2
    assert found.references == ("yes",) * 4
    assert found.scores["match"].tolist() == [1, 0, 0.5, 0]
    assert found.measures["latency"].tolist() == [0.5] * 4
    assert found.measures["input_tokens"].tolist() == [7] * 4
    assert found.measures["output_tokens"].tolist() == [3] * 4
    assert math.isnan(found.measures["cost"][0])
    assert found.columns["error"][3] == "timeout"


def test_a_packed_log(tmp_path: Path) -> None:
    expect(read_answers(packed(tmp_path / "log.eval", SAMPLES)))


def test_a_log_in_one_document(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_text(json.dumps(HEADER | {"samples": SAMPLES}))
    expect(read_answers(path))


def member(name: str, data: bytes, at: int) -> tuple[bytes, bytes]:
    """A member packed with Zstandard, and its entry in the directory of the zip file, both by the format's description."""
    body = pa.Codec("zstd").compress(data, asbytes=True)
    fields = (20, 0, 93, 0, 0, zlib.crc32(data), len(body), len(data), len(name), 0)
    local = struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", *fields) + name.encode() + body
    entry = struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\x01\x02", 20, *fields, 0, 0, 0, 0, at) + name.encode()
    return local, entry


def zstandard(path: Path, files: dict[str, bytes]) -> Path:
    local, directory = b"", b""
    for name, data in files.items():
        body, entry = member(name, data, len(local))
        local, directory = local + body, directory + entry
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, len(files), len(files), len(directory), len(local), 0)
    path.write_bytes(local + directory + end)
    return path


def test_a_log_packed_with_zstandard(tmp_path: Path) -> None:
    files = {f"samples/{one['id']}_epoch_{one['epoch']}.json": json.dumps(one).encode() for one in SAMPLES}
    path = zstandard(tmp_path / "log.eval", {"header.json": json.dumps(HEADER).encode(), **files})
    expect(read_answers(path))
    data = bytearray(path.read_bytes())
    place = data.index(b"samples/1_epoch_1.json") + len("samples/1_epoch_1.json") + 12
    data[place] ^= 255
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match=r"member samples/1_epoch_1.json of .*log.eval must be readable but"):
        read_answers(path)


def test_a_run_that_did_not_end(tmp_path: Path) -> None:
    found = read_answers(packed(tmp_path / "log.eval", [sample("a", "x")], header="other.json"))
    assert "did not end" in found.notes[0]


def test_messages_parts_and_attachments_are_text(tmp_path: Path) -> None:
    one = sample(
        "a",
        "",
        input=[
            {"role": "system", "content": "attachment://h"},
            {"role": "user", "content": [{"type": "text", "text": "你好"}]},
        ],
        attachments={"h": "Be short."},
        output={"choices": [{"message": {"role": "assistant", "content": [{"type": "text", "text": "嗨"}]}}]},
        target=["hi", "嗨"],
        scores={"grades": {"value": {"form": 1, "tone": "P"}}, "list": {"value": [1, 2]}},
    )
    found = read_answers(packed(tmp_path / "l.eval", [one]))
    assert found.inputs == ("system: Be short.\nuser: 你好",)
    assert found.answers == ("嗨",)
    assert found.references == ('["hi","嗨"]',)
    assert {name: values.tolist() for name, values in found.scores.items()} == {
        "grades/form": [1],
        "grades/tone": [0.5],
    }
    assert found.measures["latency"].tolist() == [2.0]


def test_members_that_are_no_samples_are_named(tmp_path: Path) -> None:
    path = packed(tmp_path / "l.eval", [{"id": 1, "epoch": 0, "input": "x"}])
    with pytest.raises(DataError, match=r"samples/1_epoch_0.json must have an 'id'"):
        read_answers(path)


def test_links_and_bombs_are_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "l.eval", [])
    with zipfile.ZipFile(path, "a") as package:
        link = zipfile.ZipInfo("samples/1_epoch_1.json")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        package.writestr(link, "/etc/passwd")
    with pytest.raises(DataError, match="is a link"):
        read_answers(path)
    bomb = tmp_path / "b.eval"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("header.json", json.dumps(HEADER))
        with package.open("samples/1_epoch_1.json", "w") as file:
            for _ in range(257):
                file.write(b" " * (1 << 20))
    with pytest.raises(DataError, match="must unpack to a log"):
        read_answers(bomb)


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_a_log_that_is_cut_off(tmp_path: Path, kept: float) -> None:
    path = packed(tmp_path / "l.eval", SAMPLES)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(DataError, match="whole log of Inspect"):
        read_answers(path)


def test_a_part_is_refused_where_there_is_one_model(tmp_path: Path) -> None:
    path = packed(tmp_path / "l.eval", SAMPLES)
    assert read_answers(path, part="openai/gpt-4o").model == "openai/gpt-4o"
    with pytest.raises(DataError, match="Leave out #other"):
        read_answers(path, part="other")


def test_a_newer_version_is_refused_and_its_pieces_are_no_samples(tmp_path: Path) -> None:
    path = packed(tmp_path / "l.eval", SAMPLES)
    with zipfile.ZipFile(path, "a") as package:
        package.writestr("samples/9_epoch_1/messages/0.json", "[]")
    assert len(read_answers(path)) == 4
    newer = tmp_path / "l.json"
    newer.write_text(json.dumps(HEADER | {"version": 3, "samples": SAMPLES}))
    with pytest.raises(DataError, match="must be a log of version 2 or before but is of version 3"):
        read_answers(newer)
