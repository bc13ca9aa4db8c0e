"""Conversations and prompts with answers: which columns hold them, and the turns of each row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from ratchet.bounds import json_value
from ratchet.tables.dataset import Dataset
from ratchet.tables.roles import ANSWERS

_LOOKED_AT, _SAMPLE = 2_000, 200
_SHARE = 0.5
_PROMPTS = ("prompt", "instruction", "question", "query", "指令", "提示", "提示词", "问题", "提问")
_CHOSEN = ("chosen", "chosen_response", "preferred")
_BESIDE = ("rejected", "rejected_response", "tools", "functions")
_INPUTS = ("input", "context", "输入")
_BATCH = 1 << 12
ROLES = {
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bot", "model", "ai", "bing", "bard"), "assistant"),
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("tool", "function", "ipython", "observation", "environment"), "tool"),
    **dict.fromkeys(("function_call", "tool_call"), "assistant"),
}
"""What the names of roles mean."""

Form = Literal["messages", "conversations", "pairs"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message: ``role`` is user, assistant, system, tool, or the unknown name as it is written."""

    role: str
    text: str
    calls: bool = False
    """Whether it calls a tool, so that its text may be empty."""


@dataclass(frozen=True, kw_only=True)
class Chat:
    """Where a table holds its conversations.

    Attributes:
        form: ``messages``: lists of ``{role, content}``; ``conversations``: lists of ``{from, value}``; ``pairs``: a column
            with prompts and one with answers.
        columns: the column of the lists; or those of the prompt and, if there is one, its further input; and the answer.
        system: a column with system prompts; or empty.
        answer: the column with the preferred answer to a list of messages, which then ends with the user; or empty.
        beside: further columns that belong to a conversation: the rejected answer, the tools.
    """

    form: Form
    columns: tuple[str, ...]
    system: str = ""
    answer: str = ""
    beside: tuple[str, ...] = ()

    @property
    def column(self) -> str:
        """The column whose cells are shown."""
        return self.columns[0]

    @property
    def parts(self) -> tuple[str, ...]:
        """All columns that a conversation is made of."""
        further = (self.system, self.answer, *self.beside)
        return (*self.columns, *(name for name in further if name and name not in self.columns))

    @property
    def title(self) -> str:
        """How a person says it."""
        if self.form == "pairs":
            asked = " and ".join(map(repr, self.columns[:-1]))
            return f"prompts in {asked} with answers in {self.columns[-1]!r}"
        return f"conversations in {self.column!r}, lists of {'{role, content}' if self.form == 'messages' else '{from, value}'}"


def recognised(dataset: Dataset) -> Chat | None:
    """The conversations of a table, if it has any.

    A column holds conversations when half of a sample of its cells are lists of messages, whatever it is called: broken rows
    are to be found, not to hide the column. Prompts and answers are told by the usual names of both columns, unless one of
    them is the label.
    """
    table, roles = dataset.table, dataset.roles
    folded = {name.strip().casefold(): name for name in reversed(table.column_names) if name != roles.label}
    system, beside = folded.get("system", ""), tuple(folded[word] for word in _BESIDE if word in folded)
    for name in table.column_names:
        form = _form(table.column(name))
        if form is not None:
            answer = next((folded[word] for word in _CHOSEN if word in folded and folded[word] != name), "")
            return Chat(form=form, columns=(name,), system=system, answer=answer, beside=beside)
    prompt, answer, more = (
        next((folded[word] for word in words if word in folded), None) for words in (_PROMPTS, ANSWERS, _INPUTS)
    )
    if prompt is None or answer is None:
        return None
    columns = (prompt, *((more,) if more is not None else ()), answer)
    return Chat(form="pairs", columns=columns, system=system, beside=beside)


def holds_conversations(column: pa.ChunkedArray) -> bool:
    """Whether most cells of a column are lists of messages."""
    return _form(column) is not None


