"""The ledger: the append-only record of every challenge, from which the champion is derived and never stored."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ratchet.errors import LedgerError, RatchetError
from ratchet.gate.error_budget import Family
from ratchet.gate.hash_chain import Chain, Record
from ratchet.gate.legacy import CHALLENGE, check_closed
from ratchet.gate.verdict import Round, Verdict
from ratchet.metrics.metrics import named
from ratchet.shapes import Shape, misfit

__all__ = ["CHALLENGE", "NOTES", "ROOT", "ROUND", "Challenge", "ContenderRef", "Ledger", "Record", "Standing"]

ROOT = "champion-root"
ROUND = "round"
NOTES = (
    "run-started",
    "run-finished",
    "run-failed",
    "skipped",
    "test-opened",
    "exported",
    "planned",
    "look",
    "families-closed",
    "ledger-gone",
    "own-metric",
)
Account = Literal["improvements", "copies"]
"""Who pays for a round: claims of "better", or of "not worse" and smaller, cheaper or faster."""


@dataclass(frozen=True, kw_only=True)
class ContenderRef:
    """A model that stands in the ledger."""

    name: str
    kind: str
    key: str
    """Key of its artefact: the folder under ``models/``."""
    bytes: int
    """Size of the artefact."""
    seconds: float
    """Time it took to make."""
    trials: int = 0
    """Settings of which it is the best, in each of its studies; 0: its settings were given."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what was not tuned is written as before there was tuning."""
        found = asdict(self)
        return found if self.trials else {key: value for key, value in found.items() if key != "trials"}


