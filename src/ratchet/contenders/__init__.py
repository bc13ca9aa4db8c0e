"""Contenders: whatever answers rows it was not trained on, each a finished folder in the workspace."""
