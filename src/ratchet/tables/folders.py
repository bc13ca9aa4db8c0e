"""Folders as tables: several tables that are one, one folder per label with one file per text, or a Hugging Face data set."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from ratchet.bounds import json_value
from ratchet.errors import DataError, RecipeError
from ratchet.forms import FORMATS
from ratchet.recipe.yaml import read_yaml
from ratchet.text.encodings import to_utf8

TABLES = tuple(suffix for suffix, kind in FORMATS.items() if kind)
_DESCRIBING = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json")
_SPLIT = re.compile(r"(?:^|[-_.])(train|training|validation|valid|val|dev|test|testing|eval)(?:[-_.]|$)", re.IGNORECASE)
_TRAIN = ("train", "training")
_LISTED = 6
_FRONT = re.compile(r"\A---\s*\n(.*?)\n---\s*(?:\n|\Z)", re.DOTALL)
_JUNK = ("__MACOSX", "Thumbs.db", "desktop.ini")


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a folder, or the split in it that was named, holds, and what in it is not read."""

    kind: Literal["tables", "texts", "arrow"]
    root: Path
    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()


def look(folder: Path, *, part: str, name: str) -> Found:
    """Tell what a folder is.

    Args:
        folder: it exists.
        part: the split that is wanted, or ``config/split``; empty where there is one only.
        name: what messages call it.

    Raises:
        DataError: it holds no table, or several splits or configurations and none is named; they are never read as one
            table, since its test rows would be training rows then.
    """
    if (folder / "state.json").is_file():
        return _saved(folder, name=name)
    if (folder / "dataset_dict.json").is_file():
        splits = _json(folder / "dataset_dict.json", name=name).get("splits", [])
        chosen = _one({str(split): () for split in splits}, part, name=name, what="split")
        return _saved(folder / chosen, name=f"{name}#{chosen}")
    configs = _configurations(folder) or _tables(folder)
    if configs:
        return _of_configurations(configs, part, folder=folder, name=name)
    return _texts(folder, part=part, name=name)


def read_texts(folder: Path, files: Sequence[Path], *, encoding: str, name: str) -> pa.Table:
    """A file a row: its text, the name of its folder as its label, and where it is.

    Raises:
        DataError: a file cannot be read or is in another encoding.
    """
    texts = []
    for file in files:
        inside = file.relative_to(folder).as_posix()
        try:
            data = file.read_bytes()
        except OSError as error:
            raise DataError(
                f"{inside} in {name} cannot be read: {error.strerror or error}.", next_step="Check the file."
            ) from None
        texts.append(to_utf8(data, encoding=encoding, name=f"{name}/{inside}")[0].decode().rstrip("\n"))
    columns = {
        "text": texts,
        "label": [file.parent.name for file in files],
        "file": [file.relative_to(folder).as_posix() for file in files],
    }
    return pa.table({column: pa.array(cells, pa.string()) for column, cells in columns.items()})


def _saved(folder: Path, *, name: str) -> Found:
    """A data set that ``datasets.save_to_disk`` wrote."""
    state = _json(folder / "state.json", name=name)
    if state.get("_indices_data_files") or state.get("_indices_files"):
        raise DataError(
            f"{name} must hold its rows in order but has a list of chosen rows beside them, as very old versions wrote.",
            next_step="Load it with the library datasets and save it again.",
        )
    names = [str(file.get("filename", "")) for file in state.get("_data_files") or []]
    files = tuple(folder / Path(file).name for file in names)
    for file in files:
        if not file.is_file():
            raise DataError(
                f"{name} must have the file {file.name} (state.json names it) but has not.",
                next_step="Copy the whole folder again.",
            )
    if not files:
        raise DataError(f"{name} must have rows but its state.json names no file.", next_step="Save it again.")
    return Found(kind="arrow", root=folder, files=files)


def _json(path: Path, *, name: str) -> dict[str, Any]:
    try:
        found = json_value(path.read_bytes())
    except (OSError, ValueError) as problem:
        raise DataError(
            f"{path.name} of {name} must be readable JSON but is not: {problem}.", next_step="Copy the folder again."
        ) from None
    return found if isinstance(found, dict) else {}


Splits = dict[str, tuple[Path, ...]]