_SHAPES: Mapping[str, Shape] = {
    ROOT: {"family": str, "run": str, "contender": ContenderRef},
    ROUND: {
        "family": str,
        "run": str,
        "account": Account,
        "challenges": [{"key": str, "challenger": ContenderRef}],
        "verdicts": [{"challenger": str, "findings": [{}]}],
        "weights": [float],
        "paid": [float],
    },
    CHALLENGE: {"family": str, "challenger": {"name": str, "key": str}, "verdict": {"findings": [{}], "alpha": float}},
    "run-started": {"run": str, "name": str},
    "run-finished": {"run": str},
    "run-failed": {"run": str},
    "test-opened": {"seal": str},
}


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The champion of a family, and the record that made it so."""

    family: str
    contender: ContenderRef
    run: str
    record: Record
    verdict: Verdict | None
    """What promoted it; ``None`` for the first contender of the family."""


@dataclass(frozen=True, kw_only=True)
class Challenge:
    """One challenger of a round."""

    record: Record
    run: str
    key: str
    """Names the event: the same challenger is judged once."""
    challenger: ContenderRef
    verdict: Verdict
    promoted: bool
    account: Account

    @property
    def line(self) -> str:
        """The verdict for people, with the number of trials where the challenger is the best of several."""
        trials = self.challenger.trials
        return self.verdict.line + (f"; best of {trials:,} trials" if trials else "")


@dataclass(frozen=True, kw_only=True)
class _Line:
    """One family, derived from its records: who stands, and what its rounds have spent."""

    standing: Standing
    anchor: ContenderRef
    """The last champion that was proven better than the one before; the champion may be a copy of it."""
    improvements: Family
    copies: Family
    challenges: tuple[Challenge, ...] = ()


class Ledger:
    """The ledger in the file ``path``; several processes may read it and append to it at once.

    Every record is a line of canonical JSON with the hash of the line before it, so that a record which was cut,
    edited, moved, inserted or doubled is found and named; ``ledger.head`` beside it anchors the last one. Whoever
    rewrites both files is not found out: keep a copy of ``ledger.head`` elsewhere where that matters.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._chain = Chain(self.path)

    def records(self) -> tuple[Record, ...]:
        """All records, in order, verified.

        Raises:
            LedgerError: the ledger is damaged; the message names the first damaged record and its line.
        """
        records = self._chain.read()
        for record in records:
            require_shape(record, _SHAPES.get(record.kind, {}))
        return records

    def verify(self) -> int:
        """Check every byte anew, the verdicts and the line of champions too, and return the number of records.

        Raises:
            LedgerError: as in `records`.
        """
        records = Ledger(self.path).records()
        _replay(records)
        return len(records)

    def recover(self) -> tuple[Path, ...]:
        """Heal what a kill left behind; return the files that took a torn last line (a record names each of them)."""
        return self._chain.recover()

    def find(self, key: str) -> Record | None:
        """The record of the event with this key."""
        return next((record for record in self.records() if record.key == key), None)

    def append(self, kind: str, body: Mapping[str, Any], *, key: str | None = None) -> Record:
        """Record something that moves no champion; it is on disk when this returns.

        Args:
            kind: what it is; verdicts have methods of their own.
            body: JSON values.
            key: names the event: it is recorded once, and its first record is returned ever after.

        Raises:
            LedgerError: the ledger is damaged, ``body`` is not JSON, or the key belongs to another kind of record.
            WorkspaceError: the disk is full or read-only; to try again with the same key is safe.
        """
        if kind in (ROOT, ROUND, CHALLENGE):
            raise LedgerError(
                f"A {kind!r} record must come from Ledger.root or Ledger.judged but got a bare body.",
                next_step="Only a verdict moves the champion.",
            )
        if wrong := misfit(body, _SHAPES.get(kind, {})):
            raise LedgerError(f"A {kind!r} record must be readable ever after but {wrong}.")
        return self._chain.append(kind, body, key=key)

    def note(self, kind: str, body: Mapping[str, Any], *, key: str | None = None) -> Record:
        """Record one of the events of a run (`NOTES`); otherwise as `append`."""
        if kind not in NOTES:
            near = difflib.get_close_matches(kind, NOTES, n=1)
            raise LedgerError(
                f"A note must be one of {', '.join(NOTES)} but got {kind!r}.",
                next_step=f"Did you mean {near[0]!r}?" if near else "",
            )
        return self.append(kind, body, key=key)

    def root(self, family: str, contender: ContenderRef, *, run: str, key: str | None = None) -> Record:
        """Make the first contender of a family its champion.

        Raises:
            LedgerError: the family has a champion already, which must be challenged.
        """

        def check(records: Sequence[Record]) -> None:
            line = _replay(records).get(family)
            if line is not None:
                raise LedgerError(
                    f"{contender.name!r} must challenge {line.standing.contender.name!r}, the champion of {family!r} since"
                    f" record {line.standing.record.seq}, but got entered as the family's first contender.",
                    next_step="Compare the two, and record the verdict.",
                )

        body = {"family": family, "run": run, "contender": contender.to_dict()}
        return self._chain.append(ROOT, body, key=key, check=check)

    def judged(
        self,
        found: Round,
        *,
        challengers: Mapping[str, ContenderRef],
        keys: Mapping[str, str],
        account: Account,
        run: str,
        key: str | None = None,
    ) -> Record:
        """Record a round; its winner is the champion of the round's family from now on.

        Args:
            found: the verdicts.
            challengers: who was judged, by the name in the verdict.
            keys: of each challenger, what names it for good, so that it is judged once.
            account: which of the family's two accounts pays.
            run: the run.
            key: names the round: it is recorded once, and its first record is returned ever after.

        Raises:
            LedgerError: the round is about other challengers, not against the champion that stands now, or uses more of
                the error level than the family has left.
        """
        entries = [
            {"key": keys[v.challenger], "challenger": challengers[v.challenger].to_dict()} for v in found.verdicts
        ]
        body = {"run": run, "account": account, "challenges": entries, **found.to_dict()}

        def check(records: Sequence[Record]) -> None:
            _admit(body, found, _replay(records).get(found.family))

        return self._chain.append(ROUND, body, key=key, check=check)

    def champion(self, family: str) -> Standing | None:
        """Who stands at the top of a family; ``None`` before its first contender."""
        line = _replay(self.records()).get(family)
        return None if line is None else line.standing

    def anchor(self, family: str) -> ContenderRef | None:
        """Who was last proven better than the champion before: improvements challenge it, and margins start there."""
        line = _replay(self.records()).get(family)
        return None if line is None else line.anchor

    def champion_before(self, family: str) -> Standing | None:
        """The champion of the family that was judged last before this one began; ``None`` when this is the first."""
        records = self.records()
        begun = next((r.seq for r in records if r.kind == ROOT and r.body["family"] == family), len(records) + 1)
        lines = _replay(records)
        earlier = [r for r in records if r.seq < begun and r.kind in (ROOT, ROUND) and r.body["family"] in lines]
        return lines[earlier[-1].body["family"]].standing if earlier else None

    def family(self, name: str, *, alpha: float = 0.05, account: Account = "improvements") -> Family:
        """What is left of the family's error level for the next round."""
        line = _replay(self.records()).get(name)
        if line is None:
            return Family(name=name, alpha=alpha)
        found = line.improvements if account == "improvements" else line.copies
        if found.rounds and found.alpha != alpha:
            raise LedgerError(
                f"The error level of {name!r} must stay {found.alpha:g}, as its first round had it, but got {alpha:g}.",
                next_step=f"Set gate.alpha to {found.alpha:g}, or begin another workspace.",
            )
        return Family(name=name, alpha=alpha, remains=found.remains, rounds=found.rounds)

    def challenges(self, family: str) -> tuple[Challenge, ...]:
        """Everything judged in a family, in order."""
        line = _replay(self.records()).get(family)
        return () if line is None else line.challenges

    def closed(self) -> tuple[str, ...]:
        """Families that an earlier version of Ratchet judged by its own rule: they can be read, and take no challenge."""
        return tuple(dict.fromkeys(r.body["family"] for r in self.records() if r.kind == CHALLENGE))

    def openings(self, seal: str) -> int:
        """How often the test part with this seal (its hash) was opened."""
        return sum(record.kind == "test-opened" and record.body.get("seal") == seal for record in self.records())


