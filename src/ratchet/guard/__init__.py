"""The guard: prompt injections and other attacks in texts, found by rules and a small classifier, each with its reason."""

from ratchet.guard.calibrate import Calibration, calibrate
from ratchet.guard.decision import Decision, Mode, Reason
from ratchet.guard.guard import Guard
from ratchet.guard.untrusted import Canary, Marked, mark

__all__ = ["Calibration", "Canary", "Decision", "Guard", "Marked", "Mode", "Reason", "calibrate", "mark"]
