"""Texts: their forms, encodings, dates and personal data, and columns of them as Arrow holds them."""
