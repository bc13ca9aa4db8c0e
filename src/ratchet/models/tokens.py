"""Texts to token ids: the same tokenizer, cut and limits when a model is trained and when it is served."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ratchet.text.joined import parted

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

    from ratchet.recipe.sections import EncoderSpec

BYTES_PER_TOKEN = 64
"""A text is cut to this many bytes a token before it is tokenised: ten times a usual word, so nothing real is lost,
and a text of ten megabytes costs what a page costs."""

OVERLAP = 4
"""Neighbouring windows of a long text share the tokens of a quarter of one."""
SEPARATORS = ("[SEP]", "</s>", "<sep>", "<|endoftext|>")
"""Tokens that tokenizers have between two texts, the most usual first."""
PAD, UNKNOWN, START, END, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"


@dataclass(frozen=True, kw_only=True, eq=False)
class TextEncoder:
    """A tokenizer that cuts to ``max_tokens`` and never pads."""

    tokenizer: Tokenizer
    max_tokens: int
    pad_id: int
    columns: int = 1
    """Texts in a row, joined as by :func:`ratchet.text.joined.joined`. Two are a text pair where the tokenizer has a template
    for one; else the tokenizer's separator, or a line break where it has none, stands between them."""
    windows: int = 1
    """A longer text is read in up to so many windows of ``max_tokens``, each beginning before the last one ended; 1: cut."""

    @classmethod
    def from_json(cls, text: str, *, max_tokens: int, pad_id: int, columns: int = 1, windows: int = 1) -> TextEncoder:
        """From the contents of a ``tokenizer.json``; its own cut and padding are replaced.

        Raises:
            Exception: whatever ``tokenizers`` says about contents that are not a tokenizer; it has no class of its own.
        """
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_str(text)
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_tokens, stride=max_tokens // OVERLAP if windows > 1 else 0)
        return cls(tokenizer=tokenizer, max_tokens=max_tokens, pad_id=pad_id, columns=columns, windows=windows)

    @property
    def max_bytes(self) -> int:
        """Bytes of a text that are looked at."""
        return BYTES_PER_TOKEN * self.max_tokens * self.windows

    def encode(self, texts: Sequence[str]) -> list[npt.NDArray[np.int64]]:
        """The token ids of each text, special tokens included, at most ``max_tokens`` of them: of its first window."""
        return [np.array(found.ids, dtype=np.int64) for found in self._encoded(texts)]

    def in_windows(self, texts: Sequence[str]) -> tuple[list[npt.NDArray[np.int64]], npt.NDArray[np.int64]]:
        """The token ids of each window of each text, and the text of each window, ascending."""
        ids: list[npt.NDArray[np.int64]] = []
        owners: list[int] = []
        for row, found in enumerate(self._encoded(texts)):
            for part in [found, *found.overflowing][: self.windows]:
                ids.append(np.array(part.ids, dtype=np.int64))
                owners.append(row)
        return ids, np.array(owners, dtype=np.int64)

    def _encoded(self, texts: Sequence[str]) -> list[Encoding]:
        whole: list[str] | list[tuple[str, ...]]
        if self.columns == 1:
            whole = [cut(text, self.max_bytes) for text in texts]
        elif self.pairs:
            whole = [self._parts(text) for text in texts]
        else:
            whole = [self.separator.join(self._parts(text)) for text in texts]
        encoded: list[Encoding] = self.tokenizer.encode_batch_fast(whole)
        return encoded

    def too_long(self, texts: Sequence[str]) -> int:
        """How many of the texts have more than is read."""
        longer = (len(text.encode("utf-8", "replace")) > self.max_bytes for text in texts)
        more = (len(found.overflowing) >= self.windows for found in self._encoded(texts))
        return sum(a or b for a, b in zip(longer, more, strict=True))

    @property
    def pairs(self) -> bool:
        """Whether a row is given to the tokenizer as a text pair: its template for one puts more between them than nothing."""
        alone, pair = (self.tokenizer.num_special_tokens_to_add(is_pair) for is_pair in (False, True))
        return self.columns == 2 and pair > alone

    @property
    def separator(self) -> str:
        """What stands between the texts of a row that are not given as a pair."""
        found = next((token for token in SEPARATORS if self.tokenizer.token_to_id(token) is not None), None)
        return "\n" if found is None else f" {found} "

    def _parts(self, text: str) -> tuple[str, ...]:
        """The texts of a row, as many as there are columns, each cut by itself."""
        first, rest = parted(text)[: self.columns - 1], parted(text)[self.columns - 1 :]
        first += [""] * (self.columns - 1 - len(first))
        return tuple(cut(part, self.max_bytes) for part in (*first, "\n".join(rest)))

    def to_json(self) -> str:
        """The contents of a ``tokenizer.json`` with this cut and no padding."""
        contents: str = self.tokenizer.to_str(pretty=False)
        return contents


