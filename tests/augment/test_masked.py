"""Words replaced by a masked language model: whole words, likely ones, and never by a head that knows nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ratchet.augment.augmenter import Making
from ratchet.augment.mask_filler import MaskFiller
from ratchet.augment.masked import Masked
from ratchet.augment.source import Source
from ratchet.errors import RatchetError
from ratchet.models.checkpoints import locate
from ratchet.recipe.augment import MaskedSpec
from ratchet.text.joined import SEPARATOR
from ratchet.text.language import language_of

Rows = Callable[..., Source]
NOUNS, MOODS = {"room", "hotel", "food", "bed"}, {"clean", "dirty", "cold", "nice"}
ENGLISH = [f"the {noun} was {mood}" for noun in sorted(NOUNS) for mood in sorted(MOODS)]


def spec(model: Path, **keys: object) -> MaskedSpec:
    return MaskedSpec.model_validate({"source": str(model), **keys})


def test_a_word_is_replaced_by_one_that_fits_its_place(mask_model: Path, source: Rows) -> None:
    made = Masked().drafts(spec(mask_model, alpha=0.25, top_k=3, copies=8), source(ENGLISH), Making(seed=1, threads=1))
    fits = changed = 0
    for text, parent in zip(made.texts, made.parent.tolist(), strict=True):
        assert text is not None
        old, new = ENGLISH[parent].split(), text.split()
        assert len(new) == 4
        (place,) = [place for place in range(4) if old[place] != new[place]]
        changed += 1
        wanted = {0: {"the"}, 1: NOUNS, 2: {"was"}, 3: MOODS}[place]
        fits += new[place] in wanted - {old[place]}
    assert changed == 8 * len(ENGLISH)
    # "the" and "was" have no other word that fits, which is half of what is drawn; of the rest nearly all fit.
    assert fits > 0.4 * changed


def test_a_word_of_two_pieces_is_one_word(mask_model: Path, source: Rows) -> None:
    texts = ["dirty", "Dirty!", "DIRTY"]
    made = Masked().drafts(spec(mask_model, alpha=0.5), source(texts), Making(seed=2))
    for new, old in zip(made.texts, texts, strict=True):
        assert new is not None
        assert re.fullmatch("[a-z]+!?", new.lower())
        assert "dirty" not in new.lower()
        assert "##" not in new
        assert new.endswith("!") == old.endswith("!")
        assert new[0].isupper() == old[0].isupper()
    assert made.texts[2] is not None
    assert made.texts[2].isupper()


def test_a_chinese_character_is_replaced_by_a_chinese_character(mask_model: Path, source: Rows) -> None:
    texts = ["房间很脏", "早餐 很好!", "酒店不错 nice"]
    made = Masked().drafts(spec(mask_model, alpha=0.3, copies=5), source(texts), Making(seed=3))
    for new, parent in zip(made.texts, made.parent.tolist(), strict=True):
        assert new is not None
        assert new != texts[parent]
        assert language_of(new) == language_of(texts[parent])
        if parent < 2:
            assert len(new) == len(texts[parent])
            assert sum(a != b for a, b in zip(new, texts[parent], strict=True)) == 1


def test_low_temperature_takes_the_likeliest_word(mask_model: Path, source: Rows) -> None:
    def words(temperature: float, top_k: int) -> set[str]:
        keys = {"alpha": 0.25, "copies": 30, "temperature": temperature, "top_k": top_k}
        made = Masked().drafts(spec(mask_model, **keys), source(["the room was clean"]), Making(seed=4))
        return {text.split()[1] for text in made.texts if text} - {"room"}

    assert len(words(0.01, 10)) == len(words(1.0, 1)) == 1
    assert len(words(3.0, 10)) > 1


def test_draws_have_the_probabilities_of_the_model(mask_model: Path) -> None:
    import torch

    filler = MaskFiller.load(locate(str(mask_model), language="en"), max_tokens=32)
    logits = torch.full((1, len(filler._plain)), -5.0)
    ids = [filler.tokens.tokenizer.token_to_id(word) for word in ("room", "hotel", "food")]
    logits[0, ids] = torch.tensor([2.0, 1.0, 0.0])
    keys = spec(mask_model, top_k=3, temperature=2.0)
    shut = filler._shut("bed", spaced=False)
    dice = np.random.default_rng(0)
    drawn = [filler._drawn(logits, [shut], [dice], spec=keys)[0] for _ in range(3000)]
    wanted = np.exp(np.array([1.0, 0.5, 0.0]))
    wanted /= wanted.sum()
    # Three standard errors of a share of 3,000 draws are at most .028.
    for word, share in zip(("room", "hotel", "food"), wanted, strict=True):
        assert abs(drawn.count(word) / 3000 - share) < 0.028


def test_the_rest_of_a_long_text_stays(mask_model: Path, source: Rows) -> None:
    text = " ".join(["the room was clean"] * 30)
    made = Masked().drafts(spec(mask_model, max_tokens=10, alpha=0.5), source([text]), Making(seed=5))
    assert made.texts[0] is not None
    assert made.texts[0] != text
    assert made.texts[0][60:] == text[-len(made.texts[0][60:]) :]


def test_each_text_of_a_row_is_changed_and_none_is_lost(mask_model: Path, source: Rows) -> None:
    texts = [SEPARATOR.join(["the room was clean", "12", "房间很脏"])]
    made = Masked().drafts(spec(mask_model, alpha=0.3), source(texts, columns=3), Making(seed=6))
    assert made.texts[0] is not None
    first, second, third = made.texts[0].split(SEPARATOR)
    assert first != "the room was clean"
    assert second == "12"
    assert third != "房间很脏"


def test_what_was_made_is_kept_and_the_model_is_not_asked_again(
    mask_model: Path, source: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = spec(mask_model, copies=2)
    first = Masked().drafts(keys, source(ENGLISH), Making(seed=7, cache=tmp_path))
    monkeypatch.setattr(MaskFiller, "load", None)
    again = Masked().drafts(keys, source(ENGLISH[::-1]), Making(seed=7, cache=tmp_path))
    assert first.texts[: len(ENGLISH)] == again.texts[: len(ENGLISH)][::-1]
    with pytest.raises(TypeError):  # another seed is another question
        Masked().drafts(keys, source(ENGLISH), Making(seed=8, cache=tmp_path))


def test_an_encoder_without_the_head_is_refused(tmp_path: Path, mask_model: Path, source: Rows) -> None:
    from transformers import BertForMaskedLM

    model = BertForMaskedLM.from_pretrained(mask_model)
    bare = tmp_path / "bare"
    model.bert.save_pretrained(bare)
    (bare / "tokenizer.json").write_bytes((mask_model / "tokenizer.json").read_bytes())
    with pytest.raises(RatchetError, match="must have a head for masked tokens among its weights but 'cls"):
        Masked().drafts(spec(bare), source(ENGLISH), Making(seed=1))


def test_auto_needs_an_installed_encoder_with_the_head(source: Rows) -> None:
    with pytest.raises(RatchetError, match="must name an encoder with a head for masked tokens but got 'auto'"):
        Masked().drafts(MaskedSpec(), source(["房间很好", "房间很脏"]), Making(seed=1))


def test_the_head_sees_the_masks_alone_and_says_the_same(mask_model: Path) -> None:
    import torch

    filler = MaskFiller.load(locate(str(mask_model), language="en"), max_tokens=32)
    tokens = np.array([[2, 5, 4, 7, 3], [2, 4, 3, 0, 0]], np.int64)
    mask = (tokens > 0).astype(np.int64)
    with torch.inference_mode():
        short = filler._logits(tokens, mask, [0, 1], [2, 1])
        whole = filler.network(input_ids=torch.from_numpy(tokens), attention_mask=torch.from_numpy(mask)).logits
    assert short.shape == (2, len(filler._plain))
    torch.testing.assert_close(short, whole[[0, 1], [2, 1]])


@pytest.mark.parametrize("pieces", ["byte-level", "metaspace"])
def test_vocabularies_that_mark_the_space_before_a_word(tmp_path: Path, source: Rows, pieces: str) -> None:
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import RobertaConfig, RobertaForMaskedLM

    bytes_too = pieces == "byte-level"
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = (
        pre_tokenizers.ByteLevel(add_prefix_space=False) if bytes_too else pre_tokenizers.Metaspace()
    )
    tokenizer.decoder = decoders.ByteLevel() if bytes_too else decoders.Metaspace()
    alphabet = pre_tokenizers.ByteLevel.alphabet() if bytes_too else []
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer.train_from_iterator(
        [*ENGLISH, "房间很好 早餐很冷"] * 3,
        trainers.BpeTrainer(vocab_size=340, special_tokens=special, initial_alphabet=alphabet, show_progress=False),
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=66,
        type_vocab_size=1,
    )
    RobertaForMaskedLM(config).save_pretrained(tmp_path / "m")
    (tmp_path / "m" / "tokenizer.json").write_text(tokenizer.to_str(), encoding="utf-8")
    texts = ["the room was clean", "(the food), was cold!", "  the bed   was nice"]
    made = Masked().drafts(spec(tmp_path / "m", alpha=0.5, copies=4), source(texts), Making(seed=9))
    for new, parent in zip(made.texts, made.parent.tolist(), strict=True):
        assert new is not None
        assert new != texts[parent]
        assert re.sub("[A-Za-z]+", "w", new) == re.sub("[A-Za-z]+", "w", texts[parent])
