"""Numbers as people write them in a table: full-width digits, separators of thousands, currencies, Chinese units."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_UNITS = {
    "%": 0.01,
    "百": 1e2,
    "千": 1e3,
    "k": 1e3,
    "万": 1e4,
    "m": 1e6,
    "百万": 1e6,
    "千万": 1e7,
    "亿": 1e8,
    "万亿": 1e12,
}
_NUMBER = (
    r"^[¥￥$€£]? ?(?P<value>[+-]?[¥￥$€£]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:[eE][+-]?\d{1,3})?)"
    r" ?(?P<unit>万亿|千万|百万|[%百千kKmM万亿])?(?:元|人|个|次|件|RMB|CNY|USD)?$"
)


def numbers(values: pa.Array) -> tuple[Floats, Mask]:
    """The number of each value, NaN where it is none, and which have a unit (万, 亿, k, %).

    Full-width digits, thousands separators, currency signs and Chinese units are understood: "１.２万" is 12,000.
    """
    plain = pc.utf8_trim_whitespace(pc.utf8_normalize(values, form="NFKC"))
    parts = pc.extract_regex(plain, _NUMBER)
    digits = pc.replace_substring_regex(pc.struct_field(parts, "value"), r"[,¥￥$€£]", "")
    digits = pc.if_else(pc.match_substring_regex(digits, r"^[+-]?(?:\d|\.\d)"), digits, pa.scalar(None, digits.type))
    unit = pc.struct_field(parts, "unit")
    which = pc.index_in(pc.utf8_lower(unit), value_set=pa.array(_UNITS, unit.type)).fill_null(len(_UNITS))
    factors = np.array([*_UNITS.values(), 1.0])[which.to_numpy(zero_copy_only=False)]
    value = pc.cast(digits, pa.float64()).to_numpy(zero_copy_only=False) * factors
    with_unit = (which.to_numpy(zero_copy_only=False) < len(_UNITS)) & ~np.isnan(value)
    return value, with_unit


def infinite(values: pa.Array) -> Mask:
    """Which values are words or signs for an infinite number."""
    plain = pc.utf8_trim_whitespace(pc.utf8_normalize(values, form="NFKC"))
    found = pc.match_substring_regex(plain, r"^(?i:[+-]?(?:inf|infinity|∞))$")
    return np.asarray(pc.fill_null(found, False).to_numpy(zero_copy_only=False), bool)
