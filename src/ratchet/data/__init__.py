"""The data between reading and training: cleaned, divided into parts that no copy crosses, saved and restored."""

from ratchet.data.clean import Prepared, prepare
from ratchet.data.labels import label_variants, require_trainable
from ratchet.data.leaks import Leaks, leaks, remove_leaks
from ratchet.data.ordered import Ordered, split_by_time
from ratchet.data.parts import Parts, seal
from ratchet.data.quarantine import Quarantine, Removed, read_quarantine, restore, write_quarantine
from ratchet.data.split import split
from ratchet.near.copies import clusters, exact_groups, near_pairs, normalise, representatives, wording
from ratchet.near.pairs import NearPairs
from ratchet.tables.dataset import Dataset, Roles, concat
from ratchet.tables.read import RawTable, read_dataset, read_table, require_apart

__all__ = [
    "Dataset",
    "Leaks",
    "NearPairs",
    "Ordered",
    "Parts",
    "Prepared",
    "Quarantine",
    "RawTable",
    "Removed",
    "Roles",
    "clusters",
    "concat",
    "exact_groups",
    "label_variants",
    "leaks",
    "near_pairs",
    "normalise",
    "prepare",
    "read_dataset",
    "read_quarantine",
    "read_table",
    "remove_leaks",
    "representatives",
    "require_apart",
    "require_trainable",
    "restore",
    "seal",
    "split",
    "split_by_time",
    "wording",
    "write_quarantine",
]
