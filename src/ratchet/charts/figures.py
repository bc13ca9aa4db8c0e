"""How figures are written: percent, points, intervals, bytes, seconds."""

from __future__ import annotations

from datetime import UTC, datetime

from ratchet.charts.svg import percent_ticks
from ratchet.gate.claim import Finding, read_as
from ratchet.metrics.metric import Metric
from ratchet.metrics.metrics import Score, named
from ratchet.metrics.own_function import divided, is_own

MINUS, ABSENT = "\u2212", "–"
METRICS = {
    "macro_f1": "macro-F1",
    "micro_f1": "micro-F1",
    "token_f1": "token F1",
    "f1": "F1",
    "auc": "AUC",
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R²",
    "spearman": "Spearman's ρ",
    "bleu": "BLEU",
    "chrf": "chrF",
    "rouge_l": "ROUGE-L",
    "mcc": "MCC",
    "weighted_f1": "weighted F1",
}


def metric(name: str) -> str:
    """The name of a metric for people; of one of the user's ``module:function``."""
    if is_own(name):
        return divided(name)[0]
    return METRICS.get(name, name.replace("_", " "))


def percent(value: float | None, *, digits: int = 1) -> str:
    """0.857 -> "85.7 %"; a share that is small but not zero never rounds to 0.0."""
    if value is None:
        return ABSENT
    least = 10.0 ** -(digits + 2)
    if 0 < value < least / 2:
        return f"< {100 * least:.{digits}f} %"
    return f"{100 * value:.{digits}f} %".replace("-", MINUS)


def bounds(low: float | None, high: float | None) -> str:
    """ "[84.3, 87.0]" in percent, or nothing when unknown."""
    if low is None or high is None:
        return ""
    return f"[{100 * low:.1f}, {100 * high:.1f}]".replace("-", MINUS)


def value(own: float | None, name: str) -> str:
    """A value of a metric as people read it: "85.7 %" of a share, "3.566" of an error, which is not negated."""
    if own is None:
        return ABSENT
    metric = named(name)[0]
    return percent(own) if metric.unit == "points" else metric.shown(own).replace("-", MINUS)


def interval(of: Score) -> str:
    """The interval of a score, as `value` shows its ends: "[84.3, 87.0]", "[3.16, 4.121]"."""
    metric, (_, low, high) = named(of.metric)[0], of.shown
    if metric.unit == "points":
        return bounds(low, high)
    return f"[{metric.shown(metric.sign * low)}, {metric.shown(metric.sign * high)}]".replace("-", MINUS)


def score(of: Score | None) -> str:
    """ "85.7 % [84.3, 87.0]", "3.566 [3.16, 4.121]"."""
    return ABSENT if of is None else f"{value(of.value, of.metric)} {interval(of)}".strip()


def gap(of: Score, other: Score) -> str:
    """How far a score is from another one of the same metric: "+0.4 points", "0.327 (better)"."""
    metric, difference = named(of.metric)[0], of.value - other.value
    if metric.unit == "points":
        return f"{signed(difference)} points"
    return f"{abs(difference):.3g} ({'better' if difference > 0 else 'worse'})" if difference else "0"


def difference(of: Finding) -> str:
    """What was found, without its unit: "+1.1 [+0.5, +1.7]"; positive is better, also where less is better."""
    metric = read_as(of)
    if metric.unit == "points":
        return points(of.estimate, of.low, of.high)
    return f"{metric.told(of.estimate)} [{metric.told(of.low)}, {metric.told(of.high)}]".replace("-", MINUS)


def change(of: Finding) -> str:
    """The estimate alone: "+1.1"."""
    metric = read_as(of)
    return signed(of.estimate) if metric.unit == "points" else metric.told(of.estimate).replace("-", MINUS)


def unit(metric: Metric) -> str:
    """What a difference is counted in, and which way is better where that could be mistaken."""
    if metric.saving:
        return "% saved"
    return metric.unit if metric.sign > 0 else f"{metric.unit} better".strip()


def amount(size: float, name: str, *, digits: int = 1) -> str:
    """A size in the unit of a metric, such as a margin: "1.0 points", "0.222"."""
    metric = named(name)[0]
    if metric.unit == "points":
        return f"{size * metric.scale:.{digits}f} points"
    return f"{size * metric.scale:.3g} {metric.unit}".strip()


def scale(marks: list[float], name: str) -> list[str]:
    """The marks of an axis of a metric: per cent of shares, else the value, which is not negated."""
    metric = named(name)[0]
    if metric.unit == "points":
        return percent_ticks(marks)
    return [short(metric.sign * mark) for mark in marks]


def short(number: float) -> str:
    """A round number with little room: 12000 -> "12k"."""
    for least, by, suffix in ((1e15, 1.0, ""), (1e9, 1e9, "bn"), (1e6, 1e6, "m"), (1e4, 1e3, "k")):
        if abs(number) >= least:
            return f"{number / by:.6g}{suffix}".replace("-", MINUS)
    return f"{round(number, 9) + 0.0:.6g}".replace("-", MINUS)


def signed(difference: float | None, *, digits: int | None = None) -> str:
    """0.011 -> "+1.1" (points); one decimal unless that would show a difference as nothing."""
    if difference is None:
        return ABSENT
    return f"{100 * difference:+.{_digits(difference) if digits is None else digits}f}".replace("-", MINUS)


def points(difference: float | None, low: float | None, high: float | None) -> str:
    """ "+1.1 [+0.5, +1.7]"."""
    if difference is None or low is None or high is None:
        return signed(difference)
    digits = _digits(difference)
    return f"{signed(difference)} [{signed(low, digits=digits)}, {signed(high, digits=digits)}]"


def _digits(difference: float) -> int:
    return 2 if 0 < abs(difference) < 0.0005 else 1


def p_value(value: float | None) -> str:
    """Two significant digits, or "< 0.0001"."""
    if value is None:
        return ABSENT
    return "< 0.0001" if value < 0.0001 else f"{value:.2g}"


def small(value: float | None) -> str:
    """A significance level or probability with three significant digits."""
    return ABSENT if value is None else f"{value:.3g}"


def count(value: float | None) -> str:
    """17411 -> "17,411"."""
    return ABSENT if value is None else f"{value:,.0f}"


def size(value: float | None) -> str:
    """Bytes with a binary unit: 12_400_000 -> "11.8 MiB"."""
    if value is None:
        return ABSENT
    for unit in ("bytes", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"


def seconds(value: float | None) -> str:
    """0.04 -> "40 ms", 75 -> "1 min 15 s"."""
    if value is None:
        return ABSENT
    if value < 1:
        return f"{1000 * value:.0f} ms"
    if value < 60:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def milliseconds(value: float | None) -> str:
    """A latency: 0.31 -> "0.31 ms", 17.1 -> "17.1 ms"."""
    if value is None:
        return ABSENT
    return f"{value:.2f} ms" if value < 1 else f"{value:.1f} ms"


def when(iso: str) -> str:
    """ "2026-11-24T04:12:05Z" -> "2026-11-24 04:12 UTC"; what is not an ISO time stays as it is."""
    try:
        time = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    if time.tzinfo is None:
        return f"{time:%Y-%m-%d %H:%M}"
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
