"""The answer of the nearest prompt: against scikit-learn, in and out of its folder, whatever is asked beside it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save
from sklearn.feature_extraction.text import TfidfVectorizer
from tests.conftest import generate

from ratchet.bundle.runtimes import load_model_folder
from ratchet.errors import BundleError
from ratchet.models.nearest import ANSWERS, ARRAYS, NearestModel

PROMPTS, LABELS = generate(120, seed=3)
REPLIES = [f"answer {n}" for n in range(120)]
ASKED = [*generate(60, seed=4)[0], "", "zzzz", "\ud800", "好" * 5_000, PROMPTS[7].upper()]


@pytest.fixture(scope="module")
def model() -> NearestModel:
    return NearestModel.fit(PROMPTS, REPLIES, low=2, high=4)


def test_a_known_prompt_gets_its_own_answer(model: NearestModel) -> None:
    first = dict(reversed([*zip(PROMPTS, REPLIES, strict=True)]))
    assert model.predict(PROMPTS)[:, 0].tolist() == [first[prompt] for prompt in PROMPTS]
    assert model.predict([PROMPTS[7].upper()])[0, 0] == first[PROMPTS[7]]


def test_it_is_the_most_alike_by_scikit_learn(model: NearestModel) -> None:
    theirs = TfidfVectorizer(analyzer="char", ngram_range=(2, 4), lowercase=False, sublinear_tf=True)
    known = theirs.fit_transform(PROMPTS)
    alike = (theirs.transform(ASKED[:60]) @ known.T).toarray()
    found = [REPLIES.index(reply) for reply in model.predict(ASKED[:60])[:, 0]]
    # n-grams that no prompt has make the asked text longer in ours: the order of the prompts is the same
    np.testing.assert_allclose(alike[np.arange(60), found], alike.max(axis=1), atol=1e-5)


def test_an_answer_does_not_depend_on_its_neighbours(model: NearestModel) -> None:
    together = model.predict(ASKED)
    assert together.shape == (len(ASKED), 1)
    assert [model.predict([text])[0, 0] for text in ASKED] == together[:, 0].tolist()


def test_it_comes_out_of_its_folder_as_it_went_in(model: NearestModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    again = load_model_folder(tmp_path, "nearest")
    assert again.predict(ASKED).tolist() == model.predict(ASKED).tolist()
    assert again.labels == ("answer",)


def test_equal_pairs_are_kept_once() -> None:
    model = NearestModel.fit(["a b", "a b", "a b"], ["x", "x", "y"], low=1, high=2)
    assert model.answers == ("x", "y")
    assert model.predict(["a b"])[0, 0] == "x"


def damaged(folder: Path, what: str) -> None:
    described, arrays = json.loads((folder / ANSWERS).read_bytes()), load((folder / ARRAYS).read_bytes())
    if what == "format":
        described["format"] = "ratchet-nearest-9"
    elif what == "fewer answers":
        described["answers"].pop()
    elif what == "no answers":
        del described["answers"]
    elif what == "a place too high":
        arrays["indices"] = arrays["indices"] + np.int32(2**20)
    elif what == "no json":
        (folder / ANSWERS).write_bytes(b"{")
        return
    else:
        (folder / ARRAYS).write_bytes((folder / ARRAYS).read_bytes()[:-8])
        return
    (folder / ANSWERS).write_bytes(json.dumps(described).encode())
    (folder / ARRAYS).write_bytes(save(arrays))


@pytest.mark.parametrize("what", ["format", "fewer answers", "no answers", "a place too high", "no json", "cut off"])
def test_damaged_files_are_one_sentence(model: NearestModel, tmp_path: Path, what: str) -> None:
    model.save(tmp_path)
    damaged(tmp_path, what)
    with pytest.raises(BundleError, match="must hold the prompts and answers of a model"):
        NearestModel.load(tmp_path)
