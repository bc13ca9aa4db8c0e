"""Drift: what changed between two tables, and which of it is more than chance."""
