"""The packages that serving one bundle needs, with the versions that are installed here, as lines for pip."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions

from ratchet.bundle.bundle import Bundle
from ratchet.bundle.runtimes import GROUP, RUNTIMES, Runtime
from ratchet.errors import ExtraMissing
from ratchet.plugins import chosen, registered
from ratchet.tasks.registry import task_of

SERVER = ("click", "msgspec", "numpy", "prometheus_client", "pydantic", "safetensors", "starlette", "uvicorn")
"""The modules that ``ratchet serve`` imports from other packages, whatever the bundle."""
OURS = "ratchet"
_TORCH = "https://download.pytorch.org/whl/"
_REQUIREMENT = re.compile(r"\s*(?P<name>[\w.-]+)\s*(?:\[(?P<extras>[^]]*)\])?[^;]*(?:;\s*(?P<marker>.*\S))?\s*")
_EXTRA = re.compile(r"\bextra\s*==\s*[\"']([^\"']+)[\"']")
_TORCH_BUILD = re.compile(r"cpu|cu\d+|rocm[\d.]+")


def requirements(bundle: Bundle) -> tuple[str, ...]:
    """Lines of a requirements file: what serving this bundle needs and all that it needs in turn, each with its version.

    Raises:
        ExtraMissing: one of them is not installed here.
        RatchetError: the bundle's runtime or task is not installed.
    """
    runtime = chosen(bundle.kind, registered(RUNTIMES, group=GROUP, base=Runtime), noun="The runtime of a model")
    providers = (runtime.load.__module__, type(task_of(bundle.manifest.task)).__module__)
    modules = {*SERVER, *runtime.packages, *(name.partition(".")[0] for name in providers)} - {OURS}
    by_module = packages_distributions()
    for module in sorted(modules - set(by_module)):
        extra = runtime.extra if module in runtime.packages else "serve"
        raise ExtraMissing(module, extra=extra, why="An image of this bundle")
    return pinned(name for module in modules for name in by_module[module])


def pinned(names: Iterable[str]) -> tuple[str, ...]:
    """The distributions and all that they need, sorted, as ``name==version``, with the condition where there is one.

    What they need on other systems alone, and is not installed here, is left to pip.
    """
    conditions: dict[str, set[str]] = {}
    versions: dict[str, str] = {}
    queue = [(name, frozenset[str](), "") for name in names]
    seen = set(queue)
    while queue:
        name, extras, condition = queue.pop()
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue
        key = canonical(name)
        versions[key] = found.version
        conditions.setdefault(key, set()).add(condition)
        new = {one for line in found.requires or () if (one := _needed(line, extras=extras)) is not None} - seen
        seen |= new
        queue += new
    lines = [f"{name}=={versions[name]}{_joined(conditions[name])}" for name in sorted(versions)]
    return (*_indexes(versions.values()), *lines)


def canonical(name: str) -> str:
    """The name of a distribution as PEP 503 writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _needed(line: str, *, extras: frozenset[str]) -> tuple[str, frozenset[str], str] | None:
    """Name, extras and condition of a requirement; ``None`` where it belongs to an extra that nobody asked for."""
    found = _REQUIREMENT.fullmatch(line)
    assert found is not None, line
    marker = found["marker"] or ""
    wanted = frozenset(canonical(one.strip()) for one in (found["extras"] or "").split(",") if one.strip())
    of = {canonical(one) for one in _EXTRA.findall(marker)}
    if of:
        return (canonical(found["name"]), wanted, "") if of & extras else None
    return canonical(found["name"]), wanted, marker


def _joined(conditions: set[str]) -> str:
    if "" in conditions:
        return ""
    return " ; " + " or ".join(f"({one})" if len(conditions) > 1 else one for one in sorted(conditions))


def _indexes(versions: Iterable[str]) -> list[str]:
    """Where the builds of torch lie whose versions end in such as ``+cpu``: the usual index does not have them."""
    builds = {version.partition("+")[2] for version in versions}
    return [f"--extra-index-url {_TORCH}{build}" for build in sorted(builds) if _TORCH_BUILD.fullmatch(build)]
