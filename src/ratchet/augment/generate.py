"""New training rows that a generator writes: like a few rows of one label, or one row in other words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ratchet.augment.augmenter import Augmenter, Making
from ratchet.augment.drafts import Drafts
from ratchet.augment.kept import opened
from ratchet.augment.requests import Request, requests
from ratchet.augment.source import Source
from ratchet.augment.wording import asking, label_shown
from ratchet.augment.writers import Writer, writer_of
from ratchet.augment.written import CHATTER, MISSING, SURPLUS, Line, Question, read
from ratchet.errors import DataError, RatchetError
from ratchet.recipe.augment import GenerateSpec
from ratchet.text.personal import brief


class Generate(Augmenter[GenerateSpec]):
    """Texts of a causal language model on this machine, or of one behind an endpoint.

    The label is given and the text is written (Yoo et al. 2021, "GPT3Mix"; Møller et al. 2024, "The parrot dilemma"). All
    rows that a request shows are of one label and one group, so a new text may be trained on wherever its parents may. An
    answer is kept, and is neither waited nor paid for twice; what is read from it is read again.
    """

    name, spec = "generate", GenerateSpec
    packages = ()

    def drafts(self, spec: GenerateSpec, source: Source, making: Making) -> Drafts:
        """As `Augmenter.drafts`.

        Raises:
            RatchetError: too little of what is written is of use, the generator cannot be loaded, or the endpoint not be asked.
            DataError: ``labels`` names no label that there is.
        """
        _require_labels(spec, source)
        writer = writer_of(spec, source.language)
        wanted = requests(source, spec, seed=making.seed)
        asked = [_asked(request, source, spec, writer=writer) for request in wanted]
        if not asked:
            return _assembled([], [], source, spec)
        with opened(making.cache) as cache:
            answered = writer.answers([prompt for _, prompt, _ in asked], making, cache)
        lines = [
            [Line(raw="", reason=reply.reason)] * request.needed
            if reply.text is None
            else read(reply.text, question, cut=bool(reply.reason))
            for (request, _, question), reply in zip(asked, answered.replies, strict=True)
        ]
        needed = sum(request.needed for request in wanted)
        _require_useful(
            [line for of in lines for line in of], spec, asked_for=needed, model=str(answered.facts["model"])
        )
        return _assembled([request for request, _, _ in asked], lines, source, spec, facts=answered.facts)


def _require_labels(spec: GenerateSpec, source: Source) -> None:
    from ratchet.tasks.label_lists import listed

    there = {one for cell in set(source.labels) for one in (cell, *(listed(cell) or ()))}
    if spec.labels and not there & set(spec.labels):
        raise DataError(
            f"labels must say what labels of the table mean, such as {min(there, default='')!r}, but names "
            f"{min(spec.labels)!r}.",
            next_step="Write a label as it stands in the table before the colon.",
        )


def _asked(request: Request, source: Source, spec: GenerateSpec, *, writer: Writer) -> tuple[Request, str, Question]:
    """The request with as many of its rows as have room, its prompt, and what is wanted of the answer."""
    rows, label = request.rows, label_shown(request.label, spec.labels)
    while True:
        shown = [source.texts[row] for row in rows]
        prompt, around = asking(
            shown,
            label,
            spec=spec,
            language=source.language,
            count=request.count,
            again=request.again,
            columns=source.texts_a_row,
        )
        if len(rows) == 1 or writer.fits(prompt):
            break
        rows = rows[:-1]
    # Of a share of a fold more may be asked for than are needed, so that the prompt is the same whatever the share is.
    question = Question(around=around, shown=shown, label=label, count=request.needed, columns=source.texts_a_row)
    return replace(request, rows=rows, label=label), prompt, question


def _require_useful(lines: Sequence[Line], spec: GenerateSpec, *, asked_for: int, model: str) -> None:
    """Refuse a generator that does not do what it is asked.

    Raises:
        RatchetError: too few of the texts that were asked for came and are of use.
    """
    good = sum(line.text is not None for line in lines)
    if good >= spec.usable * asked_for:
        return
    useless = (line.reason for line in lines if line.text is None and line.reason not in (CHATTER, SURPLUS))
    reasons = Counter(useless).most_common(4)
    bad = [line for line in lines if line.raw and line.reason not in ("", SURPLUS, MISSING)]
    first = {line.reason: line for line in reversed(bad)}  # of two kinds, where there are two
    picked = [*first.values(), *(line for line in bad if line is not first[line.reason])][:2]
    shown = " and ".join(f"{brief(line.raw, most=80)!r} ({line.reason})" for line in picked)
    raise RatchetError(
        f"{model} must write texts of use, at least {spec.usable:.0%} of those asked for, but wrote {good:,} of "
        f"{asked_for:,} ({', '.join(f'{reason}: {count:,}' for reason, count in reasons)})"
        + (f"; it wrote {shown}." if shown else "."),
        next_step="Name a larger model, change the prompt, or lower usable.",
    )


def _assembled(
    asked: Sequence[Request],
    lines: Sequence[Sequence[Line]],
    source: Source,
    spec: GenerateSpec,
    *,
    facts: Mapping[str, object] | None = None,
) -> Drafts:
    """One draft for each line, and one without a reason of its own for each row that has no text to show."""
    texts: list[str | None] = []
    parents: list[tuple[int, ...]] = []
    failed: dict[int, str] = {}
    for request, of in zip(asked, lines, strict=True):
        for line in of:
            if line.text is None:
                failed[len(texts)] = line.reason
            texts.append(line.text)
            parents.append(request.rows)
    empty = [row for row, text in enumerate(source.texts) if not text.strip()]
    texts += [None] * len(empty)
    parents += [(row,) for row in empty]
    return Drafts(
        texts=texts,
        parent=np.array([of[0] for of in parents], np.int64),
        parents=parents,
        operation=[spec.mode] * len(texts),
        failed=failed,
        facts=facts or {},
    )
