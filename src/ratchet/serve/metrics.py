"""What /metrics tells, in the text form of Prometheus: requests, latencies, rows, refusals, and what others register."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import Counter
    from prometheus_client.core import Metric

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Upper ends of the latency classes."""
REASONS = 64
"""Different words for a refusal that are told apart; further ones count as "other"."""
_WORD = re.compile("[a-z][a-z0-9_]{0,39}")


class Metrics:
    """The numbers of one server. Each label has few values, whatever clients send.

    Numbers that are known only when they are asked for are given as functions (:meth:`gauge`); what happens now and then is
    counted (:meth:`counter`).
    """

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector

        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        registry = self._registry
        self._requests = Counter("ratchet_requests", "Requests answered.", ["route", "status"], registry=registry)
        self._seconds = Histogram(
            "ratchet_request_seconds",
            "Seconds from the head of a request to the end of its answer.",
            ["route"],
            buckets=SECONDS,
            registry=registry,
        )
        self._rows = Counter("ratchet_rows", "Rows or texts that were read from requests.", registry=registry)
        self._refused = Counter(
            "ratchet_refused", "Requests answered with an error, by its word.", ["reason"], registry=registry
        )
        self._reasons: set[str] = set()
        self._children: dict[tuple[str, int], tuple[Callable[[], None], Callable[[float], None]]] = {}

    def answered(self, route: str, status: int, *, seconds: float, rows: int = 0, reason: str = "") -> None:
        """Count a request.

        Args:
            route: the pattern that it matched; one of few.
            status: of its answer.
            seconds: that it took.
            rows: that it asked about.
            reason: the word of the error, where it is one.
        """
        known = self._children.get((route, status))
        if known is None:
            child = self._requests.labels(route, str(status))
            known = self._children[route, status] = (child.inc, self._seconds.labels(route).observe)
        known[0]()
        known[1](seconds)
        if rows:
            self._rows.inc(rows)
        if reason:
            self.refused(reason)

    def refused(self, reason: str) -> None:
        """Count an error by its word."""
        if not _WORD.fullmatch(reason) or (reason not in self._reasons and len(self._reasons) >= REASONS):
            reason = "other"
        self._reasons.add(reason)
        self._refused.labels(reason).inc()

    def counter(self, name: str, text: str, *, labels: Sequence[str] = ()) -> Counter:
        """A counter of your own: ``.inc(n)``, or ``.labels(...).inc(n)`` where it has labels, each of few values.

        Args:
            name: without ``ratchet_`` and ``_total``.
            text: what is counted.
            labels: names of the labels.
        """
        from prometheus_client import Counter

        return Counter(f"ratchet_{name}", text, labels, registry=self._registry)

    def gauge(self, name: str, text: str, read: Callable[[], float | Mapping[str, float]], *, label: str = "") -> None:
        """A number that ``read`` gives when it is asked for.

        Args:
            name: without ``ratchet_``.
            text: what the number is, with its unit.
            read: the number, or with a label one number for each of its values.
            label: the name of the label.
        """
        self._registry.register(_Read(f"ratchet_{name}", text, read, label=label))

    def facts(self, name: str, text: str, facts: Mapping[str, str]) -> None:
        """Facts that do not change, as labels of the number 1.

        Args:
            name: without ``ratchet_`` and ``_info``.
            text: what they are about.
            facts: value by label.
        """
        from prometheus_client import Info

        Info(f"ratchet_{name}", text, registry=self._registry).info(dict(facts))

    def text(self) -> tuple[bytes, str]:
        """All numbers as they are now, and their content type."""
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        return generate_latest(self._registry), CONTENT_TYPE_LATEST


class _Read:
    """A gauge that is read when it is asked for."""

    def __init__(self, name: str, text: str, read: Callable[[], float | Mapping[str, float]], *, label: str) -> None:
        self._name, self._text, self._read, self._label = name, text, read, label

    def collect(self) -> Iterator[Metric]:
        """The number as it is now."""
        from prometheus_client.core import GaugeMetricFamily

        found = self._read()
        family = GaugeMetricFamily(self._name, self._text, labels=[self._label] if self._label else [])
        for value, number in found.items() if isinstance(found, Mapping) else [("", found)]:
            family.add_metric([value] if self._label else [], number)
        yield family
