"""What the texts of the training table are like, in counts: with them a server can tell when others come."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ratchet.bounds import json_value
from ratchet.bundle.bundle import REFERENCE, Bundle
from ratchet.errors import BundleError, DataError
from ratchet.models.model import Answers
from ratchet.recipe.sections import Section
from ratchet.text.characters import SCRIPT_NAMES, SCRIPTS, look_at

Counts = npt.NDArray[np.int64]

LONGEST = 2000
"""Characters of a text that are looked at."""
LENGTHS = tuple(f"{1 << power >> 1} to {(1 << power) - 1}" if power else "0" for power in range(17))
UNKNOWN = ("none", "under a tenth", "under a quarter", "under half", "half or more")
"""Shares of a text's sequences of three characters that no training text has."""
_SHARES = (1e-9, 0.1, 0.25, 0.5)
CONFIDENCE = tuple(f"{tenth / 10:.1f} to {(tenth + 1) / 10:.1f}" for tenth in range(10))
PARTS = 10
"""Parts of the values of a regression, with as many rows each."""
_BITS = 18
"""The sequences of training texts are marked among 2^18: 32 KB; a text that was never seen has a few by chance."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Reference:
    """Counts of the rows of the valid part, and which sequences of three characters the train part has.

    Attributes:
        labels: of the model's columns.
        edges: between the parts of a value, where the answer is a value.
        seen: (2^18 / 8,) bits.
        counts: of the cells of each trait: ``length``, ``script``, ``unknown``, and by the answers ``label`` and
            ``confidence``, or ``value``.
    """

    labels: tuple[str, ...]
    edges: tuple[float, ...]
    seen: npt.NDArray[np.uint8]
    counts: Mapping[str, Counts]

    @classmethod
    def made(cls, train: Sequence[str], texts: Sequence[str], answers: Answers, *, labels: Sequence[str]) -> Reference:
        """That of a model.

        Args:
            train: texts that tell what is known.
            texts: others, which the model did not see.
            answers: (n, k) of the model to these.
            labels: of its columns.
        """
        bits = np.zeros(1 << _BITS, dtype=bool)
        for start in range(0, len(train), 1024):
            places, _ = _sequences(*_points(train[start : start + 1024]))
            bits[places] = True
        values = answers.dtype == np.float64
        edges = (
            tuple(np.quantile(answers[:, 0], np.arange(1, PARTS) / PARTS).tolist()) if values and len(answers) else ()
        )
        empty = cls(labels=tuple(labels), edges=edges, seen=np.packbits(bits), counts={})
        return cls(labels=empty.labels, edges=edges, seen=empty.seen, counts=empty.counted(texts, answers))

    @classmethod
    def of(cls, bundle: Bundle) -> Reference | None:
        """That of a bundle which has one.

        Raises:
            BundleError: it is damaged.
        """
        path = bundle.path / REFERENCE
        if not any(entry.path == REFERENCE for entry in bundle.manifest.files):
            return None
        try:
            kept = _Kept.model_validate(json_value(path.read_bytes()))
            seen = np.frombuffer(base64.b64decode(kept.seen, validate=True), dtype=np.uint8)
            found = cls(labels=bundle.labels, edges=kept.edges, seen=seen, counts={})
            if len(seen) != 1 << (_BITS - 3):
                raise ValueError(f"it has {len(seen)} bytes of sequences")
            names = found.cells(tuple(kept.counts))
            wrong = next((name for name, cells in kept.counts.items() if len(cells) != len(names[name])), None)
            if wrong is not None or min((min(cells) for cells in kept.counts.values()), default=0) < 0:
                raise ValueError(f"the counts of {wrong!r} are not of its cells")
        except (ValueError, KeyError, DataError) as error:
            raise BundleError(
                f"{path} must hold what the training texts are like but does not: {str(error).splitlines()[0]}.",
                next_step="Export the bundle again.",
            ) from error
        counts = {name: np.array(cells, dtype=np.int64) for name, cells in kept.counts.items()}
        return cls(labels=found.labels, edges=found.edges, seen=seen, counts=counts)

    def to_json(self) -> bytes:
        """As a bundle keeps it."""
        kept = _Kept(
            edges=self.edges,
            seen=base64.b64encode(self.seen.tobytes()).decode(),
            counts={name: tuple(cells.tolist()) for name, cells in self.counts.items()},
        )
        return (json.dumps(kept.model_dump(), indent=1) + "\n").encode()

    def cells(self, traits: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The names of the cells of these traits.

        Raises:
            KeyError: there is no such trait.
        """
        known = {
            "length": LENGTHS,
            "script": ("none", *(SCRIPT_NAMES[name] for name in SCRIPTS)),
            "unknown": UNKNOWN,
            "label": self.labels,
            "confidence": CONFIDENCE,
            "value": tuple(f"tenth {part + 1}" for part in range(len(self.edges) + 1)),
        }
        return {name: known[name] for name in traits}

    def counted(self, texts: Sequence[str], answers: Answers) -> dict[str, Counts]:
        """Counts (cells) of each trait over n texts and their (n, k) answers; answers that are texts have none."""
        points, lengths = _points(texts)
        look = look_at(points, lengths)
        power = np.frexp(np.array([len(text) for text in texts], dtype=np.float64))[1].clip(0, len(LENGTHS) - 1)
        found = {
            "length": np.bincount(power, minlength=len(LENGTHS)),
            "script": np.bincount(look["script"].astype(np.int64) + 1, minlength=len(SCRIPTS) + 1),
            "unknown": self._unknown(points, lengths),
        }
        if answers.dtype == np.float64:
            found["value"] = np.bincount(np.searchsorted(self.edges, answers[:, 0]), minlength=len(self.edges) + 1)
        elif answers.dtype != object:
            found["label"] = np.bincount(answers.argmax(axis=1), minlength=len(self.labels))
            tenths = (answers.max(axis=1) * 10).astype(np.int64).clip(0, 9)
            found["confidence"] = np.bincount(tenths, minlength=10)
        return found

    def _unknown(self, points: npt.NDArray[np.uint32], lengths: npt.NDArray[np.int64]) -> Counts:
        places, owners = _sequences(points, lengths)
        new = ~_bits(self.seen, places)
        count = np.bincount(owners, minlength=len(lengths))
        share = np.bincount(owners, weights=new, minlength=len(lengths)) / np.maximum(count, 1)
        return np.bincount(np.digitize(share, _SHARES), minlength=len(UNKNOWN))


