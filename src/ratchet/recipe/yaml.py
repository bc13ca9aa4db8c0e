"""YAML 1.2 (core schema) with the place of every value: `no` is text, 3e-4 a number, and a doubled key an error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from ratchet.bounds import YAML_CHARACTERS, YAML_DEPTH, YAML_VALUES
from ratchet.errors import RecipeError

Path = tuple[str | int, ...]
"""Keys and list positions from the root to a value."""

_TAG = "tag:yaml.org,2002:"
_CORE = {
    "null": re.compile(r"null|Null|NULL|~|"),
    "bool": re.compile(r"true|True|TRUE|false|False|FALSE"),
    "int": re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"),
    "float": re.compile(
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
    ),
}
"""YAML 1.2.2, section 10.3.2; the first that matches the whole of a plain scalar gives its type, else it is text."""
_PLAIN = re.compile(r"(?:\.{0,2}/|\.|_)?[^\W\d_](?:[\w./+-]*[\w/+-])?")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a value stands, and how it was written."""

    line: int
    column: int
    source: str | None = None
    """The characters of a scalar; ``None`` for a list or a mapping."""


@dataclass(frozen=True, kw_only=True)
class Document:
    """A value made of dict, list, str, int, float, bool and None, and the place of each value in it."""

    value: Any
    places: dict[Path, Place] = field(default_factory=dict)


def read_yaml(text: str, *, name: str) -> Document:
    """Read one YAML document.

    Anchors and aliases work, as far as the whole stays below 20,000 values and 40 levels.

    Args:
        text: the document.
        name: what messages call it, such as "ratchet.yaml".

    Raises:
        RecipeError: the text is not YAML, or has a doubled key, a key that is not text or a tag that is not known.
    """
    if len(text) > YAML_CHARACTERS:
        raise RecipeError(f"{name} must have at most {YAML_CHARACTERS:,} characters but got {len(text):,}.")
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        raise _syntax(error, name) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, error.position - before.rfind("\n")
        raise RecipeError(
            f"{name} must be text but got the control character {error.character:#x} (line {line}, column {column})."
        ) from None
    except RecursionError:
        raise RecipeError(f"{name} must have at most {YAML_DEPTH} levels but got more.") from None
    except (ValueError, OverflowError):
        raise RecipeError(
            f"{name} must be valid YAML but got an escape that is no character, such as \\UFFFFFFFF, in double quotes."
        ) from None
    if node is None:
        return Document(value=None)
    reading = _Reading(name)
    return Document(value=reading.value(node, ()), places=reading.places)


def write_yaml(value: object, *, flow: bool = False) -> str:
    """YAML that reads back equal, with this reader and with those of YAML 1.1; ``flow``: on one line, without its end."""
    text: str = yaml.dump(
        value,
        Dumper=_Dumper,
        allow_unicode=True,
        sort_keys=False,
        width=1 << 30,
        default_flow_style=flow,
    )
    text = text.removesuffix("...\n")
    return text.rstrip("\n") if flow else text


class _Loader(yaml.SafeLoader):
    """Resolves plain scalars as YAML 1.2 does; only its nodes are used, it constructs nothing."""


_Loader.yaml_implicit_resolvers = {
    None: [(_TAG + name, re.compile(f"(?:{pattern.pattern})\\Z")) for name, pattern in _CORE.items()]
}


class _Dumper(yaml.SafeDumper):
    """Quotes every text that is not a plain word, and those that YAML 1.1 or 1.2 take for something else."""

    def ignore_aliases(self, _: object) -> bool:
        return True

    def represent_text(self, data: str) -> yaml.ScalarNode:
        """A word as it is; everything else in double quotes."""
        word = (
            _PLAIN.fullmatch(data) is not None
            and not any(core.fullmatch(data) for core in _CORE.values())
            and self.resolve(yaml.ScalarNode, data, (True, False)) == _TAG + "str"  # type: ignore[no-untyped-call]
        )
        return self.represent_scalar(_TAG + "str", data, style=None if word else '"')


_Dumper.add_representer(str, _Dumper.represent_text)
_Dumper.add_representer(tuple, _Dumper.represent_list)


