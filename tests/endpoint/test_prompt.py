from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ratchet.endpoint.prompt import TOO_LONG, prompts
from ratchet.errors import RecipeError
from ratchet.recipe.endpoint import EndpointSpec
from ratchet.tables.dataset import Dataset
from ratchet.tasks.generation import Generation

Table = Callable[..., Dataset]


@pytest.fixture
def rows(table: Table) -> Dataset:
    return table(
        {
            "text": ["good {{ label }}", "bad"],
            "label": ["pos", "neg"],
            "来源": ["app", None],
            "two words": ["x", "y"],
        }
    )


def content(rows: Dataset, prompt: str, **more: Any) -> list[str]:
    keys = {key: more.pop(key) for key in ("system", "context", "max_tokens", "shots") if key in more}
    made = prompts(rows, spec=EndpointSpec(model="m", prompt=prompt, **keys), **more)
    return [found.messages[-1]["content"] for found in made]


def test_columns_are_variables_and_texts_are_no_templates(rows: Dataset) -> None:
    assert content(rows, "{{ 来源 }}|{{ row['two words'] }}|{{ text }}") == ["app|x|good {{ label }}", "|y|bad"]


def test_the_text_is_known_by_its_role(table: Table) -> None:
    rows = table({"review": ["a"], "text": ["b"], "y": ["1"]}, text="review", label="y")
    assert content(rows, "{{ text }} {{ review }} {{ row.text }}") == ["a a b"]


def test_several_texts_are_paragraphs_and_variables_of_their_own(table: Table) -> None:
    data = table({"a": ["one", "one"], "b": ["two", None], "a + b": ["one\u2029two", "one\u2029"]}, text="a + b")
    several = replace(data, roles=replace(data.roles, texts=("a", "b")))
    assert content(several, "{{ text }}|{{ b }}") == ["one\n\ntwo|two", "one|"]
    assert content(data, "{{ text }}") == ["one\u2029two", "one\u2029"]


def test_labels_examples_and_more(rows: Dataset) -> None:
    template = (
        "{{ rubric }}: {{ labels|join('/') }}{% for e in examples %} {{ e.text }}={{ e.label }}{% endfor %} {{ text }}"
    )
    examples = [{"text": "so so", "label": "neg"}]
    assert content(rows, template, labels=["pos", "neg"], examples=examples, more={"rubric": "Sort"})[1] == (
        "Sort: pos/neg so so=neg bad"
    )


def test_the_plain_prompt_has_everything(rows: Dataset) -> None:
    examples = [{"text": "so so", "label": "neg"}]
    assert content(rows, "", labels=["pos", "neg"], examples=examples)[1] == (
        "Which of these labels fits the text? Answer with the label alone.\nLabels: pos, neg\n\n"
        "Text: so so\nLabel: neg\n\nText: bad\nLabel:"
    )
    assert content(rows, "", examples=[{"text": "2+2", "label": "4"}])[1] == "2+2\nAnswer: 4\n\nbad"
    assert content(rows, "")[1] == "bad"


def test_system_is_a_template_and_comes_first(rows: Dataset) -> None:
    spec = EndpointSpec(model="m", system="One of {{ labels[0] }}.", prompt="{{ text }}")
    assert prompts(rows, spec=spec, labels=["pos"])[1].messages == (
        {"role": "system", "content": "One of pos."},
        {"role": "user", "content": "bad"},
    )


@pytest.mark.parametrize("key", ["prompt", "system"])
def test_an_unknown_variable_is_named_with_the_known_ones(rows: Dataset, key: str) -> None:
    spec = EndpointSpec(model="m", **{key: "{{ txet }}"})
    with pytest.raises(RecipeError, match=f"{key} .*'txet'") as caught:
        prompts(rows, spec=spec, more={"rubric": "r"})
    assert "text, 来源, row, rubric, labels, examples;" in caught.value.next_step


@pytest.mark.parametrize("template", ["{{ label }}", "{{ row.label }}", "{{ row['label'] }}"])
def test_the_answer_is_not_to_be_had(rows: Dataset, template: str) -> None:
    with pytest.raises(RecipeError, match="label"):
        content(rows, template)


@pytest.mark.parametrize(
    "template",
    [
        "{{ text.__class__.__mro__ }}",
        "{{ ''.__class__.__base__.__subclasses__() }}",
        "{{ row.missing }}",
        "{{ text / 0 }}",
        "{{ labels[9] + 1 }}",
        "{% for i in range(10**9) %}{% endfor %}",
        "{{ (text|length) // 0 }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{{ '%9223372036854775000d'|format(3) }}",
    ],
)
def test_a_template_that_fails_names_the_row(rows: Dataset, template: str) -> None:
    with pytest.raises(RecipeError, match="row 1 of a"):
        content(rows, template)


@pytest.mark.parametrize("template", ["{{ [1, 2]|random }}", "{{ lipsum() }}"])
def test_nothing_is_random(rows: Dataset, template: str) -> None:
    with pytest.raises(RecipeError):
        content(rows, template)


def test_a_prompt_that_does_not_fit_is_not_sent(table: Table) -> None:
    rows = table({"text": ["好" * 86, "好" * 87]})
    spec = EndpointSpec(model="m", prompt="{{ text }}", context=100, max_tokens=10)  # 4 tokens around the message
    found = prompts(rows, spec=spec)
    assert [prompt.tokens for prompt in found] == [90, 91]
    assert [prompt.reason for prompt in found] == ["", TOO_LONG]
    free = prompts(rows, spec=spec.model_copy(update={"context": 0}))
    assert [prompt.reason for prompt in free] == ["", ""]


def test_a_conversation_does_not_give_its_answer_away(table: Table) -> None:
    said = '[{"role": "user", "content": "q"}, {"role": "assistant", "content": "secret"}]'
    chats = Generation().read(table({"messages": [said, said], "id": ["1", "2"]}, text="messages"))
    assert content(chats, "{{ text }}|{{ row['id'] }}") == ["q|1", "q|2"]
    for template in ("{{ messages }}", "{{ row['messages'] }}", "{{ ratchet_answer }}"):
        with pytest.raises(RecipeError):
            content(chats, template)
    assert content(table({"messages": [said], "label": ["a"]}, text="messages"), "{{ messages }}") == [said]
