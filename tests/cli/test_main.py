"""The command line: every mistake is one clear line and exit code 2, and nothing heavy is imported for help."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Ended

from ratchet.cli.main import CRASHED
from ratchet.recipe.recipe import load_recipe

HEAVY = ("torch", "transformers", "pandas", "sklearn", "scipy", "numpy", "pyarrow", "onnxruntime", "pydantic", "rich")


def rows(count: int = 60) -> str:
    words = ["好", "差"]
    return "text,label\n" + "".join(f"第{i}条评论很{words[i % 2]}啊{i * 7919}。,{words[i % 2]}\n" for i in range(count))


UGLY: list[tuple[str, bytes, str]] = [
    ("empty.csv", b"", "empty"),
    ("header.csv", b"text,label\n", "row"),
    ("one_class.csv", "text,label\n好评一,好\n好评二,好\n好评三,好\n".encode(), "label"),
    ("row_a_class.csv", "text,label\n好评一,好\n差评一,差\n".encode(), "at least 2 rows"),
    ("columns.csv", "txt,label\n好评一,好\n差评一,差\n".encode(), "Did you mean 'txt'?"),
    ("mixed.csv", b"text,label\n" + "好评,好\n".encode() + "差评,差\n".encode("gb18030"), "one encoding"),
    ("nul.csv", b"text,label\ngood\x00,a\nbad,b\n", "NUL"),
    ("cell.csv", b"text,label\n" + b"x" * 5_000_000 + b",a\nbad,b\n", "bytes"),
    ("quote.csv", b'text,label\n"good,a\nbad,b\n', "quot"),
    ("twice.csv", b"text,label,text\ngood,a,b\n", "'text'"),
    ("fields.csv", b"text,label\ngood,a\nbad\n", "row 2"),
    ("no_labels.csv", b"text,label\ngood,\nbad,\n", "label"),
    ("table.xyz", b"text,label\n", ".csv"),
]


@pytest.mark.parametrize(("name", "data", "message"), UGLY, ids=[name for name, _, _ in UGLY])
def test_an_ugly_table_is_one_line(
    tmp_path: Path, ratchet: Callable[..., Ended], name: str, data: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(data)
    recipe = tmp_path / "ratchet.yaml"
    recipe.write_text(f"data: {{files: [{name}]}}\n", encoding="utf-8")
    ended = ratchet("run", str(recipe))
    assert ended.code == 2
    assert len(ended.err.splitlines()) == 1
    assert ended.err.startswith("error: ")
    assert message.lower() in ended.err.lower()
    assert not (tmp_path / ".ratchet" / "ledger.jsonl").exists()


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("data: {files: [missing.csv]}", "missing.csv does not exist"),
        ("data: {files: [missing.csv], origin: Ask Bob.}", "missing.csv does not exist. Ask Bob."),
        ("data: {files: [good.csv, good.csv]}", "given twice"),
        ("data: {files: [good.csv], label: text}", "two columns"),
        ("data: {files: [good.csv], tex: text}", "Did you mean text?"),
        ("data: {files: [good.csv], label: lable}", "Did you mean 'label'?"),
        ("split: {test: 2}\ndata: {files: [good.csv]}", "split.test (ratchet.yaml, line 1) must be below 1 but got 2"),
        ("data: {files: []}", "must name at least one table"),
        ("data: [", "YAML"),
    ],
)
def test_a_wrong_recipe_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ratchet: Callable[..., Ended], recipe: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("good.csv").write_text(rows(), encoding="utf-8")
    Path("ratchet.yaml").write_text(recipe, encoding="utf-8")
    ended = ratchet("run")
    assert ended.code == 2
    assert len(ended.err.splitlines()) == 1
    assert message in ended.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "nowhere.yaml"), "nowhere.yaml"),
        (("run", "--set", "split.tset=1"), "Did you mean test?"),
        (("show",), "has no ledger"),
        (("runs",), "has no ledger"),
        (("compare", "a", "b"), "has no ledger"),
        (("serve", "nowhere"), "nowhere"),
        (("predict", "nowhere", "x.csv"), "nowhere"),
        (("init", "--yes"), "must be named"),
        (("init", "--yes", "--file", "good.csv", "--text", "txet"), "must be a column"),
        (("fly",), "No such command"),
        (("watch", "nowhere"), "must hold a training"),
    ],
)
def test_a_wrong_command_is_exit_code_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ratchet: Callable[..., Ended],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    if "good.csv" in arguments:
        Path("good.csv").write_text(rows(), encoding="utf-8")
    if arguments[:2] == ("run", "--set"):
        Path("ratchet.yaml").write_text("data: {files: [good.csv]}", encoding="utf-8")
    ended = ratchet(*arguments)
    assert ended.code == 2
    assert message in ended.err
    assert "Traceback" not in ended.err


def test_from_init_to_compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ratchet: Callable[..., Ended]) -> None:
    monkeypatch.chdir(tmp_path)
    Path("评论.csv").write_text(rows(120), encoding="gb18030")
    begun = ratchet("init", "--yes", "--name", "no")
    assert begun.code == 0
    assert "(text: text; label: label)" in begun.out
    assert "评论.csv" in Path("ratchet.yaml").read_text(encoding="utf-8")
    assert ratchet("init", "--yes").code == 2
    ended = ratchet("run", "--set", "challengers=[]", "--json")
    assert ended.code == 0
    summary = json.loads(ended.out)
    assert summary["name"] == "no"
    assert "rows stay" in ended.err
    shown = ratchet("show", "last")
    assert "the champion on the sealed test part" in shown.out
    assert summary["run"] in ratchet("runs").out
    better = ratchet("compare", "tfidf-lr", "majority")
    assert (better.code, better.out.count("\n")) == (0, 1)
    assert ratchet("compare", "majority", "tfidf-lr", "--json").code == 12
    assert ratchet("compare", "tfidf-lr", "tfidf-lr").code in (10, 11)
    assert "chain intact" in ratchet("ledger").out
    assert ratchet("report", "--out", "r.html").out.strip() == "r.html"
    found = ratchet("predict", summary["bundle"]["path"], "评论.csv", "--out", "out.csv")
    assert found.code == 0
    assert Path("out.csv").read_text(encoding="gb18030").splitlines()[0] == "text,label,prediction,probability"


def test_compare_two_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ratchet: Callable[..., Ended]) -> None:
    monkeypatch.chdir(tmp_path)
    truth = ["a", "b"] * 100
    wrong = ["b" if label == "a" and i < 80 else label for i, label in enumerate(truth)]
    for name, predicted in (("good.csv", truth), ("poor.csv", wrong)):
        lines = [f"{label},{guess}" for label, guess in zip(truth, predicted, strict=True)]
        Path(name).write_text("\n".join(["label,prediction", *lines]), encoding="utf-8")
    assert ratchet("compare", "good.csv", "poor.csv").code == 0
    assert ratchet("compare", "poor.csv", "good.csv", "--metric", "accuracy", "--metric", "macro_f1").code == 12
    assert ratchet("compare", "good.csv", "good.csv", "--margin", "0.05").code == 10
    Path("short.csv").write_text("label,prediction\na,a\n", encoding="utf-8")
    assert "same rows" in ratchet("compare", "good.csv", "short.csv").err


def test_schema_is_json(ratchet: Callable[..., Ended]) -> None:
    assert json.loads(ratchet("schema").out)["title"] == "Ratchet recipe"


def _modules(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.splitlines()[-1].split())


def test_nothing_heavy_is_imported_for_help() -> None:
    assert not _modules("import ratchet") & set(HEAVY)
    helped = (
        "import ratchet.cli.main as c\ntry: c.cli.main(['--help'], standalone_mode=False)\nexcept SystemExit: pass\n"
    )
    assert not _modules(f"exec({helped!r})") & set(HEAVY)


@pytest.mark.parametrize("encoding", ["ascii", "gb18030", "latin-1"])
def test_messages_survive_any_locale(tmp_path: Path, encoding: str) -> None:
    recipe = tmp_path / "ratchet.yaml"
    recipe.write_text("data: {files: [没有.csv]}", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "ratchet", "run", str(recipe)],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding, "LC_ALL": "C"},
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: ")
    assert b"Traceback" not in done.stderr


def test_commands_and_flags_are_known() -> None:
    """A flag that people use in scripts does not vanish unnoticed."""
    from ratchet.cli.main import cli

    flags = {
        name: sorted(option for parameter in command.params for option in parameter.opts if option.startswith("--"))
        for name, command in cli.commands.items()
    }
    assert flags["run"] == ["--json", "--set", "--until", "--wait"]
    before = {"--claim", "--json", "--label", "--labels", "--margin", "--metric", "--workspace"}
    files = {"--answer", "--id", "--most-missing", "--part", "--rows", "--seed", "--task", "--times"}
    assert flags["compare"] == sorted(before | files)
    safety = {"--audit", "--check", "--json", "--keys", "--origin", "--tls-cert", "--tls-key"}
    assert flags["serve"] == sorted(safety | {"--host", "--name", "--port", "--send-to", "--workers"})


def test_what_the_system_refuses_is_one_line(ratchet: Callable[..., Ended]) -> None:
    ended = ratchet("check", "x" * 300 + ".csv")
    assert ended.code == 2
    assert ended.err == f"error: {'x' * 300}.csv: File name too long. Check the path; --debug shows where it came up.\n"


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_reader_that_has_gone_is_no_finding(tmp_path: Path, form: str) -> None:
    (tmp_path / "a.csv").write_text("text,label\n" + "".join(f"text {i},{'xy'[i % 2]}\n" for i in range(40)))
    command = [sys.executable, "-m", "ratchet", "check", "a.csv", "--fast", "--format", form]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), said) == (141, b"")


def test_a_crash_has_an_exit_code_of_its_own() -> None:
    """`check` uses 1 for findings: who scripts it must not take a crash for them."""
    code = (
        "import sys, ratchet.cli.main as c\n"
        "def broken(*_, **__): raise ZeroDivisionError('a fault')\n"
        "c.cli.main = broken\n"
        "c.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == CRASHED == 70
    assert "ZeroDivisionError: a fault" in done.stderr
    assert "fault of Ratchet's own" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", ""], "must be the name of a file or folder but is empty"),
        (["run", ""], "must be the name of a file or folder but is empty"),
        (["predict", "", "x.csv"], "must be the name of a file or folder but is empty"),
        (["data", "add", ""], "is empty"),
        (["init", "--yes", "--file", ""], "one name is empty"),
    ],
)
def test_an_empty_name_is_no_folder(ratchet: Callable[..., Ended], arguments: list[str], words: str) -> None:
    ended = ratchet(*arguments)
    assert ended.code == 2
    assert words in ended.err
    assert "Traceback" not in ended.err


def test_init_takes_several_texts_and_features(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ratchet: Callable[..., Ended]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"t{i},body {i},{i},c{i % 3},{'ab'[i % 2]}\n" for i in range(30))
    Path("t.csv").write_text("title,body,age,city,label\n" + rows, encoding="utf-8")
    flags = ("--text", "title, body", "--feature", "age", "--feature", "city")
    assert ratchet("init", "--yes", *flags).code == 0
    data = load_recipe("ratchet.yaml").data
    assert (data.text, data.label) == (("title", "body"), "label")
    assert data.features == {"age": "number", "city": "category"}
    wrong = ratchet("init", "--yes", "--force", "--text", "title,bdy")
    assert (wrong.code, "The text must be a column of t.csv" in wrong.err) == (2, True)
    assert "The feature must be a column" in ratchet("init", "--yes", "--force", "--feature", "agee").err
    assert "different columns" in ratchet("init", "--yes", "--force", "--text", "title,label", "--label", "label").err
