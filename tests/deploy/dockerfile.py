"""A Dockerfile read into its instructions, and the rules that an image of ours keeps."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

SECRET = re.compile(r"KEY|TOKEN|PASSWORD|SECRET", re.IGNORECASE)
VERSIONED = re.compile(r"[a-z0-9./-]+(:(?!latest)[A-Za-z0-9_.-]+|@sha256:[0-9a-f]{64})")


@dataclass(frozen=True, kw_only=True)
class Instruction:
    name: str
    value: str

    @property
    def words(self) -> list[str]:
        """The exec form."""
        found = json.loads(self.value)
        assert isinstance(found, list)
        assert all(isinstance(word, str) for word in found)
        return found


def read(text: str) -> list[list[Instruction]]:
    """The instructions before the first stage, and those of each stage."""
    stages: list[list[Instruction]] = [[]]
    for line in re.sub(r"\\\n", " ", text).splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, value = line.partition(" ")
            assert name.isupper(), line
            if name == "FROM":
                stages.append([])
            stages[-1].append(Instruction(name=name, value=value.strip()))
    return stages


def faults(folder: Path) -> list[str]:
    """What is wrong with the Dockerfile in this folder."""
    stages = read((folder / "Dockerfile").read_text(encoding="utf-8"))
    every = [one for stage in stages for one in stage]
    last = {one.name: one for one in stages[-1]}
    found = []
    bases = [one.value.partition("=")[2] for one in every if one.name == "ARG" and one.value.startswith("BASE=")]
    if not all(VERSIONED.fullmatch(base) for base in bases) or len(bases) != 1:
        found.append(f"the base has no version: {bases}")
    if any(one.value.split(" AS ")[0] != "${BASE}" for one in every if one.name == "FROM"):
        found.append("a stage has another base")
    if not re.fullmatch(r"[1-9][0-9]{3,}:[1-9][0-9]{3,}", last["USER"].value if "USER" in last else ""):
        found.append("the user is not a number other than root's")
    found += [f"{one.name} is not needed" for one in every if one.name in ("ADD", "SHELL", "ONBUILD", "VOLUME")]
    found += [f"the last stage runs {one.value}" for one in stages[-1] if one.name == "RUN"]
    found += [
        f"a secret: {one.value}" for one in every if one.name in ("ENV", "ARG", "LABEL") and SECRET.search(one.value)
    ]
    for name in ("ENTRYPOINT", "CMD"):
        if name not in last or not last[name].value.startswith("["):
            found.append(f"{name} is not in exec form, so signals do not arrive")
    if "HEALTHCHECK" not in last or " CMD [" not in last["HEALTHCHECK"].value:
        found.append("no health check in exec form")
    allowed = {line[1:] for line in (folder / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for copy in (one for one in every if one.name == "COPY" and not one.value.startswith("--from")):
        source = copy.value.split()[0]
        if source not in allowed or not (folder / source).exists():
            found.append(f"{source} is not there, or ignored")
    if "*" not in (folder / ".dockerignore").read_text().splitlines():
        found.append("everything in the folder is sent to the builder")
    pins = [line for line in (folder / "requirements.txt").read_text().splitlines() if not line.startswith("--")]
    found += [f"no version: {line}" for line in pins if not re.fullmatch(r"[a-z0-9-]+==[^\s;]+( ; .+)?", line)]
    return found
