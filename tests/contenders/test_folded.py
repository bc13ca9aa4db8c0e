"""The rows that choose an epoch are set apart before any row is changed, and nothing is made near them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ratchet.augment import near_to
from ratchet.contenders import decoder as decoder_module
from ratchet.contenders.balance import Balance
from ratchet.contenders.base import Contender
from ratchet.contenders.change import Change, Changing
from ratchet.contenders.decoder import Decoder, _cut
from ratchet.contenders.encoder import Encoder
from ratchet.contenders.folded import One
from ratchet.contenders.kind import Training
from ratchet.contenders.material import Material, NothingMade, held
from ratchet.contenders.registry import changes
from ratchet.contenders.rows import Ints, PartedRows
from ratchet.endpoint.key import EndpointError
from ratchet.errors import RatchetError
from ratchet.recipe.finetune import DecoderSpec
from ratchet.recipe.sections import BalanceSpec, EdaSpec, EncoderSpec, Section
from ratchet.train import encoder as encoder_module

EDA = EdaSpec(copies=4, alpha=0.3)
BALANCE = BalanceSpec(ratio=1.0)


class Trained(Exception):
    """The training that is not to be done; its rows and those that are looked at."""


def taught(*args: Any, **how: Any) -> None:
    del how
    raise Trained(*args)


def rows_of(
    kind: Encoder | Decoder, training: Training, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[str], list[str]]:
    """The texts that a model of fold 0 is trained on, and those that choose its epoch."""
    seen, out = held(training.rows, 0)
    how: dict[str, Any] = {"seen": seen, "out": out, "seed": 3, "folder": folder, "about": "fold 0"}
    if isinstance(kind, Encoder):
        monkeypatch.setattr(encoder_module, "fit_encoder", taught)
        with pytest.raises(Trained) as caught:
            kind.one(EncoderSpec(source="scratch", keep="loss"), training, **how)
        return list(caught.value.args[0]), list(caught.value.args[2])
    monkeypatch.setattr(decoder_module, "fit_decoder", taught)
    with pytest.raises(Trained) as caught:
        kind.one(DecoderSpec(source="scratch", keep="loss"), training, **how)
    return list(caught.value.args[0].texts), list(caught.value.args[1].texts)


@pytest.mark.parametrize("kind", [Encoder(), Decoder()], ids=lambda kind: kind.name)
@pytest.mark.parametrize(("change", "spec"), [(changes()["eda"], EDA), (Balance(), BALANCE)], ids=["eda", "balance"])
def test_no_row_is_made_of_or_near_a_row_that_chooses_the_epoch(
    parted: Callable[..., PartedRows],
    training: Callable[..., Training],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: Encoder | Decoder,
    change: Change[Any],
    spec: Section,
) -> None:
    rows = parted()
    changed = partial(change.material, spec, Changing(rows=rows, seed=1))
    trained, chosen = rows_of(kind, training(rows, change=changed), tmp_path / "work", monkeypatch)
    seen, _ = held(rows, 0)
    own = set(rows.texts(seen))
    made = [text for text in trained if text not in own]
    assert bool(made) == (spec is EDA)
    assert len(chosen) == len(set(chosen)) == round(len(seen) / 10)
    assert set(chosen) <= own
    assert not set(chosen) & set(trained)
    assert not near_to(chosen)(made).any()


class Noted(Encoder):
    """It trains nothing and has something to tell of it."""

    def one(self, spec: EncoderSpec, training: Training, **how: Any) -> One:
        def save(folder: Path) -> None:
            folder.mkdir(parents=True)
            (folder / "weights").write_bytes(b"0")

        fold, rows = int(how["about"].removeprefix("fold ")), training.rows
        first = how["seed"] < 1000
        notes = [f"{10 + fold} training texts were cut", "it went on from step 4"]
        notes += ["the last checkpoint is damaged and was passed over"] if fold == 2 and first else []
        notes += [] if first else ["half the rate"]
        said = ["its weights", *notes]
        return One(
            predict=lambda texts: np.full((len(texts), len(rows.labels)), 1 / len(rows.labels), np.float32),
            save=save,
            facts={"notes": notes, "said": said},
        )


def test_what_is_to_be_known_of_any_fold_and_seed_is_told(
    parted: Callable[..., PartedRows], training: Callable[..., Training]
) -> None:
    made = training(parted(), kind="encoder", folds=(0, 2), seeds=2)
    Noted().train(made.store / "mine", EncoderSpec(source="scratch"), made)
    facts = Contender.load(made.store / "mine").facts
    assert facts["said"] == ["its weights", *facts["notes"]]
    assert facts["notes"] == [
        "10 training texts were cut (in each training, with other numbers)",
        "it went on from step 4",
        "the last checkpoint is damaged and was passed over (fold 2)",
        "half the rate (fold 0 (seed 2), fold 2 (seed 2))",
    ]


class Changed(Noted):
    """It asks for its rows, and has no room for those of fold 2."""

    def one(self, spec: EncoderSpec, training: Training, **how: Any) -> One:
        training.change(how["seen"], held_out=how["out"])
        if how["about"] == "fold 2":
            raise RuntimeError("out of memory\nat step 3")
        return super().one(spec, training, **how)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (EndpointError("limit is reached.", next_step="Raise it."), EndpointError, "limit is reached. Raise it."),
        (NothingMade("nothing is new."), NothingMade, "nothing is new."),
        (RatchetError("m must write texts of use."), RatchetError, "m must write texts of use."),
        (RuntimeError("out of memory\nin it"), RatchetError, "The row change must make its rows but failed: out of"),
        (MemoryError(), RatchetError, "The row change must make its rows but failed: MemoryError"),
    ],
)
def test_a_row_change_that_fails_on_a_fold_leaves_no_contender_without_it(
    parted: Callable[..., PartedRows],
    training: Callable[..., Training],
    error: Exception,
    kind: type[RatchetError],
    words: str,
) -> None:
    rows = parted()
    failing = [held(rows, 3)[1]]

    def change(seen: Ints, *, held_out: Ints) -> Material:
        if any(np.array_equal(held_out, out) for out in failing):
            raise error
        return Material(rows=seen)

    made = training(rows, kind="encoder", change=change)
    with pytest.raises(RatchetError, match=words) as caught:
        Changed().train(made.store / "mine", EncoderSpec(source="scratch"), made)
    assert type(caught.value) is kind
    failing.clear()
    Changed().train(made.store / "mine", EncoderSpec(source="scratch"), made)
    facts = Contender.load(made.store / "mine").facts
    assert facts["folds"] == [0, 1, 3, 4]
    assert facts["missing_folds"] == {"2": "out of memory"}, "a training that fails is one fold less"


def test_how_many_of_the_prompts_were_cut_is_said() -> None:
    counts = {"cut prompts": 51, "empty answers": 2}
    assert _cut(counts, asked=53) == ["in training: 51 cut prompts (all of them), 2 empty answers"]
    assert _cut(counts, asked=82) == ["in training: 51 cut prompts of 80, 2 empty answers"]
    assert _cut({}, asked=82) == []
