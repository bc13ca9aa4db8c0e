"""The Bundle: a self-contained folder with a model, its labels and its manifest, which serves anywhere without torch."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import Field, ValidationError

import ratchet
from ratchet.bounds import MANIFEST_BYTES, json_value
from ratchet.errors import BundleError
from ratchet.recipe.sections import Section, TextFix
from ratchet.workspace.workspace import atomic_folder

FORMAT = 1
MANIFEST = "manifest.json"
MODEL = "model"
CARD = "README.md"
GOLDEN = "golden.json"
REFERENCE = "reference.json"
BLOCK = 1024 * 1024
_IDENTITY = ("format", "name", "kind", "labels", "language", "text_column", "fixes", "scores", "data_version")
_SINCE = ("text_columns", "features")
"""Part of what a bundle is where they say something: bundles from before they were there keep their hash."""
LICENSE_NOTE = "The model carries the terms of its training data and of the pretrained model it was made from, if any."

Facts = Mapping[str, Any]


class FileEntry(Section):
    """One file of a bundle: its path inside the folder with slashes, its size and its sha256."""

    path: str
    bytes: int
    sha256: str


class Manifest(Section):
    """What ``manifest.json`` holds: facts about the model and how it was made, and every other file."""

    format: int
    """Version of this layout."""
    name: str
    created: str
    """UTC time in ISO 8601; the only part that differs when the same bundle is written twice."""
    ratchet: str
    """Version of Ratchet that wrote the bundle."""
    task: str
    kind: str
    labels: tuple[str, ...]
    """Label names in the order of the model's columns."""
    language: str
    text_column: str
    """Name of the text column in the training table; files to predict are expected to have it."""
    license: str
    model: dict[str, Any]
    """Facts about the model: parameters, bytes, latency ..."""
    data_version: str
    recipe: str
    """The recipe, as text."""
    verdicts: tuple[dict[str, Any], ...]
    scores: dict[str, Any]
    environment: dict[str, Any]
    files: tuple[FileEntry, ...]
    fixes: tuple[TextFix, ...] = ()
    """What is done to every text before the model sees it, as to the training texts."""
    text_columns: tuple[str, ...] = ()
    """The columns whose texts a row joins, in this order; empty: ``text_column`` alone."""
    features: dict[str, str] = Field(default_factory=dict)
    """The columns that the model reads beside the text: ``number`` or ``category``."""


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A verified bundle: its folder and its manifest."""

    path: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: Path | str) -> Bundle:
        """Read the manifest and verify the size and sha256 of every file.

        Raises:
            BundleError: the folder is not a bundle, its format is unknown, or a file is missing, changed or extra.
        """
        folder = Path(path)
        try:
            manifest = _read_manifest(folder)
            _verify(folder, manifest)
        except OSError as error:
            where = error.filename or folder
            raise BundleError(
                f"{where} cannot be read: {error.strerror}.", next_step="Check its permissions."
            ) from error
        return cls(path=folder, manifest=manifest)

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.manifest.name

    @property
    def kind(self) -> str:
        """Which runtime the model needs."""
        return self.manifest.kind

    @property
    def labels(self) -> tuple[str, ...]:
        """Label names in the order of the model's columns."""
        return self.manifest.labels

    @property
    def model_folder(self) -> Path:
        """Folder with the model's own files."""
        return self.path / MODEL

    @property
    def consent(self) -> str:
        """The option by which whoever serves the bundle agrees that its model sends texts away; empty: it does not."""
        return _consent(self.manifest.model)

    @property
    def bytes(self) -> int:
        """Size of all files but the manifest."""
        return sum(entry.bytes for entry in self.manifest.files)

    @cached_property
    def sha256(self) -> str:
        """sha256 over the files with their sizes and hashes, and all that the manifest says of the model; 64 hex digits.

        Only when and where it was made is left out: another machine may make the same bundle.
        """
        lines = sorted(f"{entry.sha256} {entry.bytes} {entry.path}\n" for entry in self.manifest.files)
        known = [name for name in _SINCE if getattr(self.manifest, name)]
        facts = self.manifest.model_dump(mode="json", include={*_IDENTITY, *known})
        return hashlib.sha256("".join(lines).encode() + _json(facts)).hexdigest()


