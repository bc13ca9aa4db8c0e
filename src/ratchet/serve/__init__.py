"""Serve a bundle: predictions for a file, and over the network."""

from ratchet.bundle.predict import Parity, load_model, parity, require_parity
from ratchet.models.model import Predictor
from ratchet.serve.files import FilePredictions, predict_file
from ratchet.serve.listen import serve

__all__ = ["FilePredictions", "Parity", "Predictor", "load_model", "parity", "predict_file", "require_parity", "serve"]
