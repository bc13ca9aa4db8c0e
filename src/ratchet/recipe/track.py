"""The section about a tracking server: where the numbers of a run are sent beside the workspace."""

from __future__ import annotations

import re
from typing import Self
from urllib.parse import urlsplit

from pydantic import ConfigDict, model_validator

from ratchet.recipe.place import File
from ratchet.recipe.section import Section

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+:")


def _no_tracker(uri: str) -> str:
    """What is wrong with it; never quotes it, as it may hold a password."""
    if not uri.isprintable():
        return "this one has a control character"
    if not _SCHEME.match(uri):
        return ""
    try:
        parts = urlsplit(uri)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        return "this is no URI"
    if parts.scheme not in ("http", "https", "file") or not port_is_fine:
        return "this one begins with something else"
    if parts.username is not None or parts.password is not None:
        return "this one holds a user or a password; MLflow takes them from its own environment variables"
    if parts.scheme == "file" and (parts.netloc or not parts.path.startswith("/")):
        return "after file:// must come the whole path"
    if parts.scheme != "file" and not parts.hostname:
        return "this one names no host"
    return ""


class TrackConfig(Section):
    """An MLflow tracking server, or a folder in its form, which gets the metrics, parameters and verdicts too."""

    model_config = ConfigDict(hide_input_in_errors=True)

    uri: File = ""
    """``http://HOST:PORT``, ``https://HOST``, ``file:///FOLDER`` or a folder relative to the recipe; empty: none."""
    experiment: str = ""
    """Name of the experiment there; empty: the name of the recipe."""

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if problem := _no_tracker(self.uri):
            raise ValueError(f"uri must begin with http://, https:// or file://, or be a folder, but {problem}.")
        return self
