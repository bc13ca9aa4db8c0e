"""Versions of a table from the command line: added, listed, compared, restored to the byte, and checked."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ratchet.cli import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ratchet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ratchet", "data", *arguments])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        return (code, *capfd.readouterr())

    return run


def table(rows: int, *, start: int = 0) -> bytes:
    lines = [f"第{i}条评论{i * 7919},{'好' if i % 2 else '差'}" for i in range(start, start + rows)]
    return "\n".join(["text,label", *lines, ""]).encode("gb18030")


def test_a_version_comes_back_to_the_byte(ratchet: Run) -> None:
    path = Path("r.csv")
    path.write_bytes(table(300))
    assert ratchet("add", "r.csv", "-m", "first", "--tag", "v1")[0] == 0
    path.write_bytes(table(280, start=40))
    assert ratchet("add", "r.csv", "-m", "second")[0] == 0
    code, out, _ = ratchet("log")
    assert (code, out.count("\n")) == (0, 2)
    path.unlink()
    assert ratchet("restore", "v1")[0] == 0
    assert path.read_bytes() == table(300)
    assert ratchet("verify")[0] == 0


def test_what_changed_between_two_versions(ratchet: Run) -> None:
    path = Path("r.csv")
    path.write_bytes(table(300))
    ratchet("add", "r.csv", "--tag", "v1")
    path.write_bytes(table(280, start=40))
    ratchet("add", "r.csv", "--tag", "v2")
    code, out, err = ratchet("diff", "v1", "v2", "--json")
    assert code == 0, err
    assert isinstance(json.loads(out), dict)


def test_a_flipped_bit_is_found_and_named(ratchet: Run) -> None:
    Path("r.csv").write_bytes(table(300))
    ratchet("add", "r.csv")
    stored = [path for path in Path(".ratchet", "data").rglob("*") if path.is_file()]
    victim = max(stored, key=lambda path: path.stat().st_size)
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.chmod(0o644)
    victim.write_bytes(data)
    code, out, err = ratchet("verify")
    assert code != 0
    assert "r.csv" in out + err


@pytest.mark.parametrize("arguments", [("restore", "nothing"), ("add", "missing.csv"), ("diff", "a", "b")])
def test_mistakes_are_one_line(ratchet: Run, arguments: tuple[str, ...]) -> None:
    code, _, err = ratchet(*arguments)
    assert code == 2
    assert len(err.splitlines()) == 1
    assert err.startswith("error: ")
