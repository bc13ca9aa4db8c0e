"""The packages of an image: what is needed, all that this needs, with versions and conditions, and nothing else."""

from __future__ import annotations

from importlib.metadata import version

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ratchet.bundle.bundle import Bundle
from ratchet.deploy import packages
from ratchet.deploy.packages import pinned, requirements
from ratchet.errors import ExtraMissing


class Installed:
    """A distribution, as importlib.metadata tells of it."""

    def __init__(self, version: str, *requires: str) -> None:
        self.version, self.requires = version, list(requires)


def _world(monkeypatch: pytest.MonkeyPatch, **installed: Installed) -> None:
    def find(name: str) -> Installed:
        try:
            return installed[name.replace("-", "_")]
        except KeyError:
            raise packages.PackageNotFoundError(name) from None

    monkeypatch.setattr(packages, "distribution", find)


def test_a_linear_bundle_needs_little(bundle: Bundle) -> None:
    lines = [Requirement(line) for line in requirements(bundle)]
    names = {line.name for line in lines}
    assert {"numpy", "starlette", "uvicorn", "pydantic-core", "h11"} <= names
    assert not names & {"torch", "onnxruntime", "scikit-learn", "scipy", "pyarrow", "pandas", "ratchetml", "pytest"}
    for line in lines:
        assert str(line.specifier) == f"=={version(line.name)}"


def test_all_that_is_needed_here_is_there() -> None:
    """Against the packaging library, which reads conditions."""
    for root in ("uvicorn", "starlette", "pydantic", "tokenizers", "scikit-learn"):
        wanted, queue = set(), [root]
        while queue:
            name = canonicalize_name(queue.pop())
            if name not in wanted:
                wanted.add(name)
                needs = [Requirement(line) for line in packages.distribution(name).requires or ()]
                queue += [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
        found = [Requirement(line) for line in pinned([root])]
        assert {line.name for line in found if line.marker is None or line.marker.evaluate()} == wanted


def test_conditions_are_kept_and_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    _world(
        monkeypatch,
        a=Installed("1", 'c>=1; sys_platform == "win32"', 'd; python_version < "3.9"', "e (>=2)"),
        b=Installed("2", 'c ; os_name == "nt"', "d", "not-here; sys_platform == 'darwin'"),
        c=Installed("3"),
        d=Installed("4", "a"),
        e=Installed("5"),
    )
    assert pinned(["a", "b"]) == (
        "a==1",
        "b==2",
        'c==3 ; (os_name == "nt") or (sys_platform == "win32")',
        "d==4",
        "e==5",
    )


def test_extras_that_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    _world(
        monkeypatch,
        a=Installed("1", "b[fast,Odd_One]>=1"),
        b=Installed("2", 'c; extra == "fast"', 'd; extra == "slow"', "e; extra == 'odd-one' and python_version > '3'"),
        c=Installed("3"),
        d=Installed("4"),
        e=Installed("5"),
    )
    assert pinned(["a"]) == ("a==1", "b==2", "c==3", "e==5")


def test_builds_of_torch_have_an_index_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    _world(monkeypatch, torch=Installed("2.13.0+cpu", "x"), x=Installed("1+local"))
    assert pinned(["torch"]) == (
        "--extra-index-url https://download.pytorch.org/whl/cpu",
        "torch==2.13.0+cpu",
        "x==1+local",
    )


def test_what_is_not_installed_is_said(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "packages_distributions", dict)
    with pytest.raises(ExtraMissing, match="An image of this bundle needs the package 'click'"):
        requirements(bundle)
