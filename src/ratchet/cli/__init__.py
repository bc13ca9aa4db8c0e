"""The command line: arguments in, one call, and what it gave in print."""
