"""How much memory serving a bundle takes: measured in a process of its own, which answers long texts."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ratchet.bundle.bundle import Bundle
from ratchet.bundle.predict import checked, load_model
from ratchet.bundle.runtimes import is_isolated
from ratchet.deploy.packages import requirements
from ratchet.deploy.service import WORKERS, Service
from ratchet.errors import BundleError, RatchetError
from ratchet.recipe.sections import ServeConfig

MIB = 1 << 20
STEP = 32 * MIB
SECONDS = 600
COPIES = 3
_QUANTITY = re.compile(r"[1-9][0-9]*(?:Mi|Gi)")
_CHILD = "from ratchet.deploy.memory import _print_measured; _print_measured()"


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What a container asks for, and where it is ended; bytes."""

    request: int
    limit: int

    @classmethod
    def named(cls, quantity: str) -> Memory:
        """What a user named, such as 512Mi or 2Gi: both the request and the limit.

        Raises:
            RatchetError: it is no such quantity.
        """
        if not _QUANTITY.fullmatch(quantity):
            raise RatchetError(
                f"--memory must be a number of Mi or Gi but got {quantity!r}.", next_step="Write 512Mi or 2Gi."
            )
        number = int(quantity[:-2]) * (MIB if quantity.endswith("Mi") else 1024 * MIB)
        return cls(request=number, limit=number)


def measured(service: Service) -> Memory:
    """What the bundle takes on this machine.

    The request has room for both workers to answer: threads share the model, processes have one each. The limit has also room
    for the largest bodies that a server takes at the same time: as bytes, as texts, and as what is made of them. A model behind
    an endpoint is not asked.

    Raises:
        BundleError: the bundle cannot be served here, or not within ten minutes.
        ExtraMissing: a package that this needs is not installed.
    """
    requirements(service.bundle)
    bare, loaded, peak = _in_a_process(service)
    isolated = is_isolated(service.bundle.kind)
    request = bare + WORKERS * peak if isolated else loaded + WORKERS * (peak - loaded)
    return Memory(request=_rounded(request), limit=_rounded(request + COPIES * _bodies()))


def quantity(size: int) -> str:
    """Bytes as Kubernetes writes them, in whole mebibytes.

    >>> quantity(96 * MIB)
    '96Mi'
    """
    return f"{-(-size // MIB)}Mi"


def _rounded(size: int) -> int:
    return -(-size // STEP) * STEP


def _bodies() -> int:
    from ratchet.serve.limits import TOGETHER
    from ratchet.serve.messages import body_limit

    return TOGETHER * body_limit(ServeConfig())


def _in_a_process(service: Service) -> tuple[int, int, int]:
    """The most bytes that are resident in a server without a model, with it, and while it answers."""
    destination = service.destination.address if service.destination else ""
    command = [sys.executable, "-P", "-c", _CHILD, str(service.bundle.path), destination]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise BundleError(
            f"{service.bundle.path} must answer a block of texts within {SECONDS} seconds but did not.",
            next_step="Name the memory with --memory, such as 4Gi.",
        ) from error
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise BundleError(
            f"{service.bundle.path} cannot be served here: {said[-1]}.", next_step="Try: ratchet serve BUNDLE"
        )
    bare, loaded, peak = json.loads(done.stdout.splitlines()[-1])
    return int(bare), int(loaded), int(peak)


def _print_measured() -> None:
    """What the process does: ``sys.argv`` has the bundle and the address that texts may be sent to."""
    import ratchet.serve.rest  # noqa: F401 - what a server has in memory, too

    try:
        print(json.dumps(_peaks(Bundle.open(sys.argv[1]), send_to=sys.argv[2])))
    except RatchetError as error:
        sys.exit(str(error))


def _peaks(bundle: Bundle, *, send_to: str) -> tuple[int, int, int]:
    """Load the model, and ask it a block of long texts unless it is behind an endpoint."""
    from ratchet.serve.engine import SELF_TEST
    from ratchet.serve.rows import Fields
    from ratchet.serve.scheduler import PIECE

    bare = _peak()
    model = load_model(bundle, threads=1, send_to=send_to)
    loaded = _peak()
    if not send_to:
        fields = Fields.of(bundle.manifest)
        row = (max(SELF_TEST, key=len),) * len(fields.texts) + (None,) * len(fields.features)
        checked(model, fields.inputs([row] * PIECE))
    return bare, loaded, _peak()


def _peak() -> int:
    """The most bytes that were resident in this process."""
    status = Path("/proc/self/status")
    if status.exists():  # elsewhere the kernel also counts what this process was started from
        return 1024 * int(next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM")))
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most
