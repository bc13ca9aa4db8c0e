"""Monitoring: what a training tells while it runs, on the screen, in files, to alerts and to MLflow."""
