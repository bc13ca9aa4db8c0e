from __future__ import annotations

import numpy as np
import pytest
from pydantic import TypeAdapter
from sklearn.metrics import multilabel_confusion_matrix, precision_recall_fscore_support
from statsmodels.stats.proportion import proportion_confint

from ratchet.checks import checks
from ratchet.tasks.registry import TASKS, task_of
from ratchet.tasks.regression import ALPHA, crossed_coverage
from ratchet.tasks.sureness import Reliability, Selection
from ratchet.tasks.views import (
    ALL,
    POINTS,
    SOME,
    AnswerLengths,
    Confusion,
    Examples,
    LabelRow,
    LabelTable,
    Residuals,
    RowScore,
    RowScores,
    Scatter,
    View,
)

DICE = np.random.default_rng(4)


def labelled(n: int = 300, k: int = 5) -> tuple[np.ndarray, np.ndarray]:
    truth = DICE.random((n, k)) < np.linspace(0.6, 0.02, k)
    return truth, truth ^ (DICE.random((n, k)) < 0.1)


def test_confusion_counts_pairs_and_leaves_out_classes_without_rows() -> None:
    view = Confusion.of(np.array([2, 0, 0, 3]), np.array([2, 2, 2, 4]), ["a", "nobody", "b", "c", "d"])
    assert view.labels == ("a", "b", "c", "d")
    assert view.cells == ((0, 1, 2), (1, 1, 1), (2, 3, 1))


def test_figures_of_labels_agree_with_scikit_learn_and_statsmodels() -> None:
    truth, given = labelled()
    table = LabelTable.of(truth, given, list("abcde"))
    precision, recall, f1, support = precision_recall_fscore_support(truth, given, zero_division=0)
    assert [row.support for row in table.rows] == sorted(support.tolist(), reverse=True)
    for row in table.rows:
        place = "abcde".index(row.label)
        assert row.precision is not None
        assert row.recall is not None
        assert row.f1 is not None
        assert row.precision.value == pytest.approx(precision[place])
        assert row.recall.value == pytest.approx(recall[place])
        assert row.f1.value == pytest.approx(f1[place])
        hits = int(multilabel_confusion_matrix(truth, given)[place][1, 1])
        low, high = proportion_confint(hits, row.support, method="wilson")
        assert (row.recall.low, row.recall.high) == pytest.approx((low, high), abs=1e-12)
        low, high = proportion_confint(hits, row.support + row.predicted - hits, method="wilson")
        assert (row.f1.low, row.f1.high) == pytest.approx((2 * low / (1 + low), 2 * high / (1 + high)), abs=1e-12)


def test_the_interval_of_f1_covers_the_truth() -> None:
    true_j, n, inside = 0.6, 80, 0
    for _ in range(500):
        hits = int(DICE.binomial(n, true_j))
        row = LabelRow.of("a", hits=hits, support=hits, predicted=n)
        assert row.f1 is not None
        inside += row.f1.low <= 2 * true_j / (1 + true_j) <= row.f1.high
    assert 0.92 <= inside / 500 <= 0.98


def test_of_a_thousand_labels_the_largest_and_the_worst_are_listed_and_the_rest_counted() -> None:
    truth, given = labelled(1_500, 1_000)
    truth[:, 7] = given[:, 7] = False
    table = LabelTable.of(truth, given, [f"标签{i}" for i in range(1_000)])
    assert (len(table.rows), len(table.worst), table.unseen) == (SOME, SOME, 1)
    assert table.hidden == 1_000 - 2 * SOME - 1
    assert [row.support for row in table.rows] == sorted((row.support for row in table.rows), reverse=True)
    worst = [row.f1.value for row in table.worst if row.f1 is not None]
    assert worst == sorted(worst)
    assert table.rest is not None
    assert worst[-1] <= table.rest[0] <= table.rest[1]


def test_a_hundred_labels_are_all_listed() -> None:
    truth, given = labelled(500, ALL)
    table = LabelTable.of(truth, given, [str(i) for i in range(ALL)])
    assert (len(table.rows) + table.unseen, table.worst, table.hidden) == (ALL, (), 0)


@pytest.mark.parametrize("bad", [1e9, -1e9, np.inf, np.nan])
def test_an_outlier_does_not_squash_the_picture(bad: float) -> None:
    truth = DICE.normal(50, 10, 600)
    given = truth + DICE.normal(0, 2, 600)
    given[5] = bad
    view = Scatter.of(truth, given)
    assert view.outside == 1
    assert len(view.points) == 599
    assert 0 < view.low < view.high < 100
    xs, ys = np.array(view.points).T
    assert min(xs.min(), ys.min()) >= 0
    assert max(xs.max(), ys.max()) <= 1_000
    assert np.ptp(xs) > 500


def test_beyond_two_thousand_points_rows_are_counted_in_squares() -> None:
    truth = DICE.normal(0, 1, 5_000)
    view = Scatter.of(truth, truth)
    assert len(view.points) == POINTS
    assert len(view.points) + sum(rows for _, _, rows in view.cells) + view.outside == 5_000
    assert all(x == y for x, y, _ in view.cells)


