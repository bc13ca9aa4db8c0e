"""The gate: is a challenger better than the champion? Verdicts, and the ledger that remembers them."""
