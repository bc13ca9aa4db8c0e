from __future__ import annotations

import re
from pathlib import Path

import pytest

from ratchet.recipe.recipe import parse_recipe
from ratchet.tasks.registry import TASKS, task_of
from ratchet.tasks.task import Task, require_metrics

PAGE = (Path(__file__).parents[2] / "docs" / "tasks.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_the_page_has_a_recipe_and_the_metrics_of_each_task(task: Task) -> None:
    (text,) = [block for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if f"task: {task.name}\n" in block]
    recipe = parse_recipe(text, folder=Path())
    require_metrics(recipe.gate.metrics, task_of(recipe.task))
    (row,) = re.findall(rf"^\| `{task.name}` .*$", PAGE, re.MULTILINE)
    assert [name for name in re.findall(r"`(\w+)`", row)[1:] if name != task.name] == [*task.metrics]
