"""A check-up: what is checked, all checks at once, and the fixes that they propose."""
