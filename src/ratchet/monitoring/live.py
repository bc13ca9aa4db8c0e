"""A live view of a training on a terminal, which reads well at 80 columns, and the same as plain lines."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from itertools import pairwise
from typing import TYPE_CHECKING, Self, TextIO

from ratchet.forms import legible
from ratchet.monitoring.standing import COST, EPOCH, LEFT, SECONDS, Standing

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

REFRESHES = 2.0
"""Times a second that the view is drawn; between them it costs nothing."""
MARGIN = 12
"""Columns of the names on the left."""
NOTES = 4
"""Lines of the last alerts that are shown."""
BLOCKS, ASCII = "▁▂▃▄▅▆▇█", "_.-=+*#"


class LiveView:
    """Draws a `Standing` on a terminal's other screen inside the block; what was there before comes back after it.

    The other screen is drawn whole each time, so that a terminal may be resized meanwhile.

    Args:
        standing: what to draw; give it numbers through `take` alone while the view is open.
        terminal: where to draw.
        hint: the line at the foot.
    """

    def __init__(self, standing: Standing, *, terminal: TextIO, hint: str = "") -> None:
        self._standing, self._terminal, self._hint = standing, terminal, hint
        self.lock, self._stack = threading.Lock(), ExitStack()
        """Held while it draws: hold it while the standing changes."""

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.live import Live

        console = Console(file=self._terminal, highlight=False)
        view = Live(
            self,
            console=console,
            screen=True,
            refresh_per_second=REFRESHES,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._stack.enter_context(view)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def take(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers that were written at a step."""
        with self.lock:
            self._standing.take(step, values)

    def note(self, line: str) -> None:
        """A line to show beneath."""
        with self.lock:
            self._standing.notes.append(line)

    def show(self, standing: Standing) -> None:
        """Draw another training from now on."""
        with self.lock:
            self._standing = standing

    def say_below(self, hint: str) -> None:
        """Change the line at the foot."""
        self._hint = hint

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        blocks = BLOCKS if (console.encoding or "").lower().startswith("utf") else ASCII
        with self.lock:
            found = drawn(self._standing, width=options.max_width, blocks=blocks)
        yield from found
        if self._hint:
            yield _cut("")
            yield _cut(self._hint, style="dim")


def drawn(standing: Standing, *, width: int, blocks: str = BLOCKS) -> list[Text]:
    """The lines of the view; each fits into ``width`` columns."""
    known, room = standing.latest, max(width - MARGIN - 1, 10)
    lines = [_head(standing, width=width), _bar(standing, width=width, blocks=blocks), _cut("")]
    lines.append(
        _row("loss", [(_number(known.get("train/loss")), "bold"), (_trend(standing, room - 10, blocks), "cyan")])
    )
    for name in standing.metrics:
        best = standing.best[name]
        at = f"best {_number(best.value)} at step {best.step + 1:,}"
        lines.append(
            _row(
                name.removeprefix("valid/") if name != "valid/loss" else "valid loss",
                [(_number(known.get(name)), "bold"), (at, "green")],
            )
        )
    for name, parts in _groups(known).items():
        if parts:
            lines.append(_row(name, [(part, "") for part in parts]))
    lines.append(_cut(""))
    notes = standing.notes[-NOTES:] or ["no alert"]
    lines += [_row("" if place else "alerts", [(note, _colour(note))]) for place, note in enumerate(notes)]
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return lines


def epoch_line(standing: Standing) -> str:
    """Where a training stands, in one plain line."""
    known = standing.latest
    parts = [standing.name] if standing.name else []
    parts.append(_steps(standing))
    parts += [f"loss {_number(known['train/loss'])}"] if "train/loss" in known else []
    parts += [f"valid {name.removeprefix('valid/')} {_number(known.get(name))}" for name in standing.metrics]
    parts += _speed(known)[:2]
    parts += [f"{clock(known[LEFT])} left"] if LEFT in known and not standing.ended else []
    parts += [f"took {clock(known[SECONDS])}"] if SECONDS in known and standing.ended else []
    parts += [f"cost {known[COST]:.2f}"] if COST in known else []
    return legible(", ".join(parts))


def sparkline(points: Sequence[float], *, width: int, blocks: str = BLOCKS) -> str:
    """A curve in one line: each column is the mean of its points.

    >>> sparkline([8, 4, 2, 1], width=4)
    '█▄▂▁'
    """
    if not points or width < 1:
        return ""
    count = min(width, len(points))
    cuts = [round(place * len(points) / count) for place in range(count + 1)]
    means = [math.fsum(points[a:b]) / (b - a) for a, b in pairwise(cuts)]
    low, high = min(means), max(means)
    scale = (len(blocks) - 1) / (high - low) if high > low else 0.0
    return "".join(blocks[round((mean - low) * scale)] for mean in means)


