"""Copies and near-duplicates of texts, found by their n-grams."""
