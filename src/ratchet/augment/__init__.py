"""Augmentation: more training rows from those of the training part."""

from ratchet.augment.eda import Augmented, augment
from ratchet.augment.filters import Protected, near_to

__all__ = ["Augmented", "Protected", "augment", "near_to"]
