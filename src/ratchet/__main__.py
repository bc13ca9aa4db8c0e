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


if __name__ == "__main__":
    program()
