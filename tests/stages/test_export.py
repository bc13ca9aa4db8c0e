"""What is exported where the winner cannot be trained again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.trial import Trial, trial

from ratchet.bundle.bundle import Bundle
from ratchet.contenders.linear import Linear
from ratchet.errors import MetricFailed, RatchetError, WorkspaceError
from ratchet.monitoring.alerts import Stop

__all__ = ["trial"]
WORDS = "{kind: linear, name: words, features: [{unit: word, high: 1}]}"


def broken(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def refit(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Linear, "refit", refit)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Stop(step=3, metric="train/loss", must="at most 1", value=9).error(), "train/loss must be at most 1 by an"),
        (MetricFailed("The metric has none."), "The metric has none."),
        (RatchetError("The loss must be finite but got nan."), "The loss must be finite but got nan."),
        (MemoryError(), "MemoryError"),
        (RuntimeError("out of memory\nmore"), "out of memory"),
    ],
)
def test_a_winner_whose_refit_fails_is_served_as_it_was_judged(
    trial: Callable[..., Trial], monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    broken(monkeypatch, error)
    made = trial()
    summary = made.run(WORDS)
    facts = Bundle.open(summary["bundle"]["path"]).manifest.model
    assert facts["judged"] == facts["served"]
    assert facts["refit_rows"] is None
    said = " ".join(" ".join(made.said).split())
    assert f"as it was judged. It could not be trained again on all rows: {told}" in said
    monkeypatch.undo()
    again = Bundle.open(made.run(WORDS)["bundle"]["path"]).manifest.model
    assert again["refit_rows"], "once it can be trained again, it is"


def test_a_workspace_that_is_full_still_ends_the_run(
    trial: Callable[..., Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch, WorkspaceError("The disk must have room."))
    with pytest.raises(WorkspaceError, match="The disk must have room"):
        trial().run(WORDS)
