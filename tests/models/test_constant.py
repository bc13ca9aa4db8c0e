"""The model that always gives one text: any text comes back from its folder as it went in."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ratchet.bundle.runtimes import load_model_folder
from ratchet.errors import BundleError
from ratchet.models.constant import FILE, ConstantModel


def test_every_row_gets_the_same_text() -> None:
    model = ConstantModel(answer="好的")
    assert model.predict(["a", "", "b"]).tolist() == [["好的"]] * 3
    assert model.predict([]).shape == (0, 1)
    assert model.labels == ("answer",)


@settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(), max_size=20) | st.just("half \ud83d of a pair") | st.just('"quoted"\n'))
def test_any_text_is_kept(tmp_path: Path, answer: str) -> None:
    ConstantModel(answer=answer).save(tmp_path)
    assert load_model_folder(tmp_path, "constant").predict(["x"])[0, 0] == answer


@pytest.mark.parametrize("content", [b"", b"3", b'["a"]', b"null", b'"a', b"\xff", b"[" * 100_000])
def test_a_damaged_file_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(BundleError, match="must hold a text but"):
        ConstantModel.load(tmp_path)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="must hold a text but"):
        ConstantModel.load(tmp_path)
