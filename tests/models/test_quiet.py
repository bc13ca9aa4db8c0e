from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import pytest

from ratchet import offline
from ratchet.models import quiet


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in quiet.SILENT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(offline, "_offline_is_ours", False)


def test_everything_is_switched_off() -> None:
    quiet.switch_off_telemetry()
    assert {name: os.environ[name] for name in quiet.SILENT} == quiet.SILENT


@pytest.mark.parametrize(("said", "wanted"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_waiting_threads_sleep_unless_the_user_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, said: str | None, wanted: str
) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    if said is not None:
        monkeypatch.setenv("OMP_WAIT_POLICY", said)
    quiet.yield_cores()
    assert os.environ["OMP_WAIT_POLICY"] == wanted


def test_what_the_user_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    quiet.switch_off_telemetry()
    assert os.environ["HF_HUB_OFFLINE"] == "0"


@pytest.mark.parametrize("imported", [False, True])
def test_a_hub_id_opens_the_hub(monkeypatch: pytest.MonkeyPatch, imported: bool) -> None:
    constants = SimpleNamespace(HF_HUB_OFFLINE=True)
    if imported:
        monkeypatch.setitem(sys.modules, "huggingface_hub.constants", constants)
    else:
        monkeypatch.delitem(sys.modules, "huggingface_hub.constants", raising=False)
    quiet.switch_off_telemetry()
    quiet.allow_hub()
    assert os.environ["HF_HUB_OFFLINE"] == "0"
    assert constants.HF_HUB_OFFLINE is not imported
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"


def test_a_user_who_is_offline_stays_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    quiet.allow_hub()
    assert os.environ["HF_HUB_OFFLINE"] == "1"


def test_reports_of_transformers_are_silent_inside_and_back_after() -> None:
    from transformers.utils import logging as reports

    before = reports.get_verbosity(), reports.is_progress_bar_enabled()
    with quiet.quiet_transformers():
        assert not reports.is_progress_bar_enabled()
        assert reports.get_verbosity() > reports.ERROR
    assert (reports.get_verbosity(), reports.is_progress_bar_enabled()) == before
