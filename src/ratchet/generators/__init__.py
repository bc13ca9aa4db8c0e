"""Generators: models that write their answer, on this machine, greedy or by drawing."""
