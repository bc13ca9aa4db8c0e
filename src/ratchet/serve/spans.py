"""A span for each request, sent to the collector that OTEL_EXPORTER_OTLP_ENDPOINT names; without it nothing is sent."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

logger = logging.getLogger("ratchet.serve")

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
FLUSH_SECONDS = 2.0  # that the end of the server waits for a collector


def named() -> str:
    """The address of the collector that the environment names, or nothing."""
    return next((address for name in ENDPOINTS if (address := os.environ.get(name, ""))), "")


class Spans:
    """Tells an exporter of each request: its method, its route, its status, how long it took; no contents.

    Args:
        exporter: gets them in a thread of its own, some seconds later.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        name = os.environ.get("OTEL_SERVICE_NAME", "ratchet")
        provider = TracerProvider(resource=Resource.create({SERVICE_NAME: name}), shutdown_on_exit=False)
        self._processor = BatchSpanProcessor(exporter)
        provider.add_span_processor(self._processor)
        self._tracer, self._kind = provider.get_tracer("ratchet.serve"), SpanKind.SERVER
        self._context_of = TraceContextTextMapPropagator().extract

    @classmethod
    def wanted(cls) -> Self | None:
        """Spans for the collector that the environment names, if it names one and the extra is installed."""
        if not named():
            return None
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        except ImportError:
            logger.warning("%s is set but no spans are sent. Run: pip install 'ratchetml[otel]'", ENDPOINTS[0])
            return None
        return cls(OTLPSpanExporter())

    def note(self, method: str, route: str, *, status: int, seconds: float, request_id: str, parent: bytes) -> None:
        """A request that has ended just now.

        Args:
            method: of the request.
            route: the pattern that it matched.
            status: of its answer.
            seconds: that it took.
            request_id: its id.
            parent: its header ``traceparent`` (W3C Trace Context), or nothing.
        """
        end = time.time_ns()
        span = self._tracer.start_span(
            f"{method} {route}",
            context=self._context_of({"traceparent": parent.decode("latin-1")}) if parent else None,
            kind=self._kind,
            start_time=end - int(seconds * 1e9),
            attributes={
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
                "ratchet.request_id": request_id,
            },
        )
        span.end(end)

    def close(self) -> None:
        """Send what is left, if the collector takes it soon."""
        last = threading.Thread(target=self._processor.force_flush, daemon=True)
        last.start()
        last.join(FLUSH_SECONDS)
