from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ratchet.contenders import corpus
from ratchet.contenders.corpus import read_corpus, require_unseen
from ratchet.contenders.rows import PartedRows
from ratchet.errors import DataError
from ratchet.near.copies import same_words

HARMLESS = "The harbour opens at dawn.\n\nShips from the north bring timber,\nsalt and wool.\n"
LONG = "The parcel that I ordered three weeks ago has still not arrived at my office."
CHINESE = "我三个星期前订购的包裹到现在还没有送到办公室。"


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        (tmp_path / "corpus.txt").write_text(text, encoding="utf-8")
        return str(tmp_path / "corpus.txt")

    return write


@pytest.fixture
def rows(parted: Callable[..., PartedRows]) -> PartedRows:
    return parted("generation", [f"answer {place}" for place in range(180)])


def with_text(rows: PartedRows, text: str, *, row: int) -> PartedRows:
    """The same rows, one with another text."""
    rows.dataset.__dict__["texts"] = [text if place == row else one for place, one in enumerate(rows.dataset.texts)]
    return rows


def test_a_corpus_without_a_judged_row_is_read(rows: PartedRows, file: Callable[[str], str]) -> None:
    path = file(HARMLESS)
    require_unseen([path], rows)
    assert read_corpus([path]) == [HARMLESS]


@pytest.mark.parametrize("row", [0, 1])
@pytest.mark.parametrize(
    ("said", "line"),
    [
        (LONG, 6),
        (LONG.upper().replace("three weeks", "three  weeks"), 6),
        ("The parcel that I ordered three weeks ago had still not arrived at my office", 6),
        (LONG.replace("weeks ago", "weeks\nago"), 6),
        (f"They wrote to us: {LONG} We were sorry, and sent another one on the same day by courier.", 6),
    ],
    ids=["copy", "typing", "near", "wrapped", "inside"],
)
def test_a_judged_row_in_it_is_named(
    rows: PartedRows, file: Callable[[str], str], said: str, line: int, row: int
) -> None:
    path = file(f"{HARMLESS}\n{said}\n\nThe end.\n")
    with pytest.raises(DataError, match=rf"corpus\.txt, line {line}, has that of row {row + 1} of"):
        require_unseen([path], with_text(rows, LONG, row=row))


def test_chinese_inside_a_chinese_text_is_found(rows: PartedRows, file: Callable[[str], str]) -> None:
    path = file(
        f"客服记录。\n今天有人写道：{CHINESE}我们已经回复，并且马上安排了另外一个快递员上门处理这件事情，客户表示满意。\n"
    )
    with pytest.raises(DataError, match=r"corpus\.txt, line 2, has that of row 7 of"):
        require_unseen([path], with_text(rows, CHINESE, row=6))


def test_a_short_text_is_found_as_a_line_and_not_within_one(rows: PartedRows, file: Callable[[str], str]) -> None:
    short = with_text(rows, "salt and wool", row=2)
    require_unseen([file("They sell salt and wool, and much else, in the market behind the old church.\n")], short)
    with pytest.raises(DataError, match="line 1, has that of row 3 of"):
        require_unseen([file("Salt and wool.\nAnd more.\n")], short)


def test_an_answer_of_a_judged_row_is_found(parted: Callable[..., PartedRows], file: Callable[[str], str]) -> None:
    rows = parted("generation", [f"answer {place}" if place else LONG for place in range(180)])
    with pytest.raises(DataError, match="has that of row 1 of"):
        require_unseen([file(f"Some say: {LONG} Others do not say so.")], rows)


def test_only_judged_rows_count_in_time_order(parted: Callable[..., PartedRows], file: Callable[[str], str]) -> None:
    rows = parted("generation", ["a"] * 180, order="time")
    train, valid = int(rows.parts.train[0]), int(rows.parts.valid[0])
    path = file(f"{HARMLESS}\n{LONG}\n")
    with pytest.raises(DataError, match="no text of a row that is judged"):
        require_unseen([path], with_text(rows, LONG, row=valid))
    rows = with_text(parted("generation", ["a"] * 180, order="time"), LONG, row=train)
    require_unseen([path], rows)
    with pytest.raises(DataError, match=f"no text of a row that is judged or chooses but .* row {train + 1} of"):
        require_unseen([path], rows, choosing=True)


def test_the_first_of_several_is_named_and_the_others_are_counted(
    parted: Callable[..., PartedRows], file: Callable[[str], str]
) -> None:
    rows = parted("generation", ["a"] * 180)
    both = with_text(with_text(rows, LONG, row=5), LONG.replace("office", "house"), row=3)
    said = f"They wrote: {LONG} So we looked for it, in the depot, in the van and at the border."
    path = file(f"{HARMLESS}\n{said}\n{HARMLESS}\n{said}\n{said.replace('office', 'house')}\n")
    with pytest.raises(DataError, match=r"line 6, has that of row 6 of .*, and 2 more of its passages are such"):
        require_unseen([path], both)


def test_many_rows_that_begin_alike_and_many_finds_take_little_work(
    parted: Callable[..., PartedRows], file: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [f"Sort this review into one of the kinds that we know: number {row:03}" for row in range(180)]
    rows, looks = parted("generation", answers), list[str]()
    monkeypatch.setattr(corpus, "same_words", lambda text: (looks.append(text), same_words(text))[1])
    path = file("".join(f"They say: {one} and nothing else was said by them or anyone near them.\n" for one in answers))
    with pytest.raises(DataError, match=r"line 1, has that of row 1 of .*, and 179 more of its passages are such"):
        require_unseen([path], rows)
    assert len([text for text in looks if len(text) > 1_000]) < 20, "the line of one is sought, not that of all"


def test_what_is_no_text_file_is_refused(tmp_path: Path, file: Callable[[str], str]) -> None:
    with pytest.raises(DataError, match="must be text files that can be read but got") as caught:
        read_corpus([str(tmp_path)])
    assert caught.value.next_step == "Name files, not folders, in pretrain.corpus of this challenger."
    with pytest.raises(DataError, match="No such file") as caught:
        read_corpus([str(tmp_path / "none.txt")])
    assert caught.value.next_step == "Correct the path in pretrain.corpus of this challenger."
    with pytest.raises(DataError, match="must hold text but is empty"):
        read_corpus([file(" \n")])


def test_many_short_texts_of_judged_rows_inside_a_paragraph_are_refused(
    rows: PartedRows, file: Callable[[str], str]
) -> None:
    held = [*rows.parts.compared.tolist(), *rows.parts.test.tolist()]
    short = [f"Where is order no {row}?" for row in range(len(rows.dataset))]
    rows.dataset.__dict__["texts"] = short

    def corpus(count: int) -> str:
        said = ". Then somebody wrote to us, as they do each week: ".join(short[row] for row in held[:count])
        return file(f"{HARMLESS}\nAt first they asked this: {said} And so it went on for a long while.\n")

    require_unseen([corpus(len(held) // 5 - 1)], rows)
    with pytest.raises(
        DataError, match=rf"but {len(held) // 2} of the {len(held)} short ones stand in it word for word"
    ):
        require_unseen([corpus(len(held) // 2)], rows)
