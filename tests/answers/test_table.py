from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from ratchet.answers.read import read_answers
from ratchet.answers.table import Columns
from ratchet.errors import DataError

TABLE = """id,text,label,prediction,probability_pos,score_f1,cost,latency_ms,prompt_tokens
a,好,pos,pos,0.9,1,0.1,250,4
b,坏,neg, ,0.2,0.5,,500,5
"""


def test_columns_by_their_usual_names(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(TABLE, encoding="utf-8")
    found = read_answers(path)
    assert (found.format, found.model) == ("table", "p")
    assert (found.ids, found.inputs) == (("a", "b"), ("好", "坏"))
    assert (found.references, found.answers) == (("pos", "neg"), ("pos", None))
    assert found.scores["score_f1"].tolist() == [1, 0.5]
    assert found.measures["latency"].tolist() == [0.25, 0.5]
    assert found.measures["input_tokens"].tolist() == [4, 5]
    assert math.isnan(found.measures["cost"][1])
    assert dict(found.columns) == {"probability_pos": ("0.9", "0.2")}


def test_an_answer_beside_an_output_is_the_right_answer(jsonl: Callable[..., Path]) -> None:
    found = read_answers(jsonl("a.jsonl", [{"question": "1+1", "answer": "2", "output": "3"}]))
    assert (found.inputs, found.references, found.answers) == (("1+1",), ("2",), ("3",))
    alone = read_answers(jsonl("b.jsonl", [{"question": "1+1", "answer": "2"}]))
    assert (alone.references, alone.answers) == ((None,), ("2",))


def test_columns_may_be_named(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    pa.parquet.write_table(pa.table({"n": [1, 2], "mine": ["x", "y"], "output": ["p", "q"]}), path)
    found = read_answers(path, columns=Columns(answer="mine", id="n"))
    assert (found.ids, found.answers, found.columns["output"]) == (("1", "2"), ("x", "y"), ("p", "q"))
    with pytest.raises(
        DataError, match=r"column of the answer must be in .* but 'other' is not: it has n, mine, output"
    ):
        read_answers(path, columns=Columns(answer="other"))


def test_one_of_several_models_is_named(jsonl: Callable[..., Path]) -> None:
    path = jsonl("m.jsonl", [{"id": n, "model": name, "output": name} for n in range(2) for name in "xy"])
    found = read_answers(path, part="y")
    assert (found.model, found.ids, found.answers) == ("y", ("0", "1"), ("y", "y"))
    with pytest.raises(DataError, match="must have one model but has 2: 'x', 'y'"):
        read_answers(path)


def test_epochs_are_whole_numbers(jsonl: Callable[..., Path]) -> None:
    found = read_answers(jsonl("m.jsonl", [{"id": 1, "epoch": n, "output": "x"} for n in range(3)]))
    assert found.epochs.tolist() == [0, 1, 2]
    for wrong in ("-1", "1.5", "x", "inf"):
        with pytest.raises(DataError, match=r"epoch of row 1 .* must be a whole number"):
            read_answers(jsonl("w.jsonl", [{"id": 1, "epoch": wrong, "output": "x"}]))


def test_a_table_without_answers_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("id,text\n1,a\n")
    with pytest.raises(
        DataError, match="must have a column of answers, such as 'prediction' or 'output', but has id, text"
    ):
        read_answers(path)
    with pytest.raises(DataError, match="is not there"):
        read_answers(tmp_path / "none.csv")


def test_nothing_costs_less_than_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,prediction,cost\n1,x,0\n2,y,-0.5\n")
    with pytest.raises(DataError, match=r"The cost of an answer must be 0 or more but answer 2 of .* has -0\.5"):
        read_answers(path)


@pytest.mark.parametrize("epoch", ["1e300", "1e20", "inf", "nan", "-1", "0.5", "x"])
def test_an_epoch_that_is_no_number_from_0_is_refused(tmp_path: Path, epoch: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"id,prediction,epoch\n1,x,{epoch}\n")
    with pytest.raises(DataError, match="must be a whole number from 0 but is"):
        read_answers(path)


@pytest.mark.parametrize("score", ["inf", "-inf", "nan", "1e308"])
def test_a_score_that_cannot_be_summed_is_none(tmp_path: Path, score: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"id,prediction,score_x\n1,x,{score}\n2,y,0.5\n")
    scores = read_answers(path).scores["score_x"]
    assert math.isnan(scores[0])
    assert scores[1] == 0.5