@pytest.mark.parametrize("values", [[3.0, 3.0, 3.0], [0.0, 0.0], [1.0]])
def test_equal_values_have_a_picture(values: list[float]) -> None:
    view = Scatter.of(np.array(values), np.array(values))
    assert view.low < values[0] < view.high
    assert (len(view.points), view.outside) == (len(values), 0)


def test_errors_by_tenths_are_quantiles_of_true_minus_predicted() -> None:
    given = DICE.normal(0, 1, 1_000)
    truth = given + np.where(given > 0, 1.0, -1.0) + DICE.normal(0, 0.1, 1_000)
    view = Residuals.of(truth, given)
    assert [tenth.rows for tenth in view.tenths] == [100] * 10
    assert view.tenths[0].p50 == pytest.approx(-1, abs=0.1)
    assert view.tenths[-1].p50 == pytest.approx(1, abs=0.1)
    lowest = np.argsort(given)[:100]
    assert view.tenths[0].p90 == pytest.approx(np.quantile((truth - given)[lowest], 0.9))
    assert view.tenths[0].low <= view.tenths[0].middle <= view.tenths[0].high <= view.tenths[1].low


def test_one_prediction_for_all_rows_is_one_group() -> None:
    assert len(Residuals.of(np.arange(50.0), np.full(50, 3.0)).tenths) == 1


def test_coverage_is_that_of_rows_which_the_interval_was_not_made_from() -> None:
    shares = [crossed_coverage(DICE.standard_t(3, 400)) for _ in range(200)]
    assert np.mean([share.value for share in shares if share]) == pytest.approx(1 - ALPHA, abs=0.01)
    drifting = crossed_coverage(np.where(np.arange(200) % 2, 10.0, 1.0) * DICE.normal(0, 1, 200))
    assert drifting is not None
    assert drifting.value < 0.85
    assert crossed_coverage(np.arange(10.0)) is None


def test_a_score_of_rows_is_told_with_its_spread() -> None:
    scores = np.repeat([0.0, 0.5, 1.0], [20, 30, 50])
    one = RowScore.of("token_f1", scores)
    assert (one.mean.value, one.p10, one.median, one.p90) == (0.65, 0.0, 0.5, 1.0)
    assert one.mean.low < 0.65 < one.mean.high


def test_lengths_of_answers_count_every_row() -> None:
    right, given = ["a" * n for n in range(1, 101)], ["b" * 5] * 99 + [None]
    view = AnswerLengths.of(right, given)
    assert sum(view.right) + view.right_above == sum(view.given) + view.given_above == 100
    assert (view.right_median, view.given_median) == (50.5, 5.0)
    assert AnswerLengths.of([""], [None]).right == (1,)


def test_generation_shows_rows_from_the_worst_to_the_best() -> None:
    task = task_of("generation")
    right = [f"the answer number {i}" for i in range(30)]
    given = np.array([[None if i == 0 else text if i % 3 else "no"] for i, text in enumerate(right)], dtype=object)
    views = task.views(task.targets(right), given, texts=[f"q{i}" for i in range(30)], metrics=("chrf", "contains"))
    scores, examples, _ = views
    assert isinstance(scores, RowScores)
    assert isinstance(examples, Examples)
    assert [one.mean.metric for one in scores.scores] == ["contains", "exact_match", "token_f1"]
    assert (scores.unanswered, examples.metric, len(examples.examples)) == (1, "contains", 8)
    found = [one.score for one in examples.examples]
    assert found == sorted(found)
    assert (found[0], found[-1]) == (0.0, 1.0)
    assert examples.examples[-1].right in (examples.examples[-1].given or "")


def test_each_task_shows_views_of_its_own_that_survive_json() -> None:
    shares = np.eye(2)[[0, 1, 1, 0]]
    answers = {
        "classification": (["a", "b", "a", "b"], shares),
        "multilabel": (['["a", "b"]', '["a"]', "[]", '["b"]'], shares),
        "regression": (["1", "2", "3", "5"], np.array([[1.0], [2.5], [3.0], [4.0]])),
        "generation": (["x", "y", "x", "z"], np.array([["x"], ["y"], [None], ["q"]], dtype=object)),
    }
    adapter: TypeAdapter[View] = TypeAdapter(View)
    kinds = set()
    for name, (cells, given) in answers.items():
        task = task_of(name)
        views = task.views(task.targets(cells), given, texts=["t"] * 4, metrics=task.metrics[:1])
        kinds |= {type(view) for view in views}
        for view in views:
            again = adapter.validate_json(adapter.dump_json(view))
            assert type(again) is type(view)
            assert again == view
    assert kinds == set(View.__args__) - {Reliability, Selection}, (
        "of all tasks with a confidence, by tests of their own"
    )


def test_labels_are_counted_as_the_task_has_them() -> None:
    assert task_of("classification").counts(["a", "b", "a", ""]) == {"a": 2, "b": 1}
    assert task_of("multilabel").counts(['["a", "b"]', '["a"]', "[]", ""]) == {"a": 2, "b": 1}
    assert task_of("regression").counts(["1"]) is None
    assert task_of("generation").counts(["x"]) is None


def test_checks_that_are_left_out_are_checks() -> None:
    known = {name for check in checks() for name in (check.id, *check.gives)}
    for task in TASKS:
        assert task.checks_apart <= known
    assert not task_of("classification").checks_apart
