from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ratchet.checks import Context, Finding
from ratchet.gate.ledger import Challenge, ContenderRef, Record
from ratchet.gate.verdict import Outcome, Verdict
from ratchet.models.encoder import FittedEncoder
from ratchet.models.targets import Targets
from ratchet.recipe.sections import EncoderSpec, Recipe
from ratchet.tables.dataset import Dataset, Roles
from ratchet.train.encoder import fit_encoder

Rows = tuple[list[str], list[str]]
WORDS = {
    "card": ["card", "arrive", "delivery", "post", "late"],
    "rate": ["rate", "exchange", "currency", "price", "fee"],
    "退款": ["退款", "取消", "还钱", "到账", "慢"],
}
TINY = EncoderSpec(
    source="scratch",
    layers=1,
    width=32,
    heads=2,
    vocabulary=120,
    max_tokens=24,
    epochs=3,
    batch_tokens=128,
    lr=1e-2,
    dropout=0.1,
)


def generate(count: int, *, seed: int) -> Rows:
    """Texts whose label is told by their words, among words that tell nothing."""
    dice = random.Random(seed)
    filler = ["please", "help", "with", "my", "the", "问题", "怎么", "请"]
    labels = [dice.choice(sorted(WORDS)) for _ in range(count)]
    texts = []
    for label in labels:
        words = dice.choices(WORDS[label], k=2) + dice.choices(filler, k=dice.randint(1, 12))
        dice.shuffle(words)
        texts.append(" ".join(words))
    return texts, labels


@pytest.fixture(scope="session")
def train_rows() -> Rows:
    return generate(240, seed=1)


@pytest.fixture(scope="session")
def valid_rows() -> Rows:
    return generate(60, seed=2)


@pytest.fixture(scope="session")
def tiny_spec() -> EncoderSpec:
    return TINY


def labelled(texts: list[str], names: list[str]) -> tuple[list[str], Targets]:
    """Texts with their labels as models learn them."""
    return texts, Targets.of_labels(names, names=tuple(sorted(WORDS)))


@pytest.fixture(scope="session")
def fit_tiny(train_rows: Rows, valid_rows: Rows) -> Callable[..., FittedEncoder]:
    """Train a tiny encoder in a folder; further arguments as for ``fit_encoder``."""

    def fit(folder: Path, *, spec: EncoderSpec = TINY, **more: object) -> FittedEncoder:
        arguments: dict[str, object] = {"language": "mixed", "seed": 7, "threads": 1, **more}
        rows = (*labelled(*train_rows), *labelled(*valid_rows))
        return fit_encoder(*rows, spec=spec, folder=folder, **arguments)  # type: ignore[arg-type]

    return fit


