"""Augmentation: more training rows from those of the training part."""

from ratchet.augment.augmenter import Augmenter, Making
from ratchet.augment.drafts import Drafts
from ratchet.augment.filters import Made, Protected, keep, near_to
from ratchet.augment.registry import augmenters
from ratchet.augment.source import Source

__all__ = ["Augmenter", "Drafts", "Made", "Making", "Protected", "Source", "augmenters", "keep", "near_to"]
