"""The doors of a server: the pattern that a path belongs to, and the scope that a key must have to pass."""

from __future__ import annotations

import re
from collections.abc import Iterable

METRICS = "/metrics"
USAGE = "/usage"
"""Of a gateway: what all its clients asked for."""
OPEN = frozenset({"/", "/docs", "/openapi.json", "/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"})
"""What anybody may ask: it answers no rows."""
NOWHERE = "(none)"
"""The pattern of every path that the server does not have."""


def scope_of(path: str) -> str | None:
    """The scope that a path wants; ``None``: none. What is not known to be open wants one."""
    if path in OPEN:
        return None
    if path in (METRICS, USAGE):
        return "metrics"
    if path == "/v2/repository" or path.startswith("/v2/repository/"):
        return "admin"
    return "chat" if path.startswith("/v1/") else "predict"


class Patterns:
    """The pattern of a path, of those that an application has: few, whatever clients ask for.

    Args:
        patterns: as Starlette writes them, such as ``/v2/models/{name}/infer``.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        from starlette.routing import compile_path

        found = [*patterns]
        self._exact = {path: path for path in (*found, METRICS) if "{" not in path}
        self._others: list[tuple[re.Pattern[str], str]] = [
            (compile_path(path)[0], path) for path in found if "{" in path
        ]

    def of(self, path: str) -> str:
        """The pattern that a path belongs to."""
        exact = self._exact.get(path)
        if exact is not None:
            return exact
        return next((pattern for regex, pattern in self._others if regex.match(path)), NOWHERE)
