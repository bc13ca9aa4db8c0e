"""The three pictures of docs/verdicts.md, computed by the functions that they explain; `docs/make.py` writes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ratchet.charts.svg import Scale, chart, line, path, percent_ticks, tag, ticks, write
from ratchet.gate.error_budget import Family, joint_levels, looks
from ratchet.gate.verdict import Claim, Verdict, compare
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.paired_tests import normal_quantile

STYLE = """
text{font:12px system-ui,'Noto Sans CJK SC',sans-serif;fill:#444e5c}
.axis{stroke:#8e9aab;stroke-width:1}.grid{stroke:#dfe4ea;stroke-width:1}.zero{stroke:#444e5c;stroke-width:1.5}
.joint{stroke:#0a5cad;fill:none;stroke-width:2.5}.split{stroke:#b34a06;fill:none;stroke-width:2;stroke-dasharray:6 4}
.old{stroke:#667181;fill:none;stroke-width:1.5;stroke-dasharray:2 3}.dot{fill:#0a5cad}.bar{stroke:#0a5cad;stroke-width:3}
.margin{stroke:#b34a06;stroke-width:1.5;stroke-dasharray:6 4}.word{font-weight:600;fill:#12171f}
@media (prefers-color-scheme:dark){text{fill:#b3bdca}.grid{stroke:#2a323d}.zero{stroke:#b3bdca}.joint,.bar{stroke:#6bb3ff}
.split,.margin{stroke:#ff9d5c}.dot{fill:#6bb3ff}.word{fill:#e9edf3}}
"""
WIDTH, LEFT, RIGHT = 720.0, 70.0, 700.0


def _whole(body: list[str], *, height: float, title: str, desc: str, key: str) -> str:
    svg = chart([f"<style>{STYLE}</style>", *body], width=WIDTH, height=height, title=title, desc=desc, key=key)
    return svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1) + "\n"


def _curve(across: Scale, up: Scale, points: Sequence[tuple[float, float]], class_: str) -> str:
    return path("M" + "L".join(f"{across(x):.1f} {up(y):.1f}" for x, y in points), class_)


def _frame(up: Scale, marks: Sequence[tuple[float, str]], *, bottom: float) -> list[str]:
    """Grid lines with their labels on the left."""
    body = []
    for value, label in marks:
        body += [
            line(LEFT, up(value), RIGHT, up(value), "grid"),
            write(LEFT - 8, up(value) + 4, label, anchor="end"),
        ]
    return [*body, line(LEFT, bottom, RIGHT, bottom, "axis")]


def levels() -> str:
    """The level of each challenger of a plan."""
    plan = Family(name="rows").share(1)
    across, up = Scale(1, 12, LEFT + 20, RIGHT - 110), Scale(0, plan, 240, 40)
    counts = range(1, 13)

    def joint(count: int, correlation: float) -> float:
        matrix = tuple(tuple(1.0 if a == b else correlation for b in range(count)) for a in range(count))
        return joint_levels((1.0,) * count, matrix, plan)[0]

    places = ticks(0, plan)
    body = _frame(up, list(zip(places, percent_ticks(places), strict=True)), bottom=240)
    body.append(write(LEFT, 20, "level of each challenger, % (one-sided)"))
    for class_, name, of in (
        ("joint", "correlation .8", lambda count: joint(count, 0.8)),
        ("joint", "correlation .5", lambda count: joint(count, 0.5)),
        ("split", "divided equally", lambda count: plan / count),
    ):
        points = [(count, of(count)) for count in counts]
        body += [
            _curve(across, up, points, class_),
            write(across(12) + 6, up(points[-1][1]) + (0 if name != "divided equally" else 8), name),
        ]
    body += [write(across(count), 258, str(count), anchor="middle") for count in counts]
    body.append(write(across(6.5), 278, "challengers planned together on the same rows", anchor="middle"))
    first = f"One challenger has {plan:.3f}; of ten each has {joint(10, 0.5):.4f} at a correlation of .5, and"
    return _whole(
        body,
        height=290,
        title="The level of each challenger of a plan",
        desc=f"{first} {plan / 10:.4f} by plain division.",
        key="levels",
    )


def bought() -> str:
    """The looks of a challenger whose folds are bought one by one."""
    level, folds = 0.02, 5
    bars = [normal_quantile(1 - level * part) for part in looks(folds)]
    seen = (1.2, 1.9, 2.4, 2.5, 2.9)  # an example: what a true gain of 2.7 standard errors of all rows may look like
    across, up = Scale(0.1, 1.0, LEFT, RIGHT - 60), Scale(0, 4, 240, 40)
    body = _frame(up, [(z, f"{z:g}") for z in ticks(0, 4)], bottom=240)
    body.append(write(LEFT, 20, "standard errors above the champion"))
    shares = [(number + 1) / folds for number in range(folds)]
    for share, bar, z in zip(shares, bars, seen, strict=True):
        body += [
            line(across(share) - 24, up(bar), across(share) + 24, up(bar), "margin"),
            tag("circle", cx=across(share), cy=up(z), r=5.0, class_="dot"),
            write(across(share), 258, f"{round(share * folds)} of {folds}", anchor="middle"),
        ]
    body += [
        _curve(across, up, list(zip(shares, seen, strict=True)), "joint"),
        write(across(shares[0]) - 24, up(bars[0]) - 8, f"needed at an early look: {bars[0]:.2f}"),
        write(across(shares[-1]) - 30, up(bars[-1]) + 4, f"at the last: {bars[-1]:.2f}", anchor="end"),
        write(across(shares[-1]), up(seen[-1]) - 12, "better", class_="word", anchor="middle"),
        write(across(0.55), 278, "folds that were trained", anchor="middle"),
    ]
    desc = f"Four early looks need {bars[0]:.2f} standard errors each, the last one {bars[-1]:.2f}; one look alone would need"
    return _whole(
        body,
        height=290,
        title="Looks at a challenger whose folds are bought",
        desc=f"{desc} {normal_quantile(1 - level):.2f}.",
        key="looks",
    )


def _verdict(wins: int, losses: int, kind: str) -> Verdict:
    """A challenger with so many wins and losses on 2,000 rows."""
    right = np.zeros((2, 2_000), dtype=bool)
    right[0, :wins], right[1, wins : wins + losses] = True, True
    truth = np.zeros(2_000, dtype=np.int64)
    sides = [
        Evidence.of_classes(name=name, rows=np.arange(2_000), truth=truth, probability=np.eye(2)[np.where(hit, 0, 1)])
        for name, hit in zip(("challenger", "champion"), right, strict=True)
    ]
    return compare(sides[0], sides[1], [Claim(metric="accuracy", kind=kind)])  # type: ignore[arg-type]


def intervals() -> str:
    """Four verdicts: where the interval lies, and the word that it gives."""
    shown = [_verdict(70, 40, "superior"), _verdict(34, 38, "noninferior"), _verdict(50, 60, "noninferior")]
    shown += [_verdict(40, 75, "superior")]
    across = Scale(-0.04, 0.04, LEFT + 100, RIGHT - 30)
    body = []
    for place in (-0.04, -0.03, -0.02, -0.01, 0.0, 0.01, 0.02, 0.03, 0.04):
        class_ = "zero" if place == 0 else "margin" if place == -0.01 else "grid"
        body += [
            line(across(place), 30, across(place), 210, class_),
            write(across(place), 228, f"{place * 100:+.0f}" if place else "0", anchor="middle"),
        ]
    body.append(write(across(-0.01), 20, "the margin", anchor="middle"))
    for row, verdict in enumerate(shown):
        found, y = verdict.findings[0], 55.0 + 42 * row
        p = (
            found.p_margin
            if verdict.outcome in ("not_worse", "undecided")
            else found.p_worse
            if verdict.outcome == "worse"
            else found.p
        )
        body += [
            line(across(found.low), y, across(found.high), y, "bar"),
            tag("circle", cx=across(found.estimate), cy=y, r=5.0, class_="dot"),
            write(8, y + 4, verdict.outcome.replace("_", " "), class_="word"),
            write(across(found.high) + 8, y + 4, f"p={p:.2g}"),
        ]
    body.append(write(across(0), 248, "challenger minus champion, points of accuracy on 2,000 rows", anchor="middle"))
    words = "; ".join(
        f"{verdict.outcome.replace('_', ' ')}: {found.estimate:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"
        for verdict in shown
        for found in verdict.findings
    )
    return _whole(body, height=260, title="Four verdicts and their intervals", desc=words, key="intervals")


PICTURES = {
    "images/verdict-levels.svg": levels,
    "images/verdict-looks.svg": bought,
    "images/verdict-intervals.svg": intervals,
}
