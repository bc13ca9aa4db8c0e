"""Write two tables from the docstrings of numpy, scipy, scikit-learn and pyarrow (BSD and Apache licences); nothing is fetched.

python recipes/docstrings/make_tables.py build/docstrings

``kinds.csv``: what a function does, and which kinds of parameters it takes (several labels). ``words.csv``: what it does, and
how many words its documentation has (a number).
"""

from __future__ import annotations

import csv
import importlib
import inspect
import pkgutil
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

PACKAGES = ("numpy", "scipy", "sklearn", "pyarrow")
KINDS = {
    "array": r"array|sparse|matrix|sequence|list|tuple",
    "bool": r"\bbool",
    "callable": r"callable|function",
    "float": r"\bfloat\b|scalar|number",
    "int": r"\bint\b|integer",
    "optional": r"\bNone\b|optional",
    "str": r"\bstr\b|string|\{'",
}
APART = ("tests", "conftest", "setup", "f2py", "externals")
_PARAMETERS = re.compile(r"^Parameters\n-{3,}\n(.*?)(?=\n\n[A-Z][\w ]*\n-{3,}|\Z)", re.MULTILINE | re.DOTALL)
_PARAMETER = re.compile(r"^\*{0,2}\w+(?:, ?\*{0,2}\w+)* ?: ?(.+)$", re.MULTILINE)


def modules(package: str) -> Iterator[ModuleType]:
    """The public modules of a package; those that cannot be imported are passed over."""
    top = importlib.import_module(package)
    yield top
    for found in pkgutil.walk_packages(top.__path__, f"{package}.", onerror=lambda _: None):
        if any(part.startswith("_") or part in APART for part in found.name.split(".")):
            continue
        try:
            yield importlib.import_module(found.name)
        except Exception:  # noqa: BLE001  # an optional dependency is missing: no fault of the table
            continue


def documented() -> dict[str, tuple[str, str]]:
    """Every docstring with parameters, once, with the name of what it documents and its first sentence."""
    found: dict[str, tuple[str, str]] = {}
    for package in PACKAGES:
        for module in modules(package):
            for name, member in sorted(vars(module).items()):
                text = inspect.getdoc(member) if callable(member) and not name.startswith("_") else None
                if text and _PARAMETERS.search(text):
                    summary = next((part for part in text.split("\n\n") if "(" not in part.split("\n")[0][:40]), "")
                    found.setdefault(text, (name, " ".join(summary.split())))
    return found


def kinds(text: str) -> list[str]:
    """Which kinds of parameters a docstring lists."""
    section = _PARAMETERS.search(text)
    types = _PARAMETER.findall(section[1]) if section else []
    return [kind for kind, pattern in KINDS.items() if any(re.search(pattern, type_) for type_ in types)]


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docstrings")
    folder.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    rows = [(f"{name}: {summary}", text) for text, (name, summary) in sorted(documented().items()) if summary]
    tables = {
        "kinds.csv": [(text, ";".join(kinds(whole))) for text, whole in rows],
        "words.csv": [(text, len(whole.split())) for text, whole in rows],
    }
    for name, table in tables.items():
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *table])
        print(f"{len(table):,} docstrings in {folder / name}")


if __name__ == "__main__":
    main()