def _bits(packed: npt.NDArray[np.uint8], places: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    return np.asarray(packed[places >> 3] >> (7 - (places & 7)).astype(np.uint8) & 1, dtype=bool)


def _points(texts: Sequence[str]) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    """The code points of all texts, cut, one after the other, and how many each has."""
    cut = [text[:LONGEST] for text in texts]
    whole = "".join(cut).encode("utf-32-le", "surrogatepass")
    return np.frombuffer(whole, dtype=np.uint32), np.array([len(text) for text in cut], dtype=np.int64)


def _sequences(
    points: npt.NDArray[np.uint32], lengths: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The place of each sequence of three characters among 2^18, and the number of its text; case and width count."""
    owners = np.repeat(np.arange(len(lengths)), lengths)
    if len(points) < 3:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    inside = owners[2:] == owners[:-2]
    wide = points.astype(np.uint64)
    mixed = (wide[:-2] * np.uint64(0x9E3779B97F4A7C15)) ^ (wide[1:-1] * np.uint64(0xC2B2AE3D27D4EB4F))
    mixed = (mixed ^ (wide[2:] * np.uint64(0x165667B19E3779F9))) * np.uint64(0xD6E8FEB86659FD93)
    return (mixed >> np.uint64(64 - _BITS)).astype(np.int64)[inside], owners[2:][inside]


class _Kept(Section):
    edges: tuple[float, ...]
    seen: str
    counts: dict[str, tuple[int, ...]]
