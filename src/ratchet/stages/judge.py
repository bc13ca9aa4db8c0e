"""The judge of a run: a model behind an endpoint that grades answers, after it was shown to agree with people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ratchet.contenders.endpoint import CACHE
from ratchet.contenders.rows import JUDGE, Ints, PartedRows
from ratchet.endpoint.cache import Cache
from ratchet.endpoint.client import ask, require_all
from ratchet.endpoint.prompt import prompt_of
from ratchet.endpoint.purse import Purse
from ratchet.errors import DataError, RecipeError
from ratchet.models.model import Answers, Destination
from ratchet.recipe.endpoint import EndpointSpec, JudgeSpec
from ratchet.scores.agreement import Agreement, agreement_by_id, human_verdicts, require_agreement
from ratchet.scores.judge import judge_answers, judge_pairs
from ratchet.stages.job import Job
from ratchet.tables.read import read_table
from ratchet.workspace.finished import key_of

MOST = 5
"""The best grade."""
Texts = Sequence[str | None]
Floats = npt.NDArray[np.float64]


def with_judge(job: Job, rows: PartedRows) -> PartedRows:
    """The rows with their judge, where the gate judges by one; what people say of it is told first.

    Raises:
        RecipeError: the recipe says nothing of the judge.
        DataError: it does not agree with people.
    """
    if JUDGE not in rows.judged_by:
        return rows
    spec = job.recipe.judge
    if not spec.rubric.strip() or spec.endpoint is None:
        lacking = "endpoint must say who judges" if spec.rubric.strip() else "rubric must say what makes an answer good"
        raise RecipeError(
            f"judge.{lacking} when gate.metrics has judge but is absent.",
            next_step="Add the section judge, with endpoint and rubric.",
        )
    to = Destination(address=spec.endpoint.url, key=spec.endpoint.key)
    job.screen.say(JUDGE, f"questions, right answers and the answers of all contenders are sent to {to}")
    judge = _Judge(job=job, spec=spec, endpoint=spec.endpoint, rows=rows, purse=Purse(spec.endpoint.limit))
    if spec.human:
        found = judge.agreement(Path(spec.human))
        job.screen.say("judge", _told(found))
        require_agreement(found)
    else:
        job.screen.say(
            "judge", "it is unproven: judge.human names no verdicts of people, so nobody knows whether it is right"
        )
    return replace(rows, judge=judge, judged_as=key_of(spec.endpoint.asked(), spec.rubric, spec.pairs))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Judge:
    """Grades answers to rows; one purse for the whole run, and every reply is kept."""

    job: Job
    spec: JudgeSpec
    endpoint: EndpointSpec
    rows: PartedRows
    purse: Purse

    def __call__(self, places: Ints, answers: Answers) -> Floats:
        """(n,) grades from 0 to 1, NaN where there is none to be read."""
        spent, requests = self.purse.spent, self.purse.requests
        texts: list[str | None] = answers[:, 0].tolist()
        scores, _ = self._judged(self.rows.texts(places), texts, self.rows.names(places))
        unread = int(np.isnan(scores).sum())
        left = f", {unread:,} without a grade are left out" if unread else ""
        self.job.screen.say(
            "judge",
            f"{len(texts):,} answers, {self.purse.requests - requests:,} requests, {self.purse.spent - spent:,.4g} spent{left}",
        )
        return scores

    def agreement(self, path: Path) -> Agreement:
        """How far it agrees with the verdicts of people about answers to dev rows."""
        human, given = human_verdicts(path), _answers(path)
        data = self.rows.dataset
        if data.roles.id is None:
            raise RecipeError(
                "data.id must name a column when judge.human has verdicts by id but is absent.",
                next_step="Set data.id.",
            )
        ids = data.column(data.roles.id)
        place = {str(ids[row]).strip(): row for row in self.rows.parts.dev.tolist() if ids[row] is not None}
        shared = [name for name in human if name in place and name in given]
        places = np.array([place[name] for name in shared], dtype=np.int64)
        answers = [given[name] for name in shared]
        _, words = self._judged(self.rows.texts(places), answers, self.rows.names(places))
        judged = {name: word for name, word in zip(shared, words, strict=True) if word}
        return agreement_by_id(judged, human)

    def _judged(self, inputs: Texts, answers: Texts, references: Texts) -> tuple[Floats, list[str]]:
        """The grade of each answer, and the judge's word for it, empty where there is none."""
        if self.spec.pairs:
            pairs = judge_pairs(self._ask, inputs=inputs, first=answers, second=references, rubric=self.spec.rubric)
            return pairs.preference, [*pairs.verdicts]
        graded = judge_answers(
            self._ask, inputs=inputs, answers=answers, rubric=self.spec.rubric, references=references, most=MOST
        )
        words = ["" if np.isnan(score) else f"{1 + (MOST - 1) * score:g}" for score in graded.scores]
        return graded.scores, words

    def _ask(self, texts: Sequence[str]) -> list[str | None]:
        """The replies to prompts, from the store or from the endpoint."""
        spec = self.endpoint
        asked = [prompt_of(text, spec=spec) for text in texts]
        with self.job.screen.bar(JUDGE) as advance, Cache(self.job.workspace.models / CACHE) as cache:
            found = ask(asked, spec=spec, cache=cache, purse=self.purse, advance=advance)
        require_all(found, spec=spec)
        for note in found.notes:
            self.job.screen.say(JUDGE, note)
        return [reply.text for reply in found.replies]


def _answers(path: Path) -> dict[str, str]:
    """The answers that people rated, by the id of the row.

    Raises:
        DataError: there is no column of them.
    """
    table = read_table(path).table
    if "answer" not in table.column_names:
        raise DataError(
            f"{path} must have the column 'answer', the text that people rated, but has {', '.join(table.column_names)}.",
            next_step="Add it: a verdict is about an answer.",
        )
    pairs = zip(table.column("id").to_pylist(), table.column("answer").to_pylist(), strict=True)
    return {str(name).strip(): answer or "" for name, answer in pairs if name is not None}


def _told(found: Agreement) -> str:
    return (
        f"it agrees with people: kappa {found.kappa:z.2f} [{found.low:z.2f}, {found.high:z.2f}], the same verdict of "
        f"{found.same:.0%} of {found.n:,} answers"
    )
