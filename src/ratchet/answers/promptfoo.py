"""The results of promptfoo (``promptfoo eval --output results.json`` or ``.jsonl``), versions 2 and 3."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ratchet.answers.answer_file import Answer, AnswerFile, of_answers
from ratchet.answers.values import known, list_of, name_of, number_of, numbers_of, object_of, one_of, text_of
from ratchet.errors import DataError

_ADDED = ("sessionId", "_conversation")
"""Variables that promptfoo writes itself while it runs."""
Result = Mapping[str, Any]


def is_promptfoo(found: object) -> bool:
    """Whether a JSON document is what promptfoo exports: an evaluation, or its summary alone."""
    return _summary(found) is not None


def is_result(line: Mapping[str, Any]) -> bool:
    """Whether an object is one result of promptfoo, as each line of its JSONL export is."""
    return "promptIdx" in line and "testIdx" in line and "provider" in line


def read_promptfoo(found: object, *, path: Path, part: str = "") -> AnswerFile:
    """The answers of one provider and one prompt.

    The rows are told apart by their variables: a prompt that is changed still answers the same rows. ``inputs`` are the
    variable (or all of them as JSON), and the column ``prompt`` what was sent. Rows with the same variables, such as those
    of ``--repeat``, are epochs of one row. An answer from promptfoo's cache has no latency.

    Args:
        found: the document.
        path: where it was read.
        part: the provider, the label of the prompt, or ``provider/prompt``, where the file has several.

    Raises:
        DataError: there are several contenders and none is named, or a result is damaged.
    """
    results = list_of((_summary(found) or {}).get("results"))
    for number, result in enumerate(results, 1):
        if not (isinstance(result, dict) and is_result(result)):
            raise DataError(
                f"Result {number:,} of {path} must have 'promptIdx', 'testIdx' and 'provider' but has not.",
                next_step="Export it again with `promptfoo export`.",
            )
    return of_results(results, path=path, part=part)


def of_results(results: Sequence[Result], *, path: Path, part: str = "") -> AnswerFile:
    """As :func:`read_promptfoo`, from the results themselves."""
    if not results:
        return of_answers([], path=path, format="promptfoo", model="")
    names = _names(results)
    chosen = one_of([*dict.fromkeys(names)], _meant(names, results, part), path=path, what="contender")
    mine = [result for result, name in zip(results, names, strict=True) if name == chosen]
    first: dict[str, str] = {}
    seen: Counter[str] = Counter()
    answers = []
    for result in mine:
        row = _asked(result)
        first.setdefault(row, str(result["testIdx"]))
        answers.append(_answer(result, id=first[row], input=row, epoch=seen[row]))
        seen[row] += 1
    cached = sum(bool(object_of(result.get("response")).get("cached")) for result in mine)
    notes = [f"{cached:,} answers came from promptfoo's cache and have no latency."] if cached else []
    return of_answers(answers, path=path, format="promptfoo", model=chosen, notes=notes)


def _summary(found: object) -> Mapping[str, Any] | None:
    outer = object_of(found)
    inner = object_of(outer.get("results"))
    for summary in (inner, outer):
        if isinstance(summary.get("results"), list) and ("stats" in summary or "prompts" in summary):
            return summary
    return None


def _provider(result: Result) -> str:
    provider = result["provider"]
    if isinstance(provider, dict):
        provider = provider.get("label") or provider.get("id")
    return name_of(provider) or "?"


def _prompt(result: Result) -> str:
    prompt = result.get("prompt")
    if isinstance(prompt, dict):
        prompt = prompt.get("label") or prompt.get("display") or f"prompt {result['promptIdx']}"
    return name_of(prompt) or "?"


def _names(results: Sequence[Result]) -> list[str]:
    """What each result's contender is called: its provider, its prompt, or both, as far as it takes to tell them apart."""
    providers, prompts = [_provider(one) for one in results], [_prompt(one) for one in results]
    if len(set(prompts)) == 1:
        return providers
    if len(set(providers)) == 1:
        return prompts
    return [f"{provider}/{prompt}" for provider, prompt in zip(providers, prompts, strict=True)]


def _meant(names: Sequence[str], results: Sequence[Result], part: str) -> str:
    """The contender that a provider or a prompt alone already tells."""
    for told in (_provider, _prompt):
        fitting = {name for name, result in zip(names, results, strict=True) if told(result) == part}
        if len(fitting) == 1 and part not in names:
            return fitting.pop()
    return part


def _asked(result: Result) -> str:
    given = {name: value for name, value in object_of(result.get("vars")).items() if name not in _ADDED}
    if len(given) == 1:
        return text_of(next(iter(given.values()))) or ""
    return (text_of(dict(sorted(given.items()))) if given else _sent(result)) or ""


def _sent(result: Result) -> str | None:
    prompt = result.get("prompt")
    return text_of(prompt.get("raw") if isinstance(prompt, dict) else prompt)


def _answer(result: Result, *, id: str, input: str, epoch: int) -> Answer:
    response = object_of(result.get("response"))
    usage = object_of(response.get("tokenUsage")) or object_of(result.get("tokenUsage"))
    cost = result.get("cost") if result.get("cost") is not None else response.get("cost")
    own = {name: number_of(result[name]) for name in ("success", "score") if result.get(name) is not None}
    return Answer(
        id=id,
        input=input,
        reference=_reference(result),
        answer=text_of(response.get("output")),
        epoch=epoch,
        scores={**numbers_of(result.get("namedScores")), **own},
        measures=known(
            cost=cost,
            latency=math.nan if response.get("cached") else number_of(result.get("latencyMs")) / 1000,
            input_tokens=usage.get("prompt"),
            output_tokens=usage.get("completion"),
        ),
        columns={"prompt": _sent(result), "error": text_of(result.get("error"))},
    )


def _reference(result: Result) -> str | None:
    """What the first assertion ``equals`` asks for."""
    asserted = list_of(object_of(result.get("testCase")).get("assert"))
    wanted = [object_of(one).get("value") for one in asserted if object_of(one).get("type") == "equals"]
    return text_of(wanted[0]) if wanted else None
