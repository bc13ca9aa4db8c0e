"""``python -m ratchet``."""

from ratchet.cli import program

program()
