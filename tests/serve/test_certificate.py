"""The certificate: what is refused, when it ends, and that new files hold for new connections."""

from __future__ import annotations

import logging
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ratchet.errors import RatchetError
from ratchet.serve.certificate import Certificate, _not_after

Sign = Callable[..., tuple[Path, Path]]  # of conftest.py


def shown(certificate: Certificate, **client: Any) -> tuple[bytes, str]:
    """The certificate that a new connection is shown, and the version of TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for name, value in client.items():
        setattr(context, name, value)
    left, right = socket.socketpair()
    with left, right:

        def answer() -> None:
            try:
                certificate.context.wrap_socket(right, server_side=True).close()
            except OSError:
                right.close()

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            with context.wrap_socket(left) as connection:
                return connection.getpeercert(binary_form=True) or b"", connection.version() or ""
        finally:
            thread.join()


def der(cert: Path) -> bytes:
    return ssl.PEM_cert_to_DER_cert(cert.read_text())


@pytest.mark.parametrize("days", [1, 90, 3650, 36_500])
def test_its_end_is_what_openssl_says(sign: Sign, days: int) -> None:
    cert, key = sign(days=days)  # from 2050 on the year has four digits
    said = subprocess.run(["openssl", "x509", "-enddate", "-noout", "-in", cert], capture_output=True, text=True)
    end = datetime.strptime(said.stdout.strip(), "notAfter=%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC)
    certificate = Certificate(cert, key)
    assert certificate.ends == end
    assert certificate.seconds_left == pytest.approx(days * 86_400, abs=60)


def test_it_is_said_that_it_ends_soon_or_has_ended(sign: Sign, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = Certificate(*sign(days=90))
    assert certificate.warning() == ""
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 80 * 86_400)
    assert "will end at" in certificate.warning()
    monkeypatch.setattr(time, "time", lambda: now + 91 * 86_400)
    assert "ended at" in certificate.warning()
    assert certificate.seconds_left < 0


def test_new_files_hold_for_new_connections(sign: Sign, caplog: pytest.LogCaptureFixture) -> None:
    cert, key = sign("first")
    other_cert, other_key = sign("second", days=30)
    certificate = Certificate(cert, key)
    assert shown(certificate)[0] == der(cert)
    first = der(cert)
    cert.write_bytes(other_cert.read_bytes())
    with caplog.at_level(logging.INFO, logger="ratchet.serve"):
        for _ in range(3):  # the key is still that of the first
            certificate.refresh()
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert shown(certificate)[0] == first
    key.write_bytes(other_key.read_bytes())
    certificate.refresh()
    assert shown(certificate)[0] == der(other_cert)
    assert certificate.seconds_left == pytest.approx(30 * 86_400, abs=60)


@pytest.mark.parametrize("fault", ["open", "gone", "damaged"])
def test_files_that_are_not_usable_leave_the_old_ones(sign: Sign, caplog: pytest.LogCaptureFixture, fault: str) -> None:
    cert, key = sign()
    certificate = Certificate(cert, key)
    before = der(cert)
    if fault == "open":
        key.chmod(0o644)
    elif fault == "gone":
        cert.unlink()
    else:
        cert.write_bytes(cert.read_bytes()[:200])
    for _ in range(3):
        certificate.refresh()
    assert len(caplog.records) == 1
    assert "The certificate stays as it was" in caplog.text
    assert shown(certificate)[0] == before


@pytest.mark.parametrize(
    ("version", "fine"),
    [(ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1:DeprecationWarning")
def test_old_versions_of_tls_are_refused(sign: Sign, version: ssl.TLSVersion, fine: bool) -> None:
    certificate = Certificate(*sign())
    if fine:
        assert shown(certificate, maximum_version=version)[1] == version.name.replace("_", ".")
    else:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            shown(certificate, minimum_version=ssl.TLSVersion.MINIMUM_SUPPORTED, maximum_version=version)


def test_what_is_refused(sign: Sign, tmp_path: Path) -> None:
    cert, key = sign("one")
    _, other = sign("two")
    with pytest.raises(RatchetError, match="must belong together"):
        Certificate(cert, other)
    with pytest.raises(RatchetError, match=r"must be PEM but has no certificate"):
        Certificate(key, key)
    with pytest.raises(RatchetError, match="No such file"):
        Certificate(tmp_path / "nothing", key)
    key.chmod(0o640)
    with pytest.raises(RatchetError, match=r"its mode is 0640. Run: chmod 600"):
        Certificate(cert, key)


def test_a_key_with_a_password_asks_nobody(sign: Sign) -> None:
    with pytest.raises(RatchetError, match="must have no password"):
        Certificate(*sign(password="geheim"))


def test_half_a_certificate_has_no_end(sign: Sign) -> None:
    whole = der(sign()[0])
    ends = set()
    for size in range(len(whole)):
        try:
            ends.add(_not_after(whole[:size]))
        except (ValueError, IndexError):
            assert size < 300
    assert ends == {_not_after(whole)}
