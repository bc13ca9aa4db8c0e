"""Watch a training that runs in another process, or has ended, from what it writes into ``steps.jsonl`` alone."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from ratchet.errors import DataError
from ratchet.monitoring.live import LiveView, clock, drawn, epoch_line
from ratchet.monitoring.sinks import STEPS, line_of
from ratchet.monitoring.standing import Standing
from ratchet.workspace.finished import load_json

EVERY = 1.0
"""Seconds between two looks at the file."""
SPOKEN = 10.0
"""Seconds between two plain lines, where there is no terminal."""
QUIET = 15.0
"""Seconds without news after which the view says so."""
PATIENCE = 30.0
"""Seconds in which the next fold of a run may begin after one has ended."""
HINT = "Ctrl-C ends this view; the training goes on"
LONGEST = 1 << 16
"""Bytes that a line of steps does not have."""
WIDTH = 80
PRETRAINING = "pretraining"
"""The folder of this part of a training, inside of the whole one's."""
_FOLDER = re.compile(r"[0-9a-f]{8,}\.(.+)\.training")


class Followed:
    """A training's file, read on from where it was read before; one that was begun anew is read anew."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._begin()

    def _begin(self) -> None:
        self.standing = Standing(name=title(self.path.parent))
        self._read, self._rest, self._file = 0, b"", -1
        self._lines, self._known = 0, False

    def look(self) -> bool:
        """Take what is new; whether there was anything."""
        try:
            with self.path.open("rb") as file:
                size, number = file.seek(0, 2), self.path.stat().st_ino
                if size < self._read or number != self._file:  # it was written anew, by a training that goes on
                    self._begin()
                    self._file = number
                file.seek(self._read)
                data = file.read()
        except OSError:
            return False
        self._read += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for text in lines:
            line = line_of(text.decode("utf-8", "replace"))
            self._lines += 1
            self._known = self._known or line is not None
            if line is not None:
                self.standing.take(*line)
        return bool(data)

    @property
    def strange(self) -> bool:
        """Whether it holds only what no training writes; one that is empty, or whose first line is half written, may be one."""
        half = not self._rest or (self._rest.startswith(b"{") and len(self._rest) <= LONGEST)
        return not self._known and (self._lines > 0 or not half)

    @property
    def age(self) -> float:
        """Seconds since it was written."""
        with suppress(OSError):
            return max(time.time() - self.path.stat().st_mtime, 0.0)
        return 0.0


def title(folder: Path) -> str:
    """What a training is called: by the card of its contender, once there is one, else by its folder.

    >>> title(Path("models/0f3b7a52c1.fold-0.7.training"))
    'fold-0.7'
    >>> title(Path("models/0f3b7a52c1.fold-0.7.training/pretraining"))
    'fold-0.7 pretraining'
    """
    card = folder / "contender.json"
    if card.is_file():
        return str(load_json(card, keys={"name": str})["name"])
    if folder.name == PRETRAINING:
        return f"{title(folder.absolute().parent)} {PRETRAINING}"
    found = _FOLDER.fullmatch(folder.name)
    return found[1] if found else folder.absolute().name


def newest(folder: Path) -> Path | None:
    """The steps of the training that was written last: of this folder, or of one up to three folders below."""
    if folder.is_file():
        return folder
    if (folder / STEPS).is_file():
        return folder / STEPS
    found: list[tuple[float, Path]] = []
    for path in (one for depth in ("*", "*/*", "*/*/*") for one in folder.glob(f"{depth}/{STEPS}")):
        with suppress(OSError):  # a fold that was just finished
            found.append((path.stat().st_mtime, path))
    return max(found)[1] if found else None


def watch(folder: Path, *, stream: TextIO, once: bool = False, sleep: Callable[[float], None] = time.sleep) -> None:
    """Show the newest training of a folder until it ends, or until Ctrl-C; one that has ended is shown once.

    Args:
        folder: a workspace, the folder of a training, or its ``steps.jsonl``.
        stream: where to write; a live view where that is a terminal, else plain lines.
        once: show how it stands now, and return.
        sleep: waits for so many seconds.

    Raises:
        DataError: there is no training.
    """
    path = newest(folder)
    if path is None:
        raise DataError(
            f"{folder} must hold a training (a file {STEPS}) but has none.",
            next_step="Name a workspace or the folder of a training; what is finished keeps its curve in the report.",
        )
    followed = Followed(path)
    followed.look()
    if followed.strange:
        raise DataError(
            f"{path} must be the {STEPS} of a training but has no line of one.",
            next_step="Name a workspace, the folder of a training or its steps.jsonl.",
        )
    if once or followed.standing.ended:
        _print(followed.standing, stream)
        return
    alone = folder.is_file() or (folder / STEPS).is_file()
    looks = _looks(folder, followed, sleep=sleep, patience=0.0 if alone else PATIENCE)
    with suppress(KeyboardInterrupt):
        (_live if _drawable(stream) else _plain)(followed, looks, stream)
    if _drawable(stream):
        _print(followed.standing, stream)


def _looks(
    folder: Path, followed: Followed, *, sleep: Callable[[float], None], patience: float
) -> Iterator[Callable[[], bool]]:
    """Each second, what takes the news; until the training has ended and no other has begun in so many seconds."""
    news = time.monotonic()
    while not (followed.standing.ended and time.monotonic() - news >= patience):
        sleep(EVERY)
        path = newest(folder)
        if path is None and not followed.standing.ended and not followed.path.exists():
            return  # it was removed
        followed.path = path or followed.path
        before = followed.standing.step, followed.path
        yield followed.look
        if (followed.standing.step, followed.path) != before:
            news = time.monotonic()


def _live(followed: Followed, looks: Iterator[Callable[[], bool]], stream: TextIO) -> None:
    with LiveView(followed.standing, terminal=stream, hint=HINT) as view:
        for look in looks:
            with view.lock:
                look()
            view.show(followed.standing)
            quiet = followed.age > QUIET and not followed.standing.ended
            view.say_below((f"nothing new for {clock(followed.age)}. " if quiet else "") + HINT)


def _plain(followed: Followed, looks: Iterator[Callable[[], bool]], stream: TextIO) -> None:
    spoken, said = float("-inf"), ""
    for look in looks:
        look()
        now, line = time.monotonic(), epoch_line(followed.standing)
        if line != said and (now - spoken >= SPOKEN or followed.standing.ended):
            print(line, file=stream, flush=True)
            spoken, said = now, line


def _drawable(stream: TextIO) -> bool:
    from rich.console import Console

    return stream.isatty() and not Console(file=stream).is_dumb_terminal


def _print(standing: Standing, stream: TextIO) -> None:
    from rich.console import Console

    console = Console(file=stream, highlight=False, width=None if stream.isatty() else WIDTH)
    for line in drawn(standing, width=console.width):
        console.print(line)
