"""Reading the settings of the gateway from a YAML file."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from ratchet.errors import RatchetError
from ratchet.gateway.config import GatewayConfig, RequestLimits, Timeouts
from ratchet.recipe.endpoint import EndpointPrice
from ratchet.recipe.yaml import read_yaml

_KEYS = sorted({key for one in (GatewayConfig, RequestLimits, Timeouts, EndpointPrice) for key in one.model_fields})


def read_settings(file: Path | None, *, models: Sequence[str] = (), usage: str = "") -> GatewayConfig:
    """The settings of a file, and those that were given beside it, which count more.

    Args:
        file: YAML in UTF-8; ``None``: what is usual.
        models: "A=B": clients say A, the backend is asked for B.
        usage: a file for a line of JSON a request; empty: as the settings have it.

    Raises:
        RatchetError: the file cannot be read, or a setting is wrong.
    """
    config = GatewayConfig() if file is None else _read(file)
    names = dict(config.names)
    for one in models:
        name, equals, other = one.partition("=")
        if not (equals and name.strip() and other.strip()):
            raise RatchetError(f"--model must have the form A=B but got {one!r}.")
        names[name.strip()] = other.strip()
    return config.model_copy(update={"names": names, **({"usage": usage} if usage else {})})


def _read(file: Path) -> GatewayConfig:
    try:
        values = read_yaml(file.read_text(encoding="utf-8-sig"), name=file.name).value
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise RatchetError(f"The settings {file} must be readable but are not: {reason}.") from None
    try:
        return GatewayConfig.model_validate(values or {})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or file.name
        near = (
            difflib.get_close_matches(str(first["loc"][-1]), _KEYS, n=1) if first["type"] == "extra_forbidden" else []
        )
        problem = (
            "must be a key but there is no such key" if first["type"] == "extra_forbidden" else first["msg"].lower()
        )
        raise RatchetError(
            f"{key} in {file.name}: {problem}.", next_step=f"Did you mean {near[0]}?" if near else ""
        ) from None
