"""Prompts: a template and a row become the messages of a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from ratchet.errors import RecipeError
from ratchet.recipe.endpoint import EndpointSpec
from ratchet.tables.dataset import Dataset
from ratchet.text.joined import parted

if TYPE_CHECKING:
    import jinja2

TOO_LONG = "the prompt is too long for context"
PLAIN = """\
{% if labels %}Which of these labels fits the text? Answer with the label alone.
Labels: {{ labels | join(", ") }}

{% endif %}{% for example in examples %}{% if labels %}Text: {% endif %}{{ example.text }}
{% if example.label %}{{ "Label" if labels else "Answer" }}: {{ example.label }}
{% endif %}
{% endfor %}{% if labels %}Text: {{ text }}
Label:{% else %}{{ text }}{% endif %}"""
"""The prompt where the recipe has none."""
_AROUND = 4
"""Tokens that a chat template puts around a message, about."""
_FAULTS = (ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError)
"""What an expression of a template can end in, beside jinja2's own errors."""

Example = Mapping[str, str]
"""The columns of a row that is shown with its answer; ``text`` and ``label`` by these names."""


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """The messages of one row, about how many tokens they have, and why they must not be sent; empty: they may."""

    messages: tuple[dict[str, str], ...]
    tokens: int
    reason: str = ""


def answering(rows: Dataset) -> set[str]:
    """The columns that hold the answer: the label, and a conversation that the prompt and the answer were cut from."""
    from ratchet.tables.conversations import recognised

    chat = recognised(rows)
    whole = set() if chat is None or chat.form == "pairs" else {*chat.columns, chat.answer, *chat.beside}
    return ({rows.roles.label or ""} | whole) - {rows.roles.text}


def prompts(
    rows: Dataset,
    *,
    spec: EndpointSpec,
    labels: Sequence[str] = (),
    examples: Sequence[Example] = (),
    more: Mapping[str, str] | None = None,
) -> list[Prompt]:
    """The prompt of each row.

    Templates know ``text``; ``row``, with all columns by name; each column whose name can be a variable; ``labels``,
    ``examples``, and what ``more`` adds. Columns that hold the answer are no variables.

    Raises:
        RecipeError: a template uses an unknown variable, or cannot be filled in for a row.
    """
    hidden = answering(rows)
    columns = {name: rows.column(name) for name in rows.table.column_names if name not in hidden}
    fixed = {**(more or {}), "labels": list(labels), "examples": list(examples)}
    known = ("text", *columns, "row", *fixed)
    parts = [("system", "system", spec.system)] if spec.system.strip() else []
    parts.append(("user", "prompt", spec.prompt or PLAIN))
    templates = [(role, _compiled(source, key=key, known=known)) for role, key, source in parts]
    found = []
    for number, text in enumerate(rows.texts):
        row = {name: cells[number] or "" for name, cells in columns.items()}
        shown = "\n\n".join(filter(None, parted(text))) if rows.roles.texts else text
        values = {**row, **fixed, "row": row, "text": shown}
        try:
            messages = tuple({"role": role, "content": template.render(values)} for role, template in templates)
        except _template_errors() as error:
            said = str(error).rstrip(".") or type(error).__name__
            raise RecipeError(f"The prompt must fit every row but {rows.place(number)} gives: {said}.") from None
        found.append(_measured(messages, spec=spec))
    return found


def prompt_of(text: str, *, spec: EndpointSpec) -> Prompt:
    """The messages of a prompt that is written already, behind ``spec.system`` as it stands."""
    system = ({"role": "system", "content": spec.system},) if spec.system.strip() else ()
    return _measured((*system, {"role": "user", "content": text}), spec=spec)


def _measured(messages: tuple[dict[str, str], ...], *, spec: EndpointSpec) -> Prompt:
    from ratchet.checks.chat import tokens

    count = sum(tokens(message["content"]) + _AROUND for message in messages)
    fits = not spec.context or count + spec.max_tokens <= spec.context
    return Prompt(messages=messages, tokens=count, reason="" if fits else TOO_LONG)


def _compiled(source: str, *, key: str, known: Sequence[str]) -> jinja2.Template:
    import jinja2
    from jinja2 import meta

    environment = _environment()
    try:
        used = meta.find_undeclared_variables(environment.parse(source)) - set(environment.globals)
        template = environment.from_string(source)
    except jinja2.TemplateError as error:
        raise RecipeError(f"{key} must be a Jinja template but got: {str(error.message).rstrip('.')}.") from None
    if unknown := sorted(used - set(known)):
        shown = [name for name in dict.fromkeys(known) if name.isidentifier()]
        raise RecipeError(
            f"{key} must use only variables that there are but got {unknown[0]!r}.",
            next_step=f"The variables are {', '.join(shown)}; the label of a row is its answer and is none of them.",
        )
    return template


@cache
def _environment() -> jinja2.Environment:
    """A sandbox without what is random: the same row has the same prompt."""
    import jinja2
    from jinja2.sandbox import SandboxedEnvironment

    made = SandboxedEnvironment(undefined=jinja2.StrictUndefined, autoescape=False)
    del made.globals["lipsum"], made.filters["random"]
    return made


@cache
def _template_errors() -> tuple[type[Exception], ...]:
    import jinja2

    return (jinja2.TemplateError, *_FAULTS)
