"""The run in one sentence and a handful of figures, written from the report's own numbers."""

from __future__ import annotations

from ratchet.charts import figures
from ratchet.gate.claim import read_as
from ratchet.gate.verdict import Finding, Verdict
from ratchet.metrics.metric import Metric
from ratchet.metrics.metrics import Score, named
from ratchet.report.content import Challenges, Leak, ReportData, Tile

NOTICEABLE = 0.005
"""Half a point: a naive split which promises no more than this above the honest score misleads nobody."""


def honest_score(report: ReportData) -> Score | None:
    """The baseline's score on parts that share no text."""
    if report.leak and report.leak.honest:
        return report.leak.honest
    return (report.challenges.honest or report.challenges.baseline_score) if report.challenges else None


def sealed_score(report: ReportData) -> Score | None:
    """The served model's first score on the sealed test part."""
    return report.sealed.scores[0] if report.sealed and report.sealed.scores else None


def overstated(leak: Leak) -> float | None:
    """Naive minus honest score, as a fraction."""
    return None if leak.honest is None else leak.naive.value - leak.honest.value


def is_champions(report: ReportData) -> bool:
    """Whether the sealed test was opened for the champion, and not for the best contender that can be served."""
    return report.sealed is None or not report.champion or report.sealed.model == report.champion


def story(report: ReportData) -> str:
    """One or two sentences: what a random split would have promised, the honest score, and the champion's."""
    if report.story:
        return report.story
    clauses: list[str] = []
    gap = overstated(report.leak) if report.leak else None
    honest = honest_score(report)
    if report.leak and gap is not None and gap > NOTICEABLE:
        clauses.append(f"A random split of this table would have promised {figures.percent(report.leak.naive.value)}")
        clauses.append(f"the honest score is {figures.percent(honest.value if honest else None)}")
    elif honest is not None:
        name = "score" if _is_share(honest) else figures.metric(honest.metric)
        clauses.append(f"The baseline's honest {name} is {figures.value(honest.value, honest.metric)}")
    sealed = sealed_score(report)
    if sealed is not None:
        who = f"the champion, {report.champion}," if report.champion else "the champion"
        if not is_champions(report):
            clauses.append(f"the champion is {report.champion}, which has no model to serve")
            who = f"{report.sealed.model if report.sealed else ''}, the best that has one,"
        has = "scores" if _is_share(sealed) else f"has {figures.metric(sealed.metric)}"
        clauses.append(f"{who} {has} {figures.score(sealed)} on the sealed test part")
    elif report.champion:
        clauses.append(f"the champion is {report.champion}")
    if not clauses:
        return "Nothing was measured in this run."
    told = "; ".join(clauses) + "."
    return told[0].upper() + told[1:]


def _is_share(score: Score) -> bool:
    """Whether the score is read in per cent."""
    return metric_of(score.metric).unit == "points"


def metric_of(name: str) -> Metric:
    """The metric of a name."""
    return named(name)[0]


def in_points(challenges: Challenges) -> bool:
    """Whether all differences of the table of verdicts are counted in points."""
    return all(read_as(one.verdict.findings[0]).unit == "points" for one in challenges.verdicts)


def less_is_better(challenges: Challenges) -> tuple[str, ...]:
    """Metrics of the verdicts of which less is better."""
    names = dict.fromkeys(found.metric for one in challenges.verdicts for found in one.verdict.findings)
    return tuple(name for name in names if metric_of(name).sign < 0 and not metric_of(name).saving)


def p_of(finding: Finding) -> float:
    """The p-value of what was claimed: of "not better", or of "worse by the margin or more"."""
    return finding.p if finding.claim == "superior" else finding.p_margin


def remark(verdict: Verdict) -> str:
    """What no column of the table of verdicts says: the margin, and what was measured without chance."""
    first = verdict.findings[0]
    parts = []
    if first.claim == "noninferior":
        metric = read_as(first)
        parts = [f"Margin: {first.margin * metric.scale:.4g} {metric.unit}".rstrip() + "."]
    saved = [finding for finding in verdict.findings if finding.test == "exact"]
    return " ".join([*parts, *(f"{100 * one.estimate:.1f} % of the {one.metric} saved." for one in saved)])


def verdict_counts(challenges: Challenges) -> str:
    """ "2 better, 1 undecided, 3 worse", in that order and without zeros."""
    order = (("better", "better"), ("not_worse", "not worse"), ("undecided", "undecided"), ("worse", "worse"))
    counted = [(said, sum(one.verdict.outcome == outcome for one in challenges.verdicts)) for outcome, said in order]
    return ", ".join(f"{rows} {said}" for said, rows in counted if rows)


def tiles(report: ReportData) -> tuple[Tile, ...]:
    """The key figures: the report's own, or those which its sections hold."""
    if report.tiles:
        return report.tiles
    made: list[Tile] = []
    sealed = sealed_score(report)
    if sealed is not None:
        rows = f", {figures.count(sealed.n)} rows" if sealed.n else ""
        made.append(
            Tile(
                label=f"{'Champion' if is_champions(report) else 'Served model'}, sealed-test {figures.metric(sealed.metric)}",
                value=figures.value(sealed.value, sealed.metric),
                note=f"{figures.interval(sealed)}{rows}",
            )
        )
    honest = honest_score(report)
    if honest is not None:
        made.append(
            Tile(
                label=f"Baseline, honest {figures.metric(honest.metric)}",
                value=figures.value(honest.value, honest.metric),
                note=figures.interval(honest),
            )
        )
    return (*made, *_more_tiles(report))


def _more_tiles(report: ReportData) -> list[Tile]:
    made: list[Tile] = []
    if report.leak:
        share = report.leak.leaked_rows / max(1, report.leak.test_rows)
        made.append(
            Tile(
                label="A naive split would claim",
                value=figures.percent(report.leak.naive.value),
                note=f"{figures.percent(share)} of its test rows are in train",
            )
        )
    if report.challenges:
        made.append(
            Tile(
                label="Challengers promoted",
                value=f"{sum(v.promoted for v in report.challenges.verdicts)} of {len(report.challenges.verdicts)}",
                note=verdict_counts(report.challenges),
            )
        )
    if report.bundle:
        files = len(report.bundle.files)
        made.append(
            Tile(
                label="Bundle", value=figures.size(report.bundle.bytes), note=f"{files} files, hashed" if files else ""
            )
        )
    stages = report.environment.stages if report.environment else ()
    if stages:
        took = sum(stage.seconds or 0.0 for stage in stages)
        cores = report.environment.cores if report.environment else None
        made.append(Tile(label="Whole run", value=figures.seconds(took), note=f"on {cores} cores" if cores else ""))
    return made
