"""The gate: is a challenger better than the champion? Metrics, paired tests, verdicts, and the ledger that remembers them."""
