"""Whether a model can be trained on a label column, and labels that are one label written twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from ratchet.errors import DataError
from ratchet.prepare.labels import label_variants, require_trainable
from ratchet.tables.dataset import Dataset, Roles


def dataset(labels: list[str | None], *, texts: list[str | None] | None = None) -> Dataset:
    texts = texts or [f"text {i}" for i in range(len(labels))]
    return Dataset(
        table=pa.table({"text": pa.array(texts, pa.string()), "label": pa.array(labels, pa.string())}),
        roles=Roles(text="text", label="label"),
        files=("a.csv",),
        file_index=np.zeros(len(labels), np.int64),
        origin=np.arange(1, len(labels) + 1),
    )


@pytest.mark.parametrize("labels", [["x", "x", "y", "y"], ["x", None, "y", "x", "y", None]])
def test_two_rows_of_two_labels_are_enough(labels: list[str | None]) -> None:
    require_trainable(dataset(labels))


@pytest.mark.parametrize(
    ("labels", "texts", "problem"),
    [
        ([None, None], None, "Column 'label' must hold the labels but is empty in all 2 rows. Set data.label"),
        (["x", "y"], [None, None], "Column 'text' must hold the texts but is empty in all 2 rows. Set data.text"),
        (["x", "x", None], None, "Column 'label' must hold at least 2 labels but all 2 rows are 'x'."),
        (["x", "x", "y"], None, "Every label must have at least 2 rows but 'y' has 1 (row 3 of a.csv). Add rows"),
        (["x", "y", "z"], None, "but 3 of 3 have 1: 'x', 'y', 'z'. Is 'label' the label?"),
        (["1", "1", "2.5", "n/a"], None, "free text. For numbers set task to regression."),
        (["It is 1.", "It is 1.", "It is 2."], None, "For answers to prompts set task to generation."),
        ([*"xxxyzabc"], None, "but 5 of 6 have 1: 'a', 'b', 'c' and others. Is 'label' the label?"),
        (
            ["x", "x", "y", "y", "Y "],
            None,
            "but 'Y ' has 1 (row 5 of a.csv). Write 'Y ' and 'y' the same way, here or with",
        ),
        (["x", "x", "y", "y"], ["a", "b", "c", None], "but 'y' has 1 (row 3 of a.csv)"),
    ],
)
def test_a_column_that_can_not_be_learned_is_refused(
    labels: list[str | None], texts: list[str | None] | None, problem: str
) -> None:
    with pytest.raises(DataError) as caught:
        require_trainable(dataset(labels, texts=texts))
    assert problem in str(caught.value)


@pytest.mark.parametrize("label", [None, "text"])
def test_the_label_is_a_column_of_its_own(label: str | None) -> None:
    with pytest.raises(DataError, match="must be a column of its own"):
        require_trainable(replace(dataset(["x"]), roles=Roles(text="text", label=label)))


def test_variants_differ_in_case_width_or_spaces_only() -> None:
    table = dataset(["Spam", "spam ", "ham", "ｓｐａｍ", "好 评", "好  评", "好评", None])
    assert label_variants(table) == (("Spam", "spam ", "ｓｐａｍ"), ("好  评", "好 评"))
    assert label_variants(dataset(["x", "y"])) == ()
