"""Words replaced by others that a masked language model finds likely in their place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import version

import numpy as np

from ratchet.augment.augmenter import Augmenter, Making
from ratchet.augment.drafts import Drafts
from ratchet.augment.kept import made_once, number_of, opened, storable
from ratchet.augment.mask_filler import MaskFiller
from ratchet.augment.source import Source
from ratchet.endpoint.reply import Reply
from ratchet.errors import RatchetError
from ratchet.models.checkpoints import Source as Checkpoint
from ratchet.models.checkpoints import locate
from ratchet.models.encoder import require_torch
from ratchet.recipe.augment import MaskedSpec
from ratchet.text.joined import SEPARATOR, parted
from ratchet.train.identity import source_hash


class Masked(Augmenter[MaskedSpec]):
    """Variants of each text in which ``alpha`` of the words (at least one) were replaced by a masked language model.

    The words are masked together, each by one mask however many pieces it has, and each is drawn from the ``top_k`` most
    probable whole words other than itself (Wu et al. 2019, "Conditional BERT contextual augmentation", without the condition
    on the label; Kumar, Choudhary and Cho 2020, "Data augmentation using pre-trained transformer models"). Nothing tells the
    model the label, so "good" may become "bad": `AugmentFilters.label` is there for that.
    """

    name, spec = "masked", MaskedSpec
    packages = ("torch", "transformers")

    def drafts(self, spec: MaskedSpec, source: Source, making: Making) -> Drafts:
        """As `Augmenter.drafts`.

        Raises:
            RatchetError: the source is no encoder with a head for masked tokens.
        """
        require_torch()
        found = _checkpoint(spec, language=source.language)
        decided = {key: getattr(spec, key) for key in ("alpha", "top_k", "temperature", "max_tokens")}
        by = {"masked": source_hash(found), **decided, "seed": making.seed, "transformers": version("transformers")}
        texts = [storable(text) for text in source.texts]
        parts = sorted({part for text in texts for part in parted(text) if part.strip()})
        made: list[str | None] = []
        filler = cache(lambda: MaskFiller.load(found, max_tokens=spec.max_tokens))
        with opened(making.cache) as kept:
            for copy in range(spec.copies):

                def work(todo: list[str], copy: int = copy) -> Iterator[Mapping[str, Reply]]:
                    seeds = [number_of(making.seed, copy, text) for text in todo]
                    for places, new in filler().fill(todo, seeds, spec=spec, threads=making.threads):
                        yield {
                            todo[place]: Reply(text=text, reason="" if text else "nothing_to_change")
                            for place, text in zip(places.tolist(), new, strict=True)
                        }

                answers = made_once(
                    parts, work, by={**by, "copy": copy}, cache=kept, advance=making.advance, about="with other words"
                )
                variants = {part: reply.text for part, reply in answers.items()}
                made += [_joined(text, variants) for text in texts]
        rows = np.tile(np.arange(len(texts), dtype=np.int64), spec.copies)
        return Drafts(texts=made, parent=rows, operation=["masked"] * len(made), facts={"model": found.name, **decided})


def _checkpoint(spec: MaskedSpec, *, language: str) -> Checkpoint:
    found = locate(spec.source, language=language)
    if found.folder is None:
        raise RatchetError(
            f"source must name an encoder with a head for masked tokens but got {spec.source!r}, and none is installed for "
            f"texts in {language!r}.",
            next_step="Name a directory or a hub id, such as bert-base-uncased or bert-base-chinese.",
        )
    return found


def _joined(text: str, variants: Mapping[str, str | None]) -> str | None:
    """The row with the variants of its texts; ``None`` where none of them has one."""
    parts = parted(text)
    new = [variants.get(part) for part in parts]
    if not any(part is not None for part in new):
        return None
    return SEPARATOR.join(old if part is None else part for old, part in zip(parts, new, strict=True))
