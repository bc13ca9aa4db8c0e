"""Conversations as token ids: what is rendered in training is byte for byte what is rendered in serving."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ratchet.errors import RatchetError
from ratchet.models.checkpoints import first_line
from ratchet.models.tokens import BYTES_PER_TOKEN
from ratchet.tables.conversations import ROLES, Turn, turns
from ratchet.text.joined import parted

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

Ints = npt.NDArray[np.int64]
PLAIN_TEMPLATE = """\
{% for message in messages %}{{ {"system": "System", "user": "User", "assistant": "Assistant"}[message.role] }}: \
{{ message.content }}{% if message.role == "assistant" %}{{ eos_token }}{% endif %}{{ "\\n\\n" }}{% endfor %}\
{% if add_generation_prompt %}Assistant:{% endif %}"""
"""How a conversation is written where the tokenizer has no template: ``User: ...``, a blank line, ``Assistant:``."""
TODAY = datetime(2024, 7, 26)
"""The date that a template is told: one that writes the day would ask another question on each day."""
CUT_PROMPTS, CUT_ANSWERS = "cut prompts", "cut answers"
"""What `ChatTokens.counts` counts."""
_KNOWN = frozenset(ROLES.values())
_DATE = re.compile(r"""strftime_now\(\s*(["'])(.*?)\1\s*\)""")
_SENTINEL = "ratchetanswer"


def turns_of(text: str, *, system: str = "", examples: Sequence[tuple[str, str]] = ()) -> list[Turn]:
    """The turns of a row's text, in training and in serving alike.

    A JSON list of messages (as generation's ``divided`` writes a conversation of several turns) gives its own turns, without
    those of the assistant at its end; any other text is one turn of the user, its several columns apart by a blank line.

    Args:
        text: of the row.
        system: told first, unless the conversation has a system turn of its own; empty: nothing.
        examples: texts and answers that are shown before it, as turns.

    >>> [turn.role for turn in turns_of("Hi", system="Be short.", examples=[("1 + 1", "2")])]
    ['system', 'user', 'assistant', 'user']
    """
    return around(_spoken(text), system=system, examples=examples)


def around(spoken: Sequence[Turn], *, system: str = "", examples: Sequence[tuple[str, str]] = ()) -> list[Turn]:
    """A conversation with what is told and shown before it; its own system turn comes in the place of ``system``."""
    own = [] if spoken and spoken[0].role == "system" else [Turn("system", system)] if system.strip() else []
    if spoken and spoken[0].role == "system":
        own, spoken = [spoken[0]], spoken[1:]
    shown = [turn for asked, answer in examples for turn in (*_spoken(asked), Turn("assistant", answer))]
    return [*own, *shown, *spoken]


def _spoken(text: str) -> list[Turn]:
    found = turns(text) if text.lstrip().startswith("[") else None
    while found and found[-1].role == "assistant":
        found.pop()
    if found and all(turn.role in _KNOWN for turn in found):
        return found
    return [Turn("user", "\n\n".join(filter(None, parted(text))))]


@dataclass(frozen=True, kw_only=True, eq=False)
class ChatTokens:
    """A tokenizer with its chat template; it cuts, never pads, and needs no padding token.

    A special token that is written in a text is broken by a space, so that nobody ends their own turn.

    Attributes:
        tokenizer: a fast tokenizer of transformers, with a token that ends a text.
        max_tokens: of a prompt and its answer together.
        max_new_tokens: of these, those that are kept free for the answer.
        counts: prompts and answers that were cut so far.
    """

    tokenizer: PreTrainedTokenizerFast
    max_tokens: int
    max_new_tokens: int
    counts: Counter[str] = field(default_factory=Counter)

    def digest(self) -> str:
        """64 hex digits over all that decides the ids of a conversation: vocabulary, merges, special tokens and template."""
        own = self.tokenizer
        special = sorted((name, str(value)) for name, value in own.special_tokens_map.items())
        parts = (
            own.backend_tokenizer.to_str(),
            self.template,
            repr(special),
            repr((self.max_tokens, self.max_new_tokens)),
        )
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def room(self) -> int:
        """Most tokens of a prompt."""
        return self.max_tokens - self.max_new_tokens

    @property
    def pad_id(self) -> int:
        """What fills a batch: the padding token, else the end of a text; an attention mask hides either."""
        own = self.tokenizer.pad_token_id
        return self.end_of_text if own is None else int(own)

    @property
    def end_of_text(self) -> int:
        """The token behind a text."""
        eos = self.tokenizer.eos_token_id
        if eos is None:
            raise RatchetError(
                "The tokenizer of a generator must have a token that ends a text (eos_token) but has none.",
                next_step="Name one in its tokenizer_config.json.",
            )
        return int(eos)

    @cached_property
    def end(self) -> int:
        """The token that ends an answer: the first special one that the template writes behind it, else the end of a text."""
        specials = self._special_ids
        behind = self._encode(self._around_answer[1])
        return next((token for token in behind if token in specials), self.end_of_text)

    @property
    def stops(self) -> frozenset[int]:
        """The tokens after which a model has answered."""
        return frozenset({self.end, self.end_of_text})

    def prompt(self, spoken: Sequence[Turn]) -> Ints:
        """(tokens,) what a model is given: the turns, and the beginning of the assistant's.

        One longer than `room` is cut from the left of its oldest text; the system turn and the last turn are cut last.
        """
        prepared = self._prepared(spoken)
        ids = self._encode(self._render(prepared))
        if len(ids) > self.room:
            self.counts[CUT_PROMPTS] += 1
            ids = self._cut(prepared)
        return np.array(ids, dtype=np.int64)

    def example(self, spoken: Sequence[Turn], answer: str) -> tuple[Ints, npt.NDArray[np.bool_]]:
        """(tokens,) the prompt with its answer, and (tokens,) which of them are of the answer, its end included.

        The first tokens are those of :meth:`prompt`. An answer of more than ``max_new_tokens`` loses its last ones, and then
        its end as well: a model that learnt it would stop in the middle.
        """
        asked, said = self.prompt(spoken), self.answer(answer)
        mask = np.zeros(len(asked) + len(said), dtype=np.bool_)
        mask[len(asked) :] = True
        return np.concatenate([asked, said]), mask

    def answer(self, text: str) -> Ints:
        """(tokens,) an answer and its end, as they follow a prompt; cut as :meth:`example` says."""
        own = [*self._encode(self._around_answer[0] + self._harmless(text)), self.end]
        if len(own) > self.max_new_tokens:
            self.counts[CUT_ANSWERS] += 1
        return np.array(own[: self.max_new_tokens], dtype=np.int64)

    def document(self, text: str) -> Ints:
        """(tokens,) a plain text, uncut and without an end."""
        return np.array(self._encode(self._harmless(text)), dtype=np.int64)

    def text(self, ids: Sequence[int]) -> str:
        """The text of an answer's tokens, without special ones and white space around it."""
        return self.raw_text(ids).strip()

    def raw_text(self, ids: Sequence[int]) -> str:
        """The same with its white space."""
        found: str = self.tokenizer.decode([*ids], skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return found

    def _encode(self, text: str) -> list[int]:
        found: list[int] = self.tokenizer.encode(text, add_special_tokens=False)
        return found

    def _render(self, messages: Sequence[Turn], *, asking: bool = True) -> str:
        """The conversation as the template writes it, with the beginning of an answer where it is ``asking`` for one."""
        said = [{"role": turn.role, "content": turn.text} for turn in messages]
        try:
            return self._written(said if self._takes_system else _without_system(said), asking=asking)
        except _template_errors() as error:
            raise RatchetError(
                f"The tokenizer's chat template must take the turns {', '.join(turn.role for turn in messages)} but says: "
                f"{first_line(error)}",
                next_step="Let user and assistant speak in turn, the user first.",
            ) from error

    def _written(self, messages: Sequence[Mapping[str, str]], *, asking: bool) -> str:
        """One call for all: what a template is told beside the messages is the same each day and in each use."""
        found: str = self.tokenizer.apply_chat_template(
            [*messages],
            chat_template=self.template,
            tokenize=False,
            add_generation_prompt=asking,
            enable_thinking=False,
            date_string=TODAY.strftime("%d %b %Y"),
        )
        return found

    @cached_property
    def template(self) -> str:
        """The tokenizer's own chat template, with the day that it writes fixed, or :data:`PLAIN_TEMPLATE` behind the token
        that begins its texts.
        """
        own: Any = self.tokenizer.chat_template
        if isinstance(own, dict):
            own = own.get("default")
        if own:
            return _DATE.sub(lambda call: json.dumps(TODAY.strftime(call[2])), str(own))
        bos = self.tokenizer.bos_token_id
        begins = bos is not None and self.tokenizer.encode("a")[:1] == [bos]
        return ("{{ bos_token }}" if begins else "") + PLAIN_TEMPLATE

    @cached_property
    def _takes_system(self) -> bool:
        """Whether the template writes a system turn; else it is told at the head of the first turn of the user."""
        told = [{"role": "system", "content": _SENTINEL}, {"role": "user", "content": "a"}]
        try:
            return _SENTINEL in self._written(told, asking=True)
        except _template_errors():
            return False

    @cached_property
    def _around_answer(self) -> tuple[str, str]:
        """What the template writes between the beginning of an answer and its text, and behind it."""
        asked = [Turn("user", "a")]
        before, whole = self._render(asked), self._render([*asked, Turn("assistant", _SENTINEL)], asking=False)
        head, _, tail = whole.rpartition(_SENTINEL)
        return head.removeprefix(before) if head.startswith(before) else "", tail

    @cached_property
    def _special_ids(self) -> frozenset[int]:
        added = self.tokenizer.added_tokens_decoder
        return frozenset({*self.tokenizer.all_special_ids, *(place for place, one in added.items() if one.special)})

    @cached_property
    def _special_texts(self) -> tuple[str, ...]:
        found = self.tokenizer.convert_ids_to_tokens(sorted(self._special_ids))
        return tuple(sorted((one for one in found if len(one) > 1), key=lambda one: (-len(one), one)))

    def _harmless(self, text: str) -> str:
        for special in self._special_texts:
            if special in text:
                text = text.replace(special, f"{special[0]} {special[1:]}")
        return text.encode("utf-8", "replace").decode("utf-8")

    def _prepared(self, spoken: Sequence[Turn]) -> list[Turn]:
        """Turns that any template takes: known roles, neighbours of one role as one, the system first, the user last."""
        found: list[Turn] = []
        for turn in spoken:
            role = turn.role if turn.role in ("system", "assistant") else "user"
            text = self._harmless(turn.text[-BYTES_PER_TOKEN * self.max_tokens :])
            if role == "system" and found and found[0].role != "system":
                role = "user"  # said in the middle
            if found and found[-1].role == role:
                found[-1] = replace(found[-1], text=f"{found[-1].text}\n\n{text}")
            else:
                found.append(Turn(role, text))
        while found and found[-1].role == "assistant":
            found.pop()
        if not found or found[-1].role != "user":
            found.append(Turn("user", ""))
        return found

    def _cut(self, messages: Sequence[Turn]) -> list[int]:
        """The ids after as few characters as possible were taken from the left, found by halving."""
        low, high = 0, sum(len(turn.text) for turn in messages)
        best = self._encode(self._render(_shortened(messages, high)))
        while high - low > 1:
            middle = (low + high) // 2
            ids = self._encode(self._render(_shortened(messages, middle)))
            if len(ids) <= self.room:
                high, best = middle, ids
            else:
                low = middle
        return best[-self.room :]


def _shortened(messages: Sequence[Turn], characters: int) -> list[Turn]:
    """The turns without so many characters: those between the system's and the last first, the oldest of them first."""
    system = [turn for turn in messages[:1] if turn.role == "system"]
    middle, last = [*messages[len(system) : -1]], messages[-1]
    while middle and (characters >= len(middle[0].text) or middle[0].role == "assistant"):
        characters = max(characters - len(middle.pop(0).text), 0)
    if middle:
        middle[0] = replace(middle[0], text=middle[0].text[characters:])
        return [*system, *middle, last]
    left = max(characters - len(last.text), 0)
    system = [replace(turn, text=turn.text[left:]) for turn in system if left < len(turn.text)]
    return [*system, replace(last, text=last.text[characters:])]


def _without_system(messages: Sequence[Mapping[str, str]]) -> Sequence[Mapping[str, str]]:
    """The system's text at the head of the first turn of the user."""
    if len(messages) < 2 or messages[0]["role"] != "system":
        return messages
    first = f"{messages[0]['content']}\n\n{messages[1]['content']}"
    return [{**messages[1], "content": first}, *messages[2:]]


def _template_errors() -> tuple[type[Exception], ...]:
    """What rendering a template can end in: jinja2's own errors, and those of its expressions."""
    import jinja2

    return (jinja2.TemplateError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
