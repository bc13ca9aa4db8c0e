from __future__ import annotations

from pathlib import Path

import pytest

from ratchet.errors import RecipeError
from ratchet.recipe.recipe import dump_recipe, parse_recipe
from ratchet.recipe.watch import hidden

SECRET = "https://hooks.example.com/services/T0/B0/s3cr3t"


def test_a_rule_reads_as_it_is_written(tmp_path: Path) -> None:
    text = (
        f"alerts: [{{metric: train/loss, above: 5, times: 3, action: webhook, url: '{SECRET}'}}]\nwatch: {{price: 2}}"
    )
    recipe = parse_recipe(text, folder=tmp_path)
    (rule,) = recipe.alerts
    assert (rule.metric, rule.above, rule.below, rule.times, rule.url) == ("train/loss", 5, None, 3, SECRET)
    assert recipe.watch.price == 2


def test_the_address_of_a_webhook_is_kept_in_no_file(tmp_path: Path) -> None:
    text = f"alerts: [{{metric: a, above: 5, action: webhook, url: '{SECRET}'}}]\nchallengers: [{{kind: eda}}]"
    recipe = parse_recipe(text, folder=tmp_path)
    assert recipe.alerts[0].url == SECRET
    kept = dump_recipe(recipe)
    assert "s3cr3t" not in kept
    assert parse_recipe(kept, folder=tmp_path).alerts[0].url == hidden(SECRET) == "https://hooks.example.com/hidden"


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("{metric: a}", "must have a bound"),
        ("{metric: a, above: 1, below: 2}", "above (the recipe, line 1) must be at least below (2) but got 1"),
        ("{metric: a, above: 1, action: webhook}", "must be there for the action webhook"),
        ("{metric: a, above: 1, url: 'https://h.example/x'}", "must be there for the action webhook"),
        ("{metric: a, above: 1, action: webhook, url: 'http://s3cr3t.example/x'}", "does not begin with https://"),
        ("{metric: a, above: 1, action: webhook, url: 'ftp://s3cr3t.example/x'}", "does not begin with https://"),
        ("{metric: a, above: 1, action: webhook, url: 'https://me:s3cr3t@h.example/x'}", "holds a user"),
        ("{metric: a, above: 1, action: webhook, url: 's3cr3t'}", "is no URL"),
        ("{metric: a, above: 1, action: webhook, url: 'https://h:99999/s3cr3t'}", "is no URL"),
        ("{metric: '', above: 1}", "not be empty"),
        ("{metric: a, above: 1, times: 0}", "at least 1"),
        ("{metric: a, above: .inf}", "finite"),
    ],
)
def test_a_wrong_rule_is_one_line_without_its_address(tmp_path: Path, rule: str, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(f"alerts: [{rule}]", folder=tmp_path)
    assert message in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/x", "http://localhost/x", "http://[::1]:8/x", "https://h.example/x"]
)
def test_https_or_this_machine(tmp_path: Path, url: str) -> None:
    recipe = parse_recipe(f"alerts: [{{metric: a, below: 1, action: webhook, url: '{url}'}}]", folder=tmp_path)
    assert recipe.alerts[0].url == url
