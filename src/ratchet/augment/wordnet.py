"""WordNet as one small table of English synonyms, read from its own files and kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from ratchet.errors import RatchetError, WorkspaceError
from ratchet.workspace.workspace import write_atomic

LICENCE = "WordNet 3.0 licence, Princeton University"
HOW = "Install it with `apt-get install wordnet-base`, or name its folder of data.noun and index.noun in WNSEARCHDIR."
_FORM = "1"
"""Of the kept table; another one is built anew."""
_PARTS = ("noun", "verb", "adj", "adv")
_SENSES, _MOST = 2, 5
"""Most frequent senses of each part of speech that are looked at, and synonyms kept of a word."""
_PLACES = (
    "/usr/share/wordnet",
    "/usr/local/WordNet-3.0/dict",
    "/usr/local/share/wordnet",
    "/opt/homebrew/share/wordnet",
)

Table = Mapping[str, tuple[str, ...]]


def find_wordnet() -> Path | None:
    """The folder of WordNet's files: what WNSEARCHDIR or WNHOME says, else a usual place; ``None``: it is not here."""
    given = [os.environ.get("WNSEARCHDIR", ""), f"{os.environ.get('WNHOME', '')}/dict"]
    return next((Path(place) for place in (*given, *_PLACES) if place and _is_whole(Path(place))), None)


def load_wordnet(folder: Path, *, cache: Path | None = None) -> tuple[Table, str]:
    """The synonyms of each lower-case word, the most usual first, and the hash of the files that they come from.

    Args:
        folder: of ``data.noun``, ``index.noun`` and so on (the format of wndb(5WN)).
        cache: where the table is kept, by that hash; absent: the user's cache folder.

    Raises:
        RatchetError: a file is not in that format.
    """
    digest = hashlib.blake2b(_FORM.encode(), digest_size=16)
    for part in _PARTS:
        for name in (f"index.{part}", f"data.{part}"):
            digest.update((folder / name).read_bytes())
    key = digest.hexdigest()
    kept = (user_cache() if cache is None else cache) / f"wordnet-{key}.tsv"
    with suppress(OSError, UnicodeDecodeError, ValueError):
        return _read(kept.read_text("utf-8")), key
    table = build_table(folder)
    lines = [f"{word}\t{' '.join(others)}" for word, others in sorted(table.items())]
    with suppress(WorkspaceError):  # a cache that cannot be written costs a second at the next run
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(kept, "\n".join([*lines, f"# {len(lines)}"]).encode())
    return table, key


def build_table(folder: Path) -> dict[str, tuple[str, ...]]:
    """The synonyms of each single word: words of one synset with it, its most frequent senses first.

    Raises:
        RatchetError: a line is not as wndb(5WN) has it.
    """
    found: dict[str, dict[str, None]] = {}
    parts = [(dict(_synsets(folder / f"data.{part}")), [*_senses(folder / f"index.{part}")]) for part in _PARTS]
    for sense in range(_SENSES):
        for synsets, senses in parts:
            for word, offsets in senses:
                for other in synsets.get(offsets[sense], ()) if sense < len(offsets) else ():
                    if other != word:
                        found.setdefault(word, {})[other] = None
    return {word: tuple(others)[:_MOST] for word, others in found.items()}


def user_cache() -> Path:
    """The user's cache folder."""
    given = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(given) if given else Path.home() / ".cache") / "ratchet"


def _is_whole(folder: Path) -> bool:
    return all((folder / f"{kind}.{part}").is_file() for kind in ("index", "data") for part in _PARTS)


def _synsets(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Of each synset with two single words or more its offset and its single words, in lower case."""
    for fields in _lines(path):
        try:
            count = int(fields[3], 16)
            words = [fields[4 + 2 * i].lower() for i in range(count)]
        except (IndexError, ValueError):
            raise _damaged(path, fields) from None
        words = [word.partition("(")[0] for word in words]  # an adjective may say where it stands: "galore(ip)"
        single = [word for word in words if word.isalpha()]
        if len(single) > 1:
            yield fields[0], single


def _senses(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Of each single word the offsets of its senses, the most frequent first."""
    for fields in _lines(path):
        if fields[0].isalpha():
            try:
                count, pointers = int(fields[2]), int(fields[3])
                offsets = fields[6 + pointers : 6 + pointers + count]
            except (IndexError, ValueError):
                raise _damaged(path, fields) from None
            yield fields[0], offsets


def _lines(path: Path) -> Iterator[list[str]]:
    """The fields of each line but those of the licence, which begin with spaces."""
    for line in path.read_bytes().decode("utf-8", "replace").split("\n"):
        if line and line[0] != " ":
            yield line.partition(" | ")[0].split(" ")


def _read(text: str) -> Table:
    """What `load_wordnet` kept; a table that was cut is a `ValueError`."""
    *lines, last = text.split("\n")
    if last != f"# {len(lines)}":
        raise ValueError("cut")
    pairs = (line.split("\t") for line in lines)
    return {word: tuple(others.split(" ")) for word, others in pairs}


def _damaged(path: Path, fields: list[str]) -> RatchetError:
    line = " ".join(fields)
    return RatchetError(f"{path} must be in WordNet's format (wndb) but has the line {line[:60]!r}.", next_step=HOW)
