"""Metrics: what is measured on rows, with intervals and paired tests."""
