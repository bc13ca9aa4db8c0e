"""What is deployed: a verified bundle, a name, a port, and the agreement to send texts away."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ratchet.bundle.bundle import Bundle
from ratchet.deploy.service import Service
from ratchet.errors import BundleError, RatchetError


def test_a_bundle_has_a_name_of_its_own(bundle: Bundle) -> None:
    service = Service.of(bundle.path)
    assert service.name == f"no-{bundle.sha256[:8]}"
    assert service.image == f"{service.name}:{bundle.sha256[:12]}"
    assert service.arguments == ("--host", "0.0.0.0", "--port", "8000", "--workers", "2")
    assert service.keys == ("RATCHET_API_KEY",)
    assert service.drain_seconds == 36  # 30 for a request, 5 on top, and half a second for those that come late


def test_a_name_and_a_port_that_are_given(bundle: Bundle) -> None:
    service = Service.of(bundle.path, name="reviews", port=9000)
    assert (service.name, service.port) == ("reviews", 9000)
    with pytest.raises(RatchetError, match="--name must be a DNS label"):
        Service.of(bundle.path, name="Reviews")
    with pytest.raises(RatchetError, match="--port must be from 1024"):
        Service.of(bundle.path, port=80)


def test_a_damaged_bundle_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    shutil.copytree(bundle.path, tmp_path / "b")
    (tmp_path / "b" / "README.md").write_text("other")
    with pytest.raises(BundleError, match=r"README.md"):
        Service.of(tmp_path / "b")
    with pytest.raises(BundleError, match="must be a folder but there is none"):
        Service.of(tmp_path / "none")


def test_who_sends_texts_away_must_agree(asking: Bundle) -> None:
    with pytest.raises(BundleError, match="must be agreed to"):
        Service.of(asking.path)
    service = Service.of(asking.path, send_to="http://127.0.0.1:9/v1")
    assert service.arguments[-2:] == ("--send-to", "http://127.0.0.1:9/v1")
    assert service.keys == ("RATCHET_API_KEY", "ENDPOINT_KEY")
