"""``ratchet serve --check`` and the options that say who may ask."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ratchet.bundle.bundle import write_bundle
from ratchet.serve.keys import add_key

Run = Callable[..., Any]  # of conftest.py


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("RATCHET_API_KEY", raising=False)
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights.bin").write_bytes(b"123")
    made = write_bundle(
        tmp_path / "bundle", model_folder=folder, name="a", created="", kind="linear", labels=("a", "b")
    )
    return str(made.path)


def test_what_is_open_is_listed_and_nothing_served(ratchet: Run, bundle: str) -> None:
    ended = ratchet("serve", bundle, "--check", "--port", "1")
    assert ended.code == 0
    assert "127.0.0.1:1, open to this machine alone" in ended.out
    assert "!" not in ended.out


def test_what_should_not_be_open_is_exit_code_1(ratchet: Run, bundle: str, tmp_path: Path) -> None:
    ended = ratchet("serve", bundle, "--check", "--host", "0.0.0.0")
    assert ended.code == 1
    assert [line[:16].strip() for line in ended.out.splitlines() if "! " in line] == ["!", "!"]
    add_key(tmp_path / "keys.json", "app", scopes=["predict"])
    keys = ("--keys", str(tmp_path / "keys.json"))
    found = ratchet("serve", bundle, "--check", "--json", "--host", "0.0.0.0", *keys)
    assert found.code == 1
    listed = json.loads(found.out)
    assert listed["wrong"] == 1
    assert {"name", "value", "wrong"} == set(listed["items"][0])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--origin", "*"), "an origin must be a site such as https://app.example.org but got '*'"),
        (("--origin", "https://a.example.org/path"), "an origin must be a site"),
        (("--tls-cert", "a.pem"), "tls_cert must be given together with tls_key"),
        (("--tls-key", "a.pem"), "tls_key must be given together with tls_cert"),
        (("--keys", "nothing.json", "--check"), "nothing.json must be readable but is not"),
        (("--keys", "nothing.json"), "nothing.json must be readable but is not"),
    ],
)
def test_options_that_do_not_go(ratchet: Run, bundle: str, options: tuple[str, ...], said: str) -> None:
    ended = ratchet("serve", bundle, *options)
    assert ended.code == 2
    assert said in ended.err
