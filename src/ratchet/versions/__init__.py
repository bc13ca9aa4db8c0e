"""Versions of tables: recorded in the ledger, kept line by line, and brought back."""
