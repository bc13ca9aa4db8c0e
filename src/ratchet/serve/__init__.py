"""Serve a bundle: predictions for a file, and over the network."""

from ratchet.serve.files import FilePredictions, predict_file
from ratchet.serve.listen import serve
from ratchet.serve.predict import Parity, Predictor, load_model, parity, require_parity

__all__ = ["FilePredictions", "Parity", "Predictor", "load_model", "parity", "predict_file", "require_parity", "serve"]