def write_bundle(
    target: Path,
    *,
    model_folder: Path,
    name: str,
    created: str,
    kind: str,
    labels: Sequence[str],
    task: str = "classification",
    language: str = "mixed",
    text_column: str = "text",
    text_columns: Sequence[str] = (),
    features: Mapping[str, str] | None = None,
    fixes: Sequence[TextFix] = (),
    license: str = LICENSE_NOTE,
    model: Facts | None = None,
    data_version: str = "",
    recipe: str = "",
    verdicts: Sequence[Facts] = (),
    scores: Facts | None = None,
    environment: Facts | None = None,
    golden: bytes = b"",
    reference: bytes = b"",
) -> Bundle:
    """Write a bundle: all of it or, when anything fails, nothing; a bundle that stood at ``target`` is replaced.

    Args:
        target: folder of the bundle.
        model_folder: folder whose regular files become ``model/``; it may hold no links.
        name: name of the model.
        created: UTC time in ISO 8601; everything else depends only on the other arguments.
        kind: which runtime the model needs.
        labels: label names in the order of the model's columns.
        task: what the model does.
        language: language of the training texts.
        text_column: name of the text column in the training table.
        text_columns: the columns that it was joined from, where they are several.
        features: the columns that the model reads beside the text, and their kinds.
        fixes: what is done to every text before the model sees it.
        license: a note on the rights to the model.
        model: facts about the model, as JSON values.
        data_version: content hash of the training table.
        recipe: the recipe, as text.
        verdicts: the verdicts that led here, as JSON values.
        scores: the model's scores, as JSON values.
        environment: a summary of the environment, as JSON values.
        golden: rows with the model's answers, as `ratchet.bundle.golden` writes them; empty: none.
        reference: what the training texts are like, as `ratchet.bundle.reference` writes it; empty: not known.

    Raises:
        BundleError: the model folder is unusable, or a fact is not a finite JSON value.
    """
    sources = _model_files(model_folder)
    facts = {
        "format": FORMAT,
        "name": name,
        "created": created,
        "ratchet": ratchet.__version__,
        "task": task,
        "kind": kind,
        "labels": list(labels),
        "language": language,
        "text_column": text_column,
        "fixes": list(fixes),
        "license": license,
        "model": dict(model or {}),
        "data_version": data_version,
        "recipe": recipe,
        "verdicts": [dict(verdict) for verdict in verdicts],
        "scores": dict(scores or {}),
        "environment": dict(environment or {}),
    }
    facts |= {
        name: value
        for name, value in (("text_columns", list(text_columns)), ("features", dict(features or {})))
        if value
    }
    _json(facts)  # refuse before anything is copied
    with atomic_folder(target) as folder:
        entries = [_copy(source, folder / path, path=path) for path, source in sources]
        entries.append(_write(folder / CARD, _card(facts).encode(), path=CARD))
        beside = ((GOLDEN, golden), (REFERENCE, reference))
        entries.extend(_write(folder / path, content, path=path) for path, content in beside if content)
        files = [entry.model_dump() for entry in sorted(entries, key=lambda entry: entry.path)]
        _write(folder / MANIFEST, _json({**facts, "files": files}), path=MANIFEST)
    return Bundle.open(target)


def _json(facts: Facts) -> bytes:
    try:
        text = json.dumps(facts, ensure_ascii=False, allow_nan=False, indent=1, sort_keys=True)
        return (text + "\n").encode()
    except (TypeError, ValueError) as error:  # UnicodeEncodeError, a lone surrogate, is a ValueError
        raise BundleError(
            f"The facts of a bundle must be finite JSON values: {error}.", next_step="Convert them before the export."
        ) from error


def _model_files(folder: Path) -> list[tuple[str, Path]]:
    if not folder.is_dir():
        raise BundleError(f"The model folder {folder} does not exist.", next_step="Train or export the model first.")
    found = [(f"{MODEL}/{path}", folder / path) for path in _walk(folder)]
    if not found:
        raise BundleError(f"The model folder {folder} is empty.", next_step="Train or export the model first.")
    return found


def _walk(folder: Path) -> Iterator[str]:
    """Paths of the files below a folder, sorted, with slashes; links and devices are refused."""
    for base, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names + folders):
            path = Path(base, name)
            inside = path.relative_to(folder).as_posix()
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise BundleError(
                    f"A bundle may hold only regular files, but {inside!r} in {folder} is a link or a device.",
                    next_step="Replace it by a copy of the file.",
                )
            if not path.is_dir():
                yield inside


def _copy(source: Path, target: Path, *, path: str) -> FileEntry:
    digest, size = hashlib.sha256(), 0
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as reader, target.open("xb") as writer:
        while block := reader.read(BLOCK):
            digest.update(block)
            size += len(block)
            writer.write(block)
    return FileEntry(path=path, bytes=size, sha256=digest.hexdigest())


