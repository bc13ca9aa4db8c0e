"""The section about the table: its files, and what its columns are."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ratchet.recipe.place import Files
from ratchet.recipe.section import Section

FeatureKind = Literal["number", "category"]


class DataConfig(Section):
    """Where the rows are and what their columns mean."""

    files: Files = ()
    """Files, folders, hf://owner/name#train or -, read in this order as one table; paths are relative to the recipe."""
    test_files: Files = ()
    """Files whose rows are the sealed test part; empty: the test part is cut from ``files``."""
    unlabelled: Files = ()
    """Files of rows without an answer, with the same columns of texts; challengers of the kind ``pseudo`` label them."""
    origin: str = ""
    """Where the files come from, for people; said when one of them is missing."""
    text: str | tuple[Annotated[str, Field(min_length=1)], ...] = "text"
    """Column with the text, or a list of columns (a title and a body, two sentences): one alone may be missing in a row."""
    label: str = "label"
    """Column with the answer: a label, several labels, a number or a text; empty where conversations hold it."""
    features: tuple[str, ...] | dict[str, FeatureKind] = Field(default={})
    """Columns that linear models and embeddings use beside the text, as ``{age: number, region: category}``; of a plain list
    of names the kinds are guessed. Only what is known when a prediction is asked for: ``ratchet check`` names columns that
    tell the label."""
    group: str | None = None
    """Column whose equal values must stay in one part (a customer, a document)."""
    time: str | None = None
    """Column with a date, a time or seconds since 1970; ``split.order: time`` divides by it."""
    id: str | None = None
    """Column that names a row."""
    header: tuple[str, ...] = ()
    """Names of the first columns of CSV and TSV files that have no header; empty: their first row is the header."""
    encoding: str = "auto"
    """auto (utf-8, gb18030, utf-16), big5, euc-kr, euc-jp, shift-jis, windows-1251, windows-1252 or latin-1."""
    language: Literal["auto", "zh", "en", "mixed"] = "auto"
    """Language of the texts; decides between character and word features."""
    missing: tuple[str, ...] = ("", "NA", "N/A", "null", "NULL", "None", "none", "NaN", "nan", "无", "未知")
    """Cell values that count as missing, besides white space. Words that people give to classes (none, NA, 无) are labels."""
    no_label: tuple[str, ...] = ()
    """Values of the label column that mean "no label", beside empty cells and NaN or null."""

    @model_validator(mode="after")
    def _texts_named(self) -> Self:
        if not self.texts:
            raise ValueError("text must name a column but got an empty list.")
        twice = next((name for name in self.texts if self.texts.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"text must name each column once but got {twice!r} twice.")
        return self

    @property
    def texts(self) -> tuple[str, ...]:
        """The columns with the texts."""
        return (self.text,) if isinstance(self.text, str) else self.text

    @property
    def text_name(self) -> str:
        """What the column of all texts of a row is called: the column itself where there is one."""
        return " + ".join(self.texts)
