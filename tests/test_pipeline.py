"""The road end to end on a small table: what it leaves, what it skips, and what it survives."""

import csv
import hashlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ratchet.bundle.bundle import Bundle
from ratchet.errors import BundleError, DataError, RatchetError, RecipeError, WorkspaceError
from ratchet.gate.ledger import ROUND, Ledger
from ratchet.pipeline import run
from ratchet.prepare.quarantine import read_quarantine, restore
from ratchet.prepare.saved import load_dataset, load_parts
from ratchet.prepare.split_by_time import times
from ratchet.recipe.recipe import load_recipe, parse_recipe
from ratchet.recipe.sections import Recipe
from ratchet.runs import compare_named, draw_report, list_records, list_runs, load_summary
from ratchet.screen import Screen
from ratchet.serve import load_model
from ratchet.versions.log import log, record_inputs, tag
from ratchet.versions.restore import restore as restore_version
from ratchet.workspace.workspace import Workspace

GOOD = ["很好", "满意", "喜欢", "推荐", "干净", "舒服", "值得", "方便", "热情", "漂亮"]
BAD = ["很差", "失望", "讨厌", "退货", "肮脏", "吵闹", "不值", "麻烦", "冷淡", "破旧"]
THINGS = [
    "房间",
    "服务",
    "早餐",
    "位置",
    "前台",
    "书",
    "内容",
    "印刷",
    "快递",
    "屏幕",
    "电池",
    "价格",
    "包装",
    "客服",
    "质量",
]
FILLERS = ["这次", "总的来说", "说实话", "第一次来", "朋友介绍的", "出差住的", "买了两个", "用了三天", "下次", "感觉"]


def reviews(rows: int, *, seed: int = 0, noise: float = 0.15) -> list[tuple[str, str]]:
    """Chinese reviews with a label each; some labels are wrong, a tenth of the rows are copies."""
    dice = random.Random(seed)
    made: list[tuple[str, str]] = []
    while len(made) < rows:
        if made and dice.random() < 0.1:
            made.append(dice.choice(made))
            continue
        good = dice.random() < 0.5
        words = GOOD if good else BAD
        parts = [
            dice.choice(FILLERS)
            + "，"
            + dice.choice(THINGS)
            + dice.choice(words if dice.random() > noise else GOOD + BAD)
            for _ in range(dice.randint(1, 4))
        ]
        label = "好评" if good else "差评"
        made.append(("，".join(parts) + dice.choice("。！~") + str(dice.randint(0, 9_999)), label))
    return made


