"""Contenders: models that were trained and scored on held-out rows, each a finished folder in the workspace."""

from ratchet.contenders.base import CARD, FACTS, FOLDS, MODEL, Contender, PartedRows, load_model_folder
from ratchet.contenders.copies import defend, latency, shrink, trained_in
from ratchet.contenders.derived import train_augmented, train_balanced
from ratchet.contenders.embedding import train_embedding
from ratchet.contenders.encoder import fold_folder, folds_at_first, train_encoder
from ratchet.contenders.linear import train_linear
from ratchet.contenders.refit import refit

__all__ = [
    "CARD",
    "FACTS",
    "FOLDS",
    "MODEL",
    "Contender",
    "PartedRows",
    "defend",
    "fold_folder",
    "folds_at_first",
    "latency",
    "load_model_folder",
    "refit",
    "shrink",
    "train_augmented",
    "train_balanced",
    "train_embedding",
    "train_encoder",
    "train_linear",
    "trained_in",
]