class _Reading:
    """One walk over the nodes of a document."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.places: dict[Path, Place] = {}
        self.count = 0

    def value(self, node: yaml.Node, path: Path) -> Any:
        """The value of a node; aliases are followed, within the limits."""
        self.count += 1
        if self.count > YAML_VALUES:
            raise self.error(node, f"must have at most {YAML_VALUES:,} values but got more, aliases included")
        if len(path) > YAML_DEPTH:
            raise self.error(node, f"must have at most {YAML_DEPTH} levels but got more, aliases included")
        mark = node.start_mark
        source = node.value if isinstance(node, yaml.ScalarNode) else None
        self.places.setdefault(path, Place(line=mark.line + 1, column=mark.column + 1, source=source))
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node)
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return [self.value(item, (*path, number)) for number, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return self.mapping(node, path)
        raise self.error(node, f"must use plain YAML but got the tag {_short(node.tag)!r}")

    def mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        """The keys, all of them text as written, and their values."""
        lines: dict[str, int] = {}
        values = {}
        for key, item in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self.error(key, "must have text for keys but got a list or a mapping")
            name, line = self.text(key), key.start_mark.line + 1
            if name in lines:
                dotted = ".".join(map(str, (*path, name)))
                raise RecipeError(
                    f"{dotted} ({self.name}, line {line}) must stand once but stands on line {lines[name]} too.",
                    next_step="Remove one of the two.",
                )
            lines[name] = line
            source = item.value if isinstance(item, yaml.ScalarNode) else None
            self.places[(*path, name)] = Place(line=line, column=key.start_mark.column + 1, source=source)
            values[name] = self.value(item, (*path, name))
        return values

    def scalar(self, node: yaml.ScalarNode) -> str | int | float | bool | None:
        """A scalar by its tag, which is the resolved one or was written."""
        kind, written = _short(node.tag), str(node.value)
        if kind == "str":
            return self.text(node)
        core = _CORE.get(kind)
        if core is None:
            raise self.error(node, f"must use plain YAML but got the tag {kind!r}")
        if core.fullmatch(written) is None:
            raise self.error(node, f"must have a value that fits the tag {kind!r} but got {written!r}")
        if kind == "null":
            return None
        if kind == "bool":
            return written.lower() == "true"
        try:
            return _integer(written) if kind == "int" else float(re.sub(r"\.(?=[A-Za-z])", "", written))
        except ValueError:
            raise self.error(node, f"must have shorter numbers but got one of {len(written):,} digits") from None

    def text(self, node: yaml.ScalarNode) -> str:
        """The characters of a scalar, escaped surrogate pairs joined."""
        try:
            text: str = node.value.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise self.error(node, "must have whole characters but got half a surrogate pair") from None
        return text

    def error(self, node: yaml.Node, problem: str) -> RecipeError:
        mark = node.start_mark
        return RecipeError(f"{self.name} {problem} (line {mark.line + 1}, column {mark.column + 1}).")


def _integer(written: str) -> int:
    base = {"0o": 8, "0x": 16}.get(written[:2])
    return int(written) if base is None else int(written[2:], base)


def _short(tag: str) -> str:
    return tag.removeprefix(_TAG)


_HINTS: Mapping[str, str] = {
    "mapping values are not allowed here": "Put a text that holds ': ' in quotes, and indent the keys of a section alike.",
    "could not find expected ':'": "A key needs a colon and a space after it.",
    "found undefined alias": "Put a text that begins with * in quotes.",
    "expected <block end>": "Indent the keys of a section alike.",
    "found character '@'": "Put a text that begins with @ in quotes.",
    "found character '`'": "Put a text that begins with ` in quotes.",
    "found character '%'": "Put a text that begins with % in quotes.",
    "found unexpected end of stream": "Close the quotes.",
    "expected a single document": "Keep one document, without --- after it.",
}


def _syntax(error: yaml.MarkedYAMLError, name: str) -> RecipeError:
    """A syntax error in one line."""
    mark = error.problem_mark or error.context_mark
    where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    problem = " ".join(str(error.problem or error.context).split())
    if problem.startswith("but found"):
        problem = f"{error.context}, {problem}"
    if "'\\t'" in problem:
        return RecipeError(f"{name} must be indented with spaces but got a tab{where}.")
    hint = next((hint for start, hint in _HINTS.items() if problem.startswith(start)), "")
    return RecipeError(f"{name} must be valid YAML but got: {problem}{where}.", next_step=hint)