def averaged(values: npt.NDArray[np.float32], owners: npt.NDArray[np.int64], *, texts: int) -> npt.NDArray[np.float32]:
    """(texts, k) means of (windows, k) values over the windows of each text.

    Args:
        values: of the windows.
        owners: (windows,) the text of each, ascending; every text has one.
        texts: how many there are.
    """
    if len(values) == texts:
        return values
    total = np.zeros((texts, values.shape[1]), np.float64)
    np.add.at(total, owners, values)
    return (total / np.bincount(owners, minlength=texts)[:, None]).astype(np.float32)


def cut(text: str, max_bytes: int) -> str:
    """The first ``max_bytes`` bytes of a text in UTF-8, without half a character; a lone surrogate becomes "?"."""
    return text[:max_bytes].encode("utf-8", "replace")[:max_bytes].decode("utf-8", "ignore")


def train_tokenizer(texts: Sequence[str], *, spec: EncoderSpec, columns: int = 1) -> TextEncoder:
    """Pieces of words learnt from the given texts alone; the same texts in any order give the same bytes.

    Runs of Chinese are split by the learnt pieces, not into characters: on the demo's reviews that gives a quarter
    fewer tokens and a point more accuracy. Characters seen once become the unknown token, which is so trained as well.
    Method: byte-pair encoding (Sennrich, Haddow and Birch 2016, "Neural machine translation of rare words with subword
    units"). WordPiece was tried first, but its trainer in ``tokenizers`` gives other ids in each run.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    specials = [PAD, UNKNOWN, START, END, MASK]
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.BertNormalizer(handle_chinese_chars=False, strip_accents=False)]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    limit = BYTES_PER_TOKEN * spec.max_tokens
    plain: list[str] = [tokenizer.normalizer.normalize_str(cut(text, limit)) for text in texts]
    rare = _rare(plain, room=spec.vocabulary - len(specials))
    tokenizer.train_from_iterator(
        (text.translate(rare) for text in plain),
        trainers.BpeTrainer(vocab_size=spec.vocabulary, min_frequency=2, special_tokens=specials, show_progress=False),
    )
    ids = {token: place for place, token in enumerate(specials)}  # the trainer numbers them first, in this order
    pair = {"pair": f"{START} $A {END} $B:1 {END}:1"} if columns == 2 else {}
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", **pair, special_tokens=[(START, ids[START]), (END, ids[END])]
    )
    return TextEncoder.from_json(tokenizer.to_str(), max_tokens=spec.max_tokens, pad_id=ids[PAD], columns=columns)


def _rare(texts: Iterable[str], *, room: int) -> dict[int, str]:
    """Characters to leave out (as a table for ``str.translate``): seen once, or beyond the ``room`` most frequent."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    ranked = sorted(counts, key=lambda character: (-counts[character], character))
    kept = {character for character in ranked[:room] if counts[character] > 1}
    return {ord(character): " " for character in ranked if character not in kept}
