"""Several examples in one line of tokens, none of which sees another: no padding to speak of, and the same gradient."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ratchet.train.batches import Plan

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class PackedPlan(Plan):
    """The batches of an epoch whose rows lie in lines; `lines` gives the lines of a batch back."""

    width: int
    """Most tokens of a line."""

    def computed(self, rows: Ints) -> int:
        """Tokens that are computed for a batch: what its lines lack of the longest among them is padding."""
        found = lines(rows, self.lengths, width=self.width)
        return len(found) * max(int(self.lengths[line].sum()) for line in found)


@dataclass(frozen=True, kw_only=True, eq=False)
class Packed:
    """A batch of lines as a network reads it; where positions start again, another example begins.

    Attributes:
        tokens: (lines, width)
        positions: (lines, width) of each token in its example; padding at the end is an example of its own.
        places: (answer tokens,) where in the flattened tokens the token before each one lies, which foretells it.
        wanted: (answer tokens,) what is foretold there.
        owner: (answer tokens,) which of the batch's examples it belongs to, in the order that they were given.
    """

    tokens: Ints
    positions: Ints
    places: Ints
    wanted: Ints
    owner: Ints


def plan_packed(lengths: Ints, *, seed: int, epoch: int, budget: int, width: int) -> PackedPlan:
    """The packed batches of an epoch, a pure function of its arguments; a position in it is one integer.

    Rows are laid into lines from the longest to the shortest, each into the fullest line that has room ("best-fit decreasing",
    Johnson 1973, "Near-optimal bin packing algorithms"); which of the rows of one length go together is drawn anew in each
    epoch.

    Args:
        lengths: (n,) tokens of each row.
        seed: of the run.
        epoch: counted from 0.
        budget: most tokens of a batch; at least one line.
        width: most tokens of a line; a longer row is a line of its own.
    """
    dice = np.random.Generator(np.random.PCG64([seed, epoch]))
    shuffled = dice.permutation(len(lengths))
    order = shuffled[np.argsort(-lengths[shuffled], kind="stable")]
    packed = _best_fit(order, lengths, width=width)
    count = max(1, budget // max(width, 1))
    drawn = dice.permutation(len(packed))
    # In a batch the lines stand in the order in which they were opened, so that `lines` finds them again.
    batches = [np.sort(drawn[start : start + count]) for start in range(0, len(drawn), count)]
    rows = tuple(np.concatenate([packed[line] for line in batch]) for batch in batches)
    return PackedPlan(batches=rows, lengths=lengths, width=width)


def _best_fit(order: Ints, lengths: Ints, *, width: int) -> list[Ints]:
    """The rows of each line, in the order in which the lines were opened."""
    found: list[list[int]] = []
    rooms: list[int] = []  # sorted: the rooms that some line has left
    with_room: dict[int, list[int]] = {}
    for row in order.tolist():
        length = int(lengths[row])
        place = bisect_left(rooms, length)
        if place < len(rooms):
            room = rooms[place]
            line = with_room[room].pop()
            if not with_room[room]:
                del rooms[place]
            found[line].append(row)
        else:
            line, room = len(found), width
            found.append([row])
        left = room - length
        if left > 0:
            held = with_room.setdefault(left, [])
            if not held:
                insort(rooms, left)
            held.append(line)
    return [np.array(line, dtype=np.int64) for line in found]


def lines(rows: Ints, lengths: Ints, *, width: int) -> list[Ints]:
    """The rows of each line of a batch: a line is full when the next row does not fit.

    No first row of a line fitted into a line that was opened before, so this undoes what `plan_packed` joined.
    """
    found: list[Ints] = []
    start, used = 0, 0
    for end, row in enumerate(rows.tolist()):
        length = int(lengths[row])
        if end > start and used + length > width:
            found.append(rows[start:end])
            start, used = end, 0
        used += length
    if len(rows):
        found.append(rows[start:])
    return found


def packed(
    examples: Sequence[tuple[Ints, npt.NDArray[np.bool_]]], grouped: Sequence[Sequence[int]], *, pad_id: int
) -> Packed:
    """Lay examples into lines.

    Args:
        examples: token ids, and which of them are to be foretold, both (tokens,); nothing foretells the first token.
        grouped: the examples of each line, by place.
        pad_id: fills a line.
    """
    width = max(sum(len(examples[one][0]) for one in line) for line in grouped)
    tokens = np.full((len(grouped), width), pad_id, dtype=np.int64)
    positions = np.zeros((len(grouped), width), dtype=np.int64)
    places, wanted, owner = [], [], []
    for number, line in enumerate(grouped):
        start = 0
        for one in line:
            ids, told = examples[one]
            end = start + len(ids)
            tokens[number, start:end] = ids
            positions[number, start:end] = np.arange(len(ids))
            said = np.flatnonzero(told[1:])
            places.append(number * width + start + said)
            wanted.append(ids[said + 1])
            owner.append(np.full(len(said), one, dtype=np.int64))
            start = end
        positions[number, start:] = np.arange(width - start)
    joined = [np.concatenate(each).astype(np.int64) for each in (places, wanted, owner)]
    return Packed(tokens=tokens, positions=positions, places=joined[0], wanted=joined[1], owner=joined[2])
