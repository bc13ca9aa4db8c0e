from __future__ import annotations

from pathlib import Path

import pytest

from ratchet.errors import RatchetError
from ratchet.gateway.config import GatewayConfig
from ratchet.gateway.settings import read_settings

FILE = """\
names: {small: org/small-7b}
prices:
  small: {input: 0.2, output: 0.6}
limits: {max_tokens: 4096}
timeouts: {first_byte: 20}
guard: block
"""


def test_a_file_and_what_is_given_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(FILE)
    found = read_settings(file, models=("large=org/large", "small = other "), usage="usage.jsonl")
    assert found.names == {"small": "other", "large": "org/large"}
    assert found.prices["small"].output == 0.6
    assert (found.limits.max_tokens, found.timeouts.first_byte, found.guard) == (4096, 20, "block")
    assert found.usage == "usage.jsonl"
    assert read_settings(None) == GatewayConfig()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("guards: block", "Did you mean guard?"),
        ("limits: {max_token: 3}", "limits.max_token .* Did you mean max_tokens?"),
        ("guard: maybe", "guard in gateway.yaml"),
        ("streams: 0", "streams in gateway.yaml"),
        ("- a", "gateway.yaml"),
        ("a: [", "gateway.yaml"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(text)
    with pytest.raises(RatchetError, match=message):
        read_settings(file)


@pytest.mark.parametrize("model", ["a", "=b", "a=", "="])
def test_other_names_have_two_sides(model: str) -> None:
    with pytest.raises(RatchetError, match="A=B"):
        read_settings(None, models=(model,))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RatchetError, match="must be readable"):
        read_settings(tmp_path / "none.yaml")
