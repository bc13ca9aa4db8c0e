"""The report of a check: terminal, page, SARIF and JUnit."""
