"""Files of predictions: which row is which, which word is a label, and what has no answer."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ratchet.compare.files import sides_of
from ratchet.compare.question import Question
from ratchet.errors import DataError
from ratchet.gate.verdict import compare
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.metrics import score

Write = Callable[..., Path]
HEAD = ("id", "text", "label", "prediction")


def pair_files(
    first: Path,
    second: Path,
    *,
    label: str,
    metrics: Sequence[str],
    labels: Sequence[str] = (),
    most_missing: float = 0.05,
) -> tuple[Evidence, Evidence, list[str]]:
    """Two tables of predictions as evidence, and what is said of them."""
    question = Question(label=label, metrics=tuple(metrics), labels=tuple(labels), most_missing=most_missing)
    found = sides_of(str(first), str(second), question)
    return *found.evidence, [*found.notes]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def table(name: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
        path = tmp_path / name
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([head, *rows])
        return path

    return table


def rows(n: int = 40, *, wrong: Sequence[int] = ()) -> list[tuple[str, str, str, str]]:
    """Rows whose labels stand in blocks, so that a shuffle within a block is not seen in the labels."""
    label = ["pos" if row < n // 2 else "neg" for row in range(n)]
    other = {"pos": "neg", "neg": "pos"}
    return [
        (f"r{row}", f"评论{row}", label[row], other[label[row]] if row in wrong else label[row]) for row in range(n)
    ]


@pytest.mark.parametrize("kept", [HEAD, HEAD[1:]])
def test_rows_in_another_order_are_matched(write: Write, kept: Sequence[str]) -> None:
    a, b = rows(wrong=[1, 30]), rows(wrong=[2, 3, 30])
    order = np.random.default_rng(0).permutation(len(b))
    start = HEAD.index(kept[0])
    first = write("a.csv", kept, [row[start:] for row in a])
    second = write("b.csv", kept, [b[row][start:] for row in order])
    one, other, notes = pair_files(first, second, label="label", metrics=["accuracy"])
    right = [(evidence.predicted == evidence.truth).tolist() for evidence in (one, other)]
    assert [row for row, hit in enumerate(right[0]) if not hit] == [1, 30]
    assert [row for row, hit in enumerate(right[1]) if not hit] == [2, 3, 30]
    assert any("another order" in note for note in notes)


def test_equal_texts_are_matched_in_their_order(write: Write) -> None:
    table = [("好", "pos", "pos"), ("好", "pos", "neg"), ("坏", "neg", "neg")]
    head = HEAD[1:]
    one, other, notes = pair_files(
        write("a.csv", head, table),
        write("b.csv", head, [table[2], *table[:2]]),
        label="label",
        metrics=["accuracy"],
    )
    assert one.predicted.tolist() == other.predicted.tolist()
    assert notes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda table: table[:-3],
            "b.csv must answer the rows of .*a.csv but, by id, 3 of 40 rows have no answer and 0 answers",
        ),
        (
            lambda table: [("r1", *row[1:]) for row in table],
            "b.csv must have one answer a row but 20 answers differ from an earlier one to the same row, 'r1' in row 21",
        ),
        (
            lambda table: [(*row[:2], "neg", row[3]) for row in table],
            "but 20 of 40 differ: row 1 of the first file has 'pos' and row 1 of the second 'neg', in 'label'",
        ),
        (lambda table: [(*row[:3], f"{row[3]}.") for row in table], "40 of 40 predictions of .*b.csv are not one of"),
        (lambda table: [(*row[:3], row[3].upper()) for row in table], "Did you mean 'pos'"),
    ],
)
def test_files_that_do_not_fit_are_refused_with_counts(
    write: Write, change: Callable[..., object], message: str
) -> None:
    first, second = write("a.csv", HEAD, rows()), write("b.csv", HEAD, change(rows()))  # type: ignore[arg-type]
    with pytest.raises(DataError, match=message):
        pair_files(first, second, label="label", metrics=["accuracy"])


def test_numbers_written_otherwise_are_named(write: Write) -> None:
    a = [(str(n % 2), str(n % 2)) for n in range(10)]
    b = [(label, f"{label}.0") for label, _ in a]
    head = ("label", "prediction")
    with pytest.raises(DataError, match="Did you mean '0'"):
        pair_files(write("a.csv", head, a), write("b.csv", head, b), label="label", metrics=["accuracy"])


def test_a_label_that_no_row_has_can_be_named(write: Write) -> None:
    a = [*rows()[:-1], (*rows()[-1][:3], "neutral")]
    paths = write("a.csv", HEAD, a), write("b.csv", HEAD, rows())
    with pytest.raises(
        DataError, match=r"1 of 40 predictions .* not one of the labels \(neg, pos\): 'neutral' 1 times"
    ):
        pair_files(*paths, label="label", metrics=["accuracy"])
    one, _, _ = pair_files(*paths, label="label", metrics=["accuracy"], labels=["neutral"])
    assert (one.predicted != one.truth).sum() == 1


def test_no_answer_is_a_wrong_one_and_no_truth_is_left_out(write: Write) -> None:
    a = [(*row[:3], "" if n < 3 else row[3]) for n, row in enumerate(rows())]
    a[10] = (*a[10][:2], "", a[10][3])
    b = [(*row[:2], "" if n == 10 else row[2], row[3]) for n, row in enumerate(rows())]
    paths = write("a.csv", HEAD, a), write("b.csv", HEAD, b)
    with pytest.raises(DataError, match="3 of 40 rows have no answer and 0 answers are to no row; at most 5% may be"):
        pair_files(*paths, label="label", metrics=["accuracy"])
    one, other, notes = pair_files(*paths, label="label", metrics=["accuracy"], most_missing=0.1)
    assert len(one.rows) == len(other.rows) == 39
    assert (one.predicted != one.truth).sum() == 3
    assert (other.predicted == other.truth).all()
    assert notes == [
        "3 of 40 rows have no answer in a.csv and count as wrong.",
        "1 rows without a true label are left out.",
    ]


@pytest.mark.parametrize("columns", ["each", "said"])
def test_auc_uses_the_probabilities(write: Write, columns: str) -> None:
    dice = np.random.default_rng(1)
    truth = dice.integers(0, 2, size=200)
    paths, scores = [], []
    for name, noise in (("a.csv", 0.5), ("b.csv", 0.9)):
        p = 1 / (1 + np.exp(-(truth - 0.5 + dice.normal(scale=noise, size=200)) * 2)).round(6)
        scores.append(roc_auc_score(truth, p))
        label, said = np.where(truth, "pos", "neg"), np.where(p > 0.5, "pos", "neg")
        if columns == "each":
            head: Sequence[str] = ("label", "prediction", "probability_neg", "probability_pos")
            table = list(zip(label, said, 1 - p, p, strict=True))
        else:
            head, table = (
                ("label", "prediction", "probability"),
                list(zip(label, said, np.maximum(p, 1 - p), strict=True)),
            )
        paths.append(write(name, head, table))
    one, other, notes = pair_files(*paths, label="label", metrics=["auc"])
    assert [score(evidence, "auc").value for evidence in (one, other)] == pytest.approx(scores, abs=1e-6)
    assert compare(one, other, ["auc"]).outcome == "better"
    assert notes == ["There is no id and no text: rows are taken in their order."]


def test_auc_of_bare_predictions_is_refused(write: Write) -> None:
    paths = write("a.csv", HEAD, rows()), write("b.csv", HEAD, rows())
    with pytest.raises(
        DataError, match=r"auc must have probabilities but .* has no columns probability_neg, probability_pos"
    ):
        pair_files(*paths, label="label", metrics=["auc"])


@pytest.mark.parametrize(
    ("cell", "message"), [("1.5", "from 0 to 1 but row 1 has"), ("0.1", "must add up to 1 but row 1")]
)
def test_probabilities_that_are_none_are_refused(write: Write, cell: str, message: str) -> None:
    head = (*HEAD, "probability_neg", "probability_pos")
    table = [(*row, 0.2, 0.8) if row[3] == "pos" else (*row, 0.8, 0.2) for row in rows()]
    broken = [(*table[0][:-1], cell), *table[1:]]
    with pytest.raises(DataError, match=message):
        pair_files(write("a.csv", head, broken), write("b.csv", head, table), label="label", metrics=["auc"])


def test_a_shifted_threshold_is_said(write: Write) -> None:
    head = (*HEAD, "probability_neg", "probability_pos")
    table = [(*row, 0.6, 0.4) for row in rows()]
    paths = write("a.csv", head, table), write("b.csv", head, table)
    _, _, notes = pair_files(*paths, label="label", metrics=["auc"])
    assert "20 predictions of a.csv are not its most probable label; auc does not ask." in notes
    with pytest.raises(DataError, match=r"20 predictions .* are about two things"):
        pair_files(*paths, label="label", metrics=["accuracy", "auc"])


def test_ids_that_were_numbered_anew_are_refused(write: Write) -> None:
    """Each file counts its own rows: by id alone different texts would be paired, their labels alike."""
    a = rows()
    moved = [a[n + 1 if n % 2 == 0 else n - 1] for n in range(len(a))]
    b = [(f"r{n}", *row[1:]) for n, row in enumerate(moved)]
    with pytest.raises(
        DataError, match=r"must name the same rows but 40 of 40 differ in 'text', row 1 of .*b\.csv first"
    ):
        pair_files(write("a.csv", HEAD, a), write("b.csv", HEAD, b), label="label", metrics=["accuracy"])


def test_equal_texts_with_different_labels_in_another_order_are_the_same_rows(write: Write) -> None:
    table = [("好", "pos", "pos"), ("好", "neg", "pos"), ("坏", "neg", "neg")]
    first = write("a.csv", HEAD[1:], table)
    second = write("b.csv", HEAD[1:], [table[1], table[2], table[0]])
    one, other, _ = pair_files(first, second, label="label", metrics=["accuracy"])
    assert one.truth.tolist() == other.truth.tolist()
    assert compare(one, other).findings[0].estimate == 0


def test_a_refused_prediction_prints_no_personal_data(write: Write) -> None:
    first = write("a.csv", HEAD[1:], [("好", "pos", "pos"), ("坏", "neg", "13812345678")])
    with pytest.raises(DataError) as caught:
        pair_files(first, first, label="label", metrics=["accuracy"])
    assert "138****5678" in str(caught.value)
    assert "13812345678" not in str(caught.value)
