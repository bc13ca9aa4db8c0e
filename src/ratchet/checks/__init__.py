"""The check of a table before anything is trained on it."""

from ratchet.checks.context import Context
from ratchet.checks.facts import Class, Facts, Lengths
from ratchet.checks.finding import Example, Finding, merged
from ratchet.checks.label_noise import Suspect, doubts, write_queue
from ratchet.checks.random_split import NaiveSplit, naive_split
from ratchet.checks.registry import CHECKS, Check, Health, checks, run_checks
from ratchet.prepare.cleaning import plain, visible
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
