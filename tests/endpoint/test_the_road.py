from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ratchet.endpoint.cache import Cache
from ratchet.endpoint.client import ask
from ratchet.endpoint.examples import choose
from ratchet.endpoint.prompt import prompts
from ratchet.recipe.endpoint import EndpointSpec
from ratchet.recipe.yaml import read_yaml
from ratchet.tables.dataset import Dataset
from ratchet.tasks.replies import label, unparsable


def test_from_a_recipe_to_answers(server: Any, tmp_path: Path, chinese: Dataset, table: Callable[..., Dataset]) -> None:
    """A server that knows good words, asked for the mood of reviews as a recipe says."""

    def play(stage: Any) -> None:
        asked = stage.asked.rsplit("文本：", 1)[1]
        mood = "neg" if any(word in asked for word in ("脏", "冷", "难", "偏", "贵", "退", "差", "失")) else "pos"
        stage.answer({"差评": "说不清"}.get(asked.split("\n")[0], f"标签：{mood}。"))

    server.play = play
    recipe = f"""
        url: {server.url}
        model: small
        shots: 4
        system: 答案只能是 {{{{ labels | join("、") }}}}。
        prompt: |-
          {{% for e in examples %}}文本：{{{{ e.text }}}} 标签：{{{{ e.label }}}}
          {{% endfor %}}文本：{{{{ text }}}}
        price: {{input: 1, output: 2}}
    """
    spec = EndpointSpec.model_validate_json(json.dumps(read_yaml(recipe, name="r").value), strict=True)
    judged = table({"text": ["服务热情喜欢", "太脏了", "差评"], "label": ["pos", "neg", "neg"]})
    labels = sorted(set(chinese.labels))
    shown = choose(chinese, shots=spec.shots, seed=7, unseen=[judged])
    made = prompts(judged, spec=spec, labels=labels, examples=shown.examples)
    with Cache(tmp_path / "replies.sqlite") as cache:
        asked = ask(made, spec=spec, cache=cache, labels=labels)
    answers = [label(reply.text or "", labels) for reply in asked.replies]
    assert [answer.value for answer in answers] == ["pos", "neg", None]
    assert unparsable(answers) == {"no label named": 1}
    system, user = server.requests[0]["messages"]
    assert system["content"] == "答案只能是 neg、pos。"
    assert user["content"].count("标签：pos") == user["content"].count("标签：neg") == 2
    assert asked.cost == asked.spent > 0
