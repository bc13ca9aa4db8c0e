"""Train an encoder, and export it."""

from ratchet.train.export import Exported, export_onnx
from ratchet.train.loop import EpochRecord, Progress, fit_encoder, read_history

__all__ = ["EpochRecord", "Exported", "Progress", "export_onnx", "fit_encoder", "read_history"]
