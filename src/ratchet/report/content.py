"""What a report shows: frozen records, each section optional, JSON in and out; verdicts and scores are the gate's own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, field
from functools import cache
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, PlainSerializer, PlainValidator, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from ratchet.checks.facts import Lengths
from ratchet.checks.finding import Finding as Found
from ratchet.checks.finding import Severity
from ratchet.checks.random_split import NaiveSplit
from ratchet.errors import RatchetError
from ratchet.gate.ledger import Challenge, ContenderRef, Record
from ratchet.gate.verdict import Outcome, Verdict
from ratchet.metrics.metrics import Score
from ratchet.report.robustness import Robustness
from ratchet.report.slices import Slices
from ratchet.report.tuned import Tuned
from ratchet.tasks.views import View

STRICT = ConfigDict(extra="forbid")
"""A record of the report refuses keys that it does not know."""


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


Figure = Annotated[float | None, BeforeValidator(_finite)]
"""A measured number; one that is not finite (a loss that diverged) is kept as "not measured"."""


def _challenge_to_dict(challenge: Challenge) -> dict[str, Any]:
    return {
        "record": asdict(challenge.record),
        "run": challenge.run,
        "key": challenge.key,
        "challenger": challenge.challenger.to_dict(),
        "verdict": challenge.verdict.to_dict(),
        "promoted": challenge.promoted,
        "account": challenge.account,
    }


def _challenge_from_dict(plain: object) -> Challenge:
    """The inverse; a verdict whose word does not follow from its figures is refused."""
    if isinstance(plain, Challenge):
        return plain
    try:
        fields: dict[str, Any] = dict(plain)  # type: ignore[call-overload]
        record, challenger = Record(**fields["record"]), ContenderRef(**fields["challenger"])
        verdict = Verdict.from_dict(fields["verdict"])
        return Challenge(**{**fields, "record": record, "challenger": challenger, "verdict": verdict})
    except (KeyError, TypeError, ValueError, RatchetError) as error:
        raise ValueError(f"A challenge must be one of the ledger's but got {error}") from error


Judged = Annotated[Challenge, PlainSerializer(_challenge_to_dict), PlainValidator(_challenge_from_dict)]
"""A challenge as the ledger has it. The report's have records without their bodies, which the ledger keeps."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Tile:
    """A key figure at the top of the page."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Finding:
    """One thing the data check found; ``fix`` is a recipe patch (YAML), ``share`` a fraction of the rows."""

    id: str
    severity: Severity
    rows: int
    message: str
    share: Figure = None
    why: str = ""
    fix: str = ""
    examples: tuple[str, ...] = ()

    @classmethod
    def of(cls, found: Found, *, names: Mapping[str, str] | None = None) -> Finding:
        """A finding of the check; its examples say their file, by these names, where there are several."""
        several = names or {}
        return cls(
            id=f"{found.id}  {found.column}" if found.column else found.id,
            severity=found.severity,
            rows=found.rows,
            message=found.message,
            share=found.share,
            why=found.why,
            fix=found.fix,
            examples=tuple(
                f"{several.get(example.file, example.file)}, {example}" if len(several) > 1 else str(example)
                for example in found.examples
            ),
        )


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Count:
    """Rows under a name: a class, a part, a reason of removal."""

    name: str
    rows: int


@dataclass(frozen=True, kw_only=True, config=STRICT)
class DataHealth:
    """The table as it came, what was taken out of it and what was changed in it."""

    rows: int
    unique_rows: int | None = None
    conflicting_texts: int | None = None
    files: tuple[str, ...] = ()
    content_hash: str = ""
    language: str = ""
    classes: tuple[Count, ...] = ()
    lengths: Lengths | None = None
    findings: tuple[Finding, ...] = ()
    removed: tuple[Count, ...] = ()
    changed: tuple[Count, ...] = ()
    parts: tuple[Count, ...] = ()


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Leak:
    """What a naive random split of this very table would have claimed, with the model named ``model``."""

    model: str
    test_rows: int
    leaked_rows: int
    naive: Score
    leaked: Score | None = None
    clean: Score | None = None
    honest: Score | None = None

    @classmethod
    def of(cls, found: NaiveSplit) -> Leak | None:
        """The naive split of the check; ``None`` where no model was scored."""
        if found.naive is None:
            return None
        return cls(
            model=found.model,
            test_rows=found.test_rows,
            leaked_rows=found.leaked_rows,
            naive=found.naive,
            leaked=found.leaked,
            clean=found.clean,
            honest=found.honest,
        )


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Challenges:
    """The staircase: the first champion, then every challenger in the order of the ledger.

    ``alpha`` is the whole family's error rate.
    """

    baseline: str
    baseline_score: Score
    verdicts: tuple[Judged, ...] = ()
    alpha: Figure = None
    honest: Score | None = None
    """Of the recipe's baseline, where it was judged."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Epoch:
    """Means over one epoch; ``None`` where not measured (a loss that is not finite is drawn as a gap)."""

    epoch: int
    train_loss: Figure = None
    valid_loss: Figure = None
    accuracy: Figure = None


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Curve:
    """The training of one encoder."""

    name: str
    epochs: tuple[Epoch, ...]
    note: str = ""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Answered:
    """The champion's answers to rows that it was not trained on, as their task shows them."""

    views: tuple[View, ...]
    model: str = ""
    part: str = ""
    rows: int | None = None
    scores: tuple[Score, ...] = ()
    """Every metric of the task that these answers have."""
    slices: Slices | None = None
    robustness: Robustness | None = None


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Mistake:
    """A wrong answer, one of the worst; ``row`` is the 1-based data row in ``file``."""

    text: str
    true: str
    predicted: str
    probability: Figure | None
    row: int | None = None
    file: str = ""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Offer:
    """What a contender gives and takes: its score, and what a row costs and how long it takes, where that is known."""

    name: str
    score: Score
    cost_per_row: Figure = None
    """In the currency of the endpoint's prices; 0 for a model of one's own."""
    p50_ms: Figure = None
    p95_ms: Figure = None
    champion: bool = False


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Form:
    """One form of the champion: as trained (first), or compressed; latencies are milliseconds a text."""

    name: str
    bytes: int
    p50_ms: Figure = None
    p95_ms: Figure = None
    score: Score | None = None
    outcome: Outcome | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Compression:
    """The forms that were measured, the uncompressed one first."""

    forms: tuple[Form, ...]
    note: str = ""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class BundleFile:
    """A file of the bundle."""

    name: str
    bytes: int
    sha256: str = ""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class BundleFacts:
    """The folder that serves; ``commands`` can be pasted into a shell."""

    path: str
    bytes: int
    sha256: str = ""
    files: tuple[BundleFile, ...] = ()
    commands: tuple[str, ...] = ()
    parity: str = ""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SealedTest:
    """The sealed part; ``opened`` holds one ISO time for each opening this workspace recorded."""

    model: str
    scores: tuple[Score, ...]
    opened: tuple[str, ...] = ()
    rows: int | None = None
    judged: Score | None = None
    """What the model that was judged scored on the rows of the verdicts."""
    refit_rows: int | None = None
    """Rows that the served model was trained on, when it was trained once more; else it is the one that was judged."""
    promised: Figure = None
    """At most this share of what the model answers itself is to be wrong; ``None``: it answers everything."""
    answered: Score | None = None
    """The share of the test rows that it answers itself, and the share of these that is wrong."""
    error: Score | None = None
    lost: bool = False
    """The ledger was lost at some time, so there may have been openings that nobody knows."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Stage:
    """A stage of the road and the seconds it took; ``status`` is free text such as "ran" or "unchanged, skipped"."""

    name: str
    seconds: Figure
    status: str = ""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Environment:
    """Everything needed to do it again."""

    ratchet: str = ""
    python: str = ""
    platform: str = ""
    cpu: str = ""
    cores: int | None = None
    threads: int | None = None
    memory_bytes: int | None = None
    packages: dict[str, str] = field(default_factory=dict)
    seeds: dict[str, int] = field(default_factory=dict)
    recipe: str = ""
    git_commit: str = ""
    git_dirty: bool | None = None
    data_version: str = ""
    stages: tuple[Stage, ...] = ()
    ledger_records: int | None = None
    ledger_head: str = ""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ReportData:
    """A whole report; a section that is absent is shown as not run, with the reason from ``not_run``.

    ``not_run`` maps a section's name (a field of this class, such as ``"compression"``) to one sentence. ``story`` and
    ``tiles`` are written from the other fields when empty. ``mistakes`` is ``None`` when nobody looked, and empty when
    there was none. ``date`` is an ISO time.
    """

    name: str
    run_id: str
    date: str
    champion: str = ""
    story: str = ""
    tiles: tuple[Tile, ...] = ()
    notes: tuple[str, ...] = ()
    data: DataHealth | None = None
    leak: Leak | None = None
    challenges: Challenges | None = None
    sealed: SealedTest | None = None
    curves: tuple[Curve, ...] = ()
    tuned: tuple[Tuned, ...] = ()
    answered: Answered | None = None
    mistakes: tuple[Mistake, ...] | None = None
    offers: tuple[Offer, ...] = ()
    compression: Compression | None = None
    bundle: BundleFacts | None = None
    environment: Environment | None = None
    not_run: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; a number that is not finite becomes ``None``."""
        plain: dict[str, Any] = _adapter().dump_python(self, mode="json")
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> ReportData:
        """The inverse of ``to_dict``.

        Raises:
            RatchetError: a key is unknown, missing or of the wrong type; the key's path is named.
        """
        try:
            return _adapter().validate_python(plain)
        except ValidationError as error:
            first = error.errors()[0]
            path = ".".join(str(step) for step in first["loc"]) or "the top level"
            raise RatchetError(
                f"Report data must be valid but got, at {path}: {first['msg']}.",
                next_step="Run `ratchet report` with the version of Ratchet that wrote the run, or run it again.",
            ) from error


@cache
def _adapter() -> TypeAdapter[ReportData]:
    return TypeAdapter(ReportData)
