from __future__ import annotations

import re
from typing import Any

from tests.endpoint.conftest import server

__all__ = ["server"]

_SHOWN = re.compile(r"^\d+\. (.*)$", re.MULTILINE)
_COUNT = re.compile(r"Write (\d+)|再写(\d+)|换(\d+)种")


def wanted(prompt: str) -> int:
    """How many texts a prompt asks for."""
    found = _COUNT.search(prompt)
    assert found is not None
    return int(next(filter(None, found.groups())))


def shown(prompt: str) -> list[str]:
    """The texts that a prompt shows."""
    return _SHOWN.findall(prompt)


def writes(stage: Any) -> None:
    """Answers well: variants of the first text, numbered."""
    first = shown(stage.asked)[0]
    chinese = "请" in stage.asked
    rest = first[1:] if chinese else " ".join(first.split()[1:])
    again = "b" if "request 2" in stage.asked or "第2次" in stage.asked else ""
    more = "另外" if chinese else " once more "
    stage.answer("\n".join(f"{n}. {rest}{more}{n}{again}" for n in range(1, wanted(stage.asked) + 1)))
