"""Small models that augmenters may ask, made on the spot."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.endpoint.conftest import Server, server

from ratchet.augment import Augmenter, augmenters
from ratchet.augment.source import Source
from ratchet.recipe.augment import AugmentKeys
from ratchet.text.language import guess_language

__all__ = ["server"]

MASKED_WORDS = ("room", "hotel", "food", "bed"), ("clean", "dirty", "cold", "nice")
MASKED_TEXTS = [f"the {noun} was {mood}" for noun in MASKED_WORDS[0] for mood in MASKED_WORDS[1]]
CHINESE_TEXTS = ["房间很好", "房间很脏", "早餐很好", "早餐很冷", "酒店不错", "酒店很脏"]


@pytest.fixture
def source() -> Callable[..., Source]:
    """Makes the training rows that an augmenter sees."""

    def make(texts: Sequence[str], labels: Sequence[str] | None = None, *, columns: int = 1) -> Source:
        return Source(
            texts=list(texts),
            labels=list(labels or ["a"] * len(texts)),
            language=guess_language(texts),
            group=np.zeros(len(texts), np.int64),
            texts_a_row=columns,
        )

    return make


@pytest.fixture(scope="session")
def mask_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny encoder with a head for masked tokens, which has learnt the texts above by heart."""
    import torch
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertForMaskedLM

    words = {word for text in MASKED_TEXTS for word in text.split()} - {"dirty"}
    pieces = ["dir", "##ty", *sorted(words), *sorted({one for text in CHINESE_TEXTS for one in text}), "##s", "!", "-"]
    vocabulary = {word: place for place, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *pieces])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=40,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    model = BertForMaskedLM(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    tokenizer.enable_padding(pad_id=0)
    encoded = tokenizer.encode_batch([*MASKED_TEXTS, *CHINESE_TEXTS])
    ids = torch.tensor([one.ids for one in encoded])
    mask = torch.tensor([one.attention_mask for one in encoded])
    for _ in range(200):
        hidden = (torch.rand(ids.shape) < 0.3) & (ids > 4)
        loss = model(
            input_ids=ids.masked_fill(hidden, 4), attention_mask=mask, labels=ids.masked_fill(~hidden, -100)
        ).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    tokenizer.no_padding()
    folder = tmp_path_factory.mktemp("mask") / "model"
    model.save_pretrained(folder)
    (folder / "tokenizer.json").write_text(tokenizer.to_str(), encoding="utf-8")
    return folder


NOUNS = {"room": "房间", "hotel": "酒店", "food": "食物", "bed": "床"}
MOODS = {
    **dict.fromkeys(("clean", "tidy"), "干净"),
    **dict.fromkeys(("dirty", "filthy"), "很脏"),
    **dict.fromkeys(("good", "fine"), "不错"),
    **dict.fromkeys(("bad", "poor"), "很差"),
}
PAIRS = [
    (f"the {noun} was {mood}", f"这个{han}真{word}") for noun, han in NOUNS.items() for mood, word in MOODS.items()
]
"""Two English words for each Chinese one, so that what comes back may be another sentence."""


@pytest.fixture(scope="session")
def translators(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders of two tiny Marian models that have learnt the pairs by heart: into Chinese and into English."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.BpeTrainer(
        vocab_size=200, special_tokens=["<pad>", "</s>", "<unk>", ">>cmn_Hans<<"], show_progress=False
    )
    tokenizer.train_from_iterator([text for pair in PAIRS for text in pair], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=64
    )
    root = tmp_path_factory.mktemp("marian")
    there = [(f">>cmn_Hans<< {english}", chinese) for english, chinese in PAIRS]
    back = [(chinese, english) for english, chinese in PAIRS]
    return (
        train_marian(root / "en-zh", there, fast, entries=tokenizer.get_vocab_size(), steps=220),
        train_marian(root / "zh-en", back, fast, entries=tokenizer.get_vocab_size(), steps=220),
    )


def train_marian(
    folder: Path,
    pairs: Sequence[tuple[str, str]],
    tokenizer: Any,
    *,
    entries: int,
    steps: int,
    width: int = 64,
    batch: int = 0,
    lr: float = 4e-3,
) -> Path:
    """A Marian of one layer a side, trained on the pairs (all of them a step, or ``batch``) and saved."""
    import torch
    from transformers import MarianConfig, MarianMTModel

    torch.manual_seed(0)
    model = MarianMTModel(
        MarianConfig(
            vocab_size=entries,
            d_model=width,
            encoder_layers=1,
            decoder_layers=1,
            encoder_attention_heads=4,
            decoder_attention_heads=4,
            encoder_ffn_dim=2 * width,
            decoder_ffn_dim=2 * width,
            max_position_embeddings=64,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            forced_eos_token_id=None,
            decoder_start_token_id=tokenizer.pad_token_id,
            dropout=0.0,
            scale_embedding=True,
        )
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    dice = random.Random(0)
    every = tokenizer([one for one, _ in pairs])["input_ids"]
    right = tokenizer(text_target=[one for _, one in pairs])["input_ids"]

    def filled(rows: Sequence[Sequence[int]]) -> torch.Tensor:
        width = max(map(len, rows))
        return torch.tensor([[*row, *[tokenizer.pad_token_id] * (width - len(row))] for row in rows])

    for _ in range(steps):
        some = dice.sample(range(len(pairs)), batch) if batch else range(len(pairs))
        given, wanted = filled([every[row] for row in some]), filled([right[row] for row in some])
        shown = {"input_ids": given, "attention_mask": (given != tokenizer.pad_token_id).long()}
        loss = model(**shown, labels=wanted.masked_fill(wanted == tokenizer.pad_token_id, -100)).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


_SHOWN = re.compile(r"^\d+\. (.*)$", re.MULTILINE)
_COUNT = re.compile(r"Write (\d+)|再写(\d+)|换(\d+)种")


def wanted(prompt: str) -> int:
    """How many texts a prompt asks for."""
    found = _COUNT.search(prompt)
    assert found is not None
    return int(next(filter(None, found.groups())))


def shown(prompt: str) -> list[str]:
    """The texts that a prompt shows."""
    return _SHOWN.findall(prompt)


def writes(stage: Any) -> None:
    """Answers well: variants of the first text, numbered."""
    first = shown(stage.asked)[0]
    chinese = "请" in stage.asked
    rest = first[1:] if chinese else " ".join(first.split()[1:])
    again = "b" if "request 2" in stage.asked or "第2次" in stage.asked else ""
    more = "另外" if chinese else " once more "
    stage.answer("\n".join(f"{n}. {rest}{more}{n}{again}" for n in range(1, wanted(stage.asked) + 1)))


KEYS: dict[str, dict[str, Any]] = {
    "eda": {},
    "noise": {},
    "translate": {"forward": "THERE", "backward": "BACK", "languages": ("English", "Chinese"), "temperature": 1.5},
    "masked": {"source": "MASKS"},
    "generate": {"endpoint": {"url": "URL", "model": "m", "timeout": 5}, "at_once": 2, "shots": 2},
}
"""What each augmenter needs to work in the contract tests; in capitals what is made here: small models and a server."""
Asked = Callable[..., tuple[Augmenter[Any], AugmentKeys]]


@pytest.fixture
def asked(translators: tuple[Path, Path], mask_model: Path, server: Server) -> Asked:
    """An augmenter by its name, with its settings, for texts in English or Chinese."""
    server.play = writes
    here = {"THERE": str(translators[0]), "BACK": str(translators[1]), "MASKS": str(mask_model), "URL": server.url}

    def put(value: Any) -> Any:
        return (
            {key: put(inner) for key, inner in value.items()}
            if isinstance(value, dict)
            else here.get(str(value), value)
        )

    def asked(name: str, *, chinese: bool = False, **more: object) -> tuple[Augmenter[Any], AugmentKeys]:
        keys = put(KEYS[name])
        if chinese and name == "translate":
            keys |= {"forward": keys["backward"], "backward": keys["forward"], "languages": ("Chinese", "English")}
        augmenter = augmenters()[name]
        return augmenter, augmenter.spec.model_validate({**keys, "copies": 2, **more})

    return asked
