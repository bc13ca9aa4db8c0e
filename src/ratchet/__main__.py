"""The ``ratchet`` command and ``python -m ratchet``: nothing is imported before Ctrl-C is caught."""

import signal
import sys
from types import FrameType


def program() -> None:
    """The command as a process: Ctrl-C while it starts is one line, and once the work is done no failure."""
    came: list[int] = []

    def noted(number: int, frame: FrameType | None) -> None:
        came.append(number)
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, noted)
    try:
        from ratchet.cli.main import main

        main(interrupted=lambda: bool(came))
    except KeyboardInterrupt:
        sys.exit("error: Interrupted.")
    except Exception:
        if came:  # a compiled module that is interrupted while it is imported tells of another error
            sys.exit("error: Interrupted.")
        raise
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # Where Ctrl-C met code that Python runs from a string, as a dataclass is made, `python -m` would end by the signal
        # although it was caught; the interpreter forgets that when it runs the next string.
        eval("0")  # noqa: S307


if __name__ == "__main__":
    program()
