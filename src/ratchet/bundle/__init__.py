"""The bundle: a folder with a model and all that is needed to serve it, and the proof that it predicts as it was trained."""
