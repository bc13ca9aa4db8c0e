"""Metrics: in the form that Prometheus reads, with few values a label, and open to what others count."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ratchet.serve.metrics import REASONS, Metrics


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text, kind = metrics.text()
    assert kind.startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_requests_latencies_rows_and_refusals() -> None:
    metrics = Metrics()
    metrics.answered("/predict", 200, seconds=0.004, rows=3)
    metrics.answered("/predict", 200, seconds=0.2)
    metrics.answered("/predict", 503, seconds=0.001, reason="busy")
    found = samples(metrics)
    route = ("route", "/predict")
    assert found["ratchet_requests_total", (route, ("status", "200"))] == 2
    assert found["ratchet_requests_total", (route, ("status", "503"))] == 1
    assert found["ratchet_request_seconds_count", (route,)] == 3
    assert found["ratchet_request_seconds_sum", (route,)] == pytest.approx(0.205)
    assert found["ratchet_request_seconds_bucket", (("le", "0.005"), route)] == 2
    assert found["ratchet_request_seconds_bucket", (("le", "0.25"), route)] == 3
    assert found["ratchet_rows_total", ()] == 3
    assert found["ratchet_refused_total", (("reason", "busy"),)] == 1


def test_reasons_are_few_and_plain() -> None:
    metrics = Metrics()
    for number in range(10 * REASONS):
        metrics.refused(f"reason_{number}")
    for odd in ("", "Two words", 'a"b', "x" * 41, "a\nb"):
        metrics.refused(odd)
    reasons = {dict(labels)["reason"] for (name, labels) in samples(metrics) if name == "ratchet_refused_total"}
    assert len(reasons) == REASONS + 1
    assert "other" in reasons
    assert all(reason.replace("_", "").isalnum() for reason in reasons)


def test_what_others_count() -> None:
    metrics = Metrics()
    tokens = metrics.counter("tokens", "Tokens generated.", labels=("model",))
    tokens.labels("a").inc(5)
    metrics.counter("drifts", "Alarms.").inc()
    level = {"a": 1.0}
    metrics.gauge("level", "A level.", lambda: level, label="model")
    metrics.gauge("height", "A height.", lambda: 2.5)
    metrics.facts("made", "By whom.", {"by": 'a "quoted"\nname'})
    level["b"] = 3.0
    found = samples(metrics)
    assert found["ratchet_tokens_total", (("model", "a"),)] == 5
    assert found["ratchet_drifts_total", ()] == 1
    assert found["ratchet_level", (("model", "b"),)] == 3
    assert found["ratchet_height", ()] == 2.5
    assert found["ratchet_made_info", (("by", 'a "quoted"\nname'),)] == 1


def test_two_servers_in_a_process_count_apart() -> None:
    one, two = Metrics(), Metrics()
    one.answered("/predict", 200, seconds=1)
    assert ("ratchet_requests_total", (("route", "/predict"), ("status", "200"))) not in samples(two)
