"""Smaller and faster forms of a model."""

from ratchet.compress.quantise import Quantised, quantise_onnx

__all__ = ["Quantised", "quantise_onnx"]
