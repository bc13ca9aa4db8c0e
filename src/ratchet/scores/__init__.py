"""Scores of generated text: one number a row, from answers and references alone."""
