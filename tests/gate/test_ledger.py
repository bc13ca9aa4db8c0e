from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ratchet.errors import LedgerError
from ratchet.gate.error_budget import Family
from ratchet.gate.hash_chain import Chain
from ratchet.gate.ledger import CHALLENGE, NOTES, ROOT, ROUND, ContenderRef, Ledger
from ratchet.gate.verdict import Claim, Round, judge
from ratchet.metrics.evidence import Evidence

ROWS = np.arange(200)
TRUTH = ROWS % 2


@pytest.fixture(autouse=True)
def fast_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: os.fstat(handle))


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.jsonl")


def contender(name: str) -> ContenderRef:
    return ContenderRef(name=name, kind="linear", key=f"key-{name}", bytes=1000, seconds=0.5)


def evidence(name: str, *, wrong: int, size: float = 1_000.0) -> Evidence:
    """A model that has every ``wrong``-th row wrong."""
    right = np.stack([1 - TRUTH, TRUTH], axis=1).astype(np.float64)
    return Evidence.of_classes(
        name=name,
        rows=ROWS,
        truth=TRUTH,
        probability=np.where((ROWS % wrong == 0)[:, None], 1 - right, right),
        measures={"bytes": np.array([size])},
    )


def verdict(challenger: str, champion: str, family: Family, *, better: bool, level: float | None = None) -> Round:
    return judge(
        [evidence(challenger, wrong=50 if better else 5)],
        evidence(champion, wrong=5),
        family=family,
        level=family.share() if level is None else level,
    )


def enter(ledger: Ledger, found: Round, *, key: str | None = None, account: Any = "improvements") -> Any:
    names = [each.challenger for each in found.verdicts]
    return ledger.judged(
        found,
        challengers={name: contender(name) for name in names},
        keys={name: f"k-{name}" for name in names},
        account=account,
        run="r1",
        key=key,
    )


def fight(ledger: Ledger, challenger: str, champion: str, *, better: bool, key: str | None = None) -> None:
    found = verdict(challenger, champion, ledger.family("rows"), better=better)
    assert (found.winner == challenger) is better
    enter(ledger, found, key=key)


def test_the_champion_is_derived(ledger: Ledger) -> None:
    assert ledger.champion("rows") is None
    root = ledger.root("rows", contender("a"), run="r1")
    standing = ledger.champion("rows")
    assert standing is not None
    assert (standing.contender, standing.run, standing.record, standing.verdict) == (contender("a"), "r1", root, None)
    fight(ledger, "b", "a", better=False)
    assert ledger.champion("rows") == standing
    fight(ledger, "c", "a", better=True)
    fight(ledger, "d", "c", better=False)
    ledger.root("other", contender("z"), run="r1")
    standing = Ledger(ledger.path).champion("rows")
    assert standing is not None
    assert standing.contender == contender("c")
    assert standing.verdict is not None
    assert standing.verdict.champion == "a"
    assert standing.record.seq == 3
    assert ledger.family("rows").rounds == 3
    assert ledger.family("new").rounds == 0
    assert [(each.challenger.name, each.promoted) for each in ledger.challenges("rows")] == [
        ("b", False),
        ("c", True),
        ("d", False),
    ]
    with pytest.raises(LedgerError, match=r"must stay 0\.05, as its first round had it, but got 0\.1"):
        ledger.family("rows", alpha=0.1)
    assert ledger.verify() == 5


def test_events_are_recorded_once(ledger: Ledger) -> None:
    first = ledger.root("rows", contender("a"), run="r1", key="r1/root")
    assert ledger.root("rows", contender("a"), run="r1", key="r1/root") == first
    fight(ledger, "b", "a", better=True, key="r1/b")
    record = ledger.find("r1/b")
    assert record is not None
    # After a restart the same challenge comes again, although it moved the champion and used its error level.
    again = verdict("b", "a", Family(name="rows"), better=True)
    assert enter(ledger, again, key="r1/b") == record
    assert len(ledger.records()) == 2
    assert ledger.find("r1/c") is None


def test_the_best_of_the_proven_takes_the_place(ledger: Ledger) -> None:
    ledger.root("rows", contender("a"), run="r1")
    family = ledger.family("rows")
    round_ = judge(
        [evidence("b", wrong=25), evidence("c", wrong=100), evidence("d", wrong=5)],
        evidence("a", wrong=5),
        family=family,
        level=family.share(3),
    )
    enter(ledger, round_)
    standing = ledger.champion("rows")
    assert standing is not None
    assert standing.contender.name == "c"
    assert [each.verdict.outcome for each in ledger.challenges("rows")] == ["better", "better", "undecided"]
    spent = 0.05 - ledger.family("rows").left
    assert spent == pytest.approx(round_.verdicts[2].level)


