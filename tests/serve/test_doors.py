"""Doors: which scope a path wants, and which of few patterns it belongs to."""

from __future__ import annotations

import pytest

from ratchet.serve.doors import NOWHERE, Patterns, scope_of


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("/", None),
        ("/healthz", None),
        ("/readyz", None),
        ("/v2/health/live", None),
        ("/v2/health/ready", None),
        ("/docs", None),
        ("/openapi.json", None),
        ("/predict", "predict"),
        ("/v2", "predict"),
        ("/v2/models/a/infer", "predict"),
        ("/v2/models/a/versions/1/ready", "predict"),
        ("/v1/chat/completions", "chat"),
        ("/v1/completions", "chat"),
        ("/v1/models", "chat"),
        ("/metrics", "metrics"),
        ("/usage", "metrics"),
        ("/v2/repository/index", "admin"),
        ("/v2/repository/models/a/load", "admin"),
        ("/v2/repository", "admin"),
        ("", "predict"),
        ("/healthz/", "predict"),
        ("/HEALTHZ", "predict"),
        ("/v2/health/live/x", "predict"),
        ("/metrics/", "predict"),
        ("/anything", "predict"),
    ],
)
def test_what_is_not_known_to_be_open_wants_a_scope(path: str, scope: str | None) -> None:
    assert scope_of(path) == scope


def test_patterns() -> None:
    patterns = Patterns(["/predict", "/v2/models/{name}/infer", "/files/{path:path}"])
    assert patterns.of("/predict") == "/predict"
    assert patterns.of("/metrics") == "/metrics"
    assert patterns.of("/v2/models/a b/infer") == "/v2/models/{name}/infer"
    assert patterns.of("/files/a/b") == "/files/{path:path}"
    for unknown in ("", "/", "/predict/", "/v2/models/a/b/infer", "/v2/models/a/inferx"):
        assert patterns.of(unknown) == NOWHERE, unknown
