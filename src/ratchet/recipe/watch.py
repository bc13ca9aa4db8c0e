"""Sections about watching a training: what is read while it runs, and what is done when a number leaves its bounds."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, PlainSerializer, model_validator

from ratchet.recipe.section import Section

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def _no_hook(url: str) -> str:
    """What is wrong with the address of a webhook; never quotes it, as whoever knows it may write to it."""
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        return "this is no URL"
    if not url.isprintable() or " " in url or not port_is_fine or not parts.hostname:
        return "this is no URL"
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        return "this one does not begin with https:// (http:// is for this machine alone)"
    if parts.username is not None or parts.password is not None:
        return "this one holds a user or a password"
    return ""


def hidden(url: str) -> str:
    """The address without what only its owner may know: its host, and no path.

    >>> hidden("https://hooks.example.com/services/T0/B0/xyz")
    'https://hooks.example.com/hidden'
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/hidden" if url else ""


class WatchConfig(Section):
    """What is written and shown while a model is trained; it changes no answer."""

    every: float = Field(default=5.0, ge=0.1, le=3600)
    """Seconds between two readings of the machine: CPU, memory, GPU, temperature, utilisation, time left."""
    live: bool = True
    """Show a live view on a terminal; else, and where there is none, a line an epoch."""
    price: float | None = Field(default=None, ge=0, le=1e6)
    """Price of an hour of this machine, for the money spent; absent: ``gate.hour``."""


Hook = Annotated[str, PlainSerializer(hidden, when_used="json")]
"""An address that is written into no file: recipes are kept beside each run and packed into bundles."""


class AlertSpec(Section):
    """What to do when a number of a training leaves its bounds; a number that is not finite is beyond every bound."""

    model_config = ConfigDict(hide_input_in_errors=True)  # the address is as good as a password

    metric: str = Field(min_length=1)
    """A number as steps.jsonl has it, such as train/loss, train/norm, valid/loss, hardware/memory or watch/cost."""
    above: float | None = None
    """Beyond this it is an alert."""
    below: float | None = None
    """Under this it is one too."""
    times: int = Field(default=1, ge=1, le=1_000_000)
    """So many readings in a row must be beyond the bound."""
    action: Literal["log", "stop", "webhook"] = "log"
    """Say it; or end this training after a checkpoint; or say it and send it to ``url``."""
    url: Hook = ""
    """Where a webhook is sent (POST, JSON): https, or http on this machine. It is hidden where the recipe is kept."""

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.above is None and self.below is None:
            raise ValueError("metric must have a bound beside it (above or below) but has none.")
        if self.above is not None and self.below is not None and self.above < self.below:
            raise ValueError(f"above must be at least below ({self.below:g}) but got {self.above:g}.")
        return self

    @model_validator(mode="after")
    def _addressed(self) -> Self:
        if (self.action == "webhook") != bool(self.url):
            raise ValueError("url must be there for the action webhook, and for no other.")
        if self.url and (problem := _no_hook(self.url)):
            raise ValueError(
                f"url must be the address of a webhook, such as https://hooks.example.com/x, but {problem}."
            )
        return self
