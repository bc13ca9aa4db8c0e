"""The ``ratchet`` command and ``python -m ratchet``: nothing is imported before Ctrl-C is caught."""

import signal
import sys


def program() -> None:
    """The command as a process: Ctrl-C while it starts is one line, and once the work is done no failure."""
    try:
        from ratchet.cli.main import main

        main()
    except KeyboardInterrupt:
        sys.exit("error: Interrupted.")
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # Where Ctrl-C met code that Python runs from a string, as a dataclass is made, `python -m` would end by the signal
        # although it was caught; the interpreter forgets that when it runs the next string.
        eval("0")  # noqa: S307


if __name__ == "__main__":
    program()
