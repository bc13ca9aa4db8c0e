"""A generator as a model that is served: it writes an answer to each text, or chooses the likeliest of some labels."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ratchet.errors import RatchetError
from ratchet.generators.chat import around, turns_of
from ratchet.generators.decoder import FittedDecoder, load_decoder
from ratchet.models.batching import softmax
from ratchet.models.encoder import read_json
from ratchet.models.model import Answers
from ratchet.tables.conversations import Turn

FILE = "generated.json"
FORMAT = 1
ANSWER = "answer"
"""The one column of a model that writes."""
INSTRUCTION = """\
Which of these labels fits the text? Answer with the label alone.
Labels: """
"""The system turn where a model chooses and is told nothing else; the labels stand behind it, a comma between them."""
_CHUNK = 64


@dataclass(frozen=True, kw_only=True, eq=False)
class DecoderModel:
    """Writes, or chooses where there are ``choices``.

    A label is chosen by how likely the generator is to answer with it and nothing else (Brown et al. 2020, "Language models are
    few-shot learners", section 2.4), so that there is an answer to every text.
    """

    decoder: FittedDecoder
    system: str = ""
    """Told before each conversation that has no system turn of its own."""
    examples: tuple[tuple[str, str], ...] = ()
    """Texts and answers that are shown before it."""
    choices: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The choices, or the one column of a written answer."""
        return self.choices or (ANSWER,)

    def predict(self, texts: Sequence[str], /, *, advance: Callable[[int, int], object] | None = None) -> Answers:
        """(n, 1) the answers, ``None`` where nothing was written; or (n, k) the probabilities of the choices.

        Args:
            texts: of the rows, as `turns_of` reads them.
            advance: called with the texts that are answered, and all of them.
        """
        done: list[Answers] = [np.zeros((0, len(self.labels)), np.float32 if self.choices else object)]
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))  # rows of like length are answered together
        for start in range(0, len(order), _CHUNK):
            prompts = [self.turns(texts[row]) for row in order[start : start + _CHUNK]]
            done.append(self._chosen(prompts) if self.choices else self._written(prompts))
            if advance is not None:
                advance(start + len(prompts), len(order))
        answers = np.concatenate(done)
        answers[order] = answers.copy()
        return answers

    def turns(self, text: str) -> list[Turn]:
        """What the generator is asked about a text."""
        return turns_of(text, system=self._told, examples=self.examples)

    def conversation(self, spoken: Sequence[Turn]) -> list[Turn]:
        """What the generator is asked in a conversation: as :meth:`turns`, for turns that are turns already."""
        return around(spoken, system=self._told, examples=self.examples)

    @property
    def _told(self) -> str:
        return self.system or (INSTRUCTION + ", ".join(self.choices) if self.choices else "")

    def _written(self, prompts: Sequence[Sequence[Turn]]) -> Answers:
        return np.array([*([text or None] for text in self.decoder.generate(prompts)), [""]], dtype=object)[:-1]

    def _chosen(self, prompts: Sequence[Sequence[Turn]]) -> npt.NDArray[np.float32]:
        return softmax(-self.decoder.choice_nll(prompts, self.choices).astype(np.float32))

    def save(self, folder: Path, /) -> None:
        """Write the generator, and how it is asked."""
        self.decoder.save(folder)
        asked = {
            "format": FORMAT,
            "system": self.system,
            "examples": [[*one] for one in self.examples],
            "choices": [*self.choices],
        }
        (folder / FILE).write_text(json.dumps(asked, indent=1) + "\n", encoding="ascii")

    @classmethod
    def load(cls, folder: Path, threads: int = 0) -> DecoderModel:
        """Read what ``save`` wrote.

        Raises:
            RatchetError: the folder is damaged.
            ExtraMissing: torch or transformers is not installed.
        """
        asked = read_json(folder / FILE)
        system, examples, choices = (asked.get(key) for key in ("system", "examples", "choices"))
        shown = isinstance(examples, list) and all(
            isinstance(one, list) and len(one) == 2 and all(isinstance(text, str) for text in one) for one in examples
        )
        named = isinstance(choices, list) and all(isinstance(one, str) for one in choices)
        if asked.get("format") != FORMAT or not isinstance(system, str) or not shown or not named:
            raise RatchetError(
                f"{folder / FILE} must say how a generator is asked, in the format {FORMAT}, but does not.",
                next_step="Copy or export the bundle again.",
            )
        assert isinstance(examples, list)
        assert isinstance(choices, list)
        return cls(
            decoder=load_decoder(folder, threads=threads),
            system=system,
            examples=tuple((text, answer) for text, answer in examples),
            choices=tuple(choices),
        )
