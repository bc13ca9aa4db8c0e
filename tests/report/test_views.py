"""Each view on the page, with odd contents: Chinese, a thousand labels, one row wrong, none, and hostile texts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from ratchet.gate.ledger import Challenge
from ratchet.gate.selective import choose_threshold
from ratchet.metrics.metrics import Score
from ratchet.models.calibration import calibrate
from ratchet.models.targets import Targets
from ratchet.report import Answered, Challenges, Count, DataHealth, Mistake, Offer, ReportData, SealedTest, render
from ratchet.report.story import story, tiles
from ratchet.tasks.registry import task_of
from ratchet.tasks.sureness import Reliability, Selection
from ratchet.tasks.views import LabelTable, View

DICE = np.random.default_rng(2)
POISON = '"><script>alert(1)</script>{{ 7 * 7 }}'


class Words(HTMLParser):
    """The text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.code = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.code = tag in ("style", "script")
        self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self.code = False
        self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        if not self.code:
            self.parts.append(data)

    @property
    def said(self) -> str:
        return " ".join("".join(self.parts).split())


def page(*views: View, **more: object) -> str:
    answered = Answered(views=views, model="冠军", part="dev rows, out of fold", rows=40)
    report = ReportData(name="r", run_id="1", date="2026-11-24T00:00:00Z", answered=answered)
    return Words(render(replace(report, **more))).said  # type: ignore[arg-type]


def score(value: float, half: float = 0.1, metric: str = "rmse") -> Score:
    return Score(value=value, low=value - half, high=value + half, n=120, metric=metric)


def test_a_thousand_labels_are_readable() -> None:
    truth = DICE.random((900, 1_000)) < np.linspace(0.2, 0.005, 1_000)
    given = truth ^ (DICE.random((900, 1_000)) < 0.01)
    said = page(LabelTable.of(truth, given, [f"标签{i}" for i in range(1_000)]))
    assert "1,000 labels, of which a row may have several" in said
    assert "the 40 largest, and the 40 others with the lowest F1" in said
    assert "920 more are not listed; their F1 is" in said
    assert said.count("标签") == 80


def test_values_are_shown_with_their_interval_and_what_lies_outside() -> None:
    task, truth = task_of("regression"), DICE.normal(50, 10, 400)
    given = truth + DICE.normal(0, 2, 400)
    given[3] = 1e9
    views = task.views(
        task.targets([str(value) for value in truth]), given[:, None], texts=["t"] * 400, metrics=("rmse",)
    )
    said = page(*views)
    assert "which is to cover 90.0 % of the rows" in said
    assert "of the other half" in said
    assert "1 row lies outside the picture." in said
    few = task.views(task.targets(["1", "2", "4"]), np.array([[1.0], [2.0], [3.0]]), texts=["t"] * 3, metrics=("rmse",))
    assert "too few rows for an interval" in page(*few)


@pytest.mark.parametrize(("wrong", "lowest"), [(0, "100.0 %"), (1, "0.0 %")])
def test_answers_are_shown_from_the_worst_to_the_best(wrong: int, lowest: str) -> None:
    task, right = task_of("generation"), ["营业时间是早上九点。", "可以退货。"] * 20
    given = [None if place < wrong else text for place, text in enumerate(right)]
    answers = np.array([[text] for text in given], dtype=object)
    views = task.views(task.targets(right), answers, texts=["几点开门？"] * 40, metrics=("exact_match",))
    said = page(*views, mistakes=())
    assert ("1 row has no answer" in said) == bool(wrong)
    assert f"order of their exact match. {lowest} exact match prompt 几点开门？" in said
    assert "The worst answers There was no mistake on these rows." in said
    assert "Lengths of the answers" in said


def test_no_text_of_a_view_can_become_markup() -> None:
    task = task_of("generation")
    answers = np.array([[POISON], [POISON]], dtype=object)
    views = task.views(task.targets([POISON, "b"]), answers, texts=[POISON] * 2, metrics=("exact_match",))
    labels = LabelTable.of(np.ones((3, 1), bool), np.ones((3, 1), bool), [POISON])
    offers = (
        Offer(name=POISON, score=score(0.8, metric="accuracy"), p50_ms=1.0),
        Offer(name="b", score=score(1), p50_ms=2),
    )
    answered = Answered(views=(*views, labels), model=POISON, part=POISON)
    report = ReportData(name="r", run_id="1", date="2026-11-24", answered=answered, offers=offers)
    html = render(report)
    assert "<script>alert(1)" not in html
    assert ">49" not in html


def test_mistakes_without_a_certainty_are_worst_answers() -> None:
    mistake = Mistake(text="t", true="3", predicted="9", probability=None)
    said = page(mistakes=(mistake,))
    assert "The worst answers" in said
    assert "right3given9" in said.replace(" ", "")
    assert "confident" not in page(mistakes=())


