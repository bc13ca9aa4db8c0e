"""Who writes: a generator on this machine, or a model behind an endpoint. Either keeps each answer on the disk."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Protocol

from ratchet.augment.augmenter import Making
from ratchet.augment.kept import made_once
from ratchet.augment.written import complete
from ratchet.checks.chat import tokens
from ratchet.endpoint.cache import Cache
from ratchet.endpoint.client import ask, require_all
from ratchet.endpoint.completion import CUT
from ratchet.endpoint.prompt import TOO_LONG, prompt_of
from ratchet.endpoint.reply import Reply
from ratchet.generators.chat import CUT_PROMPTS
from ratchet.generators.decoder import FittedDecoder, build_decoder
from ratchet.generators.sampled import Sampling
from ratchet.models.checkpoints import GENERATOR, locate
from ratchet.recipe.augment import GenerateSpec
from ratchet.recipe.endpoint import EndpointSpec
from ratchet.tables.conversations import Turn
from ratchet.text.language import Language
from ratchet.train.identity import source_hash

_CHUNK = 16
"""Prompts that are answered before their answers are stored: what a kill costs at most."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A reply to each prompt, in their order, and what they took; one that was cut has both a text and a reason."""

    replies: Sequence[Reply]
    facts: Mapping[str, object]


class Writer(Protocol):
    """Answers prompts."""

    def fits(self, prompt: str) -> bool:
        """Whether there is room for a prompt, by an estimate of its tokens."""
        ...

    def answers(self, prompts: Sequence[str], making: Making, cache: Cache) -> Answered:
        """A reply to each prompt, from the cache or anew."""
        ...


def writer_of(spec: GenerateSpec, language: Language) -> Writer:
    """Who is asked."""
    return LocalWriter(spec, language) if spec.endpoint is None else EndpointWriter(spec, spec.endpoint)


class EndpointWriter:
    """A model behind an endpoint: all that `endpoint.client.ask` promises of a contender holds here too."""

    def __init__(self, spec: GenerateSpec, endpoint: EndpointSpec) -> None:
        self._spec = endpoint.model_copy(update={"temperature": spec.temperature})

    def fits(self, prompt: str) -> bool:
        """As `Writer.fits`."""
        return not prompt_of(prompt, spec=self._spec).reason

    def answers(self, prompts: Sequence[str], making: Making, cache: Cache) -> Answered:
        """As `Writer.answers`.

        Raises:
            EndpointError: a limit is reached, or the endpoint is out of order; what was paid for is kept.
        """
        spec = self._spec
        purse = making.purse(spec)
        asked = ask(
            [prompt_of(text, spec=spec) for text in prompts],
            spec=spec,
            cache=cache,
            purse=purse,
            advance=making.advance,
        )
        require_all(asked, spec=spec)
        facts = {
            "model": ", ".join(asked.models) or spec.model,
            "address": spec.url,
            "requests": len(prompts),
            "tokens": {"input": asked.prompt_tokens, "output": asked.completion_tokens},
            "cost": asked.cost,
            "spent": asked.spent,
            "unsure": asked.unsure,
            "sent": asked.requests,
            "notes": [*asked.notes],
        }
        return Answered(replies=asked.replies, facts=facts)


class LocalWriter:
    """A generator on this machine: an answer depends on its seed and prompt alone; the model is loaded when it is asked."""

    def __init__(self, spec: GenerateSpec, language: Language) -> None:
        self._spec, self._language = spec, language

    def fits(self, prompt: str) -> bool:
        """As `Writer.fits`."""
        return tokens(prompt) <= self._spec.max_tokens - self._spec.max_new_tokens

    def answers(self, prompts: Sequence[str], making: Making, cache: Cache) -> Answered:
        """As `Writer.answers`.

        Raises:
            RatchetError: the source is not usable.
            ExtraMissing: torch, transformers, or what reads a GGUF file, is not installed.
        """
        sent: list[str] = []

        def work(todo: list[str]) -> Iterator[Mapping[str, Reply]]:
            decoder = self._decoder(making)
            for start in range(0, len(todo), _CHUNK):
                chunk = todo[start : start + _CHUNK]
                sent.extend(chunk)
                yield dict(zip(chunk, self._said(decoder, chunk, making), strict=True))

        by = self._by(seed=making.seed)
        found = made_once(prompts, work, by=by, cache=cache, advance=making.advance, about="answered")
        replies = [found[text] for text in prompts]
        facts = {
            "model": next((one.model for one in replies if one.model), self._spec.source),
            "requests": len(prompts),
            "tokens": {
                "input": sum(one.prompt_tokens for one in replies),
                "output": sum(one.completion_tokens for one in replies),
            },
            "cost": 0.0,
            "sent": len(sent),
        }
        return Answered(replies=replies, facts=facts)

    def _by(self, *, seed: int) -> dict[str, object]:
        """What decides an answer beside its prompt: the files of the model, and how it is asked."""
        keys = ("temperature", "top_p", "max_tokens", "max_new_tokens", "at_once")
        source = locate(self._spec.source, language=self._language, wanted=GENERATOR)
        by = {"writer": source_hash(source), "transformers": version("transformers"), "seed": seed}
        return {**by, **{key: getattr(self._spec, key) for key in keys}}

    def _decoder(self, making: Making) -> FittedDecoder:
        return build_decoder(
            self._spec.source,
            max_tokens=self._spec.max_tokens,
            max_new_tokens=self._spec.max_new_tokens,
            language=self._language,
            threads=making.threads,
            pretrained=True,
        )

    def _said(self, decoder: FittedDecoder, prompts: Sequence[str], making: Making) -> list[Reply]:
        """The answers to a few prompts; none to a prompt that loses a part of itself for want of room."""
        spec, chat = self._spec, decoder.tokens
        asked, whole = [], []
        for text in prompts:
            cuts = chat.counts[CUT_PROMPTS]
            asked.append(chat.prompt([Turn("user", text)]))
            whole.append(chat.counts[CUT_PROMPTS] == cuts)
        sampling = Sampling(temperature=spec.temperature, top_p=spec.top_p, seed=making.seed)
        begun = time.perf_counter()
        answers = decoder.generate_ids(
            [ids for ids, fits in zip(asked, whole, strict=True) if fits],
            sampling=sampling if spec.temperature else None,
            enough=lambda text: complete(text) >= spec.at_once,
        )
        seconds = (time.perf_counter() - begun) / max(len(answers), 1)
        said = iter(answers)
        return [
            _reply(decoder, len(ids), next(said), seconds=seconds)
            if fits
            else Reply(text=None, reason=TOO_LONG, model=decoder.source)
            for ids, fits in zip(asked, whole, strict=True)
        ]


def _reply(decoder: FittedDecoder, prompt_tokens: int, ids: Sequence[int], *, seconds: float) -> Reply:
    return Reply(
        text=decoder.tokens.text(ids),
        reason=CUT if len(ids) >= decoder.max_new_tokens else "",
        prompt_tokens=prompt_tokens,
        completion_tokens=len(ids),
        seconds=seconds,
        model=decoder.source,
    )
