"""A run as people read it in a terminal: its figures, then the staircase."""

from __future__ import annotations

from collections.abc import Iterator

from ratchet.report.ended import BestBet
from ratchet.report.summary import Json
from ratchet.screen import Screen
from ratchet.versions.log import SHORT, version_label

COLUMNS = ("challenger", "verdict", "against", "difference, points", "p of allowed", "rows", "test")
SCORES = {
    "naive": "a random split would promise",
    "honest": "the same model without leaks",
    "champion": "the champion {champion}",
    "test": "the champion on the sealed test part",
}


def tell(summary: Json, *, screen: Screen) -> None:
    """Show a run by its ``summary.json``."""
    if summary.get("best_bet"):
        screen.say("best bet", BestBet(**summary["best_bet"]).line)
    screen.say("run", f"{summary['run']}  {summary['name']}  {summary['seconds']:.0f} s")
    for line in _data(summary["data"]):
        screen.say("data", line)
    for name, words in SCORES.items():
        if found := summary["scores"][name]:
            screen.say("score", f"{words.format(champion=summary['champion'])}: {figures(found)}")
    screen.table("Verdicts (↑ became champion)", COLUMNS, [_row(verdict) for verdict in summary["verdicts"]])
    for line in _gate(summary):
        screen.say("gate", line)
    if bundle := summary["bundle"]:
        screen.say("bundle", f"{bundle['path']}  {bundle['bytes']:,} bytes  sha256 {bundle['sha256'][:16]}…")
        screen.say("serve", f"ratchet serve {bundle['path']}")


def figures(found: Json) -> str:
    """A score with its interval: "accuracy 85.7 % [85.1, 86.2], 14,759 rows"."""
    low, high = found["low"] * 100, found["high"] * 100
    return f"{found['metric']} {found['value'] * 100:.1f} % [{low:.1f}, {high:.1f}], {found['n']:,} rows"


def _data(data: Json) -> Iterator[str]:
    if version := data.get("version"):
        label = version_label(version, data["tags"])
        yield f"version {label}; `ratchet data restore {version[:SHORT]}` brings it back"
    yield (
        f"{data['rows']:,} rows, {data['unique_rows']:,} different texts, {data['conflicting_texts']:,} with two labels"
    )
    if data["naive_leak_share"] is not None:
        yield f"{data['naive_leak_share']:.1%} of the test rows of a random split have a copy in its train rows"


def _row(verdict: Json) -> tuple[str, ...]:
    """A verdict as a row of the table."""
    estimate, low, high = (f"{verdict[key] * 100:+.2f}" for key in ("estimate", "low", "high"))
    return (
        verdict["name"],
        verdict["outcome"].replace("_", " ") + (" ↑" if verdict["promoted"] else ""),
        verdict["against"],
        f"{estimate} [{low}, {high}]",
        f"{verdict['p']:.2g} of {verdict['level']:.2g}" if verdict["p"] > 1e-99 else "<1e-99",
        f"{verdict['n']:,}",
        verdict["test"],
    )


def _gate(summary: Json) -> Iterator[str]:
    """What is used of the error level and of the margin; nothing where nobody was judged."""
    gate = summary.get("gate")
    if not gate:
        return
    yield (
        f"{gate['looks']} challengers were judged on these rows; {gate['level_left']:.2g} of the error level "
        f"{summary['alpha']:g} is left for others. The best of so many estimates is expected to be up to "
        f"{gate['optimism'] * 100:.1f} points too high"
    )
    yield (
        f"{gate['margin_used'] * 100:.2f} of the margin of {gate['margin'] * 100:g} points is used since "
        f"{gate['anchor']} was proven better"
    )
