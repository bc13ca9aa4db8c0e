"""The ledger: the append-only record of every challenge, from which the champion is derived and never stored."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ratchet.chain import Chain, Record
from ratchet.errors import LedgerError, RatchetError
from ratchet.family import Family
from ratchet.verdict import Verdict

__all__ = ["CHALLENGE", "NOTES", "ROOT", "ContenderRef", "Ledger", "Record", "Standing"]

ROOT = "champion-root"
CHALLENGE = "challenge"
NOTES = ("run-started", "run-finished", "run-failed", "skipped", "test-opened", "exported")


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
class _Line:
    """One family, derived from its records: who stands, and which challenges were promoted, in order."""

    standing: Standing
    promoted: tuple[bool, ...] = ()


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
        return self._chain.read()

    def verify(self) -> int:
        """Check every byte anew, the verdicts and the line of champions too, and return the number of records.

        Raises:
            LedgerError: as in `records`.
        """
        records = Chain(self.path).read()
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
        if kind in (ROOT, CHALLENGE):
            raise LedgerError(
                f"A {kind!r} record must come from Ledger.root or Ledger.challenge but got a bare body.",
                next_step="Only a verdict moves the champion.",
            )
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

        body = {"family": family, "run": run, "contender": asdict(contender)}
        return self._chain.append(ROOT, body, key=key, check=check)

    def challenge(self, verdict: Verdict, *, challenger: ContenderRef, run: str, key: str | None = None) -> Record:
        """Record a verdict; when it promotes, the challenger is the champion of the verdict's family from now on.

        Raises:
            LedgerError: the verdict is about another challenger, not against the champion that stands now, or not
                made at the error level that the family has for its next challenge.
        """

        def check(records: Sequence[Record]) -> None:
            _admit(verdict, challenger, _replay(records).get(verdict.family))

        body = {
            "family": verdict.family,
            "run": run,
            "challenger": asdict(challenger),
            "verdict": verdict.to_dict(),
        }
        return self._chain.append(CHALLENGE, body, key=key, check=check)

    def champion(self, family: str) -> Standing | None:
        """Who stands at the top of a family; ``None`` before its first contender."""
        line = _replay(self.records()).get(family)
        return None if line is None else line.standing

    def champion_before(self, family: str) -> Standing | None:
        """The champion of the family that was judged last before this one began; ``None`` when this is the first."""
        records = self.records()
        begun = next((r.seq for r in records if r.kind == ROOT and r.body["family"] == family), len(records) + 1)
        earlier = [record for record in records if record.seq < begun]
        last = next((r.body["family"] for r in reversed(earlier) if r.kind in (ROOT, CHALLENGE)), None)
        return None if last is None else _replay(records)[last].standing

    def family(self, name: str, *, alpha: float = 0.05) -> Family:
        """The family's history of challenges, which sets the error level of the next comparison."""
        line = _replay(self.records()).get(name)
        return Family(name=name, alpha=alpha, promoted=() if line is None else line.promoted)

    def openings(self, seal: str) -> int:
        """How often the test part with this seal (its hash) was opened."""
        return sum(record.kind == "test-opened" and record.body.get("seal") == seal for record in self.records())


def _replay(records: Sequence[Record]) -> dict[str, _Line]:
    """Every family as its records left it.

    Raises:
        LedgerError: a record could not have been made by `Ledger.root` or `Ledger.challenge`.
    """
    lines: dict[str, _Line] = {}
    for record in records:
        if record.kind not in (ROOT, CHALLENGE):
            continue
        try:
            family, run = record.body["family"], record.body["run"]
            if record.kind == ROOT:
                if family in lines:
                    raise LedgerError(f"The family {family!r} must have one first contender but got two.")
                contender = ContenderRef(**record.body["contender"])
                standing = Standing(family=family, contender=contender, run=run, record=record, verdict=None)
                lines[family] = _Line(standing=standing)
                continue
            verdict = Verdict.from_dict(record.body["verdict"])
            challenger = ContenderRef(**record.body["challenger"])
            line = _admit(verdict, challenger, lines.get(family))
            standing = line.standing
            if verdict.promotes:
                standing = Standing(family=family, contender=challenger, run=run, record=record, verdict=verdict)
            lines[family] = _Line(standing=standing, promoted=(*line.promoted, verdict.promotes))
        except (KeyError, TypeError, RatchetError) as error:
            raise LedgerError(
                f"Record {record.seq} (line {record.seq} of the ledger) must be a true {record.kind} but is not: {error}",
                next_step="It was forged, or written by another version of Ratchet.",
            ) from error
    return lines


def _admit(verdict: Verdict, challenger: ContenderRef, line: _Line | None) -> _Line:
    """The line that the verdict continues.

    Raises:
        LedgerError: it continues none.
    """
    if verdict.challenger != challenger.name:
        raise LedgerError(
            f"The challenger must be {verdict.challenger!r}, as in the verdict, but got {challenger.name!r}."
        )
    if line is None:
        raise LedgerError(
            f"The family {verdict.family!r} must have a champion to challenge but has none.",
            next_step="Enter its first contender with Ledger.root.",
        )
    champion = line.standing.contender.name
    if verdict.champion != champion:
        raise LedgerError(
            f"A verdict in the family {verdict.family!r} must be against the champion {champion!r} but got one against"
            f" {verdict.champion!r}.",
            next_step=f"Compare {challenger.name!r} with {champion!r}.",
        )
    due = Family(name=verdict.family, alpha=verdict.alpha, promoted=line.promoted)
    if verdict.number != due.number or not math.isclose(verdict.level, due.level):
        raise LedgerError(
            f"A verdict in the family {verdict.family!r} must be challenge {due.number} at the level {due.level:.3g} but got"
            f" challenge {verdict.number} at {verdict.level:.3g}.",
            next_step="Compare again with family=ledger.family(...): another challenge may have been recorded since.",
        )
    return line
