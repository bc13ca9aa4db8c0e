"""The certificate of the server: TLS 1.2 or newer, read again when its files change, and when it ends."""

from __future__ import annotations

import logging
import ssl
import time
from datetime import UTC, datetime
from pathlib import Path

from ratchet.errors import RatchetError
from ratchet.serve.private import require_private, stamp

logger = logging.getLogger("ratchet.serve")

SOON = 14 * 86_400
"""Seconds before the end of a certificate from which on it is said at the start."""
_UTC_TIME, _SEQUENCE, _VERSION = 0x17, 0x30, 0xA0


class Certificate:
    """A certificate and its key, and the context that answers new connections with them.

    Args:
        cert: PEM with the certificate of the server first, and the chain after it.
        key: PEM with its key, which nobody else may read and which has no password.

    Raises:
        RatchetError: one of them is not usable.
    """

    def __init__(self, cert: Path, key: Path) -> None:
        self._cert, self._key = cert, key
        self._seen = self._signature()
        self.context = _context()
        self.ends = self._load()

    @property
    def seconds_left(self) -> float:
        """Seconds until it ends; less than 0 when it has."""
        return self.ends.timestamp() - time.time()

    def warning(self) -> str:
        """A sentence where it has ended or will end soon."""
        if self.seconds_left > SOON:
            return ""
        verb = "ended" if self.seconds_left <= 0 else "will end"
        return f"The certificate {self._cert} {verb} at {self.ends:%Y-%m-%d %H:%M} UTC."

    def refresh(self) -> None:
        """Read the files again when they changed; where they are not usable the old ones stay, and that is said once."""
        if (found := self._signature()) == self._seen:
            return
        self._seen = found
        try:
            self.ends = self._load()
        except RatchetError as error:
            logger.error("The certificate stays as it was: %s", error)
        else:
            logger.warning("A new certificate was read; it ends at %s.", f"{self.ends:%Y-%m-%d %H:%M} UTC")

    def _load(self) -> datetime:
        require_private(self._key, what="key of the certificate")
        ends = _end_of(self._cert)
        for context in (_context(), self.context):  # what does not fit together must not spoil the context in use
            try:
                context.load_cert_chain(self._cert, self._key, password=_no_password)
            except (ssl.SSLError, OSError) as error:
                raise RatchetError(
                    f"The certificate {self._cert} and its key {self._key} must belong together but are not usable: "
                    f"{getattr(error, 'reason', None) or error.strerror or error}.",
                    next_step="Give the PEM files of one certificate.",
                ) from None
        return ends

    def _signature(self) -> tuple[object, ...]:
        return tuple(stamp(path) for path in (self._cert, self._key))


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _no_password() -> str:
    """OpenSSL would ask for it on the terminal."""
    raise RatchetError("The key of the certificate must have no password but has one.", next_step="Give a key without.")


def _end_of(path: Path) -> datetime:
    """When the first certificate of a PEM file ends."""
    try:
        text = path.read_text(encoding="latin-1")
        begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
        first = begin + text.split(begin, 1)[1].split(end, 1)[0] + end
        return _not_after(ssl.PEM_cert_to_DER_cert(first))
    except OSError as error:
        raise RatchetError(f"The certificate {path} must be readable but is not: {error.strerror}.") from error
    except (ValueError, IndexError) as error:
        raise RatchetError(
            f"The certificate {path} must be PEM but has no certificate that can be read.",
            next_step="Give the file that begins with -----BEGIN CERTIFICATE-----.",
        ) from error


def _not_after(der: bytes) -> datetime:
    """The end of a certificate: ``notAfter`` of RFC 5280, section 4.1."""
    _, certificate, _ = _element(der)
    _, inner, _ = _element(certificate)
    tag, _, rest = _element(inner)
    if tag == _VERSION:
        inner = rest
    for _ in range(3):  # serial number, signature algorithm, issuer
        inner = _element(inner)[2]
    tag, validity, _ = _element(inner)
    if tag != _SEQUENCE:
        raise ValueError("no validity where it should be")
    tag, until, _ = _element(_element(validity)[2])
    text = until.decode("ascii")
    if tag == _UTC_TIME:  # two digits of the year; RFC 5280: from 1950 to 2049
        text = ("19" if text >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """The tag and the value of the first element in DER, and what follows it."""
    tag, size, start = data[0], data[1], 2
    if size & 0x80:
        count = size & 0x7F
        start, size = 2 + count, int.from_bytes(data[2 : 2 + count])
    return tag, data[start : start + size], data[start + size :]
