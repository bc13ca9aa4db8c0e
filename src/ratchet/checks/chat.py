"""Conversations and prompts with answers: order of roles, empty turns, length, template tokens, what answers teach."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil

from ratchet.checks.context import Context, Samples, counted, percent
from ratchet.checks.finding import Finding, Severity
from ratchet.forms import SYLLABLES, characters
from ratchet.near.copies import normalise
from ratchet.tables.conversations import Chat, Turn, rows
from ratchet.text.personal import brief

GIVES = (
    *("chat.recognised", "chat.roles", "chat.empty_turn", "chat.too_long", "chat.template_tokens"),
    *("chat.duplicate_prompt", "chat.answer_in_prompt", "chat.refusal"),
)
MANY = 0.01
_LISTED = 4
_COPIED, _COPIED_DENSE = 20, 10
_SPACELESS = characters(SYLLABLES)
_DENSE = re.compile(f"[{_SPACELESS}]")
_WORD = re.compile(rf"[^\W{_SPACELESS}]+")
_TEMPLATE = re.compile(
    r"<\|[A-Za-z][A-Za-z0-9_]{1,30}\|>|<｜[^｜<>\n]{1,30}｜>|\[/?INST\]|<</?SYS>>|</?s>|<(?:start|end)_of_turn>"
    r"|<(?:bos|eos|pad|unk)>|\[gMASK\]|<sop>|\[/?(?:AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|SYSTEM_PROMPT)\]"
)
_REFUSAL = re.compile(
    r"\s*(?:(?:i['’]?m|i am) (?:very |really )?sorry,? (?:but )?(?:i|as an)"
    r"|sorry,? (?:but )?i (?:can(?:no|['’])t|am (?:not able|unable))"
    r"|i (?:can(?:not|['’]t)|am (?:unable|not able) to) (?:assist|help|comply|fulfil+|provide|do that|answer)"
    r"|as an? (?:ai|artificial|(?:large )?language model)"
    r"|(?:很)?(?:抱歉|对不起)[，,。 ]*(?:但是?)?(?:我|作为)|作为(?:一个|一名)?(?:AI|人工智能|语言模型)"
    r"|我(?:无法|不能)(?:回答|提供|协助|帮助|满足|完成))",
    re.IGNORECASE,
)


def check(context: Context) -> Iterator[Finding]:
    """Look at a table of conversations; any other table has no findings."""
    chat = context.chat
    if chat is None:
        return
    seen = _Seen(limit=context.recipe.check.context_tokens)
    for row, turns in enumerate(rows(context.dataset, chat)):
        seen.look(row, turns)
    yield _told(context, chat, seen)
    yield from _broken(context, chat, seen)
    yield from _doubtful(context, chat, seen)


def tokens(text: str) -> int:
    """About how many tokens a text has: one per Chinese, Japanese or Korean character, 1.3 per word of other scripts.

    >>> tokens("你好 hello world")
    5
    """
    return ceil(len(_DENSE.findall(text)) + 1.3 * len(_WORD.findall(text)))


def order_fault(turns: Sequence[Turn]) -> str:
    """What is wrong with the order of the roles; empty where a system turn, if any, comes first, user and assistant follow in
    turn, tools answer the assistant's calls, and the assistant has the last word.
    """
    if not turns:
        return "no turns"
    before = ""
    for number, turn in enumerate(turns, 1):
        role = turn.role
        if role not in _FOLLOWS:
            return f"turn {number} has the unknown role {role[:20]!r}" if role else f"turn {number} has no role"
        if before not in _FOLLOWS[role]:
            return f"turn {number} is {role} {f'after {before}' if before else 'and the first'}"
        before = role
    return "" if before == "assistant" else f"the last turn is {before}"


_FOLLOWS = {
    "system": ("",),
    "user": ("", "system", "assistant"),
    "assistant": ("user", "tool"),
    "tool": ("assistant", "tool"),
}
"""The roles after which a role may come; the empty text is the start."""


@dataclass
class _Seen:
    """What was seen in one pass over the rows: positions, and for examples what is wrong there."""

    limit: int
    turns: int = 0
    longest: int = 0
    order: dict[int, str] = field(default_factory=dict)
    empty: dict[int, str] = field(default_factory=dict)
    silent: int = 0
    long: dict[int, str] = field(default_factory=dict)
    template: dict[int, str] = field(default_factory=dict)
    found: Counter[str] = field(default_factory=Counter)
    copied: dict[int, str] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)
    prompts: dict[bytes, list[int]] = field(default_factory=lambda: defaultdict(list))
    answers: dict[int, bytes] = field(default_factory=dict)

    def look(self, row: int, turns: list[Turn] | None) -> None:
        """At one row."""
        if turns is None:
            self.order[row] = "no list of messages"
            return
        self.turns += len(turns)
        if fault := order_fault(turns):
            self.order[row] = fault
        for number, turn in enumerate(turns, 1):
            if not (turn.calls or turn.text.strip()):
                self.empty.setdefault(row, f"turn {number} ({turn.role or 'no role'}) is empty")
        self.silent += any(turn.role == "assistant" and not (turn.calls or turn.text.strip()) for turn in turns)
        length = sum(tokens(turn.text) for turn in turns)
        self.longest = max(self.longest, length)
        if length > self.limit:
            self.long[row] = f"about {length:,} tokens"
        self._template(row, turns)
        if turns and turns[-1].role == "assistant" and turns[-1].text.strip():
            self._answer(row, turns)

    def _template(self, row: int, turns: Sequence[Turn]) -> None:
        marks = {
            (match, turn.role)
            for turn in turns
            if "<" in turn.text or "[" in turn.text
            for match in _TEMPLATE.findall(turn.text)
        }
        if marks:
            self.found.update({mark for mark, _ in marks})
            mark, role = min(marks, key=lambda pair: (pair[1] != "user", pair))
            self.template[row] = f"{mark} in a turn of the {role or 'unknown role'}"

    def _answer(self, row: int, turns: Sequence[Turn]) -> None:
        answer = normalise(turns[-1].text)
        prompt = "\0".join(f"{turn.role}\0{normalise(turn.text)}" for turn in turns[:-1])
        self.prompts[_digest(prompt)].append(row)
        self.answers[row] = _digest(answer)
        asked = next((turn.text for turn in reversed(turns[:-1]) if turn.role == "user"), "")
        if len(answer) >= (_COPIED_DENSE if _DENSE.search(answer) else _COPIED) and answer in normalise(asked):
            self.copied[row] = f"the answer, {len(answer):,} characters, is part of the prompt"
        if _REFUSAL.match(turns[-1].text):
            self.refused[row] = "the answer begins: " + brief(" ".join(turns[-1].text.split()), most=40)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _told(context: Context, chat: Chat, seen: _Seen) -> Finding:
    total = len(context.dataset)
    return context.finding(
        "chat.recognised",
        severity="note",
        message=f"The table is taken for {chat.title}: {counted(total, 'row')}, {counted(seen.turns, 'turn')}, the longest "
        f"about {seen.longest:,} tokens.",
        why="Conversations have rules of their own, which were checked; if the table is something else, leave the check out.",
        positions=total,
        column=chat.column,
        samples=Samples(at=[0]),
    )


def _broken(context: Context, chat: Chat, seen: _Seen) -> Iterator[Finding]:
    """What a chat template would refuse, or turn into another conversation than it was."""
    if seen.order:
        kinds = Counter(re.sub(r"^turn \d+ ", "a turn ", fault) for fault in seen.order.values())
        yield _of(
            context,
            chat,
            "chat.roles",
            seen.order,
            what=f"{_has(seen.order)} roles out of order ({_listed(kinds)})",
            why="Expected are an optional system turn, then user and assistant in turn, the assistant last; chat templates "
            "refuse anything else or silently drop turns.",
        )
    if seen.empty:
        silent = f", in {counted(seen.silent, 'row')} one of the assistant" if seen.silent else ""
        yield _of(
            context,
            chat,
            "chat.empty_turn",
            seen.empty,
            what=f"{_has(seen.empty)} a turn without text{silent}",
            why="A model learns to answer with nothing, or without a question.",
            severity="error" if seen.silent >= MANY * len(context.dataset) and seen.silent else "warning",
        )
    if seen.template:
        yield _of(
            context,
            chat,
            "chat.template_tokens",
            seen.template,
            what=f"{_has(seen.template)} tokens of a chat template in the text ({_listed(seen.found)})",
            why="A tokenizer may read them as the end of a turn or a change of role; the text must be cleaned before a "
            "template is put around it.",
        )


def _doubtful(context: Context, chat: Chat, seen: _Seen) -> Iterator[Finding]:
    """What may be meant, and should be looked at."""
    if seen.long:
        yield _of(
            context,
            chat,
            "chat.too_long",
            seen.long,
            what=f"{'is' if len(seen.long) == 1 else 'are'} longer than {seen.limit:,} tokens (check.context_tokens), by the "
            "estimate of 1 token per Chinese, Japanese or Korean character and 1.3 per word",
            why="What does not fit is cut off, and the answer, which is what is learned, is at the end.",
            severity="warning",
        )
    yield from _two_answers(context, chat, seen)
    if seen.copied:
        yield _of(
            context,
            chat,
            "chat.answer_in_prompt",
            seen.copied,
            what=f"{_has(seen.copied)} the whole answer in the prompt",
            why="A model learns to copy; that is right only where the task is to pick a passage out.",
            severity="warning" if len(seen.copied) >= MANY * len(context.dataset) else "note",
        )
    if seen.refused:
        yield _of(
            context,
            chat,
            "chat.refusal",
            seen.refused,
            what=f"{_has(seen.refused)} an answer that begins like a refusal",
            why="A model learns to refuse from few examples; keep those that are meant.",
            severity="note",
        )


def _two_answers(context: Context, chat: Chat, seen: _Seen) -> Iterator[Finding]:
    several = {prompt: rows for prompt, rows in seen.prompts.items() if len({seen.answers[row] for row in rows}) > 1}
    if several:
        where = {row: f"{len(rows):,} rows have this prompt" for rows in several.values() for row in rows}
        yield _of(
            context,
            chat,
            "chat.duplicate_prompt",
            where,
            what=f"share {counted(len(several), 'prompt')} with rows that answer differently",
            why="A model cannot learn two answers to one question; if one of them is better, keep that one.",
            severity="warning",
            shown=[rows[0] for rows in several.values()][:3],
        )


def _of(
    context: Context,
    chat: Chat,
    id: str,
    where: dict[int, str],
    *,
    what: str,
    why: str,
    severity: Severity | None = None,
    shown: Sequence[int] | None = None,
) -> Finding:
    """A finding about rows that "have ..." something; severe by their share where no severity is given."""
    share = len(where) / len(context.dataset)
    positions = sorted(where)
    examples = list(positions[:3] if shown is None else shown)
    return context.finding(
        id,
        severity=severity or ("error" if share >= MANY else "warning"),
        message=f"{counted(len(where), 'row')} ({percent(share)}) {what}.",
        why=why,
        positions=positions,
        column=chat.column,
        samples=Samples(at=examples, notes={row: where[row] for row in examples}),
    )


def _has(where: dict[int, str]) -> str:
    return "has" if len(where) == 1 else "have"


def _listed(kinds: Counter[str]) -> str:
    order = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{kind}: {count:,}" for kind, count in order[:_LISTED]) + (" ..." if len(order) > _LISTED else "")