@pytest.fixture(scope="session")
def tiny(fit_tiny: Callable[..., FittedEncoder], tmp_path_factory: pytest.TempPathFactory) -> FittedEncoder:
    return fit_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def checkpoint(tmp_path: Path, tiny: FittedEncoder) -> Callable[..., Path]:
    """Write a small pretrained checkpoint as others publish them."""

    def write(kind: str = "bert", *, pooling: str | None = "mean", name: str = "checkpoint") -> Path:
        import torch
        from transformers import BertConfig, BertModel, DistilBertConfig, DistilBertModel, RobertaConfig, RobertaModel

        size = tiny.tokens.tokenizer.get_vocab_size()
        common = {"vocab_size": size, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
        torch.manual_seed(3)
        if kind == "bert":
            model = BertModel(BertConfig(**common, intermediate_size=64, max_position_embeddings=20))
        elif kind == "roberta":
            model = RobertaModel(
                RobertaConfig(**common, intermediate_size=64, max_position_embeddings=22, pad_token_id=1)
            )
        else:
            model = DistilBertModel(
                DistilBertConfig(
                    vocab_size=size, dim=32, n_layers=2, n_heads=2, hidden_dim=64, max_position_embeddings=20
                )
            )
        folder = tmp_path / name
        model.save_pretrained(folder)
        (folder / "tokenizer.json").write_text(tiny.tokens.to_json(), encoding="utf-8")
        if pooling is not None:
            (folder / "1_Pooling").mkdir()
            modes = {"pooling_mode_mean_tokens": pooling == "mean", "pooling_mode_cls_token": pooling == "first"}
            (folder / "1_Pooling" / "config.json").write_text(json.dumps(modes), encoding="utf-8")
        return folder

    return write


@pytest.fixture(scope="session")
def exported(tiny: FittedEncoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the tiny encoder's ONNX form."""
    from ratchet.train.export import export_onnx

    folder = tmp_path_factory.mktemp("exported") / "onnx"
    export_onnx(tiny, folder)
    return folder


Columns = Mapping[str, Sequence[str | None]]
Table = Callable[..., Dataset]
Found = Callable[..., dict[str, Finding]]

GOOD = re.findall("..", "房间干净服务热情早餐丰富位置方便价廉物美值得推荐质量很好喜欢孩子满意下次还会再来")
BAD = re.findall("..", "房间很脏服务冷淡早餐难吃位置偏僻价格太贵不会退货质量很差失望破损客服不理浪费后悔")
INTENTS = {
    "card_lost": re.findall(r"\w+", "my card was lost stolen please block it now i cannot find wallet need new"),
    "top_up": re.findall(r"\w+", "how do i top up add money account transfer balance automatic limit today"),
    "exchange": re.findall(r"\w+", "which rate currency exchange abroad dollars euros fee convert holiday weekend"),
}


@pytest.fixture
def table() -> Table:
    """Makes a dataset from columns; ``text`` and ``label`` are their roles where they are there."""

    def make(
        columns: Columns, *, files: Sequence[str] = ("a.csv",), per_file: int | None = None, **roles: str
    ) -> Dataset:
        rows = len(next(iter(columns.values())))
        place = np.arange(rows)
        each = per_file or max(rows, 1)
        names = {"text": "text", **({"label": "label"} if "label" in columns else {}), **roles}
        return Dataset(
            table=pa.table({name: pa.array(cells, pa.string()) for name, cells in columns.items()}),
            roles=Roles(**names),
            files=tuple(files),
            file_index=place // each,
            origin=place % each + 1,
        )

    return make


@pytest.fixture
def found() -> Found:
    """Runs one check and gives its findings by id; a second one of an id is an error."""

    def run(
        check: Callable[[Context], Iterable[Finding]], dataset: Dataset, *, recipe: Recipe | None = None, **extra: Any
    ) -> dict[str, Finding]:
        context = Context(dataset=dataset, recipe=recipe or Recipe(), seed=3, **extra)
        findings = list(check(context))
        assert len({(finding.id, finding.column) for finding in findings}) == len(findings)
        return {finding.id: finding for finding in findings}

    return run


@pytest.fixture
def chinese(table: Table) -> Dataset:
    """240 rows of Chinese reviews: half of them are copies, three texts carry both labels."""
    rng = random.Random(1)
    texts, labels = [], []
    for words, label in ((GOOD, "pos"), (BAD, "neg")):
        for _ in range(60):
            texts.append("".join(rng.sample(words, 6)) + "。")
            labels.append(label)
    texts, labels = texts * 2, labels * 2
    for row in (120, 130, 140):
        labels[row] = "neg"
    return table({"text": texts, "label": labels})


@pytest.fixture
def english(table: Table) -> Dataset:
    """180 rows of three intents, in two files."""
    rng = random.Random(2)
    rows = [(" ".join(rng.sample(words, 8)), label) for label, words in INTENTS.items() for _ in range(60)]
    rng.shuffle(rows)
    texts, labels = zip(*rows, strict=True)
    return table({"text": texts, "label": labels}, files=("train.csv", "more.csv"), per_file=100)


@pytest.fixture
def with_columns() -> Callable[[Dataset, Columns], Dataset]:
    """Adds columns to a dataset."""

    def add(dataset: Dataset, columns: Columns) -> Dataset:
        wide = dataset.table
        for name, cells in columns.items():
            wide = wide.append_column(name, pa.array(cells, pa.string()))
        return replace(dataset, table=wide)

    return add


Judged = Callable[..., Challenge]
P: Mapping[Outcome, dict[str, float]] = {
    "better": {"p": 1e-4, "p_worse": 0.99, "p_margin": 1e-6},
    "worse": {"p": 0.99, "p_worse": 1e-4, "p_margin": 0.5},
    "not_worse": {"p": 0.6, "p_worse": 0.4, "p_margin": 1e-4},
    "undecided": {"p": 0.4, "p_worse": 0.6, "p_margin": 0.2},
}


@pytest.fixture(scope="session")
def judged() -> Judged:
    """Makes a challenge as a ledger has it, its record without a body; the figures must say what the outcome says.

    A copy (``saved``: the share of the bytes that it saves) claims "not worse"; ``others`` are further findings; each has a
    ``round`` of its own unless one is named.
    """
    rounds = count(2)

    def make(
        name: str,
        estimate: float,
        *,
        outcome: Outcome = "undecided",
        half: float = 0.005,
        against: str = "champion",
        anchor: str | None = None,
        promoted: bool = False,
        kind: str = "linear",
        saved: float | None = None,
        others: Sequence[Mapping[str, Any]] = (),
        level: float = 0.0125,
        round: int | None = None,
        **finding: Any,
    ) -> Challenge:
        first = {
            **_FINDING,
            **P[outcome],
            "claim": "superior" if saved is None else "noninferior",
            "outcome": outcome,
            "holds": outcome == ("better" if saved is None else "not_worse"),
            "estimate": estimate,
            "low": estimate - half,
            "high": estimate + half,
            **finding,
        }
        exact = {**_FINDING, **P["better"], "metric": "bytes", "test": "exact", "n": 1, "units": 1}
        more = [first | dict(other) for other in others]
        if saved is not None:
            more.append(exact | {"estimate": saved, "low": saved, "high": saved, "outcome": "better", "holds": True})
        findings = [first, *more]
        holds = all(one["holds"] for one in findings)
        verdict = Verdict.from_dict(
            {
                "challenger": name,
                "champion": against,
                "anchor": anchor or against,
                "outcome": outcome,
                "promotes": holds and any(one["claim"] == "superior" for one in findings),
                "findings": findings,
                "alpha": 0.05,
                "level": level,
                "family": "gate-0",
                "about": "procedures",
            }
        )
        return Challenge(
            record=Record(
                seq=next(rounds) if round is None else round,
                time="2026-11-24T04:12:05Z",
                kind="round",
                key=name,
                body={},
                prev="0" * 64,
                hash="1" * 64,
            ),
            run="20261124-041205-7f3a",
            key=name,
            challenger=ContenderRef(name=name, kind=kind, key=f"key-{name}", bytes=1_000, seconds=1.5),
            verdict=verdict,
            promoted=promoted,
            account="improvements" if saved is None else "copies",
        )

    return make


_FINDING = {
    "metric": "accuracy",
    "claim": "superior",
    "margin": 0.01,
    "p_excess": 0.99,
    "n": 2_000,
    "units": 2_000,
    "test": "mid-p McNemar",
    "variance": 1.0,
    "seed_sd": None,
    "rows_needed": None,
}
