"""Tuning: studies of trials that many processes share and that survive a kill."""
