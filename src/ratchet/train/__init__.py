"""Train an encoder, and export it."""

from ratchet.train.encoder import fit_encoder
from ratchet.train.export import Exported, export_onnx
from ratchet.train.loop import EpochRecord, Progress, fit, read_history

__all__ = ["EpochRecord", "Exported", "Progress", "export_onnx", "fit", "fit_encoder", "read_history"]
