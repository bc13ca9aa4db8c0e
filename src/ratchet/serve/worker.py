"""A worker process: ``python -m ratchet.serve.worker`` loads a bundle's model and answers on its standard output."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from typing import BinaryIO

import msgspec

from ratchet.bundle.predict import checked, load_model
from ratchet.errors import RatchetError
from ratchet.models.model import Predictor
from ratchet.serve.frames import Ask, Failure, Load, Ready, answered, frame, read, rows_of


def work(questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer questions until there are no more; the first of them names the bundle."""
    first = read(questions)
    if not isinstance(first, Load):
        return
    try:
        model: Predictor = load_model(first.bundle, threads=first.threads)
    except Exception as error:  # noqa: BLE001 - the server tells it
        _say(answers, _failure(error))
        return
    _say(answers, Ready(tuple(model.labels)))
    while isinstance(ask := read(questions), Ask):
        try:
            found: msgspec.Struct = answered(checked(model, rows_of(ask)))
        except Exception as error:  # noqa: BLE001 - one request fails, and the next may not
            found = _failure(error)
        _say(answers, found)


def _say(stream: BinaryIO, message: msgspec.Struct) -> None:
    stream.write(frame(message))
    stream.flush()


def _failure(error: Exception) -> Failure:
    place = traceback.extract_tb(error.__traceback__)[-1]
    told = (error.problem, error.next_step) if isinstance(error, RatchetError) else ("", "")
    where = f"{place.filename}:{place.lineno}"
    return Failure(kind=type(error).__name__, place=where, problem=told[0], next_step=told[1])


def main() -> None:
    """Until its server goes: a signal to the whole group must not end a worker that still owes answers."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not stand among the answers
    try:
        work(sys.stdin.buffer, answers)
    except BrokenPipeError:
        os._exit(0)


if __name__ == "__main__":
    main()
