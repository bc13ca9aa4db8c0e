"""A run as people read it in a terminal: its figures, then the staircase."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ratchet.charts.figures import amount
from ratchet.metrics.metrics import Score, named
from ratchet.report.ended import BestBet
from ratchet.report.summary import Json
from ratchet.screen import Screen
from ratchet.versions.log import SHORT, version_label

COLUMNS = ("challenger", "verdict", "against", "difference", "p of allowed", "rows", "test")
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
    for line in _data(summary["data"], answer=summary.get("answer", "label")):
        screen.say("data", line)
    for name, words in SCORES.items():
        if found := summary["scores"][name]:
            screen.say("score", f"{words.format(champion=summary['champion'])}: {figures(found)}")
    if worst := (summary.get("slices") or {}).get("line"):
        screen.say("slices", worst)
    if noise := (summary.get("robustness") or {}).get("line"):
        screen.say("robustness", noise)
    screen.table(*_verdicts(summary["verdicts"]))
    for line in _gate(summary):
        screen.say("gate", line)
    if promise := (summary.get("answering") or {}).get("line"):
        screen.say("answer", promise)
    if bundle := summary["bundle"]:
        screen.say("bundle", f"{bundle['path']}  {bundle['bytes']:,} bytes  sha256 {bundle['sha256'][:16]}…")
        screen.say("serve", f"ratchet serve {bundle['path']}")


def figures(found: Json) -> str:
    """A score with its interval: "accuracy 85.7 % [85.1, 86.2], 14,759 rows"."""
    score = Score(**found)
    if named(score.metric)[0].unit != "points":
        return f"{score.line}, {score.n:,} rows"
    value, low, high = (100 * one for one in score.shown)
    return f"{score.metric} {value:.1f} % [{low:.1f}, {high:.1f}], {score.n:,} rows"


def _data(data: Json, *, answer: str) -> Iterator[str]:
    if version := data.get("version"):
        label = version_label(version, data["tags"])
        yield f"version {label}; `ratchet data restore {version[:SHORT]}` brings it back"
    yield (
        f"{data['rows']:,} rows, {data['unique_rows']:,} different texts, {data['conflicting_texts']:,} with two "
        f"{answer}s"
    )
    if data["naive_leak_share"] is not None:
        yield f"{data['naive_leak_share']:.1%} of the test rows of a random split have a copy in its train rows"


def _verdicts(verdicts: Sequence[Json]) -> tuple[str, tuple[str, ...], list[tuple[str, ...]]]:
    """The title, the columns and the rows of the table; it says in what differences are counted, and which way is better."""
    metrics = {name: named(name)[0] for name in dict.fromkeys(verdict["metric"] for verdict in verdicts)}
    units = {metric.unit or name for name, metric in metrics.items()}
    columns = tuple(f"{name}, {units.pop()}" if name == "difference" and len(units) == 1 else name for name in COLUMNS)
    less = [name for name, metric in metrics.items() if metric.sign < 0]
    title = "Verdicts (↑ became champion" + (f"; + is better, also of {' and '.join(less)})" if less else ")")
    return title, columns, [_row(verdict) for verdict in verdicts]


def _row(verdict: Json) -> tuple[str, ...]:
    """A verdict as a row of the table."""
    metric = named(verdict["metric"])[0]
    estimate, low, high = (metric.told(verdict[key]) for key in ("estimate", "low", "high"))
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
    metric = (summary["scores"]["champion"] or summary["verdicts"][0])["metric"]
    scale = named(metric)[0].scale
    unit = f" {named(metric)[0].unit}".rstrip()
    used = f"{gate['margin_used'] * scale:.2f}" if unit == " points" else f"{gate['margin_used'] * scale:.3g}"
    whole = f"{gate['margin'] * scale:.3g}{unit}"
    yield (
        f"{gate['looks']} challengers were judged on these rows; {gate['level_left']:.2g} of the error level "
        f"{summary['alpha']:g} is left for others. The best of so many estimates is expected to be up to "
        f"{amount(gate['optimism'], metric)} too {'high' if named(metric)[0].sign > 0 else 'good'}"
    )
    yield (f"{used} of the margin of {whole} is used since {gate['anchor']} was proven better")
