from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ratchet.chain import Chain
from ratchet.errors import LedgerError
from ratchet.family import Family
from ratchet.ledger import CHALLENGE, NOTES, ROOT, ContenderRef, Ledger
from ratchet.metrics import Evidence
from ratchet.verdict import Verdict, compare

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


def evidence(name: str, *, wrong: int) -> Evidence:
    """A model that has every ``wrong``-th row wrong."""
    right = np.stack([1 - TRUTH, TRUTH], axis=1).astype(np.float64)
    return Evidence(
        name=name, rows=ROWS, truth=TRUTH, probability=np.where((ROWS % wrong == 0)[:, None], 1 - right, right)
    )


def verdict(challenger: str, champion: str, family: Family, *, better: bool) -> Verdict:
    return compare(evidence(challenger, wrong=50 if better else 5), evidence(champion, wrong=5), family=family)


def fight(ledger: Ledger, challenger: str, champion: str, *, better: bool, key: str | None = None) -> None:
    found = verdict(challenger, champion, ledger.family("rows"), better=better)
    assert found.promotes is better
    ledger.challenge(found, challenger=contender(challenger), run="r1", key=key)


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
    assert ledger.family("rows", alpha=0.1) == Family(name="rows", alpha=0.1, promoted=(False, True, False))
    assert ledger.family("new").number == 1
    assert ledger.verify() == 5


def test_events_are_recorded_once(ledger: Ledger) -> None:
    first = ledger.root("rows", contender("a"), run="r1", key="r1/root")
    assert ledger.root("rows", contender("a"), run="r1", key="r1/root") == first
    fight(ledger, "b", "a", better=True, key="r1/b")
    record = ledger.find("r1/b")
    assert record is not None
    # After a restart the same challenge comes again, although it moved the champion and used its error level.
    again = verdict("b", "a", Family(name="rows"), better=True)
    assert ledger.challenge(again, challenger=contender("b"), run="r1", key="r1/b") == record
    assert len(ledger.records()) == 2
    assert ledger.find("r1/c") is None


def refused(ledger: Ledger, found: Verdict, name: str, match: str) -> None:
    before = ledger.records()
    with pytest.raises(LedgerError, match=match) as caught:
        ledger.challenge(found, challenger=contender(name), run="r1")
    assert caught.value.next_step
    assert ledger.records() == before


def test_a_verdict_that_does_not_fit_is_refused(ledger: Ledger) -> None:
    family = Family(name="rows")
    refused(
        ledger, verdict("b", "a", family, better=True), "b", "'rows' must have a champion to challenge but has none"
    )
    ledger.root("rows", contender("a"), run="r1")
    refused(ledger, verdict("b", "x", family, better=True), "b", "against the champion 'a' but got one against 'x'")
    single = compare(evidence("b", wrong=50), evidence("a", wrong=5))
    refused(ledger, single, "b", "The family 'single' must have a champion")
    stale = family.after(promoted=False)
    refused(ledger, verdict("b", "a", stale, better=True), "b", "challenge 1 at the level 0.0219 but got challenge 2")
    lucky = Family(name="rows").after(promoted=True)
    fight(ledger, "c", "a", better=False)
    refused(
        ledger,
        verdict("b", "a", lucky, better=True),
        "b",
        "challenge 2 at the level 0.00722 but got challenge 2 at 0.0291",
    )
    with pytest.raises(LedgerError, match="The challenger must be 'b', as in the verdict, but got 'c'"):
        ledger.challenge(verdict("b", "a", ledger.family("rows"), better=True), challenger=contender("c"), run="r1")
    with pytest.raises(LedgerError, match="'b' must challenge 'a', the champion of 'rows' since record 1"):
        ledger.root("rows", contender("b"), run="r2")


def test_only_one_of_two_challengers_who_met_the_same_champion_is_admitted(ledger: Ledger) -> None:
    ledger.root("rows", contender("a"), run="r1")
    other = Ledger(ledger.path)
    first = verdict("b", "a", ledger.family("rows"), better=True)
    second = verdict("c", "a", other.family("rows"), better=True)
    ledger.challenge(first, challenger=contender("b"), run="r1")
    refused(other, second, "c", "against the champion 'b' but got one against 'a'")


@pytest.mark.parametrize("kind", [ROOT, CHALLENGE])
def test_no_bare_body_moves_the_champion(ledger: Ledger, kind: str) -> None:
    for action in (ledger.append, ledger.note):
        with pytest.raises(LedgerError):
            action(kind, {})
    assert ledger.records() == ()


def test_notes(ledger: Ledger) -> None:
    for kind in NOTES:
        ledger.note(kind, {"run": "r1"}, key=kind)
    with pytest.raises(LedgerError, match=r"but got 'run-start'\. Did you mean 'run-started'\?"):
        ledger.note("run-start", {})
    for run, seal in [("r1", "s1"), ("r2", "s1"), ("r2", "s1"), ("r2", "s2")]:
        ledger.note("test-opened", {"seal": seal, "run": run}, key=f"{run}/{seal}")
    assert [ledger.openings(seal) for seal in ("s1", "s2", "s3")] == [2, 1, 0]
    assert ledger.append("rollout-step", {"share": 0.05}).seq == len(NOTES) + 4


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
    body["verdict"].update(promotes=True, outcome="better")


def embellish(body: dict[str, Any]) -> None:
    promote(body)
    body["verdict"]["findings"][0].update(holds=True, outcome="better")


@pytest.mark.parametrize(
    ("seq", "change", "message"),
    [
        (2, promote, "must follow from its findings"),
        (2, embellish, "must follow from its figures"),
        (2, lambda body: body["challenger"].update(name="z"), "The challenger must be 'b'"),
        (2, lambda body: body["verdict"].update(champion="z"), "must be against the champion 'a'"),
        (2, lambda body: body["verdict"].update(number=2), "must be challenge 1"),
        (2, lambda body: body["verdict"].update(level=0.04), "at 0.04"),
        (2, lambda body: body.pop("verdict"), "'verdict'"),
        (2, lambda body: body["challenger"].update(more=1), "more"),
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
