"""Generators: models that write their answer, local and greedy."""
