"""How figures are written: percent, points, intervals, bytes, seconds."""

from __future__ import annotations

from datetime import UTC, datetime

from ratchet.gate.metrics import Score

MINUS, ABSENT = "\u2212", "–"
METRICS = {"accuracy": "accuracy", "macro_f1": "macro-F1", "auc": "AUC"}


def metric(name: str) -> str:
    """The name of a metric for people."""
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


def score(value: Score | None) -> str:
    """ "85.7 % [84.3, 87.0]"."""
    if value is None:
        return ABSENT
    return f"{percent(value.value)} {bounds(value.low, value.high)}".strip()


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
