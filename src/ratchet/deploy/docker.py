"""Docker: a folder with all that an image needs but the base and the packages of the index."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from pathlib import Path

import ratchet
from ratchet.bundle.bundle import Bundle
from ratchet.deploy.packages import requirements
from ratchet.deploy.service import USER, Service
from ratchet.deploy.written import Written, fresh_folder

FILES = (".dockerignore", "Dockerfile", "bundle", "ratchet", "requirements.txt")
HOME = "/opt/ratchet"
BUNDLE = "/srv/bundle"
IGNORED = """\
# Nothing but what the image is made of: no key that lies here by chance.
*
!bundle
!ratchet
!requirements.txt
"""


def docker(service: Service, target: Path, *, force: bool = False) -> Written:
    """Write a folder to build an image from: the Dockerfile, the pinned packages, this Ratchet, and the bundle.

    Raises:
        ExtraMissing: a package that the bundle needs is not installed here, so no version of it is known to work.
        RatchetError, WorkspaceError: the folder cannot be written, see :func:`fresh_folder`.
    """
    lines = requirements(service.bundle)
    with fresh_folder(target, names=FILES, force=force, bundle=service.bundle.path) as folder:
        (folder / "Dockerfile").write_text(dockerfile(service), encoding="utf-8")
        (folder / ".dockerignore").write_text(IGNORED, encoding="utf-8")
        (folder / "requirements.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        shutil.copytree(Path(ratchet.__file__).parent, folder / "ratchet", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(service.bundle.path, folder / "bundle")
        Bundle.open(folder / "bundle")
    return Written(folder=target, files=FILES, steps=_steps(service, target))


def dockerfile(service: Service) -> str:
    """Two stages: packages are installed in the first, and the second has neither what that needed nor a shell at its start."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    check = (
        f"import http.client as h; c = h.HTTPConnection('127.0.0.1', {service.port}, timeout=4); "
        "c.request('GET', '/readyz'); raise SystemExit(c.getresponse().status != 200)"
    )
    start = ["python", "-m", "ratchet", "serve", BUNDLE]
    labels = {
        "org.opencontainers.image.title": service.name,
        "org.opencontainers.image.version": service.bundle.sha256[:12],
        "io.github.ratchet.version": ratchet.__version__,
        "io.github.ratchet.bundle.sha256": service.bundle.sha256,
    }
    return f"""\
# Made by `ratchet deploy docker`; run it again instead of editing this file.
# For a base of your own: docker build --build-arg BASE=registry.example.com/python@sha256:...
ARG BASE=python:{python}-slim

FROM ${{BASE}} AS packages
ARG PIP_INDEX_URL
COPY requirements.txt /tmp/requirements.txt
RUN pip install --no-cache-dir --no-compile --only-binary=:all: --target={HOME} --requirement=/tmp/requirements.txt
COPY ratchet {HOME}/ratchet
RUN python -m compileall -q --invalidation-mode unchecked-hash {HOME}

FROM ${{BASE}}
ENV PYTHONPATH={HOME} PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp LOGNAME=ratchet
COPY --from=packages {HOME} {HOME}
COPY bundle {BUNDLE}
LABEL {" ".join(f"{name}={json.dumps(value)}" for name, value in labels.items())}
USER {USER}:{USER}
EXPOSE {service.port}
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD {json.dumps(["python", "-c", check])}
ENTRYPOINT {json.dumps(start)}
CMD {json.dumps(list(service.arguments))}
"""


def _steps(service: Service, target: Path) -> tuple[str, ...]:
    keys = " ".join(f"--env {name}" for name in service.keys)
    run = (
        f"docker run --rm --init --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges "
        f"--stop-timeout {service.drain_seconds + 5} --publish 127.0.0.1:{service.port}:{service.port} {keys} {service.image}"
    )
    further = [f'export {name}="..."' for name in service.keys[1:]]
    return (
        f"docker build --tag {service.image} {shlex.quote(str(target))}",
        "# The key that clients send; it is in no file and in no layer of the image.",
        f"export {service.keys[0]}=$(openssl rand -hex 24)",
        *further,
        run,
        "# With the keys in a file of lines NAME=VALUE: --env-file FILE in the place of --env NAME.",
        f"curl localhost:{service.port}/readyz",
    )
