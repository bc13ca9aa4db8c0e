from __future__ import annotations

from pathlib import Path

import pytest

from ratchet.monitoring import peak as module
from ratchet.monitoring.peak import peak_flops, utilisation

torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(module, "SECONDS", 0.05)
    return tmp_path / "ratchet"


def test_it_is_a_speed_that_a_machine_can_have(cache: Path) -> None:
    assert 1e8 < peak_flops("cpu", torch.float32, 1) < 1e13


def test_the_fastest_product_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock of its own: products of 0.4, 0.2 and 0.5 seconds, of which the last ends after a second."""
    monkeypatch.setattr(module, "SECONDS", 1.0)
    ticks = iter([0.0, 0.0, 0.0, 0.4, 0.4, 0.4, 0.6, 0.6, 0.6, 1.1, 1.1])
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(ticks))
    assert module._measured(torch.device("cpu"), torch.float32, 1) == pytest.approx(2 * 1024**3 / 0.2)


def test_it_is_measured_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = iter([5e9, 3e9, 8e9, 1e9])
    monkeypatch.setattr(module, "_measured", lambda *_: next(values))
    assert [peak_flops("cpu", torch.float32, 1) for _ in range(2)] == [5e9, 5e9]
    assert peak_flops("cpu", torch.float32, 1, anew=True) == 5e9  # a busy machine: the higher one stays
    assert peak_flops("cpu", torch.float32, 1, anew=True) == 8e9
    assert peak_flops("cpu", torch.float32, 1) == 8e9
    assert peak_flops("cpu", torch.float32, 2) == 1e9
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize("damage", ["", "nan\n", "-1\n", "inf", "abc", "\x00"])
def test_a_damaged_file_is_measured_again(cache: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    monkeypatch.setattr(module, "_measured", lambda *_: 5e9)
    peak_flops("cpu", torch.float32, 1)
    (file,) = cache.iterdir()
    file.write_text(damage)
    assert peak_flops("cpu", torch.float32, 1) == 5e9


def test_a_folder_that_cannot_be_written_costs_only_the_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ratchet").write_text("a file")
    monkeypatch.setattr(module, "_measured", lambda *_: 5e9)
    assert peak_flops("cpu", torch.float32, 1) == 5e9


def test_it_draws_no_random_number_and_leaves_the_threads() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    before = torch.get_num_threads()
    peak_flops("cpu", torch.float32, 1)
    assert torch.equal(torch.rand(4), expected)
    assert torch.get_num_threads() == before


def test_utilisation_is_a_share() -> None:
    assert utilisation(3e9, 2.0, 6e9) == 0.25
    assert utilisation(3e9, 0.0, 6e9) == utilisation(1, 1, 0) == 0
