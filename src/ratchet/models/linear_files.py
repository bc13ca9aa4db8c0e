"""The files of a linear model: ``model.json``, ``vocabulary.json`` and ``weights.safetensors``."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from ratchet.bounds import json_value
from ratchet.errors import BundleError
from ratchet.models.features import FeatureEncoder
from ratchet.models.linear import Block, LinearModel, Link, Member
from ratchet.models.ngrams import Codes, Ints, Vocabulary

FORMATS = ("ratchet-linear-1", "ratchet-linear-2")
"""The second has more links, or features beside the text; what the first can hold is written as the first."""
META, TOKENS, ARRAYS = "model.json", "vocabulary.json", "weights.safetensors"

Arrays = dict[str, npt.NDArray[Any]]


def write(model: LinearModel, folder: Path) -> int:
    """Write the three files, the one with the hashes of the others last; returns the bytes of all."""
    from safetensors.numpy import save

    from ratchet.workspace.workspace import write_atomic

    tokens = [list(vocabulary.tokens) for vocabulary in model.vocabularies]
    files = {
        TOKENS: json.dumps(tokens, ensure_ascii=False, separators=(",", ":")).encode(),
        ARRAYS: save({name: np.ascontiguousarray(array) for name, array in _arrays(model).items()}),
    }
    meta = _describe(model) | {"sha256": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}}
    files[META] = json.dumps(meta, ensure_ascii=True, indent=1).encode()
    for name, data in files.items():
        write_atomic(folder / name, data)
    return sum(map(len, files.values()))


def read(folder: Path) -> LinearModel:
    """The model of a folder.

    Raises:
        BundleError: a file is missing, was changed, or is of another format.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    meta = _meta(folder)
    digests = meta.get("sha256")
    digests = digests if isinstance(digests, dict) else {}
    data = {name: _checked(folder / name, digest=str(digests.get(name))) for name in (TOKENS, ARRAYS)}
    try:
        return _assemble(meta, json_value(data[TOKENS]), load(data[ARRAYS]))
    except (AttributeError, KeyError, ValueError, TypeError, IndexError, OverflowError, SafetensorError) as error:
        raise BundleError(
            f"{folder} must hold a linear model but its files do not fit together ({error}).",
            next_step="Export the model again with this version of ratchet.",
        ) from error


def _assemble(meta: dict[str, Any], tokens: list[list[str]], arrays: Arrays) -> LinearModel:
    vocabularies = [
        _vocabulary(arrays, i, unit=entry["unit"], nodes=entry["ngrams"], tokens=tuple(own))
        for i, (entry, own) in enumerate(zip(meta["vocabularies"], tokens, strict=True))
    ]
    members = tuple(_member(entry, arrays, f"member.{m}", vocabularies) for m, entry in enumerate(meta["members"]))
    encoder = FeatureEncoder.read(meta["features"]) if "features" in meta else None
    if any((None if m.features is None else len(m.features)) != (encoder and encoder.width) for m in members):
        raise ValueError("a member's weights of the features are not as many as the features")
    return LinearModel(labels=tuple(meta["labels"]), members=members, encoder=encoder)


def _describe(model: LinearModel) -> dict[str, Any]:
    number = {id(vocabulary): i for i, vocabulary in enumerate(model.vocabularies)}
    beside = {} if model.encoder is None else {"features": model.encoder.describe()}
    return {
        "format": FORMATS[int(model.encoder is not None or model.kind != "classes")],
        "labels": model.labels,
        "vocabularies": [{"unit": v.unit, "ngrams": v.sizes} for v in model.vocabularies],
        "members": [
            {
                "link": member.link,
                "converged": member.converged,
                "blocks": [
                    {"vocabulary": number[id(block.vocabulary)], "occurrence": block.occurrence}
                    for block in member.blocks
                ],
            }
            for member in model.members
        ],
        **beside,
    }


def _arrays(model: LinearModel) -> Arrays:
    arrays: Arrays = {}
    for i, vocabulary in enumerate(model.vocabularies):
        for level, codes in enumerate(vocabulary.codes, start=2):
            parent, last = vocabulary.unpack(codes)
            arrays[f"vocabulary.{i}.{level}.children"] = _unary(parent, parents=vocabulary.sizes[level - 2])
            arrays[f"vocabulary.{i}.{level}.last"] = _packed(last, bits=vocabulary.bits)
    for m, member in enumerate(model.members):
        arrays[f"member.{m}.bias"] = member.bias
        if member.features is not None:
            arrays[f"member.{m}.features"] = member.features
        for b, block in enumerate(member.blocks):
            for name in ("idf_values", "weights", "scale"):
                arrays[f"member.{m}.{b}.{name}"] = getattr(block, name)
            arrays[f"member.{m}.{b}.idf_index"] = _packed(block.idf_index, bits=_bits(block.idf_values))
    return arrays


