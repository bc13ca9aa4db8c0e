"""What a report shows: frozen records without behaviour, each section optional, JSON in and out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import cache
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from ratchet.charts.figures import STRICT, Figure, Outcome, Score
from ratchet.errors import RatchetError

Severity = Literal["error", "warning", "note"]


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


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Count:
    """Rows under a name: a class, a part, a reason of removal."""

    name: str
    rows: int


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Lengths:
    """Distribution of text lengths: ``edges`` has one entry more than ``counts``; ``above`` texts exceed the last edge."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    above: int = 0
    median: Figure = None
    p95: Figure = None
    longest: Figure = None
    unit: str = "characters"

    @classmethod
    def of(cls, lengths: Sequence[int], *, bins: int = 24, unit: str = "characters") -> Lengths:
        """Equal bins up to the 99th percentile; what is longer is only counted."""
        if not lengths:
            return cls(edges=(0, 1), counts=(0,), unit=unit)
        ordered = sorted(int(length) for length in lengths)
        top = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
        bins = max(1, min(bins, top + 1))
        step = -(-(top + 1) // bins)
        bins = -(-(top + 1) // step)
        counts = [0] * bins
        for length in ordered:
            if length <= top:
                counts[length // step] += 1
        return cls(
            edges=tuple(step * edge for edge in range(bins + 1)),
            counts=tuple(counts),
            above=sum(length > top for length in ordered),
            median=ordered[len(ordered) // 2],
            p95=ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))],
            longest=ordered[-1],
            unit=unit,
        )


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


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Difference:
    """Challenger minus champion on one metric, as a fraction (0.011 is +1.1 points)."""

    metric: str
    estimate: Figure
    low: Figure = None
    high: Figure = None
    p: Figure = None


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Challenge:
    """One challenger and what was decided; ``promoted`` says whether the champion moved to it."""

    name: str
    against: str
    outcome: Outcome
    promoted: bool
    metric: str
    estimate: Figure
    low: Figure = None
    high: Figure = None
    p: Figure = None
    alpha: Figure = None
    n: int | None = None
    test: str = ""
    rows_needed: int | None = None
    sentence: str = ""
    kind: str = ""
    also: tuple[Difference, ...] = ()


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Challenges:
    """The staircase: the first champion, then every challenger in the order of the ledger.

    ``alpha`` is the whole family's error rate, ``level`` that of the intervals.
    """

    baseline: str
    baseline_score: Score
    verdicts: tuple[Challenge, ...] = ()
    alpha: Figure = None
    level: float = 0.95


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
class Confusion:
    """Which class was taken for which: ``cells`` are (true index, predicted index, rows), zero cells left out."""

    labels: tuple[str, ...]
    cells: tuple[tuple[int, int, int], ...]
    model: str = ""
    part: str = ""

    @classmethod
    def of(cls, true: Sequence[str], predicted: Sequence[str], *, model: str = "", part: str = "") -> Confusion:
        """Count label pairs, row by row; both sequences have the same length."""
        labels = tuple(sorted(set(true) | set(predicted)))
        place = {label: index for index, label in enumerate(labels)}
        pairs = Counter(zip(true, predicted, strict=True))
        cells = tuple(sorted((place[t], place[p], rows) for (t, p), rows in pairs.items()))
        return cls(labels=labels, cells=cells, model=model, part=part)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Mistake:
    """A confident wrong prediction; ``row`` is the 1-based data row in ``file``."""

    text: str
    true: str
    predicted: str
    probability: Figure
    row: int | None = None
    file: str = ""


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
    confusion: Confusion | None = None
    mistakes: tuple[Mistake, ...] | None = None
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
