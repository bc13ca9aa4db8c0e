from __future__ import annotations

import dataclasses

import pytest

from ratchet.metrics.metrics import Score
from ratchet.report import Leak, ReportData, Tile, story
from ratchet.report.story import p_of, remark, tiles, verdict_counts


def score(value: float) -> Score:
    return Score(value=value, low=value, high=value, n=10, metric="accuracy")


def test_the_story_of_the_reviews(reviews: ReportData) -> None:
    assert story(reviews) == (
        "A random split of this table would have promised 94.2 %; the honest score is 84.6 %; "
        "the champion, blend-int8, scores 85.7 % [84.3, 87.0] on the sealed test part."
    )


def test_no_drama_where_there_is_none(intents: ReportData) -> None:
    assert story(intents) == "The baseline's honest score is 87.0 %; the champion is minilm."


def test_a_story_that_was_written_is_kept(reviews: ReportData) -> None:
    assert story(dataclasses.replace(reviews, story="Mine.")) == "Mine."


def test_an_empty_report_says_so() -> None:
    report = ReportData(name="r", run_id="1", date="d")
    assert story(report) == "Nothing was measured in this run."
    assert tiles(report) == ()


def test_a_leak_without_an_honest_score_promises_nothing() -> None:
    leak = Leak(model="m", test_rows=10, leaked_rows=5, naive=score(0.9))
    assert "promised" not in story(ReportData(name="r", run_id="1", date="d", leak=leak, champion="c"))


def test_tiles_are_made_from_the_sections(reviews: ReportData) -> None:
    made = {tile.label: (tile.value, tile.note) for tile in tiles(reviews)}
    assert made["Champion, sealed-test accuracy"] == ("85.7 %", "[84.3, 87.0], 2,500 rows")
    assert made["A naive split would claim"] == ("94.2 %", "76.9 % of its test rows are in train")
    assert made["Challengers promoted"] == ("3 of 6", "2 better, 1 not worse, 1 undecided, 2 worse")
    assert made["Whole run"][0] == "4 min 18 s"


def test_tiles_that_were_given_are_kept(reviews: ReportData) -> None:
    mine = (Tile(label="a", value="1"),)
    assert tiles(dataclasses.replace(reviews, tiles=mine)) == mine


def test_counts_leave_zeros_out(intents: ReportData) -> None:
    assert intents.challenges is not None
    assert verdict_counts(intents.challenges) == "2 better, 1 undecided, 2 worse"


@pytest.mark.parametrize("naive", [0.80, 0.849])
def test_a_naive_split_that_promises_no_more_is_not_accused(reviews: ReportData, naive: float) -> None:
    assert reviews.leak is not None
    leak = dataclasses.replace(reviews.leak, naive=score(naive))
    assert "promised" not in story(dataclasses.replace(reviews, leak=leak))


def test_a_remark_says_what_the_table_of_verdicts_has_no_column_for(reviews: ReportData) -> None:
    assert reviews.challenges is not None
    first, *_, last = (one.verdict for one in reviews.challenges.verdicts)
    assert remark(first) == ""
    assert remark(last) == "Margin: 1 points. 74.0 % of the bytes saved."
    assert p_of(first.findings[0]) == first.findings[0].p
    assert p_of(last.findings[0]) == last.findings[0].p_margin