def _of_configurations(configs: Mapping[str, Splits], part: str, *, folder: Path, name: str) -> Found:
    config, _, split = part.rpartition("/")
    if not config and split in configs and all(split not in splits for splits in configs.values()):
        config, split = split, ""
    if not config and len(configs) == 1:
        config = next(iter(configs))
    if not config and "default" in configs:
        config = "default"
    prefix = f"{config}/" if len(configs) > 1 and config else ""
    chosen = _one(dict.fromkeys(configs, ()), config, name=name, what="configuration")
    splits = configs[chosen]
    files = splits[_one(splits, split, name=name, what="split", prefix=prefix)]
    kinds = sorted({_suffix(file) for file in files})
    if len(kinds) > 1:
        raise DataError(
            f"{name} must hold tables of one format but has {' and '.join(kinds)}.",
            next_step="Name the files, or move those of the other format away.",
        )
    taken = {file for splits in configs.values() for files in splits.values() for file in files}
    return Found(kind="tables", root=folder, files=files, notes=_others(folder, taken, name=name))


def _one(choices: Mapping[str, object], wanted: str, *, name: str, what: str, prefix: str = "") -> str:
    """The choice that was named, or the only one."""
    if wanted and wanted in choices:
        return wanted
    listed = ", ".join(choice or "others" for choice in list(choices)[:_LISTED])
    listed += " ..." if len(choices) > _LISTED else ""
    if wanted:
        raise DataError(f"{name} must have the {what} {wanted!r} but has {listed}.", next_step="Name one of them.")
    if len(choices) == 1:
        return next(iter(choices))
    if not choices:
        raise DataError(f"{name} must have a {what} but has none.", next_step="Check the folder.")
    raise _unnamed(list(choices), name=name, what=what, listed=listed, prefix=prefix)


def _unnamed(choices: Sequence[str], *, name: str, what: str, listed: str, prefix: str) -> DataError:
    if what == "configuration":
        return DataError(
            f"{name} holds {len(choices)} configurations, which are different tables ({listed}), but none is named.",
            next_step=f"Name one, as in {name}#{choices[0]}/train.",
        )
    train = next((choice for choice in choices if choice.casefold() in _TRAIN), choices[0])
    test = next((choice for choice in choices if choice.casefold() in ("test", "testing")), "")
    test = test or next((choice for choice in choices if _is_held_out(choice)), choices[-1])
    return DataError(
        f"{name} holds several splits ({listed}), which must not be read as one table, but none is named.",
        next_step=f"Name one, as in {name}#{prefix}{train or test} (a recipe: data.files [{name}#{prefix}{train}] and "
        f"data.test_files [{name}#{prefix}{test}]).",
    )


def _is_held_out(split: str) -> bool:
    return bool(split) and split.casefold() not in _TRAIN


def _tables(folder: Path) -> dict[str, Splits]:
    """Tables in a folder, or as the hub's data sets are laid out: in ``data``, in a folder a split or a configuration."""
    here = [file for file in _files(folder) if _is_table(file)]
    deeper = [] if here else [file for sub in _folders(folder) for file in _tables_below(sub)]
    configs: dict[str, Splits] = {}
    for file in sorted([*here, *deeper], key=natural):
        inside = file.relative_to(folder).parts
        split = _split_of(inside)
        above = [part for part in inside[:-1] if part != split and part != "data"]
        splits = configs.setdefault("/".join(above) or "default", {})
        splits[split] = (*splits.get(split, ()), file)
    for config, splits in configs.items():
        if not any(map(_is_held_out, splits)):  # files of no split, or train beside files of no split: one table
            configs[config] = {next((s for s in splits if s), ""): tuple(sorted(sum(splits.values(), ()), key=natural))}
    return configs


def _tables_below(folder: Path) -> list[Path]:
    return [file for place in (folder, *_folders(folder)) for file in _files(place) if _is_table(file)]


def _split_of(inside: Sequence[str]) -> str:
    """The split that a file's name tells, or that of a folder above it."""
    found = _SPLIT.search(inside[-1].split(".")[0])
    if found:
        return found[1].lower()
    return next((part for part in reversed(inside[:-1]) if _SPLIT.fullmatch(part)), "")


def _configurations(folder: Path) -> dict[str, Splits]:
    """What the README of a hub's data set says under ``configs``: by configuration and split, the files."""
    readme = folder / "README.md"
    front = _FRONT.match(readme.read_text("utf-8", "replace")) if readme.is_file() else None
    if front is None:
        return {}
    try:
        listed = (read_yaml(front[1], name=f"{readme}").value or {}).get("configs")
    except (RecipeError, AttributeError):
        return {}  # the layout of the folder tells then
    configs: dict[str, Splits] = {}
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, dict) and (splits := _data_files(folder, entry.get("data_files"))):
            key = "default" if entry.get("default") else str(entry.get("config_name", "default"))
            configs[key] = splits
    return configs