def _write(target: Path, data: bytes, *, path: str) -> FileEntry:
    target.write_bytes(data)
    return FileEntry(path=path, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


def _read_manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    wanted = "Give the folder that 'ratchet run' or 'ratchet export' wrote."
    if not folder.is_dir():
        raise BundleError(f"The bundle {folder} must be a folder but there is none.", next_step=wanted)
    if path.is_symlink() or not path.is_file():
        raise BundleError(f"The folder {folder} must hold a {MANIFEST} but has none.", next_step=wanted)
    if path.stat().st_size > MANIFEST_BYTES:
        raise BundleError(f"{path} must have at most {MANIFEST_BYTES} bytes but has {path.stat().st_size}.")
    data = path.read_bytes()
    try:
        facts = json_value(data)
    except ValueError as error:
        raise BundleError(f"{path} must be JSON in UTF-8: {error}.", next_step=_AGAIN) from error
    version = facts.get("format") if isinstance(facts, dict) else None
    if version != FORMAT or isinstance(version, bool):
        raise BundleError(
            f"The bundle {folder} must have format {FORMAT} but has {version!r}.",
            next_step="Open it with the version of Ratchet that wrote it, or export it again.",
        )
    try:
        return Manifest.model_validate_json(data)  # unlike json.loads, this refuses half a surrogate pair
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise BundleError(f"{path} is not usable at {key!r}: {first['msg']}.", next_step=_AGAIN) from error


_AGAIN = "Copy the bundle again; one that a run wrote can be removed, and the next run writes it anew."


def _verify(folder: Path, manifest: Manifest) -> None:
    for entry in manifest.files:
        if not _inside(entry.path):
            raise BundleError(f"The file path {entry.path!r} in {folder / MANIFEST} leaves the bundle.")
    listed = [entry.path for entry in manifest.files]
    if len(set(listed)) != len(listed):
        raise BundleError(f"{folder / MANIFEST} lists a file twice.", next_step=_AGAIN)
    found = set(_walk(folder)) - {MANIFEST}
    for path in sorted(set(listed) - found):
        raise BundleError(f"The bundle {folder} lacks the file {path!r}.", next_step=_AGAIN)
    for path in sorted(found - set(listed)):
        raise BundleError(
            f"The bundle {folder} has the extra file {path!r}.", next_step="Remove it, or copy the bundle again."
        )
    for entry in manifest.files:
        _verify_file(folder, entry)


def _inside(path: str) -> bool:
    """Whether a path of the manifest names a file strictly inside the bundle, on any system."""
    parts = PurePosixPath(path).parts
    strange = any(character in path for character in "\\:\0")
    return bool(parts) and not strange and path == "/".join(parts) and not {"..", "/", MANIFEST} & set(parts)


def _verify_file(folder: Path, entry: FileEntry) -> None:
    path = folder / entry.path
    size = path.stat().st_size
    if size != entry.bytes:
        raise BundleError(
            f"The file {entry.path!r} of the bundle {folder} must have {entry.bytes} bytes but has {size}.",
            next_step=_AGAIN,
        )
    with path.open("rb") as reader:
        digest = hashlib.file_digest(reader, "sha256").hexdigest()
    if digest != entry.sha256:
        raise BundleError(
            f"The file {entry.path!r} of the bundle {folder} was changed: its sha256 must be {entry.sha256[:12]}... "
            f"but is {digest[:12]}....",
            next_step=_AGAIN,
        )


def _consent(model: Facts) -> str:
    address = model.get("sends_to")
    return f" --send-to {address}" if address else ""


def _card(facts: Facts) -> str:
    """A short model card in Markdown."""
    consent = _consent(facts["model"])
    lines = [
        f"# {facts['name']}",
        "",
        f"A text {facts['task']} model ({facts['kind']}, language {facts['language']}), made with Ratchet "
        f"{facts['ratchet']}.",
        "",
        f"- Labels: {', '.join(facts['labels'])}",
        f"- Data version: {facts['data_version'] or 'not recorded'}",
        *([f"- Texts are fixed first, as in training: {', '.join(facts['fixes'])}"] if facts["fixes"] else []),
        *(f"- {key}: {_plain(value)}" for key, value in sorted(facts["model"].items())),
        "",
        "## Scores",
        "",
        *([f"- {key}: {_plain(value)}" for key, value in sorted(facts["scores"].items())] or ["None recorded."]),
        "",
        "## Verdicts",
        "",
        *([f"- {_verdict_line(verdict)}" for verdict in facts["verdicts"]] or ["None recorded."]),
        "",
        "## Limits",
        "",
        "The scores hold for texts like those of the training table. Measure on your own texts before you rely on it.",
        "",
        "## Use",
        "",
        f'    pip install "ratchetml[serve{",endpoint" if consent else ""}]"',
        f"    ratchet serve THIS_FOLDER{consent}",
        f"    ratchet predict THIS_FOLDER texts.csv{consent}",
        "",
        "## Licence",
        "",
        str(facts["license"]),
    ]
    return "\n".join(lines) + "\n"


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _verdict_line(verdict: Facts) -> str:
    name = verdict.get("challenger", verdict.get("name"))
    if name is None or "outcome" not in verdict:
        return _plain(verdict)
    against = f" against {verdict['champion']}" if "champion" in verdict else ""
    return f"{name}{against}: {str(verdict['outcome']).replace('_', ' ')}"
