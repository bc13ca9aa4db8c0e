"""The check of a table before anything is trained on it."""

from ratchet.checks.context import Context
from ratchet.checks.facts import Class, Facts, Lengths
from ratchet.checks.finding import Example, Finding, merged
from ratchet.checks.leaks import NaiveSplit, naive_split
from ratchet.checks.noise import Suspect, doubts, write_queue
from ratchet.checks.registry import CHECKS, Check, Health, checks, run_checks
from ratchet.checks.scores import Score
from ratchet.data.mend import plain, visible
from ratchet.text.mojibake import repaired
from ratchet.text.personal import mask

__all__ = [
    "CHECKS",
    "Check",
    "Class",
    "Context",
    "Example",
    "Facts",
    "Finding",
    "Health",
    "Lengths",
    "NaiveSplit",
    "Score",
    "Suspect",
    "checks",
    "doubts",
    "mask",
    "merged",
    "naive_split",
    "plain",
    "repaired",
    "run_checks",
    "visible",
    "write_queue",
]
