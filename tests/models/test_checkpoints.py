from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from ratchet.errors import RatchetError
from ratchet.models import checkpoints
from ratchet.models.checkpoints import ENGLISH_PACKAGE, Source, locate


@pytest.mark.parametrize("language", ["zh", "mixed"])
def test_auto_starts_from_scratch_where_no_checkpoint_is_installed(language: str) -> None:
    assert locate("auto", language=language) == Source(folder=None, name="scratch")


def test_auto_takes_the_installed_english_encoder() -> None:
    found = locate("auto", language="en")
    if find_spec(ENGLISH_PACKAGE) is None:
        assert found.folder is None
    else:
        assert found.name == f"package:{ENGLISH_PACKAGE}"
        assert found.pooling == "mean"


def test_a_package_is_found_without_being_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpoint: Callable[..., Path]
) -> None:
    checkpoint(name="carrier/model")
    (tmp_path / "carrier" / "__init__.py").write_text("raise SystemExit('imported')", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = locate("package:carrier", language="zh")
    assert found.folder == tmp_path / "carrier" / "model"
    assert "carrier" not in sys.modules


@pytest.mark.parametrize(("pooling", "wanted"), [("mean", "mean"), ("first", "first"), (None, "own")])
def test_the_pooling_is_that_of_the_checkpoint(
    checkpoint: Callable[..., Path], pooling: str | None, wanted: str
) -> None:
    assert locate(str(checkpoint(pooling=pooling)), language="en").pooling == wanted


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("./nowhere", "must be a directory but there is none"),
        ("a/b/c", "must be a directory but there is none"),
        (" ", "must be a directory but there is none"),
        ("package:no_such_package_here", "must name an installed package but there is none"),
        ("package:../x", "must name an installed package but there is none"),
        ("package:json", "must carry a model folder"),
        ("what is this?", "scratch, auto, a directory, package:NAME or a hub id"),
    ],
)
def test_a_source_that_is_not_there_is_named(source: str, problem: str) -> None:
    with pytest.raises(RatchetError, match=problem) as caught:
        locate(source, language="en")
    assert caught.value.next_step


def test_the_hub_out_of_reach_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(RatchetError, match="'owner/name' could not be had from the Hugging Face hub") as caught:
        locate("owner/name", language="en")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"model_type": "gpt2"}, "its model_type is 'gpt2'"),
        ({"model_type": None}, "its model_type is None"),
        ({"is_decoder": True}, "must be an encoder"),
    ],
)
def test_only_encoders_are_taken(checkpoint: Callable[..., Path], change: dict[str, object], problem: str) -> None:
    folder = checkpoint()
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, **change}), encoding="utf-8")
    with pytest.raises(RatchetError, match=problem):
        locate(str(folder), language="en")


def test_pickled_weights_are_not_taken(checkpoint: Callable[..., Path]) -> None:
    folder = checkpoint()
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(RatchetError, match=r"must hold model\.safetensors") as caught:
        locate(str(folder), language="en")
    assert "Pickled" in caught.value.next_step


@pytest.mark.parametrize("contents", ["", "{", "[]", "\xff"])
def test_a_damaged_config_is_named(tmp_path: Path, contents: str) -> None:
    (tmp_path / "config.json").write_bytes(contents.encode("latin-1"))
    with pytest.raises(RatchetError, match=r"config\.json"):
        locate(str(tmp_path), language="en")


def test_the_layers_of_a_source_are_known(checkpoint: Callable[..., Path]) -> None:
    assert locate("scratch", language="en").layers == 0
    assert locate(str(checkpoint("distilbert")), language="en").layers == 2


@pytest.mark.parametrize(("weights", "asked"), [(True, "*.safetensors"), (False, "")])
def test_of_a_hub_id_config_json_is_enough_to_know_what_it_is(
    checkpoint: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, weights: bool, asked: str
) -> None:
    import huggingface_hub

    folder, patterns = checkpoint(), list[list[str]]()

    def fetch(name: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        assert (name, revision) == ("owner/name", "refs/pr/1")
        patterns.append(allow_patterns)
        return str(folder)

    if not weights:
        (folder / "model.safetensors").unlink()
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    monkeypatch.setattr(checkpoints, "allow_hub", lambda: None)
    assert locate("owner/name@refs/pr/1", language="en", weights=weights).layers == 2
    assert [pattern for pattern in patterns[0] if pattern != "config.json"][:1] == ([asked] if asked else [])
