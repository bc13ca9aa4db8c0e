from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.train.generators import examples, network

from ratchet.errors import ExtraMissing, RatchetError, WorkspaceError
from ratchet.train import adapters
from ratchet.train.adapters import Adapted, AdapterShape, attach, base_hash, freeze, load_adapter
from ratchet.train.language import LanguageObjective

IDS = torch.arange(3, 20)[None]
LORA = AdapterShape(kind="lora", rank=4, alpha=8)


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model.eval()(input_ids=IDS).logits
        return found


def trained(kind: str = "llama", shape: AdapterShape = LORA) -> Adapted:
    """An adapter after some steps of plain torch."""
    model = network(kind)
    adapted = attach(model, shape, base=base_hash(model), seed=1)
    objective = LanguageObjective(adapted.model, train=examples([12, 9]), valid=None, pad_id=0)
    optimizer = torch.optim.AdamW([one for one in objective.network.parameters() if one.requires_grad], lr=1e-2)
    objective.network.train()
    for step in range(5):
        objective.throw(0, step=step)
        optimizer.zero_grad()
        objective.loss(np.arange(2)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return adapted


@pytest.mark.parametrize("model", ["llama", "gpt2"])
@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_merged_and_loaded_it_answers_alike(tmp_path: Path, model: str, kind: str) -> None:
    adapted = trained(model, AdapterShape(kind=kind, rank=4, alpha=8, dropout=0.1))
    own = logits(adapted.model)
    assert not torch.allclose(own, logits(network(model)), atol=1e-2)
    adapted.save(tmp_path / "adapter")
    merged = adapted.merged()
    assert not any("lora" in name for name, _ in merged.named_modules())
    assert torch.allclose(logits(merged), own, atol=1e-4)
    again = load_adapter(network(model), tmp_path / "adapter")
    assert torch.allclose(logits(again.model), own, atol=1e-6)
    assert (tmp_path / "adapter" / "adapter_model.safetensors").stat().st_size < 60_000


def test_a_new_adapter_changes_nothing_and_alone_is_trained() -> None:
    model = network()
    before, weights = logits(model), {name: one.clone() for name, one in model.named_parameters()}
    adapted = attach(model, LORA, base="", seed=1)
    assert torch.equal(logits(adapted.model), before)
    names = [name for name, one in adapted.model.named_parameters() if one.requires_grad]
    assert len(names) == 2 * 7 * 2
    assert all("lora_" in name for name in names)
    assert not any("lm_head" in name or "embed" in name for name in names)
    after = dict(trained().model.named_parameters())
    assert all(
        torch.equal(after[name.replace(".weight", ".base_layer.weight")], one)
        for name, one in weights.items()
        if name.replace(".weight", ".base_layer.weight") in after
    )


def test_the_first_weights_follow_from_the_seed() -> None:
    one, same, other = (attach(network(), LORA, base="", seed=seed).weights() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_peft_itself_can_load_it(tmp_path: Path) -> None:
    from peft import PeftModel

    adapted = trained()
    adapted.save(tmp_path / "adapter")
    theirs = PeftModel.from_pretrained(network(), str(tmp_path / "adapter"))
    assert torch.allclose(logits(theirs), logits(adapted.model), atol=1e-6)
    assert json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())["base_model_name_or_path"] is None


def test_another_base_is_refused(tmp_path: Path) -> None:
    trained().save(tmp_path / "adapter")
    with pytest.raises(RatchetError, match="must be put into the generator that it was trained for"):
        load_adapter(network(seed=1), tmp_path / "adapter")
    with pytest.raises(RatchetError, match="must be put into the generator that it was trained for"):
        load_adapter(network("gpt2"), tmp_path / "adapter")


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    trained().save(folder)
    card = (folder / "adapter.json").read_text()
    (folder / "adapter.json").write_text(card.replace('"rank": 4', '"rank": 8'))
    with pytest.raises(RatchetError, match="must hold the weights that"):
        load_adapter(network(), folder)
    (folder / "adapter.json").write_text(card.replace('"rank": 4', '"rank": "x"'))
    with pytest.raises(RatchetError, match="must tell of an adapter"):
        load_adapter(network(), folder)
    (folder / "adapter.json").write_text(card)
    (folder / "adapter_model.safetensors").write_bytes(b"no")
    with pytest.raises(RatchetError, match="missing or damaged"):
        load_adapter(network(), folder)
    (folder / "adapter.json").unlink()
    with pytest.raises(WorkspaceError):
        load_adapter(network(), folder)


def test_the_hash_is_of_the_weights_and_the_configuration() -> None:
    model = network()
    before = base_hash(model)
    assert before == base_hash(network())
    with torch.no_grad():
        next(model.parameters())[0, 0] += 1e-3
    assert base_hash(model) != before


def test_four_bits_need_a_card_and_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RatchetError, match="a graphics card with CUDA") as caught:
        attach(network(), AdapterShape(kind="qlora", rank=4, alpha=8), base="")
    assert "tuning: lora" in caught.value.next_step
    assert "\n" not in str(caught.value)


def test_without_peft_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapters, "find_spec", lambda name: None)
    with pytest.raises(ExtraMissing, match=r"\[finetune\]"):
        attach(network(), LORA, base="")


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_the_upper_layers_alone_are_trained(kind: str) -> None:
    model = network(kind)
    freeze(model, trained_layers=1)
    names = {name for name, one in model.named_parameters() if one.requires_grad}
    assert names
    assert all(".1." in name or "norm" in name or "ln_f" in name for name in names)
    with pytest.raises(RatchetError, match="from 1 to 2, the layers of this generator, but got 3"):
        freeze(model, trained_layers=3)


def test_its_files_have_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.train.generators import network;"
        "from ratchet.train.adapters import AdapterShape, attach;"
        "shape = AdapterShape(kind='lora', rank=4, alpha=8);"
        "attach(network(), shape, base='', seed=1).save(Path(sys.argv[1]))"
    )
    folders = [tmp_path / hashed for hashed in ("1", "2")]  # the order of a Python set of names depends on it
    begun = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(folder)],
            env={**os.environ, "PYTHONHASHSEED": folder.name, "OMP_NUM_THREADS": "1"},
        )
        for folder in folders
    ]
    assert [one.wait() for one in begun] == [0, 0]
    written = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]
    assert written[0] == written[1]
