"""Names that clusters and registries accept: DNS labels made from the names of bundles, and references to images."""

from __future__ import annotations

import re

from ratchet.errors import RatchetError

LONGEST = 50
"""Characters of a name: a cluster adds up to 13 of its own and takes 63."""
SHORT = 8
"""Hex digits of a bundle's sha256 in a name."""
FIRST_PORT = 1024

_KEPT = 30
_LABEL = re.compile(r"[a-z](?:[a-z0-9-]*[a-z0-9])?")
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?/)?"
    rf"{_PART}(?:/{_PART})*"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_IMAGE_LONGEST = 512


def dns_label(name: str, *, sha256: str) -> str:
    """What is left of a name in a DNS label (RFC 1035), and the start of a hash, which tells two bundles of one name apart.

    >>> dns_label("TF-IDF lr", sha256="8dd7646e" * 8)
    'tf-idf-lr-8dd7646e'
    >>> dns_label("评论", sha256="8dd7646e" * 8)
    'model-8dd7646e'
    """
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower())[:_KEPT].strip("-")
    if not plain[:1].isalpha():
        plain = f"model-{plain}".rstrip("-")
    return f"{plain}-{sha256[:SHORT]}"


def require_label(name: str, *, what: str) -> str:
    """The name, if a cluster takes it as the name of a service.

    Raises:
        RatchetError: it is no DNS label, or is longer than 50 characters.
    """
    if len(name) > LONGEST or not _LABEL.fullmatch(name):
        raise RatchetError(
            f"{what} must be a DNS label (a-z, 0-9 and -, a letter first, at most {LONGEST} characters) but got {name!r}.",
            next_step="Choose a name such as reviews-v2.",
        )
    return name


def require_image(image: str) -> str:
    """The reference of an image, if it names one version of it.

    Raises:
        RatchetError: it is no reference, or has neither a digest nor a tag other than ``latest``.
    """
    found = _IMAGE.fullmatch(image) if len(image) <= _IMAGE_LONGEST else None
    if found is None:
        raise RatchetError(
            f"--image must be a reference such as registry.example.com/team/reviews:1.0 but got {image!r}.",
            next_step="The path has small letters, the version stands after a colon.",
        )
    if not found["digest"] and found["tag"] in (None, "latest"):
        got = "no tag" if found["tag"] is None else "the tag latest"
        raise RatchetError(
            f"--image must name one version by a tag or a digest but {image!r} has {got}.",
            next_step="Give each version a tag of its own: a cluster cannot go back to an image that was overwritten.",
        )
    return image


def require_port(port: int) -> int:
    """The port, if a user without rights may listen on it.

    Raises:
        RatchetError: it is below 1024 or above 65535.
    """
    if not FIRST_PORT <= port <= 65_535:
        raise RatchetError(
            f"--port must be from {FIRST_PORT} to 65535 but got {port}.",
            next_step="Keep 8000: the port that clients see is set where it is published.",
        )
    return port