def copy_of(ledger: Ledger, name: str, *, wrong: int, champion: tuple[str, int], anchor: tuple[str, int]) -> Round:
    family = ledger.family("rows", account="copies")
    return judge(
        [evidence(name, wrong=wrong, size=10.0)],
        evidence(champion[0], wrong=champion[1]),
        [Claim(metric="accuracy", kind="noninferior", margin=0.04), Claim(metric="bytes")],
        family=family,
        level=family.share(),
        anchor=evidence(anchor[0], wrong=anchor[1]),
        copy=True,
    )


def test_copies_have_an_account_of_their_own_and_their_margin_an_anchor(ledger: Ledger) -> None:
    ledger.root("rows", contender("a"), run="r1")
    fight(ledger, "b", "a", better=True)
    enter(ledger, copy_of(ledger, "b-small", wrong=40, champion=("b", 50), anchor=("b", 50)), account="copies")
    standing, anchor = ledger.champion("rows"), ledger.anchor("rows")
    assert standing is not None
    assert anchor is not None
    assert (standing.contender.name, anchor.name) == ("b-small", "b")
    assert ledger.family("rows").rounds == 1
    assert ledger.family("rows", account="copies").rounds == 1
    from_champion = copy_of(ledger, "x", wrong=33, champion=("b-small", 40), anchor=("b-small", 40))
    refused(ledger, from_champion, "must be against 'b-small', with margins from 'b'", account="copies")
    # The next improvement must beat the anchor, not the copy that lost a little.
    refused(ledger, verdict("c", "b-small", ledger.family("rows"), better=True), "must be against 'b'")
    with pytest.raises(LedgerError, match="must not hold claims of the kind noninferior"):
        enter(ledger, copy_of(ledger, "y", wrong=40, champion=("b", 50), anchor=("b", 50)))


def refused(ledger: Ledger, found: Round, match: str, *, account: Any = "improvements") -> None:
    before = ledger.records()
    with pytest.raises(LedgerError, match=match) as caught:
        enter(ledger, found, account=account)
    assert caught.value.next_step
    assert ledger.records() == before


def test_a_round_that_does_not_fit_is_refused(ledger: Ledger) -> None:
    family = Family(name="rows")
    refused(ledger, verdict("b", "a", family, better=True), "'rows' must have a champion to challenge but has none")
    ledger.root("rows", contender("a"), run="r1")
    refused(ledger, verdict("b", "x", family, better=True), "must be against 'a', with margins from 'a', but got one")
    single = verdict("b", "a", Family(name="single"), better=True)
    refused(ledger, single, "The family 'single' must have a champion")
    fight(ledger, "c", "a", better=False)
    rich = verdict("b", "a", family, better=True)
    refused(ledger, rich, "must use at most 0.01 of the error level but got 0.04")
    with pytest.raises(LedgerError, match="'b' must challenge 'a', the champion of 'rows' since record 1"):
        ledger.root("rows", contender("b"), run="r2")


def test_only_one_of_two_challengers_who_met_the_same_champion_is_admitted(ledger: Ledger) -> None:
    ledger.root("rows", contender("a"), run="r1")
    other = Ledger(ledger.path)
    first = verdict("b", "a", ledger.family("rows"), better=True)
    second = verdict("c", "a", other.family("rows"), better=True)
    enter(ledger, first)
    refused(other, second, "must be against 'b'")


def test_families_of_the_version_before_are_read_checked_and_closed(ledger: Ledger) -> None:
    here = Path(__file__).parent
    shutil.copy(here / "closed_ledger.jsonl", ledger.path)
    shutil.copy(here / "closed_ledger.head", ledger.path.with_suffix(".head"))
    assert ledger.verify() == 5
    assert ledger.closed() == ("rows-0123456789abcdef",)
    assert ledger.champion("rows-0123456789abcdef") is None
    ledger.root("rows", contender("a"), run="r2")
    fight(ledger, "b", "a", better=True)
    assert ledger.verify() == 7


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body["verdict"].update(level=0.04),
        lambda body: body["verdict"].update(promotes=True),
        lambda body: body["verdict"]["findings"][0].update(outcome="better"),
        lambda body: body["challenger"].update(name="z"),
    ],
)
def test_a_forged_record_of_the_version_before_is_found(
    ledger: Ledger, change: Callable[[dict[str, Any]], None]
) -> None:
    shutil.copy(Path(__file__).parent / "closed_ledger.jsonl", ledger.path)
    shutil.copy(Path(__file__).parent / "closed_ledger.head", ledger.path.with_suffix(".head"))
    forge(ledger.path, 2, change)
    with pytest.raises(LedgerError, match=r"Record 2 \(line 2 of the ledger\) must be a true challenge"):
        Ledger(ledger.path).verify()