def _data_files(folder: Path, value: Any) -> Splits:
    """The splits of ``data_files``: a pattern, a list of patterns, or a list of ``{split, path}``."""
    entries = value if isinstance(value, list) else [value]
    splits: Splits = {}
    for entry in entries:
        plain = isinstance(entry, str)
        split = "train" if plain else str(entry.get("split", "train")) if isinstance(entry, dict) else ""
        patterns = entry if plain else entry.get("path") if isinstance(entry, dict) else ()
        for pattern in patterns if isinstance(patterns, list) else [patterns]:
            if not isinstance(pattern, str) or ".." in pattern or pattern.startswith("/"):
                continue
            try:
                matching = [*folder.glob(pattern)]
            except (ValueError, NotImplementedError):  # an empty pattern, or ** beside other characters
                continue
            found = sorted((file for file in matching if file.is_file() and _is_table(file)), key=natural)
            if found:
                splits[split] = (*splits.get(split, ()), *found)
    return splits


def _texts(folder: Path, *, part: str, name: str) -> Found:
    """One folder per label, one file per text."""
    root = folder / part if part else folder
    if part not in ("", *(sub.name for sub in _folders(folder))):
        listed = ", ".join(sub.name for sub in _folders(folder)[:_LISTED]) or "none"
        raise DataError(f"{name} must have the folder {part!r} but has {listed}.", next_step="Name one of them.")
    labels = {sub: [file for file in _files(sub) if _is_text(file)] for sub in _folders(root)}
    labels = {sub: files for sub, files in labels.items() if files}
    if not labels:
        splits = {sub.name: () for sub in _folders(root) if any(map(_files, _folders(sub)))}
        if any(map(_is_held_out, splits)):
            _one(splits, part, name=name, what="split")
        raise DataError(
            f"{name} must hold tables ({', '.join(TABLES)}) or "
            f"one folder per label with text files (.txt) in it but has neither.",
            next_step="Name the files themselves, or check the path.",
        )
    if any(map(_is_held_out, splits := {sub.name: () for sub in labels})) and len(labels) > 1 and _all_splits(splits):
        raise DataError(
            f"{name} must have one folder per label but its folders are splits: {', '.join(splits)}.",
            next_step="Put the files of each label into a folder of their own, and name the folder of one split.",
        )
    files = tuple(sorted((file for found in labels.values() for file in found), key=natural))
    return Found(kind="texts", root=root, files=files, notes=_others(root, set(files), name=name, deep=True))


def _all_splits(names: Iterable[str]) -> bool:
    return all(_SPLIT.fullmatch(split) for split in names)


def _others(folder: Path, taken: set[Path], *, name: str, deep: bool = False) -> tuple[str, ...]:
    """A note about files that are not read, but for those that say something about the others."""
    found = _files(folder) + [file for sub in _folders(folder) if deep for file in _files(sub)]
    left = [
        file for file in found if file not in taken and file.stem.upper() not in ("README", "LICENSE", "DATASET_INFO")
    ]
    unread = [sub for sub in _folders(folder) if not any(sub in file.parents for file in taken)]
    nested = [inner for sub in _folders(folder) if deep for inner in _folders(sub)]
    notes = []
    if left:
        notes.append(
            f"{len(left):,} other files of {name} are not read, such as {left[0].relative_to(folder).as_posix()}."
        )
    if unread or nested:
        first = (unread or nested)[0].relative_to(folder).as_posix()
        notes.append(f"{len(unread) + len(nested):,} folders in {name} are not read, such as {first}.")
    return tuple(notes)


def natural(path: Path) -> list[str | int]:
    """A key to sort by, for which 2.txt comes before 10.txt."""
    pieces = re.split(r"(\d+)", path.as_posix())
    return [int(piece) if i % 2 else piece for i, piece in enumerate(pieces)]


def _entries(folder: Path, *, folders: bool) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            found = [entry.name for entry in entries if entry.is_dir() == folders]
    except OSError as error:
        raise DataError(
            f"The folder {folder} cannot be read: {error.strerror or error}.", next_step="Check its permissions."
        ) from None
    return sorted((folder / file for file in found if file[0] not in "._" and file not in _JUNK), key=natural)


def _files(folder: Path) -> list[Path]:
    return _entries(folder, folders=False)


def _folders(folder: Path) -> list[Path]:
    return _entries(folder, folders=True)


def _suffix(file: Path) -> str:
    suffixes = [suffix.lower() for suffix in file.suffixes if suffix.lower() != ".gz"]
    return suffixes[-1] if suffixes else ""


def _is_table(file: Path) -> bool:
    return _suffix(file) in TABLES and not file.name.startswith("~$") and file.name not in _DESCRIBING


def _is_text(file: Path) -> bool:
    """A text file, also one that is called by a number or by nothing but a name, as in the 20 newsgroups."""
    return file.suffix.lower() in (".txt", ".text") or not file.suffix or file.suffix[1:].isdigit()