@pytest.fixture
def make_reviews(tmp_path: Path) -> Callable[..., Path]:
    """Writes a table of reviews and returns its path."""

    def make(rows: int = 600, *, name: str = "reviews.csv", seed: int = 0, encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        with path.open("w", encoding=encoding, newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label"])
            writer.writerows(reviews(rows, seed=seed))
        return path

    return make


SMALL = """
name: small
data: {{files: ["{table}"]}}
workspace: {workspace}
gate: {{margin: 0.05}}
challengers:
- {{kind: linear, name: wide, features: [{{unit: char, low: 1, high: 3, sublinear: true}}]}}
- {{kind: eda, name: eda}}
"""


def small(table: Path, *overrides: str, workspace: str = "w") -> Recipe:
    text = SMALL.format(table=table, workspace=workspace)
    return parse_recipe(text, folder=table.parent, overrides=overrides)


@pytest.fixture
def done(make_reviews: Callable[..., Path]) -> tuple[Recipe, dict[str, Any]]:
    recipe = small(make_reviews())
    return recipe, run(recipe)


def test_a_run_leaves_its_figures(done: tuple[Recipe, dict[str, Any]]) -> None:
    recipe, summary = done
    folder = Workspace(recipe.workspace).runs / summary["run"]
    assert json.loads((folder / "summary.json").read_bytes()) == summary
    assert {"recipe.yaml", "environment.json", "report.html", "report.json"} <= {path.name for path in folder.iterdir()}
    assert summary["data"]["rows"] == 600
    assert 0 < summary["data"]["naive_leak_share"] < 0.5
    for name in ("naive", "honest", "test"):
        found = summary["scores"][name]
        assert found["low"] < found["value"] < found["high"]
        assert found["metric"] == "accuracy"
    names = [verdict["name"] for verdict in summary["verdicts"]]
    assert names[:3] == ["tfidf-lr", "wide", "eda"]
    assert names[3].endswith("-prune")
    assert names[4].endswith("-int8")
    assert summary["verdicts"][0]["outcome"] == "better"
    assert [verdict["promoted"] for verdict in summary["verdicts"]][4] is True
    for verdict in summary["verdicts"]:
        assert {"name", "outcome", "metric", "estimate", "low", "high", "p", "n", "test"} <= set(verdict)
    assert summary["champion"] == names[4]
    assert summary["seconds"] > 0
    assert len(summary["test_opened"]) == 1


def test_the_bundle_predicts_and_a_changed_one_is_refused(done: tuple[Recipe, dict[str, Any]]) -> None:
    _, summary = done
    bundle = Bundle.open(summary["bundle"]["path"])
    assert (bundle.bytes, bundle.sha256) == (summary["bundle"]["bytes"], summary["bundle"]["sha256"])
    model = load_model(bundle)
    assert model.labels == ("好评", "差评")
    probability = model.predict(["房间干净，服务热情", "房间肮脏，服务冷淡"])
    assert probability[0, 0] > 0.5 > probability[1, 0]
    victim = next(path for path in bundle.model_folder.iterdir() if path.suffix == ".safetensors")
    data = bytearray(victim.read_bytes())
    data[-1] ^= 1
    victim.write_bytes(data)
    with pytest.raises(BundleError, match=victim.name):
        Bundle.open(bundle.path)


def test_an_unchanged_run_skips_everything(done: tuple[Recipe, dict[str, Any]]) -> None:
    recipe, summary = done
    again = run(recipe)
    assert again["run"] != summary["run"]
    for name in ("check", "prepare", "baseline", "challengers", "compress", "export"):
        assert again["stages"][name]["status"] == "skipped", name
    for key in ("data", "scores", "verdicts", "champion", "bundle", "test_opened"):
        assert again[key] == summary[key], key
    records = Ledger(Workspace(recipe.workspace).ledger).records()
    judged = [entry for record in records if record.kind == ROUND for entry in record.body["challenges"]]
    assert len(judged) == 5
    assert sum(record.kind == "test-opened" for record in records) == 1


def test_a_new_challenger_only_has_to_beat_the_champion(done: tuple[Recipe, dict[str, Any]]) -> None:
    recipe, summary = done
    extra = {"kind": "linear", "name": "unigrams", "features": [{"low": 1, "high": 1}]}
    dumped = recipe.model_dump(mode="json")
    more = Recipe.model_validate({**dumped, "challengers": [*dumped["challengers"], extra]})
    again = run(more)
    assert [verdict["name"] for verdict in again["verdicts"]] == [
        *[verdict["name"] for verdict in summary["verdicts"]],
        "unigrams",
    ]
    anchor = (
        summary["champion"].removesuffix("-int8").removesuffix("-prune")
    )  # a copy that lost a little is not what must be beaten
    assert again["verdicts"][-1]["against"] == anchor
    assert again["stages"]["prepare"]["status"] == "skipped"


def test_the_same_recipe_gives_the_same_bytes(done: tuple[Recipe, dict[str, Any]]) -> None:
    recipe, summary = done
    other = run(recipe.model_copy(update={"workspace": recipe.workspace + "-two"}))
    assert other["scores"] == summary["scores"]
    keys = ("name", "outcome", "estimate", "low", "high", "p")
    assert [[v[key] for key in keys] for v in other["verdicts"]] == [
        [v[key] for key in keys] for v in summary["verdicts"]
    ]
    hashes = [
        {
            entry.path: entry.sha256
            for entry in Bundle.open(found["bundle"]["path"]).manifest.files
            if "model/" in entry.path
        }
        for found in (summary, other)
    ]
    assert hashes[0] == hashes[1]


def test_on_new_rows_the_old_champion_defends_itself(
    make_reviews: Callable[..., Path], done: tuple[Recipe, dict[str, Any]]
) -> None:
    recipe, before = done
    more = make_reviews(500, name="more.csv", seed=5).read_text(encoding="utf-8").splitlines(keepends=True)
    with Path(recipe.data.files[0]).open("a", encoding="utf-8") as table:
        table.writelines(more[1:])
    summary = run(recipe)
    verdicts = {verdict["name"]: verdict for verdict in summary["verdicts"]}
    old = verdicts[f"{before['champion']} (before)"]
    assert old["against"] in ("tfidf-lr", "wide")  # whoever won the first round on the new rows
    assert 300 < old["n"] < 600  # rows that it was trained on do not count
    assert len(summary["test_opened"]) == 1
    again = run(recipe)
    assert again["verdicts"] == summary["verdicts"]


def test_a_workspace_that_was_copied_names_the_bundle_beside_it(
    done: tuple[Recipe, dict[str, Any]], tmp_path: Path
) -> None:
    recipe, summary = done
    shutil.copytree(recipe.workspace, tmp_path / "there")
    was = Path(summary["bundle"]["path"])
    assert load_summary(tmp_path / "there", "last")["bundle"]["path"] == str(was), "the old place is still there"
    record = tmp_path / "there" / "runs" / summary["run"] / "summary.json"
    found = json.loads(record.read_text("utf-8"))
    found["bundle"]["path"] = f"/gone/bundles/{was.name}"
    record.write_text(json.dumps(found), encoding="utf-8")
    assert load_summary(tmp_path / "there", "last")["bundle"]["path"] == str(tmp_path / "there" / "bundles" / was.name)
    (record.parent / "report.json").write_text("[1]", encoding="utf-8")
    with pytest.raises(RatchetError, match="Report data must be valid but got, at the top level"):
        draw_report(tmp_path / "there", "last", out=None)


def test_history(done: tuple[Recipe, dict[str, Any]]) -> None:
    recipe, summary = done
    root = Path(recipe.workspace)
    assert [found["status"] for found in list_runs(root)] == ["finished"]
    assert load_summary(root, summary["run"][:10]) == summary
    assert load_summary(root, "last")["run"] == summary["run"]
    told = [record["text"] for record in list_records(root) if record["kind"] == "round"]
    assert sum(text.count(" against ") for text in told) == 5
    found = compare_named("tfidf-lr", "majority", workspace=root)
    assert found.verdict.outcome == "better"
    assert [score[0].metric for score in found.scores] == ["accuracy", "accuracy"]
    with pytest.raises(WorkspaceError, match="must be one of majority, tfidf-lr"):
        compare_named("nobody", "wide", workspace=root)


@pytest.mark.parametrize("until", ["check", "prepare"])
def test_a_run_can_end_early(make_reviews: Callable[..., Path], until: str) -> None:
    recipe = small(make_reviews(300))
    summary = run(recipe, until=until)
    assert summary["champion"] is None
    assert (Workspace(recipe.workspace).runs / summary["run"] / "report.html").is_file()
    assert summary["stages"].keys() >= {"read", "check"}


def test_a_given_test_table_is_the_test_part(make_reviews: Callable[..., Path]) -> None:
    train, test = make_reviews(500), make_reviews(150, name="test.csv", seed=1)
    shared = train.read_text(encoding="utf-8").splitlines()[1:4]
    with test.open("a", encoding="utf-8") as file:
        file.write("\n".join(shared) + "\n")
    summary = run(small(train, f"data.test_files=[{test}]", "challengers=[]"))
    assert summary["scores"]["test"]["n"] == 153
    folder = next(Path(train.parent, "w", "data").glob("rows-*"))
    quarantine = (folder / "quarantine.csv").read_text(encoding="utf-8")
    assert quarantine.count("parts.leak") >= 3


def test_fixes_reach_every_part_and_the_served_model(make_reviews: Callable[..., Path]) -> None:
    train, test = make_reviews(500), make_reviews(150, name="test.csv", seed=1)
    for path in (train, test):
        lines = path.read_text(encoding="utf-8").splitlines()
        lines[2] = "<p>" + lines[2].replace(",", "，电话13812345678,")
        lines[3:20] = [line.replace("好评", "POS").replace("差评", "NEG") for line in lines[3:20]]
        path.write_text("\n".join([*lines, "？！……,差评"]), encoding="utf-8")
    fixes = ("prepare.text=[mask, html]", "prepare.labels={POS: 好评, NEG: 差评}", "prepare.remove=[text.wordless]")
    recipe = small(train, f"data.test_files=[{test}]", "challengers=[]", "compress.methods=[]", *fixes)
    summary = run(recipe)
    assert summary["data"]["changed"] == {"labels.renamed": 34, "text.html": 2, "text.mask": 2}
    assert summary["data"]["removed"]["text.wordless"] == 1  # test rows stay
    report = json.loads((Workspace(recipe.workspace).runs / summary["run"] / "report.json").read_bytes())
    assert {"name": "text.mask", "rows": 2} in report["data"]["changed"]
    (folder,) = Path(train.parent, "w", "data").glob("rows-*")
    prepared = load_dataset(folder)
    assert sum("电话138****5678" in text for text in prepared.texts) == 2
    assert not any("<p>" in text for text in prepared.texts)
    assert set(prepared.labels) == {"好评", "差评"}
    back = restore(prepared, read_quarantine(folder / "quarantine.csv", like=prepared))
    assert sorted(back.texts) == sorted(row[0] for path in (train, test) for row in list(read_rows(path))[1:])
    assert {"POS", "NEG"} < set(back.labels)
    bundle = Bundle.open(summary["bundle"]["path"])
    assert bundle.manifest.fixes == ("mask", "html")
    assert "Texts are fixed first, as in training: mask, html" in (bundle.path / "README.md").read_text("utf-8")
    model = load_model(bundle)
    raw, clean = model.predict(["<p>房间干净</p>13812345678", "\n房间干净\n138****5678"])
    assert raw.tolist() == clean.tolist()


def test_a_review_is_taken_back(make_reviews: Callable[..., Path]) -> None:
    table = make_reviews(400)
    lines = table.read_text(encoding="utf-8").splitlines()
    swap = str.maketrans("好差", "差好")
    lines[10:50:10] = [text + "," + label.translate(swap) for text, label in csv.reader(lines[10:50:10])]
    table.write_text("\n".join(lines), encoding="utf-8")
    recipe = small(table)
    run(recipe, until="check")
    (queue,) = Path(recipe.workspace, "data").glob("check-*/review.csv")
    head, *rows = read_rows(queue)
    place = {name: at for at, name in enumerate(head)}
    assert len(rows) >= 3
    rows[0][place["decision"]], rows[1][place["decision"]] = rows[0][place["suggested"]], "drop"
    with (table.parent / "answers.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([head, *rows])
    answered = small(table, "prepare.review=answers.csv")
    summary = run(answered, until="prepare")
    assert summary["data"]["changed"] == {"labels.review": int(rows[0][place["copies"]])}
    assert summary["data"]["removed"]["labels.review"] == int(rows[1][place["copies"]])
    prepared = [load_dataset(folder) for folder in Path(recipe.workspace, "data").glob("rows-*")]
    assert (
        dict(zip(prepared[0].texts, prepared[0].labels, strict=True))[rows[0][place["text"]]]
        == rows[0][place["suggested"]]
    )
    table.write_text(table.read_text(encoding="utf-8").replace(rows[1][place["text"]], "改过了"), encoding="utf-8")
    with pytest.raises(DataError, match="another text by now"):
        run(answered, until="prepare")


def read_rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("method", ["under", "over", "weights"])
def test_a_balanced_train_part_is_a_challenger(make_reviews: Callable[..., Path], method: str) -> None:
    table = make_reviews(1_500)
    lines = table.read_text(encoding="utf-8").splitlines()
    kept = [line for i, line in enumerate(lines) if i == 0 or "差评" in line or i % 6 == 0]
    table.write_text("\n".join(kept), encoding="utf-8")
    spec = f"challengers=[{{kind: balance, name: bal, method: {method}, ratio: 1}}]"
    recipe = small(table, spec, "gate.metrics=[macro_f1]", "compress.methods=[]")
    summary = run(recipe)
    assert [verdict["name"] for verdict in summary["verdicts"]] == ["tfidf-lr", "bal"]
    card = next(
        json.loads(path.read_bytes())
        for path in Path(recipe.workspace, "models").glob("*/contender.json")
        if '"bal"' in path.read_text(encoding="utf-8")
    )
    counts = card["facts"]["train_rows"]
    assert counts["好评"] == pytest.approx(counts["差评"])
    assert summary["scores"]["test"]["metric"] == "macro_f1"


def _command(recipe: Path, *extra: str) -> list[str]:
    return [sys.executable, "-m", "ratchet", "run", str(recipe), *extra]


def _recipe_file(table: Path, *, workspace: str = "w") -> Path:
    path = table.parent / "ratchet.yaml"
    path.write_text(SMALL.format(table=table, workspace=workspace), encoding="utf-8")
    return path


def _killed(command: list[str], *, after: float, with_signal: int) -> subprocess.CompletedProcess[str]:
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    try:
        out, err = process.communicate(timeout=after)
    except subprocess.TimeoutExpired:
        process.send_signal(with_signal)
        out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def _survives_kills(table: Path, *, kills: int, seed: int) -> None:
    """Kill runs at random moments and restart them: nothing is lost, doubled or different.

    A run that comes through is followed by one in a new workspace, so that the kills hit work and not finished stages.
    """
    reference, dice = run(small(table, workspace="reference")), random.Random(seed)
    begun = time.perf_counter()
    _whole_run(_recipe_file(table, workspace="timed"), reference, seen=[])
    whole, left, rounds = time.perf_counter() - begun, kills, 0
    while left:
        recipe, seen, through = _recipe_file(table, workspace=f"w{rounds}"), list[str](), False
        ledger = Ledger(Workspace(table.parent / f"w{rounds}").ledger)
        while left and not through:
            killed = _killed(_command(recipe), after=dice.uniform(0.2, 1) * whole, with_signal=signal.SIGKILL)
            through = killed.returncode == 0
            left -= not through
            hashes = [record.hash for record in ledger.records()]
            assert hashes[: len(seen)] == seen
            seen = hashes
        _whole_run(recipe, reference, seen=seen)
        rounds += 1


def _whole_run(recipe: Path, reference: dict[str, Any], *, seen: list[str]) -> None:
    last = subprocess.run(_command(recipe, "--json"), capture_output=True, text=True, check=True)
    summary = json.loads(last.stdout)
    assert summary["champion"] == reference["champion"]
    assert [(v["name"], v["estimate"], v["p"]) for v in summary["verdicts"]] == [
        (v["name"], v["estimate"], v["p"]) for v in reference["verdicts"]
    ]
    workspace = Workspace(Path(load_recipe(recipe).workspace))
    records = list(Ledger(workspace.ledger).records())
    assert [record.hash for record in records][: len(seen)] == seen
    keys = [record.key for record in records if record.key is not None]
    assert len(keys) == len(set(keys))
    assert Ledger(workspace.ledger).verify() >= len(seen)
    assert not [path for path in workspace.root.rglob("*") if path.name.startswith(".") and path.name != ".gitignore"]


def test_a_run_survives_kill_9(make_reviews: Callable[..., Path]) -> None:
    _survives_kills(make_reviews(), kills=4, seed=1)


@pytest.mark.slow
def test_a_run_survives_200_kills(make_reviews: Callable[..., Path]) -> None:
    _survives_kills(make_reviews(), kills=200, seed=2)


def test_ctrl_c_is_one_line_and_the_run_goes_on(make_reviews: Callable[..., Path]) -> None:
    recipe = _recipe_file(make_reviews())
    for after in (1.5, 3.0):
        stopped = _killed(_command(recipe), after=after, with_signal=signal.SIGINT)
        if stopped.returncode == 0:
            break  # a fast machine was done before the signal
        assert stopped.returncode == 2
        assert "Traceback" not in stopped.stderr
        assert stopped.stderr.strip().splitlines()[-1].startswith("error: Interrupted")
    assert subprocess.run(_command(recipe), capture_output=True, check=False).returncode == 0


def test_two_runs_in_one_workspace(make_reviews: Callable[..., Path]) -> None:
    recipe = small(make_reviews(200))
    with Workspace(recipe.workspace).lock(), pytest.raises(WorkspaceError, match=f"process {os.getpid()}"):
        run(recipe)


def test_a_changed_ledger_stops_the_run(done: tuple[Recipe, dict[str, Any]]) -> None:
    recipe, _ = done
    path = Workspace(recipe.workspace).ledger
    path.write_bytes(path.read_bytes().replace(b'"outcome":"better"', b'"outcome":"worse!"', 1))
    with pytest.raises(WorkspaceError, match=r"[Rr]ecord \d"):
        run(recipe)


def test_where_the_majority_stands_nothing_is_augmented_or_balanced(make_reviews: Callable[..., Path]) -> None:
    table = make_reviews(300)
    lines = table.read_text(encoding="utf-8").splitlines()
    dice = random.Random(1)
    lines[1:] = [f"{line.split(',')[0]},{dice.choice(['好评', '差评', '好评'])}" for line in dict.fromkeys(lines[1:])]
    table.write_text("\n".join(lines), encoding="utf-8")
    said = io.StringIO()
    summary = run(small(table, "challengers=[{kind: eda, name: eda}, {kind: balance, name: bal}]"), screen=Screen(said))
    assert summary["champion"] == "majority"
    plain = " ".join(said.getvalue().split())
    for name in ("eda", "bal"):
        assert f"{name}: skipped. The champion is the majority model, which learns nothing" in plain


def dated(table: Path, days: int, *, first: int = 0) -> Path:
    """The table with a column of dates, rising with the rows."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    rows[0].append("date")
    for number, row in enumerate(rows[1:]):
        day = date(2024, 1, 1) + timedelta(days=first + number * days // (len(rows) - 1))
        row.append(f"{day.year}年{day.month}月{day.day}日" if number % 2 else str(day))
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return table


def card_of(recipe: Recipe, name: str) -> tuple[Path, dict[str, Any]]:
    """The folder and the card of a contender as it was judged; the refitted one has the same name."""
    for path in Path(recipe.workspace, "models").glob("*/contender.json"):
        card: dict[str, Any] = json.loads(path.read_bytes())
        if card["name"] == name and "refit" not in card["facts"]:
            return path.parent, card
    raise AssertionError(name)


def test_in_time_order_every_verdict_is_made_on_the_valid_part(make_reviews: Callable[..., Path]) -> None:
    table = dated(make_reviews(), 200)
    balance = "{kind: balance, name: bal, ratio: 1}"
    order = ("data.time=date", "split.order=time")
    recipe = small(table, *order, f"challengers=[{{kind: eda, name: eda}}, {balance}]")
    said = io.StringIO()
    summary = run(recipe, screen=Screen(said))
    rows = load_dataset(next(Path(recipe.workspace, "data").glob("rows-*")))
    fold = np.load(next(Path(recipe.workspace, "data").glob("rows-*/fold.npy")))
    (seconds,) = times(rows)
    assert seconds[fold == 1].max() < seconds[fold == 0].min() <= seconds[fold == 0].max() < seconds[fold == -1].min()
    assert [verdict["name"] for verdict in summary["verdicts"]][:3] == ["tfidf-lr", "eda", "bal"]
    assert {verdict["n"] for verdict in summary["verdicts"]} == {(fold == 0).sum()}
    records = Ledger(Workspace(recipe.workspace).ledger).records()
    verdicts = [verdict for record in records if record.kind == ROUND for verdict in record.body["verdicts"]]
    assert {finding["variance"] for verdict in verdicts for finding in verdict["findings"]} == {1.0}
    folder, _ = card_of(recipe, "tfidf-lr")
    assert not (folder / "folds").exists()
    assert np.load(folder / "rows.npy").tolist() == np.flatnonzero(fold == 0).tolist()
    plain = " ".join(said.getvalue().split())
    assert "(sealed); in time order; no test row has a copy" in plain
    assert "Every verdict is made on the valid part alone" in plain
    report = json.loads((Workspace(recipe.workspace).runs / summary["run"] / "report.json").read_bytes())
    assert any("valid begins at" in note for note in report["notes"])
    assert report["answered"]["part"] == "valid part"
    for name in ("tfidf-lr", "majority"):
        found = compare_named(name, "majority", workspace=Path(recipe.workspace))
        assert found.verdict.findings[0].n == (fold == 0).sum()


def test_the_model_judged_in_time_order_saw_the_train_part_alone(make_reviews: Callable[..., Path]) -> None:
    table = dated(make_reviews(), 200)
    settings = ("data.time=date", "split.order=time", "challengers=[]", "compress.methods=[]")
    recipe = small(table, *settings)
    run(recipe)
    before = {path.name: path.read_bytes() for path in (card_of(recipe, "tfidf-lr")[0] / "model").iterdir()}
    lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
    once = Counter(line.split(",")[0] for line in lines)
    flip = {"好评": "差评", "差评": "好评"}
    for number, line in enumerate(lines[480:], 480):
        text, label, day = line.split(",")
        if once[text] == 1:
            lines[number] = f"{text},{flip[label]},{day}"
    table.write_text("".join(lines), encoding="utf-8")
    other = small(table, *settings, workspace="two")
    assert run(other)["scores"]["honest"]["value"] < 0.8
    after = {path.name: path.read_bytes() for path in (card_of(other, "tfidf-lr")[0] / "model").iterdir()}
    assert before == after


@pytest.mark.parametrize("order", ["time", "random"])
def test_in_time_order_the_old_champion_is_asked_about_later_rows_only(
    make_reviews: Callable[..., Path], order: str
) -> None:
    table = dated(make_reviews(), 100)
    settings = ("data.time=date", "challengers=[]", "compress.methods=[]")
    run(small(table, *settings, f"split.order={order}"))
    more = dated(make_reviews(500, name="more.csv", seed=5), 100, first=60)
    with table.open("a", encoding="utf-8") as file:
        file.writelines(more.read_text(encoding="utf-8").splitlines(keepends=True)[1:])
    recipe = small(table, *settings, "split.order=time")
    summary = run(recipe)
    old = {verdict["name"]: verdict for verdict in summary["verdicts"]}["tfidf-lr (before)"]
    folder, _ = card_of(recipe, "tfidf-lr (before)")
    rows = load_dataset(Path(recipe.workspace, "data", f"rows-{card_of(recipe, 'tfidf-lr (before)')[1]['rows']}"))
    asked = times(rows)[0][np.load(folder / "rows.npy")]
    last = datetime(2024, 4, 10, tzinfo=UTC).timestamp() if order == "random" else 0
    assert asked.min() >= last
    assert old["n"] == len(asked)


def test_a_time_column_is_needed_for_time_order(make_reviews: Callable[..., Path]) -> None:
    with pytest.raises(RecipeError, match=r"data.time .*must name the time column when split.order is time"):
        small(make_reviews(), "split.order=time")


def test_a_run_names_the_version_of_its_data(make_reviews: Callable[..., Path]) -> None:
    table = make_reviews(300)
    recipe = small(table)
    place = Workspace(recipe.workspace)
    raw = table.read_bytes()
    first = run(recipe, until="check")
    (version,) = log(place)
    assert (version.rows, version.message) == (300, f"run {first['run']}")
    assert (first["data"]["version"], first["data"]["tags"]) == (version.id, [])
    tag("v1", version, workspace=place)
    again = run(recipe, until="check")
    assert len(log(place)) == 1
    assert (again["data"]["version"], again["data"]["tags"]) == (version.id, ["v1"])
    record = json.loads((place.runs / again["run"] / "environment.json").read_bytes())["data"]
    assert record["sources"] == {str(table): hashlib.sha256(raw).hexdigest()}
    report = json.loads((place.runs / again["run"] / "report.json").read_bytes())
    assert report["environment"]["data_version"] == f"{version.id[:12]} [v1]"
    table.write_bytes(raw.replace("好评".encode(), "赞".encode()))
    changed = run(recipe, until="check")["data"]["version"]
    assert [found["version"] for found in list_runs(place.root)] == [version.id, version.id, changed]
    assert [found["tags"] for found in list_runs(place.root)] == [["v1"], ["v1"], []]
    restore_version(version, workspace=place)
    assert table.read_bytes() == raw
    assert run(recipe, until="check")["stages"]["check"]["status"] == "skipped"


def test_a_file_that_changes_while_it_is_read_stops_the_run(
    make_reviews: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = make_reviews(100)

    def slow(*given: Any, **named: Any) -> Any:
        table.write_bytes(table.read_bytes() + "又一条,好评\n".encode())
        return record_inputs(*given, **named)

    monkeypatch.setattr("ratchet.stages.read.record_inputs", slow)
    with pytest.raises(DataError, match="must stay as it is during a run but was changed"):
        run(small(table), until="check")


def test_changed_evidence_is_refused(make_reviews: Callable[..., Path]) -> None:
    recipe = small(make_reviews(), "challengers=[]", "compress.methods=[]")
    run(recipe)
    folder, _ = card_of(recipe, "tfidf-lr")
    found = np.load(folder / "probability.npy")
    np.save(folder / "probability.npy", found[:, ::-1])
    with pytest.raises(WorkspaceError, match=r"probability\.npy must be as it was written but was changed"):
        run(small(Path(recipe.data.files[0]), "challengers=[{kind: linear, name: wide, C: 3}]", "compress.methods=[]"))


def test_a_ledger_that_is_gone_is_told(make_reviews: Callable[..., Path]) -> None:
    recipe = small(make_reviews(), "challengers=[]", "compress.methods=[]")
    workspace = Workspace(recipe.workspace)

    def said() -> str:
        screen = io.StringIO()
        summary = run(recipe, screen=Screen(screen))
        report = (workspace.runs / summary["run"] / "report.html").read_text(encoding="utf-8")
        assert ("The ledger of this workspace was lost" in report) == summary["test_openings_lost"]
        assert summary["test_openings_lost"] == ("earlier openings are not known" in screen.getvalue())
        return screen.getvalue()

    assert "ledger is gone" not in said() + said()
    for path in workspace.root.glob("ledger.*"):
        path.unlink()
    record_inputs(recipe.data.files, (), workspace=workspace, message="", shape=(1, ()))  # begins another ledger
    again = said()
    assert "holds runs but the ledger is gone" in again
    assert "opened once; earlier openings are not known" in again
    assert "ledger-gone" in {record.kind for record in Ledger(workspace.ledger).records()}
    later = said()
    assert "ledger is gone" not in later
    assert "earlier openings are not known" in later


def test_a_ledger_that_is_gone_after_a_killed_run_is_told(make_reviews: Callable[..., Path]) -> None:
    recipe, screen = small(make_reviews(100)), io.StringIO()
    run(recipe, until="check")
    workspace = Workspace(recipe.workspace)
    for path in (*workspace.root.glob("ledger.*"), *workspace.runs.glob("*/summary.json")):
        path.unlink()
    run(recipe, screen=Screen(screen), until="check")
    assert "holds runs but the ledger is gone" in screen.getvalue()


@pytest.mark.parametrize(
    ("near", "words"),
    [
        ("true", "no test row has a copy or near-copy in train or valid"),
        ("false", "test rows have a near-copy in train or valid"),
    ],
)
def test_prepare_counts_what_crosses(make_reviews: Callable[..., Path], near: str, words: str) -> None:
    table, said = make_reviews(300), io.StringIO()
    rows = table.read_text(encoding="utf-8").splitlines()
    edited = [row.replace(",", "呢,", 1) for row in rows[1:]]
    table.write_text("\n".join([*rows, *edited]) + "\n", encoding="utf-8")
    run(small(table, f"split.near={near}"), screen=Screen(said), until="prepare")
    assert words in said.getvalue()


def shuffled(table: Path) -> None:
    head, *lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
    random.Random(3).shuffle(lines)
    table.write_text(head + "".join(lines), encoding="utf-8")


@pytest.mark.parametrize("change", ["shuffled", "a copy first"])
def test_the_same_rows_in_another_order_are_the_same_rows(make_reviews: Callable[..., Path], change: str) -> None:
    """Old evidence is found by content: read by position it would stand against other rows."""
    table = make_reviews()
    recipe = small(table)
    before = run(recipe)
    if change == "shuffled":
        shuffled(table)
    else:
        head, first, *lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
        table.write_text("".join([head, lines[-1], first, *lines]), encoding="utf-8")
    poor = "challengers=[{kind: linear, name: poor, features: [{unit: char, low: 6, high: 6}], C: 0.0001}]"
    after = run(small(table, poor))
    assert after["champion"] == before["champion"]
    assert not [v for v in after["verdicts"] if v["name"] == "poor" and v["promoted"]]
    assert not [v for v in after["verdicts"] if v["name"] == v["against"]]
    assert after["scores"]["champion"] == before["scores"]["champion"]
    assert after["test_opened"] == before["test_opened"]


BLIND = "baseline={features: [{unit: char, low: 8, high: 8}], C: 0.0001}"


def test_a_champion_of_champions_still_knows_what_it_was_trained_on(make_reviews: Callable[..., Path]) -> None:
    """The baselines of the later tables are blinded, so that the first one's champion stands on both."""
    table = make_reviews(400)
    head, first = table.read_text(encoding="utf-8").split("\n", 1)
    only = ("challengers=[]", "compress.methods=[]", "split.near=false")
    recipe = small(table, *only)
    assert run(recipe)["champion"] == "tfidf-lr"
    origin = card_of(recipe, "tfidf-lr")[1]["rows"]
    second = make_reviews(400, name="second.csv", seed=9).read_text(encoding="utf-8").split("\n", 1)[1]
    table.write_text(f"{head}\n{second}", encoding="utf-8")
    assert run(small(table, *only, BLIND))["champion"] == "tfidf-lr (before)"
    table.write_text(f"{head}\n{first}{second}", encoding="utf-8")
    assert run(small(table, *only, BLIND))["champion"] == "tfidf-lr (before)"
    cards = [json.loads(path.read_bytes()) for path in Path(recipe.workspace, "models").glob("*/contender.json")]
    defences = [card["facts"] for card in cards if card["name"] == "tfidf-lr (before)" and "refit" not in card["facts"]]
    assert [facts["trained"] for facts in defences] == [[origin, 0]] * 2
    trained = load_dataset(Path(recipe.workspace, "data", f"rows-{origin}"))
    fold = load_parts(Path(recipe.workspace, "data", f"rows-{origin}")).fold
    assert max(facts["left_out"] for facts in defences) >= 0.7 * len(trained.take(np.flatnonzero(fold > 0)))


def test_another_bundle_is_another_opening(make_reviews: Callable[..., Path]) -> None:
    table = make_reviews()
    assert len(run(small(table))["test_opened"]) == 1
    assert len(run(small(table))["test_opened"]) == 1
    assert len(run(small(table, "export.refit=false"))["test_opened"]) == 2


def test_a_derived_winner_is_not_derived_from_again(make_reviews: Callable[..., Path]) -> None:
    table, dice, other = make_reviews(3_000), random.Random(3), {"好评": "差评", "差评": "好评"}
    head, *lines = table.read_text(encoding="utf-8").splitlines()
    rows = [line.rsplit(",", 1) for i, line in enumerate(lines) if "差评" not in line or (i + 1) % 8 == 0]
    noisy = [f"{text},{other[label] if dice.random() < 0.15 else label}" for text, label in rows]
    table.write_text("\n".join([head, *noisy]) + "\n", encoding="utf-8")
    plan = "challengers=[{kind: balance, name: bal, ratio: 1, method: weights}, {kind: eda, name: eda}]"
    settings = (plan, "gate.metrics=[macro_f1]", "compress.methods=[]", "baseline={C: 1}")
    first = run(small(table, *settings))
    assert first["champion"] in ("bal", "eda")
    again = run(small(table, *settings))
    assert [verdict["name"] for verdict in again["verdicts"]] == ["tfidf-lr", "bal", "eda"]
    assert again["gate"]["level_left"] == first["gate"]["level_left"]


def test_another_metric_is_judged_anew(make_reviews: Callable[..., Path]) -> None:
    table = make_reviews()
    run(small(table, "compress.methods=[]"))
    after = run(small(table, "compress.methods=[]", "gate.metrics=[macro_f1]"))
    judged = [(v["name"], v["metric"]) for v in after["verdicts"]]
    assert [name for name, metric in judged if metric == "macro_f1"]
    assert len(judged) == len(set(judged))
    assert not [v for v in after["verdicts"] if v["name"] == v["against"]]


@pytest.mark.parametrize("content", ["{}", "[]", '{"data": 1}'])
def test_a_damaged_summary_is_one_line(make_reviews: Callable[..., Path], content: str) -> None:
    recipe = small(make_reviews(), "challengers=[]", "compress.methods=[]")
    run(recipe)
    workspace = Workspace(recipe.workspace)
    for path in workspace.runs.glob("*/summary.json"):
        path.write_text(content, encoding="utf-8")
    with pytest.raises(WorkspaceError, match="must have the key"):
        load_summary(workspace.root, "last")
    with pytest.raises(WorkspaceError, match="must have the key"):
        list_runs(workspace.root)


def test_a_folder_whose_name_is_no_utf8(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"odd\\udcff.* must be text in UTF-8"):
        run(parse_recipe("data: {files: [reviews.csv]}", folder=tmp_path / os.fsdecode(b"odd\xff")))


@pytest.mark.parametrize("key", ["split.test=1e-300", "check.near_threshold=1e-300", "split.near_threshold=1e-300"])
def test_extreme_numbers_are_refused(make_reviews: Callable[..., Path], key: str) -> None:
    with pytest.raises(RecipeError, match="must be at least"):
        small(make_reviews(), key)


def test_another_version_of_the_code_prepares_anew(
    make_reviews: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an older version left may lack what this one looks for."""
    recipe = small(make_reviews(), "challengers=[]", "compress.methods=[]")
    before = run(recipe)
    for path in Workspace(recipe.workspace).data.glob("*/facts.json"):
        path.write_text("{}", encoding="utf-8")
    for path in Workspace(recipe.workspace).data.glob("*/sums.json"):
        path.unlink()
    monkeypatch.setattr("ratchet.pipeline.code_version", lambda: "of tomorrow")
    after = run(recipe)
    assert after["champion"] == before["champion"]
    assert after["scores"]["test"]["value"] == before["scores"]["test"]["value"]