def _vocabulary(arrays: Arrays, i: int, *, unit: Any, nodes: list[int], tokens: tuple[str, ...]) -> Vocabulary:
    vocabulary = Vocabulary(unit, tokens, ())
    codes: list[Codes] = []
    for level in range(2, len(nodes) + 1):
        parents, own = nodes[level - 2], nodes[level - 1]
        parent = _parents(arrays[f"vocabulary.{i}.{level}.children"], parents=parents, nodes=own)
        last = _unpacked(arrays[f"vocabulary.{i}.{level}.last"], bits=vocabulary.bits, count=own)
        codes.append(vocabulary.pack(parent, last))
    return Vocabulary(unit, tokens, tuple(codes))


def _unary(parent: Ints, *, parents: int) -> npt.NDArray[np.uint8]:
    """How many nodes each parent has, in two bits a node: a 1 for each, a 0 after the last (Jacobson 1989, LOUDS)."""
    bits = np.ones(len(parent) + parents, dtype=np.uint8)
    bits[np.cumsum(np.bincount(parent, minlength=parents)) + np.arange(parents)] = 0
    return np.packbits(bits)


def _parents(packed: npt.NDArray[np.uint8], *, parents: int, nodes: int) -> Ints:
    stops = np.flatnonzero(np.unpackbits(packed, count=nodes + parents) == 0)
    return np.repeat(np.arange(parents), np.diff(stops, prepend=-1) - 1)


def _member(entry: dict[str, Any], arrays: Arrays, name: str, vocabularies: list[Vocabulary]) -> Member:
    blocks = tuple(
        _block(arrays, f"{name}.{b}", vocabularies[block["vocabulary"]], block["occurrence"])
        for b, block in enumerate(entry["blocks"])
    )
    if entry["link"] not in get_args(Link):
        raise ValueError(f"{name} has the link {entry['link']!r}")
    return Member(
        blocks=blocks,
        bias=arrays[f"{name}.bias"],
        link=entry["link"],
        features=arrays.get(f"{name}.features"),
        converged=entry["converged"],
    )


def _block(arrays: Arrays, name: str, vocabulary: Vocabulary, occurrence: Any) -> Block:
    values = arrays[f"{name}.idf_values"]
    index = smallest(_unpacked(arrays[f"{name}.idf_index"], bits=_bits(values), count=len(vocabulary)))
    weights = arrays[f"{name}.weights"]
    if len(weights) != len(vocabulary):
        raise ValueError(f"{name} has {len(weights)} weights for {len(vocabulary)} n-grams")
    return Block(
        vocabulary=vocabulary,
        occurrence=occurrence,
        idf_values=values,
        idf_index=index,
        weights=weights,
        scale=arrays[f"{name}.scale"],
    )


def _meta(folder: Path) -> dict[str, Any]:
    data = _bytes(folder / META)
    try:
        meta = json_value(data)
    except ValueError:
        meta = None
    found = meta.get("format") if isinstance(meta, dict) else None
    if found not in FORMATS:
        raise BundleError(
            f"{folder / META} must be of the format {' or '.join(FORMATS)} but got {found}.",
            next_step="Export the model again with this version of ratchet.",
        )
    assert isinstance(meta, dict)
    return meta


def _checked(path: Path, *, digest: str) -> bytes:
    data = _bytes(path)
    found = hashlib.sha256(data).hexdigest()
    if found != digest:
        raise BundleError(
            f"{path} must have the sha256 {digest[:12]}… but got {found[:12]}….",
            next_step="The file was changed after it was written: copy or export the model again.",
        )
    return data


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise BundleError(
            f"{path} must exist but is missing.", next_step="Copy the whole folder of the model, or export it again."
        ) from error


def _bits(values: npt.NDArray[Any]) -> int:
    return max(0, len(values) - 1).bit_length()


def _packed(numbers: npt.NDArray[Any], *, bits: int) -> npt.NDArray[np.uint8]:
    """Non-negative integers in ``bits`` bits each, highest bit first."""
    octets = numbers.astype(">u4").view(np.uint8).reshape(-1, 4)
    return np.packbits(np.unpackbits(octets, axis=1)[:, 32 - bits :])


def _unpacked(packed: npt.NDArray[np.uint8], *, bits: int, count: int) -> Ints:
    digits = np.unpackbits(packed, count=count * bits).reshape(count, bits)
    octets = np.packbits(np.pad(digits, ((0, 0), (32 - bits, 0))), axis=1)
    return octets.view(">u4").reshape(count).astype(np.int64)


def smallest(numbers: npt.NDArray[Any]) -> npt.NDArray[np.unsignedinteger]:
    """The same non-negative integers in the smallest unsigned type that holds them."""
    return numbers.astype(np.min_scalar_type(int(numbers.max(initial=0))))
