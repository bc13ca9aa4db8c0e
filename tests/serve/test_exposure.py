"""What is open: the list of a server, and what in it is said to be wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ratchet.errors import RatchetError
from ratchet.recipe.sections import ServeConfig
from ratchet.serve.exposure import exposure
from ratchet.serve.keys import add_key, rotate_key

Sign = Callable[..., tuple[Path, Path]]  # of conftest.py


def wrong(config: ServeConfig, **options: Any) -> dict[str, str]:
    given = {"single": "", "local": True, **options}
    return {item.name: item.wrong for item in exposure(config, **given) if item.wrong}


def values(config: ServeConfig, **options: Any) -> dict[str, str]:
    given = {"single": "", "local": True, **options}
    return {item.name: item.value for item in exposure(config, **given)}


def test_on_this_machine_nothing_is_wrong_without_keys_and_tls() -> None:
    assert wrong(ServeConfig()) == {}
    found = values(ServeConfig())
    assert found["address"] == "127.0.0.1:8000, open to this machine alone"
    assert found["keys"] == "none: whoever connects may predict"
    assert found["metrics"] == "/metrics, without a key"
    assert found["browsers"].endswith("none")
    assert found["audit"] == "no log of who asked"


def test_beyond_it_both_are_asked_for(sign: Sign, tmp_path: Path) -> None:
    far = ServeConfig(host="0.0.0.0")
    assert set(wrong(far, local=False)) == {"keys", "tls"}
    path = tmp_path / "keys.json"
    add_key(path, "app", scopes=["predict"], rate=2)
    cert, key = sign()
    keyed = far.model_copy(update={"keys": str(path)})
    assert set(wrong(keyed, local=False)) == {"tls"}
    safe = keyed.model_copy(update={"tls_cert": str(cert), "tls_key": str(key), "audit": "audit.jsonl"})
    assert wrong(safe, local=False) == {}
    found = values(safe, local=False)
    assert "in 90 days" in found["tls"]
    assert found["metrics"] == "/metrics, with the scope metrics"
    assert found["rates"] == "0 of 1 keys of the file have no limit"


def test_keys_are_listed_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    ends = datetime.now(UTC) + timedelta(days=10)
    one = add_key(path, "app", scopes=["predict", "chat"], expires=ends, rate=1.5).key
    rotate_key(path, one.id, overlap=timedelta(hours=1))
    two = add_key(path, "prom", scopes=["metrics"]).key
    config = ServeConfig(keys=str(path))
    found = values(config, single="x" * 30)
    assert found[f"key {one.id}"].startswith(
        f"app: predict, chat; 1.5 a second, 3 at once; expires {ends:%Y-%m-%d}; an older"
    )
    assert found[f"key {two.id}"] == "prom: metrics; no limit; does not expire"
    assert "does not expire" in found["key env"]
    assert wrong(config, now=datetime.now(UTC) + timedelta(days=401)) == {
        f"key {two.id}": f"It is from {two.created:%Y-%m-%d} and does not expire: run `ratchet keys rotate {two.id}`."
    }
    assert "expired" in values(config, now=ends)[f"key {one.id}"]


def test_a_key_that_may_be_guessed() -> None:
    assert "may be guessed" in wrong(ServeConfig(), single="s3cret-key")["key env"]
    assert wrong(ServeConfig(), single="s" * 24) == {}


def test_a_file_without_keys_lets_nobody_in(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.touch(mode=0o600)
    path.write_text("{}")
    assert set(wrong(ServeConfig(keys=str(path)))) == {"keys"}
    assert wrong(ServeConfig(keys=str(path)), single="s" * 24) == {}


def test_a_certificate_that_ends_soon(sign: Sign) -> None:
    cert, key = sign(days=3)
    config = ServeConfig(tls_cert=str(cert), tls_key=str(key))
    assert "will end at" in wrong(config)["tls"]


def test_files_that_are_not_usable(tmp_path: Path) -> None:
    with pytest.raises(RatchetError, match="No such file"):
        exposure(ServeConfig(keys=str(tmp_path / "nothing")), single="", local=True)