@pytest.mark.parametrize("kind", [ROOT, ROUND, CHALLENGE])
def test_no_bare_body_moves_the_champion(ledger: Ledger, kind: str) -> None:
    for action in (ledger.append, ledger.note):
        with pytest.raises(LedgerError):
            action(kind, {})
    assert ledger.records() == ()


def test_notes(ledger: Ledger) -> None:
    for kind in NOTES:
        ledger.note(kind, {"run": "r1", "name": "demo", "seal": "s0"}, key=kind)
    with pytest.raises(LedgerError, match=r"but got 'run-start'\. Did you mean 'run-started'\?"):
        ledger.note("run-start", {})
    for run, seal in [("r1", "s1"), ("r2", "s1"), ("r2", "s1"), ("r2", "s2")]:
        ledger.note("test-opened", {"seal": seal, "run": run}, key=f"{run}/{seal}")
    assert [ledger.openings(seal) for seal in ("s1", "s2", "s3")] == [2, 1, 0]
    assert ledger.append("rollout-step", {"share": 0.05}).seq == len(NOTES) + 4


def test_a_record_that_nobody_could_read_is_not_written(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="A 'test-opened' record must be readable ever after but"):
        ledger.append("test-opened", {"nope": 1})
    assert ledger.records() == ()


def test_reading_creates_nothing(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "w" / "ledger.jsonl")
    assert ledger.records() == ()
    assert ledger.verify() == 0
    assert ledger.recover() == ()
    assert not list(tmp_path.iterdir())


def test_a_torn_line_is_recovered_and_named(ledger: Ledger) -> None:
    ledger.root("rows", contender("a"), run="r1")
    with ledger.path.open("ab") as file:
        file.write(b'{"body":{"fam')
    assert ledger.champion("rows") is not None
    assert [path.name for path in ledger.recover()] == ["ledger.torn-1"]
    assert [record.kind for record in ledger.records()] == [ROOT, "torn"]


def forge(path: Path, seq: int, change: Callable[[dict[str, Any]], None]) -> None:
    """Rewrite the whole chain with one record changed: every hash fits."""
    records = [json.loads(line) for line in path.read_bytes().splitlines()]
    change(records[seq - 1]["body"])
    path.unlink()
    path.with_suffix(".head").unlink()
    chain = Chain(path)
    for record in records:
        chain.append(record["kind"], record["body"], key=record["key"])


def promote(body: dict[str, Any]) -> None:
    body["verdicts"][0].update(promotes=True, outcome="better")


def embellish(body: dict[str, Any]) -> None:
    promote(body)
    body["verdicts"][0]["findings"][0].update(holds=True, outcome="better")


@pytest.mark.parametrize(
    ("seq", "change", "message"),
    [
        (2, promote, "must follow from its findings"),
        (2, embellish, "must follow from its figures"),
        (2, lambda body: body["challenges"][0]["challenger"].update(name="z"), "The challengers must be those"),
        (2, lambda body: body["verdicts"][0].update(champion="z"), "must be against 'a'"),
        (2, lambda body: body["verdicts"][0].update(level=0.045), "must be at the level 0.04"),
        (2, lambda body: body.update(level=0.06), "must use at most 0.05"),
        (2, lambda body: body.update(winner="b"), "The winner of a round must be None"),
        (2, lambda body: body["verdicts"][0]["findings"][0].update(low=0.01), "must fit its p-value"),
        (2, lambda body: body.pop("verdicts"), "'verdicts'"),
        (2, lambda body: body["challenges"][0]["challenger"].update(more=1), "more"),
        (1, lambda body: body.pop("run"), "'run'"),
        (1, lambda body: body.update(family="z"), "must have a champion to challenge"),
        (3, lambda body: body.update(family="rows"), "must have one first contender but got two"),
    ],
)
def test_a_forged_record_is_found_even_when_every_hash_fits(
    ledger: Ledger, seq: int, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    ledger.root("rows", contender("a"), run="r1")
    fight(ledger, "b", "a", better=False)
    ledger.root("other", contender("a"), run="r1")
    forge(ledger.path, seq, change)
    at = 2 if seq == 1 and message.startswith("must have") else seq
    with pytest.raises(
        LedgerError, match=rf"Record {at} \(line {at} of the ledger\) must be a true .* is not: .*{message}"
    ):
        Ledger(ledger.path).verify()


def test_the_file_is_plain_json_lines(ledger: Ledger) -> None:
    ledger.root("评论", contender("基线"), run="r1")
    line = ledger.path.read_bytes()
    fields = json.loads(line)
    assert fields["body"]["contender"]["name"] == "基线"
    assert "基线".encode() in line
    digest = fields.pop("hash")
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest() == digest