def rows(dataset: Dataset, chat: Chat) -> Iterator[list[Turn] | None]:
    """The turns of each row, in order; ``None`` where the cell is no list of messages."""
    used = [*chat.columns, *(name for name in (chat.system, chat.answer) if name)]
    for batch in dataset.table.select(used).to_batches(max_chunksize=_BATCH):
        columns = {name: column.to_pylist() for name, column in zip(used, batch.columns, strict=True)}
        for row in range(batch.num_rows):
            cells = {name: column[row] for name, column in columns.items()}
            said = cells[chat.system] if chat.system else None
            system = [Turn("system", said)] if said else []
            if chat.form == "pairs":
                asked = "\n".join(cells[name] for name in chat.columns[:-1] if cells[name])
                yield [*system, Turn("user", asked), Turn("assistant", cells[chat.columns[-1]] or "")]
                continue
            found = turns(cells[chat.column])
            if found is not None and chat.answer:
                found = _answered(found, cells[chat.answer])
            if found and found[0].role == "system":
                system = []
            yield None if found is None else [*system, *found]


def answer_in(cell: str | None) -> str:
    """The text of an answer in a cell of its own: a text, a message, or messages of which the assistant's last one is it.

    >>> answer_in('[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]'), answer_in("Hello")
    ('Hello', 'Hello')
    """
    said = _answered([], cell)
    return next((turn.text for turn in reversed(said) if turn.role == "assistant"), "")


def _answered(asked: list[Turn], cell: str | None) -> list[Turn]:
    """A conversation with its preferred answer: a text, a message, or the messages that follow."""
    if not cell:
        return asked
    try:
        found = json_value(cell)
    except ValueError:
        found = cell
    if isinstance(found, dict):
        return [*asked, _turn(found)]
    said = turns(cell) if isinstance(found, list) else None
    if said is None:
        return [*asked, Turn("assistant", cell)]
    return said if said[: len(asked)] == asked else [*asked, *said]


def words(dataset: Dataset, chat: Chat) -> pa.ChunkedArray:
    """The text of each row as a person reads it: all turns of a list of messages, or the prompt with its further input.

    A list without a word is missing; a cell that is no list of messages is left as it is.
    """
    column = dataset.table.column(chat.column)
    if chat.form == "pairs":
        asked = [dataset.table.column(name) for name in chat.columns[:-1]]
        if len(asked) == 1:
            return column
        joined = pc.utf8_trim(pc.binary_join_element_wise(*(pc.fill_null(c, "") for c in asked), "\n"), "\n")
        return pc.if_else(pc.equal(joined, ""), pa.scalar(None, joined.type), joined)
    said = []
    for chunk in column.chunks:
        cells = [(cell, turns(cell)) for cell in chunk.to_pylist()]
        told = [
            cell if found is None else "\n".join(turn.text for turn in found).strip() or None for cell, found in cells
        ]
        said.append(pa.array(told, column.type))
    return pa.chunked_array(said, column.type)


def turns(cell: str | None) -> list[Turn] | None:
    """The turns in a cell of JSON; ``None`` where it is no list of messages.

    >>> turns('[{"from": "human", "value": "Hi"}]')
    [Turn(role='user', text='Hi', calls=False)]
    """
    try:
        found = json_value(cell or "")
    except ValueError:
        return None
    if not isinstance(found, list) or not all(isinstance(message, dict) for message in found):
        return None
    return [_turn(message) for message in found]


def _turn(message: dict[str, Any]) -> Turn:
    role = str(message.get("role", message.get("from", "")))
    content = message.get("content", message.get("value"))
    calls = bool(message.get("tool_calls") or message.get("function_call")) or role in ("function_call", "tool_call")
    return Turn(ROLES.get(role.strip().casefold(), role), _plain(content), calls)


def _plain(content: Any) -> str:
    """The text of a message; of one in parts, the texts, and the kinds of what is no text."""
    if isinstance(content, list):
        return "\n".join(_plain(piece) if not isinstance(piece, list) else str(piece) for piece in content)
    if isinstance(content, dict):
        return str(content["text"]) if "text" in content else f"[{content.get('type', 'part')}]"
    return "" if content is None else str(content)


def _form(column: pa.ChunkedArray) -> Form | None:
    head = [cell for cell in column.slice(0, _LOOKED_AT).to_pylist() if cell is not None][:_SAMPLE]
    forms = [form for cell in head if cell.lstrip().startswith("[") and (form := _form_of(cell)) is not None]
    if not forms or len(forms) < _SHARE * len(head):
        return None
    return max(sorted(set(forms)), key=forms.count)


def _form_of(cell: str) -> Form | None:
    try:
        found = json_value(cell)
    except ValueError:
        return None
    if not isinstance(found, list) or not found or not all(isinstance(message, dict) for message in found):
        return None
    if all("from" in message and "value" in message for message in found):
        return "conversations"
    return "messages" if all("role" in message for message in found) else None
