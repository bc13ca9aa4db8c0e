"""Sections about a chat endpoint: how it is asked for answers, and for judgements of answers."""

from __future__ import annotations

import re
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, model_validator

from ratchet.recipe.place import File
from ratchet.recipe.section import Name, Section
from ratchet.recipe.watch import LOOPBACK

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,59}")
_LONG_RUN = re.compile(r"(?=[A-Z]*[0-9])[A-Z0-9]{16}")
"""So many letters and digits on end are in keys, not in the names of variables."""


def _no_base(url: str) -> str:
    """What is wrong with it; never quotes it, as it may hold a password."""
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        return "this is no URL"
    if not url.isprintable() or " " in url or not port_is_fine:
        return "this is no URL"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "this one does not begin with http:// or https:// and a host"
    if parts.username is not None or parts.password is not None:
        return "this one holds a user or a password"
    if parts.query or parts.fragment or "?" in url or "#" in url:
        return "this one has a ? or a #"
    if parts.path.rstrip("/").endswith("/completions"):
        return "this one ends with /completions"
    return ""


def _no_template(source: str) -> str:
    """What is wrong with it."""
    if not source:
        return ""
    import jinja2
    from jinja2.sandbox import SandboxedEnvironment

    try:
        SandboxedEnvironment().parse(source)
    except jinja2.TemplateSyntaxError as error:
        return f"line {error.lineno} has a mistake: {str(error.message).rstrip('.')}"
    return ""


class EndpointPrice(Section):
    """What the endpoint costs, in any currency."""

    input: float = Field(default=0.0, ge=0, le=1e6)
    """Price of a million tokens of prompts."""
    output: float = Field(default=0.0, ge=0, le=1e6)
    """Price of a million tokens of answers."""


class EndpointLimit(Section):
    """What one run may use; it stops before it would use more, and goes on with a higher limit."""

    cost: float | None = Field(default=None, ge=0)
    """Most that may be spent, in the currency of ``price``; absent: no limit."""
    requests: int | None = Field(default=None, ge=0)
    """Most requests that may be sent, further tries counted; absent: no limit, 0: only stored replies are used."""


class EndpointSpec(Section):
    """A prompt before an OpenAI-compatible chat endpoint."""

    model_config = ConfigDict(hide_input_in_errors=True)  # what stands where only the name of a key should

    kind: Literal["endpoint"] = "endpoint"
    """Which kind of model this is."""
    name: Name = ""
    """Its name in verdicts and reports; empty: made from its kind."""
    url: str = "http://127.0.0.1:8080/v1"
    """Base of the endpoint; ``/chat/completions`` is put behind it."""
    model: str = Field(default="default", max_length=200)
    """The model's name there."""
    key: str = ""
    """Name of the environment variable that holds the key, never the key itself; empty: no key is sent."""
    system: str = Field(default="", max_length=100_000)
    """What the model is told first; a template like ``prompt``. Empty: nothing."""
    prompt: str = Field(default="", max_length=100_000)
    """Jinja template of a row's prompt, with text, row['column'], any column but the label, labels and examples; empty: a
    plain one that has them all."""
    shots: int = Field(default=0, ge=0, le=256)
    """Examples drawn from the train part, as many of each label as can be; none near a row that is judged."""
    temperature: float = Field(default=0.0, ge=0, le=2)
    """Sampling temperature."""
    max_tokens: int = Field(default=256, ge=1, le=1_000_000)
    """Longest answer in tokens; a longer one is cut and counts as failed."""
    structured: bool = False
    """Ask for JSON with one of the task's labels (``response_format``); where a server refuses that, the prompt alone asks."""
    concurrency: int = Field(default=4, ge=1, le=64)
    """Requests at the same time."""
    timeout: float = Field(default=60.0, gt=0, le=3600)
    """Seconds for one request."""
    retries: int = Field(default=4, ge=0, le=20)
    """Further tries where the server is busy or out of order, does not answer in time, or drops the connection."""
    price: EndpointPrice = EndpointPrice()
    """What the endpoint costs, in any currency."""
    limit: EndpointLimit = EndpointLimit()
    """What one run may use; it stops before it would use more, and goes on with a higher limit."""
    context: int = Field(default=0, ge=0)
    """Tokens, estimated, that prompt and answer may have together; rows with longer prompts are not asked. 0: not checked."""

    def asked(self) -> EndpointSpec:
        """What decides the answers: without how fast, and for how much at most, they are asked for."""
        plain = ("limit", "concurrency", "timeout", "retries")
        return self.model_copy(update={name: type(self).model_fields[name].default for name in plain})

    @model_validator(mode="after")
    def _base(self) -> Self:
        if problem := _no_base(self.url):
            raise ValueError(f"url must be the base of an endpoint, such as http://127.0.0.1:8080/v1, but {problem}.")
        return self

    @model_validator(mode="after")
    def _named(self) -> Self:
        if not self.model.strip() and self.model_fields_set - {"kind", "name"}:
            raise ValueError("model must name a model of the endpoint but is empty.")
        return self

    @model_validator(mode="after")
    def _no_secret(self) -> Self:
        if self.key and (not _VARIABLE.fullmatch(self.key) or _LONG_RUN.search(self.key)):
            raise ValueError(
                "key must be the name of an environment variable in capital letters, such as OPENAI_API_KEY, but got "
                "something else, not shown here because it may be a key itself."
            )
        return self

    @model_validator(mode="after")
    def _key_in_the_open(self) -> Self:
        parts = urlsplit(self.url)
        if self.key and parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise ValueError(
                "url must begin with https:// when a key is sent to another machine but begins with http://."
            )
        return self

    @model_validator(mode="after")
    def _templates(self) -> Self:
        for key in ("system", "prompt"):
            if problem := _no_template(getattr(self, key)):
                raise ValueError(f"{key} must be a Jinja template but {problem}.")
        if self.shots and self.prompt and "examples" not in self.prompt + self.system:
            raise ValueError(f"prompt must use the variable examples when shots is {self.shots} but does not.")
        return self

    @model_validator(mode="after")
    def _room(self) -> Self:
        if self.context and self.context <= self.max_tokens:
            raise ValueError(f"context must be above max_tokens ({self.max_tokens}) but got {self.context}.")
        return self


class JudgeSpec(Section):
    """A model behind an endpoint that judges generated answers."""

    model_config = ConfigDict(hide_input_in_errors=True)

    endpoint: EndpointSpec | None = None
    """Who judges; the prompt is Ratchet's own, ``system`` may say more."""
    rubric: str = Field(default="", max_length=100_000)
    """What makes an answer good, in a few sentences; grades go from 1 to 5."""
    pairs: bool = False
    """Ask which is better, the answer or the right answer of the row, in both orders, instead of a grade."""
    human: File = ""
    """A table of people's verdicts of answers: id of the row, answer, and verdict (1 to 5; for pairs A: the answer, B: the
    right one, or tie). The judge must agree with it before its word counts; empty: it is said to be unproven."""

    @model_validator(mode="after")
    def _own_prompt(self) -> Self:
        asked = self.endpoint
        if asked is not None and (asked.prompt or asked.shots or asked.structured):
            raise ValueError("endpoint must not have prompt, shots or structured: a judge's prompt is Ratchet's own.")
        return self
