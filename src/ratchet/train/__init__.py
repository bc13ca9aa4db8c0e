"""Train encoders and generators, watch them, and export what was trained."""

from ratchet.train.encoder import fit_encoder
from ratchet.train.export import Exported, export_onnx
from ratchet.train.loop import fit
from ratchet.train.records import EpochRecord, Progress, read_history

__all__ = ["EpochRecord", "Exported", "Progress", "export_onnx", "fit", "fit_encoder", "read_history"]
