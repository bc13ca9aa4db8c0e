"""Verdicts that Ratchet 0.1 recorded, one challenge a record: read and checked by the rule of then, never continued."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ratchet.errors import LedgerError
from ratchet.gate.hash_chain import Record

CHALLENGE = "challenge"
_EXPONENT, _ZETA = 1.6, 2.285765665680129


def check_closed(records: Sequence[Record], *, families: Collection[Any]) -> None:
    """Check the first contenders and the challenges of closed families.

    Raises:
        LedgerError: a record does not follow from its figures or from those before it.
    """
    champions: dict[str, str] = {}
    promoted: dict[str, list[bool]] = {}
    for record in records:
        body = record.body
        if body.get("family") not in families:
            continue
        try:
            family = body["family"]
            if record.kind != CHALLENGE:
                if family in champions:
                    raise LedgerError(f"The family {family!r} must have one first contender but got two.")
                champions[family], promoted[family] = body["contender"]["name"], []
                continue
            verdict = body["verdict"]
            _check(verdict, champion=champions.get(family), promoted=promoted.get(family, []))
            if body["challenger"]["name"] != verdict["challenger"]:
                raise LedgerError("the challenger is not the one of the verdict.")
            promoted[family].append(bool(verdict["promotes"]))
            if verdict["promotes"]:
                champions[family] = verdict["challenger"]
        except (KeyError, TypeError, AttributeError, ValueError, ArithmeticError, LedgerError) as error:
            raise LedgerError(
                f"Record {record.seq} (line {record.seq} of the ledger) must be a true {record.kind} but is not: {error}",
                next_step="It was forged, or written by another version of Ratchet.",
            ) from error


def words(body: Mapping[str, Any]) -> str:
    """An old challenge in one line for people."""
    verdict = body["verdict"]
    word = str(verdict["outcome"]).replace("_", " ")
    promoted = " -> new champion" if verdict["promotes"] else ""
    return f"{verdict['challenger']} against {verdict['champion']}: {word}{promoted} (by the rule of version 0.1)"


def _check(verdict: Mapping[str, Any], *, champion: str | None, promoted: Sequence[bool]) -> None:
    if verdict["champion"] != champion:
        raise LedgerError(f"the verdict must be against {champion!r} but is against {verdict['champion']!r}.")
    level = 0.0
    for number in range(1, len(promoted) + 2):  # the online fallback rule of Tian, Ramdas 2021
        carried = level if number > 1 and promoted[number - 2] else 0.0
        level = verdict["alpha"] * number**-_EXPONENT / _ZETA + carried
    if verdict["number"] != len(promoted) + 1 or not math.isclose(verdict["level"], level):
        raise LedgerError(f"the verdict must be challenge {len(promoted) + 1} at the level {level:.3g}.")
    outcomes, holds = [], []
    for found in verdict["findings"]:
        outcome, held = _judge(found, alpha=verdict["alpha"], level=verdict["level"])
        if (outcome, held) != (found["outcome"], found["holds"]):
            raise LedgerError(f"the outcome on {found['metric']} must be {outcome!r} but is {found['outcome']!r}.")
        outcomes.append(outcome)
        holds.append(held)
    worst = next(word for word in ("worse", "undecided", "not_worse", "better") if word in outcomes)
    promotes = all(holds) and any(found["claim"] == "superior" for found in verdict["findings"])
    if (verdict["outcome"], verdict["promotes"]) != (worst, promotes):
        raise LedgerError("the verdict must follow from its findings.")


def _judge(found: Mapping[str, Any], *, alpha: float, level: float) -> tuple[str, bool]:
    better = found["estimate"] > 0 and found["p"] <= level and found["low"] > 0
    worse = found["estimate"] < 0 and found["p"] <= alpha and found["high"] < 0
    not_worse = found["p_margin"] <= level
    if found["claim"] == "equivalent":
        equal = not_worse and found["p_excess"] <= level
        order = [(equal, "not_worse"), (better, "better"), (worse, "worse")]
        return next((word for true, word in order if true), "undecided"), equal
    if found["claim"] == "noninferior":
        order = [(better, "better"), (not_worse, "not_worse"), (worse, "worse")]
        return next((word for true, word in order if true), "undecided"), better or not_worse
    order = [(better, "better"), (worse, "worse"), (not_worse, "not_worse")]
    return next((word for true, word in order if true), "undecided"), better