def test_an_error_is_read_as_it_is_everywhere(judged: Callable[..., Challenge]) -> None:
    verdict = judged("wide", 13.2, half=1.0, outcome="better", promoted=True, against="majority", metric="rmse", p=0.0)
    worse = judged("eda", -0.16, half=0.05, outcome="worse", against="wide", metric="rmse")
    report = ReportData(
        name="r",
        run_id="1",
        date="2026-11-24T00:00:00Z",
        champion="wide",
        challenges=Challenges(baseline="majority", baseline_score=score(-17.6), verdicts=(verdict, worse), alpha=0.05),
        sealed=SealedTest(model="wide", scores=(score(-3.57),), judged=score(-3.9)),
    )
    said = Words(render(report)).said
    assert story(report) == (
        "The baseline's honest RMSE is 17.6; the champion, wide, has RMSE 3.57 [3.47, 3.67] on the sealed test part."
    )
    assert [tile.value for tile in tiles(report)][:2] == ["3.57", "17.6"]
    assert "judged at 3.9; the gap is 0.33 (better)" in said
    assert "also of RMSE, of which less is better" in said
    assert "+13.2 [+12.2, +14.2]" in said
    assert "−0.16 [−0.21, −0.11]" in said
    assert "RMSE; less is better, up is less" in said
    assert "Points [interval]" not in said
    assert " %" not in said.replace("at most 5 %", "").replace("upper end at 5 %", "")


def test_price_and_latency_are_shown_where_two_have_them() -> None:
    own = Offer(name="own", score=score(0.8, 0.02, "accuracy"), cost_per_row=0.0, p50_ms=0.2, p95_ms=0.3, champion=True)
    dear = Offer(name="dear", score=score(0.9, 0.02, "accuracy"), cost_per_row=0.002)
    assert "Quality against price" not in page(offers=(own,))
    said = page(offers=(own, dear))
    assert "cost of 1,000 rows" in said
    assert "milliseconds a row" not in said
    free = replace(dear, cost_per_row=0.0, p50_ms=3.0)
    said = page(offers=(own, free))
    assert "cost of 1,000 rows" not in said
    assert "milliseconds a row" in said


def test_a_row_may_count_for_several_labels() -> None:
    classes = (Count(name="a", rows=60), Count(name="b", rows=50))
    said = Words(render(ReportData(name="r", run_id="1", date="2026", data=DataHealth(rows=100, classes=classes)))).said
    assert "60 (60.0 %)" in said
    assert "50 (50.0 %)" in said


def sure_of(answers: np.ndarray, truth: np.ndarray, *, error: float | None = None) -> tuple[Reliability, Selection]:
    names = tuple(f"标签{column}" for column in range(answers.shape[1]))
    targets = Targets(kind="classes", names=names, values=truth.astype(np.int64))
    task = task_of("classification")
    right, raw = task.right(targets, answers), task.confidence(answers)
    found = calibrate(answers, targets, right=right, fold=None, unit=None)
    confidence = task.confidence(found.answers)
    assert raw is not None
    assert confidence is not None
    choice = None if error is None else choose_threshold(confidence, right, error=error)
    return Reliability.of(found, raw, confidence, right), Selection.of(choice, confidence, right)


def drawn_at(heat: float, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Answers that are too sure by a temperature, and labels that are drawn from the true probabilities."""
    logits = DICE.normal(0, 2.0, (rows, 3))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    hot = np.exp(heat * logits) / np.exp(heat * logits).sum(axis=1, keepdims=True)
    return hot.astype(np.float32), (true.cumsum(axis=1) > DICE.random((rows, 1))).argmax(axis=1)


def test_a_temperature_and_a_threshold_are_shown() -> None:
    reliability, selection = sure_of(*drawn_at(2.5, 3_000), error=0.1)
    assert reliability.used
    assert reliability.ece.after < reliability.ece.before
    assert selection.chosen is not None
    said = Words(page(reliability, selection)).said
    for words in (
        f"served at the temperature {reliability.temperature:.3g}",
        "as the model says",
        f"as served (T = {reliability.temperature:.3g})",
        "at most 10.0 % is wrong",
        f"answers from a confidence of {selection.chosen.threshold:.4g} on",
        f"{selection.left:,} of these rows",
        "usual, without a test",
    ):
        assert words in said, words


def test_what_cannot_be_promised_and_what_is_not_is_said() -> None:
    reliability, selection = sure_of(*drawn_at(1.0, 120), error=0.001)
    said = Words(page(reliability, selection)).said
    assert "No threshold keeps this promise on 120 rows" in said
    assert "Every answer is left to people." in said
    assert "no temperature is proven to lower the log loss" in said
    assert "The recipe promises nothing" in Words(page(*sure_of(*drawn_at(1.0, 120)))).said


@pytest.mark.parametrize("rows", [0, 1, 10])
@pytest.mark.parametrize("kind", ["right", "wrong", "one class"])
def test_few_rows_all_right_all_wrong_and_a_class_that_no_row_has(rows: int, kind: str) -> None:
    answers, _ = drawn_at(1.0, rows)
    top = answers.argmax(axis=1)
    truth = {"right": top, "wrong": (top + 1) % 3, "one class": np.zeros(rows, int)}[kind]
    views = sure_of(answers, truth, error=0.05)
    html = page(*views)
    assert "nan" not in Words(html).said.lower()
    report = ReportData(name="r", run_id="1", date="2026-11-28", answered=Answered(views=views))
    assert ReportData.from_dict(report.to_dict()) == report