def clock(seconds: float) -> str:
    """A span of time for people.

    >>> clock(7), clock(192), clock(7400), clock(200_000)
    ('7 s', '3:12 min', '2:03 h', '2 d 7 h')
    """
    whole = int(max(seconds, 0))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02} min"
    if whole < 2 * 86_400:
        return f"{whole // 3600}:{whole % 3600 // 60:02} h"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"


def _head(standing: Standing, *, width: int) -> Text:
    left, right = legible(standing.name) or "training", _steps(standing)
    line = _cut(left, style="bold")
    line.truncate(max(width - len(right) - 1, 1), overflow="ellipsis", pad=True)
    return line.append(f" {right}")


def _steps(standing: Standing) -> str:
    known = standing.latest
    epoch = [f"epoch {known[EPOCH]:g}"] if EPOCH in known else []
    done = f"step {standing.step + 1:,}" + (f" of {standing.steps:,}" if standing.steps else "")
    return " · ".join([*epoch, done])


def _bar(standing: Standing, *, width: int, blocks: str) -> Text:
    """A bar with the share that is done and the time left, or how long it took."""
    known, steps = standing.latest, standing.steps
    share = 1.0 if standing.ended else min((standing.step + 1) / steps, 1.0) if steps else 0.0
    if standing.ended:
        words = f" ended after {clock(known.get(SECONDS, 0))}"
    else:
        words = f" {share:4.0%}" if steps else ""
        words += f"  {clock(known[LEFT])} left" if LEFT in known else ""
    room = max(width - len(words), 0)
    full = round(room * share)
    mark, rest = ("━", "─") if blocks == BLOCKS else ("#", "-")
    return _cut(mark * full, style="green").append(rest * (room - full), style="dim").append(words)


def _groups(known: Mapping[str, float]) -> dict[str, list[str]]:
    """The other rows by their names."""
    rows = {"learning": _learning(known), "speed": _speed(known), "machine": _machine(known)}
    for number in range(64):
        if not any(name.startswith(f"hardware/gpu{number}") for name in known):
            break
        rows[f"GPU {number}"] = _gpu(known, f"hardware/gpu{number}")
    rows["cost"] = [f"{known[COST]:.2f}"] if COST in known else []
    return rows


def _learning(known: Mapping[str, float]) -> list[str]:
    names = {"rate": "train/rate", "gradient norm": "train/norm"}
    return [f"{word} {_number(known[name])}" for word, name in names.items() if name in known]


def _speed(known: Mapping[str, float]) -> list[str]:
    found = [f"{known['train/tokens_s']:,.0f} tokens/s"] if "train/tokens_s" in known else []
    shares = {"MFU": "train/mfu", "padding": "train/padding", "waits for data": "train/wait"}
    return found + [f"{word} {known[name]:.1%}" for word, name in shares.items() if name in known]


def _machine(known: Mapping[str, float]) -> list[str]:
    found = [f"CPU {known['hardware/cpu']:.0f}%"] if "hardware/cpu" in known else []
    found += _memory(known, "hardware/memory")
    return found + ([f"{known['hardware/temperature']:.0f} °C"] if "hardware/temperature" in known else [])


def _gpu(known: Mapping[str, float], name: str) -> list[str]:
    found = [f"{known[name]:.0f}%"] if name in known else []
    found += _memory(known, f"{name}_memory")
    found += [f"{known[f'{name}_power']:.0f} W"] if f"{name}_power" in known else []
    return found + ([f"{known[f'{name}_temperature']:.0f} °C"] if f"{name}_temperature" in known else [])


def _memory(known: Mapping[str, float], name: str) -> list[str]:
    if name not in known:
        return []
    used, total = known[name] / 1e9, known.get(f"{name}_total", 0.0) / 1e9
    return [f"memory {used:.1f} of {total:.1f} GB" if total else f"memory {used:.1f} GB"]


def _trend(standing: Standing, width: int, blocks: str) -> str:
    return sparkline(standing.loss.points, width=width, blocks=blocks)


def _number(value: float | None) -> str:
    """Four digits of a number."""
    if value is None:
        return "-"
    return f"{value:.4f}" if 0.01 <= abs(value) < 1000 else f"{value:.3g}"


def _row(name: str, parts: Sequence[tuple[str, str]]) -> Text:
    line = _cut(f"{name:<{MARGIN - 1}} ", style="dim")
    for place, (words, style) in enumerate(parts):
        line.append(("   " if place else "") + legible(words), style=style)
    return line


def _cut(words: str, *, style: str = "") -> Text:
    from rich.text import Text

    return Text("", no_wrap=True, overflow="ellipsis").append(legible(words), style=style)


def _colour(note: str) -> str:
    return "bold red" if note.startswith("alert") else "dim" if note == "no alert" else "yellow"
