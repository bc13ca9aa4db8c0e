"""Generation: a text for each row, judged by how it compares with the right one."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ratchet.metrics.metrics import MEASURED
from ratchet.models.constant import ConstantModel
from ratchet.models.model import Answers, Model
from ratchet.models.targets import Targets
from ratchet.scores.by_name import SCORES, text_score
from ratchet.scores.exact import token_f1
from ratchet.scores.words import one_form
from ratchet.tasks.task import (
    NO_FACTS,
    OF_CLASSES,
    Array,
    Cell,
    CellType,
    Columns,
    Parity,
    Task,
    Wrong,
    object_schema,
    require_columns,
)
from ratchet.tasks.views import AnswerLengths, Example, Examples, RowScore, RowScores, View

if TYPE_CHECKING:
    from ratchet.tables.conversations import Turn
    from ratchet.tables.dataset import Dataset
    from ratchet.tasks.replies import Parsed

ALWAYS = ("exact_match", "token_f1")
"""Scores that a report shows, whatever the gate judges by."""
BESIDE = (*MEASURED, "judge", "perplexity")
"""Metrics that are kept beside the answers, since no function of the answers gives them."""
EXAMPLES, SHOWN = 8, 4_000
"""Rows that are shown as examples, and characters of each text that are kept."""
PROMPT, ANSWER = "ratchet_prompt", "ratchet_answer"
"""Columns that conversations are turned into."""


class Generation(Task):
    """A text for each row: prompts and answers, or conversations whose last turn is the answer."""

    name = "generation"
    answer = "answer"
    metrics = (*SCORES, "judge", "perplexity")
    checks_apart = frozenset({*OF_CLASSES, "labels"})
    row_metrics = (*SCORES,)
    own_scores = True
    told = ("exact_match", "token_f1", "rouge_l", "chrf", "bleu", "perplexity")
    unreferenced = ("json_valid",)
    contradictions = False
    runtime = "constant"

    def read(self, dataset: Dataset, *, like: Dataset | None = None) -> Dataset:
        """Conversations as prompts and answers: the answer is the last turn of the assistant."""
        import pyarrow as pa

        from ratchet.tables.conversations import recognised, rows

        del like
        chat = recognised(dataset)
        if chat is None or chat.form == "pairs":
            return dataset
        prompts: list[str | None] = []
        answers: list[str | None] = []
        for spoken in rows(dataset, chat):
            prompt, answer = divided(spoken or [])
            prompts.append(prompt)
            answers.append(answer)
        table = dataset.table
        for name, cells in ((PROMPT, prompts), (ANSWER, answers)):
            table = table.append_column(name, pa.array(cells, pa.string()))
        return replace(dataset, table=table, roles=replace(dataset.roles, text=PROMPT, label=ANSWER))

    def require_trainable(self, dataset: Dataset) -> None:
        """Texts and answers."""
        require_columns(dataset, answer=self.answer)

    def targets(self, answers: Sequence[str], *, names: tuple[str, ...] | None = None) -> Targets:
        """(n,) the right answers."""
        return Targets(kind="texts", names=names or ("answer",), values=np.array([*answers, ""], dtype=object)[:-1])

    def strata(self, answers: Sequence[str]) -> list[str] | None:
        """One group: there is nothing to balance."""
        return [""] * len(answers)

    def first_champion(self, targets: Targets) -> Model:
        """The most frequent answer, by `exact_match`'s normalisation."""
        keys = [one_form(answer) for answer in targets.values.tolist()]
        most = Counter(keys).most_common(1)[0][0]
        return ConstantModel(answer=str(targets.values[keys.index(most)]))

    def columns(self, targets: Targets, answers: Answers, *, metrics: Sequence[str]) -> Columns:
        """A column for each metric; a row without an answer scores nothing."""
        references: list[str] = targets.values.tolist()
        return Columns(
            targets={"reference": np.array([_fingerprint(one) for one in references], dtype=np.int64)},
            outcomes=self.row_scores(targets, answers, metrics=metrics),
        )

    def row_scores(self, targets: Targets, answers: Answers, *, metrics: Sequence[str]) -> dict[str, Array]:
        """A column for each metric."""
        references: list[str] = targets.values.tolist()
        given: list[str | None] = answers[:, 0].tolist()
        return {name: text_score(name)(given, references) for name in metrics if name not in BESIDE}

    def row_quality(self, targets: Targets, answers: Answers) -> tuple[str, npt.NDArray[np.float64]]:
        """How many words answer and reference share."""
        return "token_f1", token_f1(answers[:, 0].tolist(), targets.values.tolist())

    def spelled(self, answers: Sequence[str]) -> list[str]:
        """The texts as they are."""
        return [*answers]

    def parity(self, before: Answers, after: Answers) -> Parity:
        """Answers that are not the same text."""
        other = int((before != after).any(axis=1).sum())
        return Parity(max_difference=0.0, disagreements=other, n=len(before))

    def understood(self, text: str, *, names: Sequence[str]) -> Parsed[str]:
        """The text without what the model thought before it."""
        from ratchet.tasks.replies import plain_text

        del names
        return plain_text(text)

    def answers(self, cells: Sequence[str | None], targets: Targets) -> Answers:
        """The texts; ``None`` where there is none."""
        del targets
        return np.array([*([cell] for cell in cells), [""]], dtype=object)[:-1]

    def worst(self, targets: Targets, answers: Answers, *, most: int) -> list[Wrong]:
        """The rows whose answer shares the fewest words with the right one."""
        given, right = answers[:, 0].tolist(), targets.values.tolist()
        shared = token_f1(given, right)
        first = [place for place in np.argsort(shared, kind="stable")[:most].tolist() if shared[place] < 1]
        return [Wrong(place=place, right=right[place], given=given[place] or "", certainty=None) for place in first]

    def views(
        self, targets: Targets, answers: Answers, *, texts: Sequence[str], metrics: Sequence[str]
    ) -> tuple[View, ...]:
        """Scores of the answers, rows from the worst to the best, and how long answers are."""
        right: list[str] = targets.values.tolist()
        given: list[str | None] = answers[:, 0].tolist()
        names = dict.fromkeys([*(name for name in metrics if name not in BESIDE), *ALWAYS])
        found = {name: text_score(name)(given, right) for name in names}
        rows = {name: scores for name, scores in found.items() if scores.ndim == 1}
        first = next(iter(rows))
        order = np.lexsort((rows["token_f1"], rows[first]))
        chosen = order[np.unique(np.linspace(0, len(order) - 1, min(EXAMPLES, len(order))).astype(np.int64))]
        examples = tuple(
            Example(
                prompt=texts[row][:SHOWN],
                right=right[row][:SHOWN],
                given=None if given[row] is None else str(given[row])[:SHOWN],
                score=float(rows[first][row]),
            )
            for row in chosen.tolist()
        )
        scores = tuple(RowScore.of(name, each) for name, each in rows.items())
        return (
            RowScores(scores=scores, unanswered=given.count(None)),
            Examples(metric=first, examples=examples),
            AnswerLengths.of(right, given),
        )

    def counts(self, answers: Sequence[str]) -> None:
        """Texts are no labels."""
        del answers

    def predictions(self, answers: Answers, *, names: Sequence[str], facts: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The text, or null where there is none."""
        del names, facts
        return [{"text": None if answer is None else _whole(answer)} for answer in answers[:, 0].tolist()]

    def schema(self, *, names: Sequence[str], facts: Mapping[str, Any]) -> dict[str, Any]:
        """As `predictions` writes it."""
        example = self.predictions(np.array([["It is on its way."]], object), names=names, facts=facts)[0]
        text = {"type": ["string", "null"]}
        return object_schema("The answer to one text; null: there is none.", {"text": text}, example=example)

    def cell_types(
        self, names: Sequence[str], *, each_label: bool, facts: Mapping[str, Any] = NO_FACTS
    ) -> dict[str, CellType]:
        """The text."""
        del names, each_label, facts
        return {"prediction": str}

    def cells(
        self, answers: Answers, *, names: Sequence[str], facts: Mapping[str, Any], each_label: bool
    ) -> list[dict[str, Cell]]:
        """As `cell_types` names it; missing where there is no answer."""
        del each_label
        return [{"prediction": one["text"]} for one in self.predictions(answers, names=names, facts=facts)]


def _whole(text: str) -> str:
    """The text with U+FFFD for each half of a surrogate pair, which no encoding can hold."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _fingerprint(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=7).digest())


def divided(spoken: Sequence[Turn]) -> tuple[str | None, str | None]:
    """The prompt and the answer of a conversation: the answer is the last turn where that is the assistant's.

    A prompt of one turn of the user is its text; a longer one is a JSON list of messages.
    """
    if not spoken or spoken[-1].role != "assistant" or not spoken[-1].text.strip():
        return None, None
    return _asked(spoken[:-1]), spoken[-1].text


def prompt_of(cell: str) -> str | None:
    """What a model is asked by a cell with a conversation: all turns but a last one of the assistant.

    A cell that is no conversation is the prompt itself; of one without a turn to answer there is none.

    >>> prompt_of('[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]'), prompt_of("Hi")
    ('Hi', 'Hi')
    """
    from ratchet.tables.conversations import turns

    spoken = turns(cell)
    if spoken is None:
        return cell
    return _asked(spoken[:-1] if spoken and spoken[-1].role == "assistant" else spoken)


def _asked(spoken: Sequence[Turn]) -> str | None:
    if len(spoken) == 1 and spoken[0].role == "user":
        return spoken[0].text
    messages = [{"role": turn.role, "content": turn.text} for turn in spoken]
    return json.dumps(messages, ensure_ascii=False) if messages else None
