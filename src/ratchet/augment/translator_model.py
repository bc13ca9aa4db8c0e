"""A translation model of the Marian kind: texts in batches of like length, each drawn with dice of its own."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from ratchet.augment.kept import made_once, number_of
from ratchet.augment.translator import ENDLESS, TOO_LONG
from ratchet.endpoint.cache import Cache
from ratchet.endpoint.reply import Reply
from ratchet.errors import ExtraMissing, RatchetError
from ratchet.models.batching import pack
from ratchet.models.checkpoints import Source, first_line
from ratchet.models.encoder import device_of
from ratchet.models.quiet import quiet_transformers
from ratchet.recipe.augment import TranslateSpec
from ratchet.screen import Advance
from ratchet.train.identity import source_hash

if TYPE_CHECKING:
    from torch import LongTensor, Tensor

SIMPLIFIED = ">>cmn_Hans<<"
"""The token by which opus-mt is told to write Chinese in simplified characters."""
_SENTENCE = re.compile(r"(?<=[。！？；…])|(?<=[.!?;])(?=\s)")
_LONGER, _MORE = 2, 16  # a translation has at most so many times the tokens of its text, and so many more


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelTranslator:
    """One direction by a checkpoint, loaded when the first text is asked that is not kept.

    Translations are drawn from the ``top_k`` most probable tokens at a temperature (Edunov et al. 2018, "Understanding
    back-translation at scale") or, at temperature 0, found by beam search. What is drawn depends on the seed, the copy and
    the text, not on the texts beside it, up to rounding.
    """

    source: Source
    spec: TranslateSpec
    into: str
    """The language that it writes, in English words; empty: unknown."""
    prefix: str | None
    """``None``: `SIMPLIFIED` where it is needed."""
    seed: int
    threads: int
    cache: Cache
    loaded: dict[str, Any] = field(default_factory=dict)
    """Networks and tokenizers by name: one serves both directions of a mixed table."""

    @property
    def name(self) -> str:
        """As `Translator.name`."""
        return self.source.name

    def translate(self, texts: Sequence[str], *, copy: int, advance: Advance) -> Mapping[str, Reply]:
        """As `Translator.translate`. A text over the limit is translated in groups of whole sentences.

        Raises:
            RatchetError: the model cannot be loaded.
            ExtraMissing: torch, or what its tokenizer needs, is not installed.
        """
        by = dict(self._by) | ({"seed": self.seed, "copy": copy} if self.spec.temperature else {})
        work, about = partial(self._work, copy=copy), f"translated by {self.source.name}"
        return made_once(texts, work, by=by, cache=self.cache, advance=advance, about=about)

    @cached_property
    def _by(self) -> Mapping[str, object]:
        keys = ("temperature", "top_k", "beams", "max_tokens")
        return {
            "translator": source_hash(self.source),
            "prefix": self.prefix,
            "into": self.into,
            **{key: getattr(self.spec, key) for key in keys},
            "transformers": version("transformers"),
        }

    def _work(self, todo: list[str], *, copy: int) -> Iterator[Mapping[str, Reply]]:
        network, tokenizer = self._model()
        groups = {text: self._groups(text, tokenizer, most=self._most(network)) for text in todo}
        lengths = np.array([max(map(len, map(tokenizer.encode, groups[text])), default=0) for text in todo], np.int64)
        order = np.argsort(lengths, kind="stable")
        too_long = {todo[place]: Reply(text=None, reason=TOO_LONG) for place in np.flatnonzero(lengths == 0).tolist()}
        if too_long:
            yield too_long
        for rows in pack(order[lengths[order] > 0], lengths, budget=self.spec.batch_tokens):
            texts = [todo[row] for row in rows.tolist()]
            flat = [(text, part) for text in texts for part in groups[text]]
            seeds = [
                number_of(self.seed, copy, text, place, part)
                for text in texts
                for place, part in enumerate(groups[text])
            ]
            new = self._generated([part for _, part in flat], seeds, network=network, tokenizer=tokenizer)
            found: dict[str, list[str | None]] = {text: [] for text in texts}
            for (text, _), written in zip(flat, new, strict=True):
                found[text].append(written)
            yield {text: self._reply(parts) for text, parts in found.items()}

    def _reply(self, parts: Sequence[str | None]) -> Reply:
        written = [part for part in parts if part is not None]
        if len(written) < len(parts):
            return Reply(text=None, reason=ENDLESS, model=self.name)
        glue = "" if self.into == "Chinese" else " "
        return Reply(text=glue.join(part for part in written if part), model=self.name)

    def _groups(self, text: str, tokenizer: Any, *, most: int) -> list[str]:
        """The text as it is given to the model: whole, or in groups of sentences; none where a sentence is too long."""
        prefix = self._prefix(tokenizer)

        def size(part: str) -> int:
            return len(tokenizer.encode(prefix + part))

        if size(text) <= most:
            return [prefix + text]
        groups: list[str] = []
        for sentence in _SENTENCE.split(text):
            if groups and size(groups[-1] + sentence) <= most:
                groups[-1] += sentence
            elif size(sentence) <= most:
                groups.append(sentence)
            else:
                return []
        return [prefix + group.strip() for group in groups if group.strip()]

    def _prefix(self, tokenizer: Any) -> str:
        if self.prefix is not None:
            return f"{self.prefix} " if self.prefix else ""
        needed = self.into == "Chinese" and SIMPLIFIED in tokenizer.get_vocab()
        return f"{SIMPLIFIED} " if needed else ""

    def _most(self, network: Any) -> int:
        positions = int(getattr(network.config, "max_position_embeddings", None) or self.spec.max_tokens)
        return min(self.spec.max_tokens, positions)

    def _generated(
        self, texts: Sequence[str], seeds: Sequence[int], *, network: Any, tokenizer: Any
    ) -> list[str | None]:
        """What the model writes for each text; ``None`` where it does not come to an end."""
        import torch

        from ratchet.models.network import using_threads

        given = tokenizer(list(texts), return_tensors="pt", padding=True)
        own = given["attention_mask"].sum(1)  # (texts,)
        positions = int(getattr(network.config, "max_position_embeddings", None) or 1 << 20)
        most = (_LONGER * own + _MORE).clamp(max=positions - 1).tolist()
        drawing = (
            [drawn(seeds, temperature=self.spec.temperature, top_k=self.spec.top_k)] if self.spec.temperature else []
        )
        with torch.inference_mode(), using_threads(self.threads), quiet_transformers():
            written = network.generate(
                input_ids=given["input_ids"].to(network.device),
                attention_mask=given["attention_mask"].to(network.device),
                logits_processor=drawing,
                do_sample=False,
                num_beams=self.spec.beams,
                max_length=None,
                max_new_tokens=max(most),
            ).cpu()[:, 1:]  # (texts, tokens), without what decoding begins with
        ends = torch.isin(written, torch.tensor(_ends(network)))
        lengths = torch.where(ends.any(1), ends.int().argmax(1), written.shape[1]).tolist()
        found: list[str | None] = []
        for row, length, limit in zip(written.tolist(), lengths, most, strict=True):
            text = tokenizer.decode(row[:length], skip_special_tokens=True).strip()
            found.append(text if length < min(limit, len(row)) else None)
        return found

    def _model(self) -> tuple[Any, Any]:
        if self.name not in self.loaded:
            self.loaded[self.name] = _loaded(self.source)
        pair: tuple[Any, Any] = self.loaded[self.name]
        return pair


def drawn(seeds: Sequence[int], *, temperature: float, top_k: int) -> Any:
    """A logits processor that draws the next token of each row with the row's own dice, and leaves no other.

    The largest of logits with Gumbel noise is a draw from their softmax (Gumbel 1954; Maddison, Tarlow and Minka 2014,
    "A* sampling"), so a row's tokens do not depend on the rows beside it.
    """
    import torch
    from transformers import LogitsProcessor

    dice = [np.random.default_rng(seed) for seed in seeds]

    class Drawn(LogitsProcessor):  # type: ignore[misc]
        """Draws."""

        def __call__(self, input_ids: LongTensor, scores: Tensor) -> Tensor:
            """(rows, entries) zero at the token drawn, minus infinity elsewhere."""
            del input_ids
            best = (scores.float() / temperature).cpu().topk(min(top_k or scores.shape[1], scores.shape[1]))
            noise = np.stack([die.gumbel(size=best.values.shape[1]) for die in dice])
            pick = (best.values.double() + torch.from_numpy(noise)).argmax(1, keepdim=True)  # (rows, 1)
            chosen = best.indices.gather(1, pick).to(scores.device)
            return torch.full_like(scores, -torch.inf).scatter(1, chosen, 0.0)

    return Drawn()


def _ends(network: Any) -> list[int]:
    found = network.generation_config.eos_token_id
    return list(found) if isinstance(found, list) else [int(found)]


def _loaded(source: Source) -> tuple[Any, Any]:
    """The network, with all of its weights, and the tokenizer; no code of the checkpoint is run, nothing is unpickled."""
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    assert source.folder is not None
    pieces = [*source.folder.glob("*.spm"), *source.folder.glob("*.model")]
    if pieces and not (source.folder / "tokenizer.json").exists() and find_spec("sentencepiece") is None:
        raise ExtraMissing("sentencepiece", extra="translate", why=f"The tokenizer of {source.name}")
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        with quiet_transformers(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of packages that it would also like
            tokenizer = AutoTokenizer.from_pretrained(source.folder, **local)
            network, report = AutoModelForSeq2SeqLM.from_pretrained(
                source.folder, dtype=torch.float32, use_safetensors=True, output_loading_info=True, **local
            )
    except (OSError, ValueError, KeyError, TypeError, ImportError, RuntimeError, SafetensorError) as error:
        raise RatchetError(
            f"The translator {source.name!r} could not be loaded: {first_line(error)}", next_step=source.wanted.layout
        ) from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise RatchetError(
            f"The translator {source.name!r} must hold all weights of a {network.config.model_type} but {missing[0]!r} and "
            f"{len(missing) - 1} others are missing.",
            next_step="Download the checkpoint again, or name another one.",
        )
    if network.generation_config.eos_token_id is None or tokenizer.pad_token_id is None:
        raise RatchetError(
            f"The translator {source.name!r} must name the tokens that end and that fill a text but does not.",
            next_step="Set eos_token_id and pad_token_id in config.json and the tokenizer's files.",
        )
    network.eval()
    return network.to(device_of("auto")), tokenizer
