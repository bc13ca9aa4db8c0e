from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from ratchet.monitoring import hardware
from ratchet.monitoring.hardware import Hardware, memory_limit, temperature


class FakeError(Exception):
    pass


def fake_nvml(*, broken: tuple[str, ...] = (), driver: bool = True) -> ModuleType:
    """Two GPUs; what is ``broken`` is not supported by the driver."""
    module: Any = ModuleType("pynvml")
    module.NVMLError, module.NVML_TEMPERATURE_GPU = FakeError, 0

    def known(name: str, give: Any) -> None:
        def call(*arguments: Any) -> Any:
            if name in broken or (name == "nvmlInit" and not driver):
                raise FakeError("not supported")
            return give(*arguments)

        setattr(module, name, call)

    def by_index(place: int) -> str:
        if not 0 <= place < 2:
            raise FakeError("invalid")
        return f"GPU-{place}"

    known("nvmlInit", lambda: None)
    known("nvmlDeviceGetCount", lambda: 2)
    known("nvmlDeviceGetHandleByIndex", by_index)
    known("nvmlDeviceGetHandleByUUID", lambda name: name)
    known("nvmlDeviceGetUtilizationRates", lambda device: SimpleNamespace(gpu=97 if device == "GPU-1" else 3, memory=1))
    known("nvmlDeviceGetMemoryInfo", lambda device: SimpleNamespace(used=41 << 30, total=80 << 30))
    known("nvmlDeviceGetPowerUsage", lambda device: 512_000)
    known("nvmlDeviceGetTemperature", lambda device, sensor: 63)
    return module


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Any:
    def give(**how: Any) -> None:
        monkeypatch.setitem(sys.modules, "pynvml", fake_nvml(**how))
        monkeypatch.setattr(hardware, "find_spec", lambda name: object() if name in ("pynvml", "psutil") else None)

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return give


def test_the_gpus_are_read_as_their_driver_tells_them(nvml: Any) -> None:
    nvml()
    found = Hardware().read()
    assert found["hardware/gpu0"] == 3
    assert found["hardware/gpu1"] == 97
    assert found["hardware/gpu1_memory"] == 41 << 30
    assert found["hardware/gpu1_memory_total"] == 80 << 30
    assert found["hardware/gpu1_power"] == 512
    assert found["hardware/gpu1_temperature"] == 63


def test_what_a_driver_does_not_know_is_left_out(nvml: Any) -> None:
    nvml(broken=("nvmlDeviceGetPowerUsage", "nvmlDeviceGetUtilizationRates"))
    found = Hardware().read()
    assert "hardware/gpu0" not in found
    assert "hardware/gpu0_power" not in found
    assert found["hardware/gpu0_temperature"] == 63


@pytest.mark.parametrize(
    ("visible", "uses"),
    [("1", [97]), ("", []), ("-1", []), ("0,1", [3, 97]), ("1,7,0", [97]), ("GPU-1", [97]), ("1,-1,0", [97])],
)
def test_only_visible_gpus_are_read(nvml: Any, monkeypatch: pytest.MonkeyPatch, visible: str, uses: list[int]) -> None:
    nvml()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found = Hardware().read()
    assert [found[f"hardware/gpu{place}"] for place in range(2) if f"hardware/gpu{place}" in found] == uses


@pytest.mark.parametrize("how", [{"driver": False}, {"broken": ("nvmlDeviceGetCount",)}])
def test_a_machine_without_a_driver_has_no_gpu(nvml: Any, how: dict[str, Any]) -> None:
    nvml(**how)
    assert not [name for name in Hardware().read() if "gpu" in name]


def test_without_the_package_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "find_spec", lambda name: None)
    assert not [name for name in Hardware().read() if "gpu" in name]


@pytest.mark.parametrize("package", [True, False], ids=["psutil", "proc"])
def test_the_cpu_and_the_memory_are_of_this_process_and_its_children(
    monkeypatch: pytest.MonkeyPatch, package: bool
) -> None:
    if package:
        pytest.importorskip("psutil")
    else:
        monkeypatch.setattr(hardware, "find_spec", lambda name: None)
    reader = Hardware(gpus=False)
    alone = reader.read()
    code = "x = bytearray(200_000_000); print('up', flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None
            child.stdout.readline()
            reader.read()
            time.sleep(0.5)
            both = reader.read()
        finally:
            child.kill()
    assert both["hardware/memory"] - alone["hardware/memory"] > 190e6
    assert 5 < both["hardware/cpu"] < 100 * (os.cpu_count() or 1) * 1.5


def test_psutil_and_proc_agree() -> None:
    pytest.importorskip("psutil")
    by_psutil, by_proc = hardware._by_psutil()(), hardware._by_proc(Path("/proc"))()
    assert by_proc[1] == pytest.approx(by_psutil[1], rel=0.05)
    assert by_proc[0] == pytest.approx(by_psutil[0], rel=0.05, abs=0.2)


def test_a_machine_without_proc_says_nothing(tmp_path: Path) -> None:
    assert hardware._by_proc(tmp_path / "none")() == (0, 0)


def test_a_process_may_be_called_anything() -> None:
    text = f"7 (a) b (c)) S 3 {' '.join(['0'] * 9)} 100 50 {' '.join(['0'] * 8)} 25 0"
    parent, seconds, memory = hardware._stat(text)
    assert parent == 3
    assert seconds == 150 / os.sysconf("SC_CLK_TCK")
    assert memory == 25 * os.sysconf("SC_PAGE_SIZE")


def test_the_warmest_zone_counts_and_dead_sensors_do_not(tmp_path: Path) -> None:
    for place, text in enumerate(["41000\n", "63500\n", "-273000\n", "nonsense", "0\n"]):
        (tmp_path / f"thermal_zone{place}").mkdir()
        (tmp_path / f"thermal_zone{place}" / "temp").write_text(text)
    assert temperature(tmp_path) == 63.5
    assert temperature(tmp_path / "none") is None


def test_the_memory_has_a_limit() -> None:
    assert 1e8 < memory_limit() < 1e15