def require_shape(record: Record, shape: Shape) -> None:
    """Refuse a record whose body is not what this version reads.

    Raises:
        LedgerError: names the record and what is wrong.
    """
    problem = misfit(record.body, shape)
    if problem:
        raise _untrue(record, problem)


def _untrue(record: Record, problem: object) -> LedgerError:
    return LedgerError(
        f"Record {record.seq} (line {record.seq} of the ledger) must be a true {record.kind} but is not: {problem}",
        next_step="It was forged, or written by another version of Ratchet: read it with that one.",
    )


def _replay(records: Sequence[Record]) -> dict[str, _Line]:
    """Every family as its records left it.

    Raises:
        LedgerError: a record could not have been made by `Ledger.root` or `Ledger.judged`.
    """
    lines: dict[str, _Line] = {}
    closed = {record.body.get("family") for record in records if record.kind == CHALLENGE}
    check_closed([record for record in records if record.kind in (ROOT, CHALLENGE)], families=closed)
    for record in records:
        if record.kind not in (ROOT, ROUND) or record.body.get("family") in closed:
            continue
        try:
            family = record.body["family"]
            if record.kind == ROUND:
                found = Round.from_dict(dict(record.body))
                lines[family] = _after(record, found, _admit(record.body, found, lines.get(family)))
                continue
            if family in lines:
                raise LedgerError(f"The family {family!r} must have one first contender but got two.")
            contender = ContenderRef(**record.body["contender"])
            standing = Standing(family=family, contender=contender, run=record.body["run"], record=record, verdict=None)
            account = Family(name=family)
            lines[family] = _Line(standing=standing, anchor=contender, improvements=account, copies=account)
        except (KeyError, TypeError, AttributeError, ValueError, ArithmeticError, RatchetError) as error:
            raise _untrue(record, error) from error
    return lines


def _after(record: Record, found: Round, line: _Line) -> _Line:
    """The line once a round was judged."""
    account: Account = record.body["account"]
    entries = record.body["challenges"]
    challenges = tuple(
        Challenge(
            record=record,
            run=record.body["run"],
            key=entry["key"],
            challenger=ContenderRef(**entry["challenger"]),
            verdict=verdict,
            promoted=verdict.challenger == found.winner,
            account=account,
        )
        for entry, verdict in zip(entries, found.verdicts, strict=True)
    )
    new = next((challenge for challenge in challenges if challenge.promoted), None)
    standing, anchor = line.standing, line.anchor
    if new is not None:
        standing = Standing(
            family=found.family, contender=new.challenger, run=new.run, record=record, verdict=new.verdict
        )
        anchor = new.challenger if account == "improvements" else anchor
    before = line.improvements if account == "improvements" else line.copies
    paid = replace(before, alpha=found.alpha).after(found.spent)
    return _Line(
        standing=standing,
        anchor=anchor,
        improvements=paid if account == "improvements" else line.improvements,
        copies=paid if account == "copies" else line.copies,
        challenges=(*line.challenges, *challenges),
    )


def _admit(body: Mapping[str, Any], found: Round, line: _Line | None) -> _Line:
    """The line that the round continues.

    Raises:
        LedgerError: it continues none.
    """
    names = [entry["challenger"]["name"] for entry in body["challenges"]]
    if names != [verdict.challenger for verdict in found.verdicts]:
        raise LedgerError(f"The challengers must be those of the verdicts but got {', '.join(names)}.")
    if line is None:
        raise LedgerError(
            f"The family {found.family!r} must have a champion to challenge but has none.",
            next_step="Enter its first contender with Ledger.root.",
        )
    copies = body["account"] == "copies"
    champion = (line.standing.contender if copies else line.anchor).name
    for verdict in found.verdicts:
        if verdict.champion != champion or verdict.anchor != line.anchor.name:
            raise LedgerError(
                f"A verdict in the family {found.family!r} must be against {champion!r}, with margins from"
                f" {line.anchor.name!r}, but got one against {verdict.champion!r} from {verdict.anchor!r}.",
                next_step=f"Compare {verdict.challenger!r} with {champion!r}.",
            )
        kinds = {
            found.claim for found in verdict.findings if found.test != "exact" and not named(found.metric)[0].saving
        }
        if copies != ("superior" not in kinds):
            raise LedgerError(
                f"A round of {body['account']} must not hold claims of the kind {', '.join(sorted(kinds))}."
            )
    account = line.copies if copies else line.improvements
    left = account.left if account.rounds else found.alpha
    if found.level > left * (1 + 1e-9) or (account.rounds and account.alpha != found.alpha):
        raise LedgerError(
            f"A round in the family {found.family!r} must use at most {left:.3g} of the error level but got"
            f" {found.level:.3g}.",
            next_step="Compare again with family=ledger.family(...): another round may have been recorded since.",
        )
    return line
