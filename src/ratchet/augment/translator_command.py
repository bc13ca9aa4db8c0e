"""A program that translates: a text a line in, a translation a line out."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from ratchet.augment.kept import made_once
from ratchet.endpoint.cache import Cache
from ratchet.endpoint.reply import Reply
from ratchet.errors import RatchetError
from ratchet.models.checkpoints import first_line
from ratchet.screen import Advance
from ratchet.workspace.finished import file_sha256

LINES = 256
"""Texts that a program is given at a time."""
_MOST = 1 << 26
"""Bytes of its answer that are read."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CommandTranslator:
    """Runs the program as it stands, no shell between, once for each `LINES` texts that are new."""

    command: tuple[str, ...]
    key: str
    """Of the recipe, for messages."""
    timeout: float
    """Seconds for `LINES` texts."""
    cache: Cache

    @property
    def name(self) -> str:
        """As `Translator.name`: the program and the files that it is given; other arguments may hold a secret."""
        return " ".join([self.command[0], *(one for one in self.command[1:] if Path(one).is_file())])

    def translate(self, texts: Sequence[str], *, copy: int, advance: Advance) -> Mapping[str, Reply]:
        """As `Translator.translate`; a program draws nothing, so ``copy`` has no say.

        Raises:
            RatchetError: it cannot be run, ends with an error, takes too long, or writes other than a line for each text.
        """
        del copy
        by = {"command": list(self.command), "files": command_files(self.command)}
        about = f"through {self.command[0]}"
        return made_once(texts, self._work, by=by, cache=self.cache, advance=advance, about=about, keep=_written)

    def _work(self, todo: list[str]) -> Iterator[Mapping[str, Reply]]:
        for first in range(0, len(todo), LINES):
            block = todo[first : first + LINES]
            yield {
                text: Reply(text=line.strip(), model=self.name)
                for text, line in zip(block, self._lines(block), strict=True)
            }

    def _lines(self, texts: Sequence[str]) -> list[str]:
        asked = "".join(f"{_one_line(text)}\n" for text in texts).encode("utf-8", "replace")
        with TemporaryFile() as given, TemporaryFile() as answer, TemporaryFile() as said:
            given.write(asked)
            given.seek(0)
            code = self._run(given, answer, said, texts=len(texts))
            answer.seek(0)
            said.seek(0)
            written, complaint = answer.read(_MOST), said.read(2000).decode("utf-8", "replace").strip()
        if code:
            raise RatchetError(
                f"{self.key} must end with exit code 0 but {self.name!r} ended with {code}"
                + (f": {complaint.splitlines()[-1][:300]}" if complaint else "."),
                next_step="Try it by hand with one line of text.",
            )
        lines = written.decode("utf-8", "replace").removesuffix("\n").split("\n")
        if len(lines) != len(texts):
            raise RatchetError(
                f"{self.key} must write a line for each of the {len(texts):,} texts but {self.name!r} wrote {len(lines):,}.",
                next_step="Use a program that keeps lines apart, and switch off what it writes besides.",
            )
        return lines

    def _run(self, given: IO[bytes], answer: IO[bytes], said: IO[bytes], *, texts: int) -> int:
        """The exit code; whatever happens, neither the program nor what it started is left running."""
        program = shutil.which(self.command[0])
        if program is None:
            raise RatchetError(
                f"{self.key} must begin with a program that can be run but got {self.command[0]!r}.",
                next_step="Install it, or give its path.",
            )
        started = [program, *self.command[1:]]
        try:
            process = subprocess.Popen(started, stdin=given, stdout=answer, stderr=said, start_new_session=True)
        except OSError as error:
            raise RatchetError(
                f"{self.key} must be a program that can be run but: {first_line(error)}",
                next_step="Check that the file is whole and meant for this machine.",
            ) from error
        try:
            return process.wait(self.timeout)
        except subprocess.TimeoutExpired:
            raise RatchetError(
                f"{self.key} must translate {texts:,} texts within {self.timeout:g} seconds but {self.name!r} did not.",
                next_step="Raise timeout; what was translated before is kept.",
            ) from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def command_files(command: Sequence[str]) -> list[str]:
    """The sha256 of the program and of each file that it is given: an edited script is another translator."""
    program = shutil.which(command[0]) if command else None
    paths = [Path(one) for one in (*([program] if program else []), *command[1:])]
    return [file_sha256(path) for path in paths if path.is_file()]


def _written(reply: Reply) -> bool:
    """Whether the program wrote anything: what an empty line stands for may be over when it is asked again."""
    return bool(reply.text)


def _one_line(text: str) -> str:
    """The text without what some programs take for the end of a line or of their input."""
    return " ".join(text.replace("\0", " ").splitlines())
