"""A family: all challengers ever judged on the same rows, and the error level that the next of them gets."""

from __future__ import annotations

from dataclasses import dataclass

EXPONENT = 1.6
_ZETA = 2.285765665680129  # sum of j ** -1.6 over j >= 1: the shares below add up to one


@dataclass(frozen=True, kw_only=True)
class Family:
    """The history of one family: which of its challenges were promoted, in order.

    The online fallback rule (Tian, Ramdas 2021, "Online control of the familywise error rate", Statistical Methods in
    Medical Research 30): challenge j may use ``alpha * share(j)``, plus the whole level of challenge j - 1 if that one was
    promoted. Under any dependence between the tests, the chance that the family ever promotes a challenger that is not better
    stays below ``alpha``, however many come.

    >>> Family(name="rows", alpha=0.05).level
    0.0218...
    """

    name: str
    alpha: float = 0.05
    promoted: tuple[bool, ...] = ()

    @property
    def number(self) -> int:
        """The 1-based number of the next challenge."""
        return len(self.promoted) + 1

    @property
    def level(self) -> float:
        """The two-sided level of the next challenge."""
        level = 0.0
        for number in range(1, self.number + 1):
            carried = level if number > 1 and self.promoted[number - 2] else 0.0
            level = self.alpha * share(number) + carried
        return level

    def after(self, *, promoted: bool) -> Family:
        """The family once the next challenge has ended so."""
        return Family(name=self.name, alpha=self.alpha, promoted=(*self.promoted, promoted))


def share(number: int) -> float:
    """The part of the family's level set aside for challenge ``number``; the infinite sum is 1."""
    return float(number**-EXPONENT / _ZETA)
