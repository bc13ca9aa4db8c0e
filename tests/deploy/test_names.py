"""Names that clusters and registries accept, and what is said of the others."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.deploy.names import LONGEST, dns_label, require_image, require_label, require_port
from ratchet.errors import RatchetError

SHA = "8dd7646e" * 8
DIGEST = "@sha256:" + "a" * 64


@given(st.text(max_size=300))
def test_every_name_becomes_a_label_of_its_bundle(name: str) -> None:
    found = dns_label(name, sha256=SHA)
    assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", found)  # RFC 1035, as the API server checks it
    assert len(found) <= LONGEST
    assert found.endswith("-8dd7646e")
    assert require_label(found, what="--name") == found


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("blend-prune-int8", "blend-prune-int8-8dd7646e"),
        ("评论", "model-8dd7646e"),
        ("评论 v2", "v2-8dd7646e"),
        ("2024", "model-2024-8dd7646e"),
        ("--A__b..", "a-b-8dd7646e"),
        ("x" * 80, "x" * 30 + "-8dd7646e"),
        ("a" * 29 + " b", "a" * 29 + "-8dd7646e"),
    ],
)
def test_what_is_left_of_a_name(name: str, label: str) -> None:
    assert dns_label(name, sha256=SHA) == label


@pytest.mark.parametrize("name", ["", "A", "1a", "a-", "-a", "a_b", "a.b", "评", "a" * 51, "a\n", "a b"])
def test_no_label(name: str) -> None:
    with pytest.raises(RatchetError, match="--name must be a DNS label"):
        require_label(name, what="--name")


@pytest.mark.parametrize(
    "image",
    [
        "reviews:1.0",
        "a/b/c:v1",
        "localhost:5000/a:1",
        "R.example.com/team/a__b.c-d:X_y.z",
        f"a{DIGEST}",
        f"a:1{DIGEST}",
    ],
)
def test_images(image: str) -> None:
    assert require_image(image) == image


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("reviews", "has no tag"),
        ("reg.example.com:5000/reviews", "has no tag"),
        ("reviews:latest", "has the tag latest"),
        ("Reviews:1", "must be a reference"),
        ("https://a/b:1", "must be a reference"),
        ("a:1 --privileged", "must be a reference"),
        ("a:1\n", "must be a reference"),
        ("a:1;rm", "must be a reference"),
        ("评论:1", "must be a reference"),
        ("a@sha256:12", "must be a reference"),
        ("", "must be a reference"),
        ("a-" * 100_000, "must be a reference"),
    ],
)
def test_no_images(image: str, said: str) -> None:
    with pytest.raises(RatchetError, match=said):
        require_image(image)


def test_ports() -> None:
    assert [require_port(port) for port in (1024, 8000, 65_535)] == [1024, 8000, 65_535]
    for port in (-1, 0, 80, 1023, 65_536):
        with pytest.raises(RatchetError, match=f"--port must be from 1024 to 65535 but got {port}"):
            require_port(port)
