"""Versions of a table from the command line: added, listed, compared, restored to the byte, and checked."""

import json
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

import pytest
from tests.cli.conftest import Ratchet

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ratchet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ratchet: Ratchet) -> Run:
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: astuple(ratchet("data", *arguments))


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


def test_a_wrong_tag_is_refused_before_anything_is_recorded(ratchet: Run) -> None:
    Path("r.csv").write_bytes(table(30))
    code, _, err = ratchet("add", "r.csv", "--tag", "-v 1")
    assert (code, err.count("A tag must be letters")) == (2, 1)
    assert ratchet("log", "--json")[1].strip() == "[]"


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


def test_a_diff_tells_rows_columns_shifts_and_copies(ratchet: Run) -> None:
    Path("old.csv").write_bytes(table(300))
    lines = table(280, start=40).decode("gb18030").splitlines()
    lines[1:31] = [line[:-1] + "好" for line in lines[1:31]]
    Path("new.csv").write_bytes("\n".join([*lines, *lines[200:220], ""]).encode("gb18030"))
    code, out, _ = ratchet("diff", "old.csv", "new.csv", "--test", "old.csv", "--html", "d.html")
    assert code == 0
    for said in (
        "old.csv: 300 rows",
        "kept",
        "Labels changed: 差 -> 好 15",
        "Distributions",
        "Holm",
        "in the test part",
        "Wrote d.html",
    ):
        assert said in out
    assert "<svg" in Path("d.html").read_text(encoding="utf-8")
    code, out, _ = ratchet("diff", "old.csv", "old.csv")
    assert "The same rows and columns." in out


def test_a_shift_can_fail_a_pipeline(ratchet: Run) -> None:
    Path("old.csv").write_bytes(table(300))
    Path("new.csv").write_bytes(table(300, start=1_000).replace("差".encode("gb18030"), "好".encode("gb18030")))
    assert ratchet("diff", "old.csv", "new.csv")[0] == 0
    code, out, err = ratchet("diff", "old.csv", "new.csv", "--fail-on-shift", "--json", "--fast")
    assert code == 1
    said = json.loads(out)
    assert said["shifted"]
    assert said["copies"]["brought_near"] is None
    alarms = [shift for shift in said["tests"]["shifts"] if shift["alarm"]]
    assert "label" in {shift["trait"] for shift in alarms}
    assert all(shift["p_adjusted"] <= said["tests"]["alpha"] == 0.05 for shift in alarms)
    assert err == ""
    assert ratchet("diff", "old.csv", "old.csv", "--fail-on-shift")[0] == 0


def test_the_forms_for_programs(ratchet: Run) -> None:
    Path("r.csv").write_bytes(table(30))
    added = json.loads(ratchet("add", "r.csv", "--tag", "v1", "--json")[1])
    (logged,) = json.loads(ratchet("log", "--json")[1])
    assert added == logged
    assert (logged["rows"], logged["columns"], logged["tags"]) == (30, ["text", "label"], ["v1"])
    assert json.loads(ratchet("verify", "--json")[1]) == []


def test_log_says_when_there_is_nothing(ratchet: Run) -> None:
    code, out, _ = ratchet("log")
    assert (code, out) == (0, "No version yet. Record one: ratchet data add FILE\n")
    assert not Path(".ratchet").exists()


def test_a_changed_file_is_not_overwritten_without_force(ratchet: Run) -> None:
    path = Path("r.csv")
    path.write_bytes(table(30))
    ratchet("add", "r.csv", "--tag", "v1")
    path.write_bytes(table(31))
    code, _, err = ratchet("restore", "v1")
    assert code == 2
    assert "add --force" in err
    assert path.read_bytes() == table(31)
    assert ratchet("restore", "v1", "--force")[0] == 0
    assert path.read_bytes() == table(30)
    assert ratchet("log")[1].count("before restoring") == 1
    assert "already" in ratchet("restore", "v1")[1]
    assert ratchet("restore", "v1", "--to", "copy.csv")[0] == 0
    assert Path("copy.csv").read_bytes() == table(30)


def test_tags_move_on_request(ratchet: Run) -> None:
    for rows in (30, 31):
        Path("r.csv").write_bytes(table(rows))
        ratchet("add", "r.csv", "--tag", f"v{rows}")
    assert ratchet("tag", "best", "v30")[0] == 0
    assert ratchet("tag", "best")[0] == 2
    code, out, _ = ratchet("tag", "best", "--move")
    assert code == 0
    assert "[v31, best]" in out


def test_in_a_dvc_project_pointers_are_written(ratchet: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    Path("r.csv").write_bytes(table(30))
    ratchet("add", "r.csv")
    assert not Path("r.csv.dvc").exists()
    assert ratchet("add", "r.csv", "--dvc")[0] == 2
    Path(".dvc").mkdir()
    ratchet("add", "r.csv", "--no-dvc")
    assert not Path("r.csv.dvc").exists()
    code, out, _ = ratchet("add", "r.csv", "--dvc-stage", "ratchet.yaml")
    assert code == 0
    assert "dvc commit" in out
    assert Path("r.csv.dvc").exists()
    assert "ratchet run ratchet.yaml" in Path("dvc.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "arguments", [("restore", "nothing"), ("add", "missing.csv"), ("diff", "a", "b"), ("tag", "x")]
)
def test_mistakes_are_one_line(ratchet: Run, arguments: tuple[str, ...]) -> None:
    code, _, err = ratchet(*arguments)
    assert code == 2
    assert len(err.splitlines()) == 1
    assert err.startswith("error: ")


def test_what_can_not_be_read_as_a_table_is_kept_and_called_so(ratchet: Run) -> None:
    Path("r.csv").write_bytes(table(30) + b"one cell\n")
    code, out, _ = ratchet("add", "r.csv")
    assert code == 0
    assert "no table  r.csv" in out
