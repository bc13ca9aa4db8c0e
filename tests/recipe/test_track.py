from __future__ import annotations

from pathlib import Path

import pytest

from ratchet.errors import RecipeError
from ratchet.recipe.recipe import parse_recipe


def test_a_folder_is_relative_to_the_recipe(tmp_path: Path) -> None:
    assert parse_recipe("track: {uri: runs}", folder=tmp_path).track.uri == str(tmp_path / "runs")
    assert parse_recipe("", folder=tmp_path).track.uri == ""


@pytest.mark.parametrize("uri", ["http://127.0.0.1:5000", "https://track.example/x", "file:///var/runs"])
def test_an_address_stays(tmp_path: Path, uri: str) -> None:
    assert parse_recipe(f"track: {{uri: '{uri}'}}", folder=tmp_path).track.uri == uri


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("sqlite:///x.db", "something else"),
        ("databricks://x", "something else"),
        ("http://me:s3cr3t@track.example", "holds a user"),
        ("http:///x", "names no host"),
        ("http://h:99999", "no URI"),
        ("file:runs", "whole path"),
        ("file://elsewhere/runs", "whole path"),
    ],
)
def test_other_addresses_are_refused(tmp_path: Path, uri: str, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(f"track: {{uri: '{uri}'}}", folder=tmp_path)
    assert message in str(caught.value)
    assert "s3cr3t" not in str(caught.value)
