"""A masked language model that fills words in: texts as words of several tokens, masks for some, and likely words for masks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ratchet.augment.pieces import Ints, Mask
from ratchet.errors import RatchetError
from ratchet.forms import SPACELESS, characters
from ratchet.models.batching import pack, padded
from ratchet.models.checkpoints import Source, first_line
from ratchet.models.encoder import device_of
from ratchet.models.encoder_network import tokens_of
from ratchet.models.quiet import quiet_transformers
from ratchet.models.tokens import TextEncoder, cut
from ratchet.recipe.augment import MaskedSpec

if TYPE_CHECKING:
    from tokenizers import Encoding
    from torch import Tensor

_DENSE = characters(SPACELESS)
_WORD = re.compile(rf"[{_DENSE}]|[^\W_{_DENSE}]+(?:['’][^\W_{_DENSE}]+)*")
_LETTERS = re.compile(rf"[^\W\d_{_DENSE}]+(?:['’][^\W\d_{_DENSE}]+)*")
_OF_DENSE = re.compile(rf"[{_DENSE}]+")
_MASKS = ("[MASK]", "<mask>")
_SPACES = (
    "Ġ",
    "▁",
)  # what a token begins with, in byte-level and in SentencePiece vocabularies, where a space stands before
_INSIDE = "##"
_LOGITS = 1 << 26  # numbers in the logits of a batch
_MOST, _LEAST = 8192, 256  # tokens of a batch
_ROWS_TOKENS_WIDTH = 3
NEXT = "Name a directory or a hub id of one that was saved with it, such as bert-base-uncased or bert-base-chinese."


@dataclass(frozen=True, slots=True)
class _Word:
    """A word of a text as the tokenizer has it: some of its tokens, and the characters that they are of."""

    first: int
    last: int
    """One beyond its last token."""
    start: int
    end: int


@dataclass(frozen=True, kw_only=True, eq=False)
class MaskFiller:
    """An encoder with its own head for masked tokens, and its tokenizer."""

    network: Any
    tokens: TextEncoder
    mask_id: int
    name: str

    @classmethod
    def load(cls, source: Source, *, max_tokens: int) -> MaskFiller:
        """From a checkpoint that has the head; no code of it is run, nothing is unpickled.

        Raises:
            RatchetError: it cannot be loaded, has no such head, or no token for a mask.
        """
        tokens = tokens_of(source, max_tokens=max_tokens)
        ids = [tokens.tokenizer.token_to_id(name) for name in _MASKS]
        mask_id = next((number for number in ids if number is not None), None)
        if mask_id is None:
            raise RatchetError(
                f"The encoder {source.name!r} must have a token for a mask ({' or '.join(_MASKS)}) but has none.",
                next_step=NEXT,
            )
        network = _network(source).to(device_of("auto"))
        return cls(network=network, tokens=tokens, mask_id=mask_id, name=source.name)

    def fill(
        self, texts: Sequence[str], seeds: Sequence[int], *, spec: MaskedSpec, threads: int = 0
    ) -> Iterator[tuple[Ints, list[str | None]]]:
        """Batches of texts with other words: the places of the texts, and each new text; ``None``: it has no word.

        Args:
            texts: any.
            seeds: of what is drawn for each; the text and its seed alone decide (up to rounding in the network).
            spec: how many words, and how they are drawn.
            threads: cores; 0: all.
        """
        import torch

        from ratchet.models.network import using_threads

        asked = [
            self._masked(text, np.random.default_rng(seed), alpha=spec.alpha)
            for text, seed in zip(texts, seeds, strict=True)
        ]
        lengths = np.array([len(one.ids) for one in asked], dtype=np.int64)
        order = np.argsort(lengths, kind="stable")
        budget = min(_MOST, max(_LEAST, int(_LOGITS / (spec.alpha * len(self._plain)))))
        for rows in pack(order, lengths, budget=budget):
            batch = [asked[row] for row in rows.tolist()]
            with torch.inference_mode(), using_threads(threads):
                yield rows, self._filled([texts[row] for row in rows.tolist()], batch, spec=spec)

    def _masked(self, text: str, dice: np.random.Generator, *, alpha: float) -> _Asked:
        """The text with masks for some of its words."""
        encoded = self.tokens.tokenizer.encode(cut(text, self.tokens.max_bytes))
        words = [word for word in _words(text, encoded) if self._kind(text[word.start : word.end])]
        count = min(len(words), max(1, round(alpha * len(words))))
        chosen = [words[place] for place in sorted(dice.permutation(len(words))[:count].tolist())]
        ids: list[int] = []
        places, begin = [], 0
        for word in chosen:
            ids += encoded.ids[begin : word.first]
            places.append(len(ids))
            ids.append(self.mask_id)
            begin = word.last
        ids += encoded.ids[begin:]
        spaced = [encoded.tokens[word.first].startswith(_SPACES) for word in chosen]
        return _Asked(ids=np.array(ids, np.int64), words=chosen, places=places, spaced=spaced, dice=dice)

    def _filled(self, texts: Sequence[str], batch: Sequence[_Asked], *, spec: MaskedSpec) -> list[str | None]:

        tokens, mask = padded([one.ids for one in batch], np.arange(len(batch)), pad_id=self.tokens.pad_id)
        lines = [line for line, one in enumerate(batch) for _ in one.words]
        if not lines:
            return [None] * len(texts)
        logits = self._logits(tokens, mask, lines, [place for one in batch for place in one.places])
        shut = [
            self._shut(texts[line][word.start : word.end], spaced=spaced)
            for line, one in enumerate(batch)
            for word, spaced in zip(one.words, one.spaced, strict=True)
        ]
        drawn = iter(self._drawn(logits, shut, [one.dice for one in batch for _ in one.words], spec=spec))
        return [_with(text, one.words, drawn) for text, one in zip(texts, batch, strict=True)]

    def _logits(self, tokens: Ints, mask: Ints, lines: Sequence[int], places: Sequence[int]) -> Tensor:
        """(masks, entries) at these places alone: the last layer, which has as many weights as several others, sees no more."""
        import torch

        def picked(module: object, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            del module
            return (given[0][lines, places], *given[1:]) if given[0].ndim == _ROWS_TOKENS_WIDTH else given

        device = self.network.device
        hook = self.network.get_output_embeddings().register_forward_pre_hook(picked)
        try:
            found = self.network(
                input_ids=torch.from_numpy(tokens).to(device), attention_mask=torch.from_numpy(mask).to(device)
            ).logits
        finally:
            hook.remove()
        if found.ndim == _ROWS_TOKENS_WIDTH:  # a network whose last layer is elsewhere
            found = found[lines, places]
        logits: Tensor = found[:, : len(self._plain)].float().cpu()
        return logits

    def _drawn(
        self, logits: Tensor, shut: Sequence[Mask], dice: Sequence[np.random.Generator], *, spec: MaskedSpec
    ) -> list[str | None]:
        """A word for each mask; ``None`` where the vocabulary has none that may stand there."""
        import torch

        logits = logits.masked_fill(torch.from_numpy(np.stack(shut)), -torch.inf)
        best = logits.topk(min(spec.top_k, logits.shape[1]))
        found: list[str | None] = []
        for values, ids, die in zip(best.values.double().numpy(), best.indices.tolist(), dice, strict=True):
            # The largest of logits with Gumbel noise is a draw from their softmax (Gumbel 1954; Maddison et al. 2014).
            noisy = values / spec.temperature + die.gumbel(size=len(values))
            found.append(self._plain[ids[int(noisy.argmax())]] if np.isfinite(values[0]) else None)
        return found

    @cached_property
    def _plain(self) -> list[str]:
        """Each entry of the vocabulary as it is read; empty where it is no word of letters, or the inside of one."""
        tokenizer = self.tokens.tokenizer
        special = {number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special}
        plain = []
        for number in range(tokenizer.get_vocab_size()):
            token = tokenizer.id_to_token(number)
            usable = token is not None and number not in special and not token.startswith(_INSIDE)
            text = tokenizer.decode([number]).strip() if usable else ""
            plain.append(text if _LETTERS.fullmatch(text) or _OF_DENSE.fullmatch(text) else "")
        return plain

    @cached_property
    def _kinds(self) -> npt.NDArray[np.int8]:
        """(entries,) 0: no word; 1: a word of a script with spaces; 2: one of a script without."""
        return np.array([self._kind(text) for text in self._plain], np.int8)

    @cached_property
    def _spaced(self) -> Mask:
        """(entries,) whether a space stands before it."""
        tokens = (self.tokens.tokenizer.id_to_token(number) or "" for number in range(len(self._plain)))
        return np.array([token.startswith(_SPACES) for token in tokens], np.bool_)

    @cached_property
    def _same(self) -> dict[str, list[int]]:
        """The entries that are the same word, whatever the case."""
        same: dict[str, list[int]] = {}
        for number, text in enumerate(self._plain):
            same.setdefault(text.casefold(), []).append(number)
        return same

    @staticmethod
    def _kind(text: str) -> int:
        return 2 if _OF_DENSE.fullmatch(text) else int(_LETTERS.fullmatch(text) is not None)

    def _shut(self, word: str, *, spaced: bool) -> Mask:
        """(entries,) which must not take the place of this word."""
        kind = self._kind(word)
        shut: Mask = self._kinds != kind
        if kind == 1:  # a script without spaces has the same character at the beginning of a text and inside it
            shut = shut | (self._spaced != spaced)
        shut[self._same.get(word.casefold(), [])] = True
        return shut


@dataclass(frozen=True, kw_only=True, eq=False)
class _Asked:
    """One text with masks."""

    ids: Ints
    words: list[_Word]
    places: list[int]
    """Of the masks among the ids."""
    spaced: list[bool]
    """Whether the first token of each word says that a space stands before it."""
    dice: np.random.Generator


def _words(text: str, encoded: Encoding) -> list[_Word]:
    """The words of a text, each with all of its tokens; tokens that share a word, or words that share a token, are one."""
    owner = np.full(len(text) + 1, -1, dtype=np.int64)
    for number, match in enumerate(_WORD.finditer(text)):
        owner[match.start() : match.end()] = number
    words: list[_Word] = []
    last_word = -1  # of the word that the token before ends in
    for place, ((start, end), special) in enumerate(zip(encoded.offsets, encoded.special_tokens_mask, strict=True)):
        while start < end and text[start].isspace():
            start += 1
        if special or start >= end:
            continue
        goes_on = words and words[-1].last == place and (owner[start] == last_word >= 0 or start < words[-1].end)
        if goes_on:
            words[-1] = _Word(words[-1].first, place + 1, words[-1].start, max(end, words[-1].end))
        else:
            words.append(_Word(place, place + 1, start, end))
        last_word = int(owner[end - 1])
    return words


def _with(text: str, words: Sequence[_Word], drawn: Iterator[str | None]) -> str | None:
    """The text with what was drawn in the place of its words, in their case; ``None`` where nothing was."""
    parts, begin, changed = [], 0, False
    for word in words:
        new, old = next(drawn), text[word.start : word.end]
        changed |= new is not None
        parts += [text[begin : word.start], old if new is None else _cased(new, like=old)]
        begin = word.end
    return "".join([*parts, text[begin:]]) if changed else None


def _cased(word: str, *, like: str) -> str:
    """The word in capitals where the other one is: models without capitals write small letters alone."""
    if not word.islower():
        return word
    if len(like) > 1 and like.isupper():
        return word.upper()
    return word[:1].upper() + word[1:] if like[:1].isupper() else word


def _network(source: Source) -> Any:
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForMaskedLM

    try:
        with quiet_transformers():
            network, report = AutoModelForMaskedLM.from_pretrained(
                source.folder,
                dtype=torch.float32,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise RatchetError(
            f"The encoder {source.name!r} could not be loaded with a head for masked tokens: {first_line(error)}",
            next_step=NEXT,
        ) from error
    missing = sorted(key for key in report["missing_keys"] if "pooler" not in key)
    if missing:
        raise RatchetError(
            f"The encoder {source.name!r} must have a head for masked tokens among its weights but {missing[0]!r} and "
            f"{len(missing) - 1} others are missing: a new head would draw words at random.",
            next_step=NEXT,
        )
    network.eval()
    return network
