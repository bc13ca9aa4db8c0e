from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from ratchet.generators import greedy
from ratchet.generators.chat import turns_of
from ratchet.generators.decoder import FittedDecoder, build_decoder
from ratchet.generators.generators import Shape
from ratchet.generators.sampled import Sampling, drawn

TEXTS = ["What is the rate today?", "The rate is 1.2 today.", "My card did not arrive, what is this?"] * 4
ASKED = [turns_of(text) for text in ("a", "What is the rate?", "card " * 9, "", "Why? " * 3, "x" * 40, "today", "b")]
DRAWS = 4000


@pytest.fixture(scope="module")
def decoder() -> FittedDecoder:
    shape = Shape(layers=2, width=32, heads=4, vocabulary=300)
    made = build_decoder("scratch", texts=TEXTS, max_tokens=96, max_new_tokens=16, shape=shape, threads=1)
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for weight in made.network.parameters():
            if weight.ndim > 1:
                weight.copy_(torch.randn(weight.shape, generator=generator) * 2 / weight.shape[-1] ** 0.5)
    return made


def draws(logits: list[float], how: Sampling) -> np.ndarray:
    """How often each token was drawn by so many prompts."""
    dice = [how.dice(np.array([number])) for number in range(DRAWS)]
    tokens, _ = drawn(torch.tensor(logits).repeat(DRAWS, 1), dice, how)
    return np.bincount(tokens.numpy(), minlength=len(logits))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7])
def test_tokens_are_drawn_with_their_probabilities(temperature: float) -> None:
    logits = np.array([2.0, 1.0, 0.0, -1.0, 0.5])
    chances = np.exp(logits / temperature)
    found = draws(logits.tolist(), Sampling(temperature=temperature, seed=5))
    assert chisquare(found, DRAWS * chances / chances.sum()).pvalue > 1e-3


@pytest.mark.parametrize(("top_p", "inside"), [(0.5, 1), (0.65, 2), (0.85, 3), (0.999, 4)])
def test_only_the_nucleus_is_drawn_from(top_p: float, inside: int) -> None:
    chances = np.array([0.6, 0.2, 0.15, 0.05])
    found = draws(np.log(chances).tolist(), Sampling(top_p=top_p, seed=1))
    assert (found[:inside] > 0).all()
    assert (found[inside:] == 0).all()
    expected = chances[:inside] / chances[:inside].sum()
    assert inside == 1 or chisquare(found[:inside], DRAWS * expected).pvalue > 1e-3


def test_rounding_of_a_batch_decides_no_draw_that_is_called_sure() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(500, 50, generator=generator) * 2
    for top_p in (1.0, 0.9):
        how = Sampling(temperature=0.7, top_p=top_p, seed=3)
        one, gaps = drawn(logits, [how.dice(np.array([row])) for row in range(500)], how)
        rounded = logits + (torch.rand(logits.shape, generator=generator) - 0.5) * 4e-5
        other, _ = drawn(rounded, [how.dice(np.array([row])) for row in range(500)], how)
        sure = gaps >= greedy.TIE
        assert sure.float().mean() > 0.9
        assert torch.equal(one[sure], other[sure])


def test_a_token_on_the_edge_of_the_nucleus_is_said_to_be_unsure() -> None:
    how, logits = Sampling(top_p=0.5), torch.log(torch.tensor([[0.4, 0.3, 0.3]])).repeat(64, 1)
    tokens, gaps = drawn(logits, [how.dice(np.array([row])) for row in range(64)], how)
    assert set(tokens.tolist()) == {0, 1, 2}
    assert (gaps[tokens > 0] == 0).all()
    assert (gaps[tokens == 0] > 0).all()


def test_large_and_small_nuclei_side_by_side_are_as_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    logits = torch.stack([torch.linspace(0, 0.1, 200), torch.linspace(0, 40, 200)])
    how = Sampling(top_p=0.9, seed=2)
    whole = [
        drawn(logits, [how.dice(np.array([row])), how.dice(np.array([-row]))], how)[0].tolist() for row in range(99)
    ]
    assert len({one for one, _ in whole}) > 40
    monkeypatch.setattr("ratchet.generators.sampled._FIRST", 16)
    assert whole == [
        [
            int(drawn(logits[:1], [how.dice(np.array([row]))], how)[0]),
            int(drawn(logits[1:], [how.dice(np.array([-row]))], how)[0]),
        ]
        for row in range(99)
    ]


def test_an_answer_depends_on_seed_and_prompt_alone(decoder: FittedDecoder) -> None:
    how = Sampling(temperature=0.9, top_p=0.95, seed=7)
    together = decoder.generate(ASKED, sampling=how)
    assert together == [decoder.generate([one], sampling=how)[0] for one in ASKED]
    assert together == decoder.generate(ASKED[::-1], sampling=how)[::-1]
    assert together != decoder.generate(ASKED, sampling=Sampling(temperature=0.9, top_p=0.95, seed=8))
    assert len(set(together)) == len(together)


def test_little_temperature_is_the_most_probable_token(decoder: FittedDecoder) -> None:
    assert decoder.generate(ASKED, sampling=Sampling(temperature=1e-4)) == decoder.generate(ASKED)


def test_an_answer_ends_at_the_line_after_which_there_is_enough(decoder: FittedDecoder) -> None:
    how = Sampling(temperature=3.0, seed=2)
    prompts = [decoder.tokens.prompt(one) for one in ASKED]
    whole = decoder.generate_ids(prompts, sampling=how)
    ended = decoder.generate_ids(prompts, sampling=how, enough=lambda text: text.count("\n") >= 1)
    assert whole != ended
    for long, short in zip(whole, ended, strict=True):
        assert long[: len(short)] == short
        text = decoder.tokens.tokenizer.decode(long)
        assert (len(short) < len(long)) <= ("\n" in text)
