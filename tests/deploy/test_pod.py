"""The pod: no rights, no writes, no secret, probes, and time to end."""

from __future__ import annotations

from tests.deploy.conftest import IMAGE, SCALE

from ratchet.bundle.bundle import Bundle
from ratchet.deploy.pod import container, labels, notes, pod_spec
from ratchet.deploy.service import Service


def test_it_has_no_rights(service: Service) -> None:
    pod = pod_spec(service, container=container(service, name="c", image=IMAGE, memory=SCALE.memory))
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 10_000
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (only,) = pod["containers"]
    assert only["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    mounted = {mount["name"]: mount["mountPath"] for mount in only["volumeMounts"]}
    assert mounted == {volume["name"]: "/tmp" for volume in pod["volumes"]}


def test_it_has_time_to_end(service: Service) -> None:
    pod = pod_spec(service, container=container(service, name="c", image=IMAGE, memory=SCALE.memory))
    stop = pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    assert stop == ["sleep", "5"]
    assert pod["terminationGracePeriodSeconds"] > 5 + service.drain_seconds


def test_it_listens_where_the_probes_ask(bundle: Bundle) -> None:
    service = Service.of(bundle.path, port=9001)
    found = container(service, name="c", image=IMAGE, memory=SCALE.memory)
    assert found["args"][found["args"].index("--port") + 1] == "9001"
    assert [(port["name"], port["containerPort"]) for port in found["ports"]] == [("http", 9001)]
    asked = {name: found[name]["httpGet"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert {probe["port"] for probe in asked.values()} == {"http"}
    assert [probe["path"] for probe in asked.values()] == ["/readyz", "/readyz", "/healthz"]
    slow = found["startupProbe"]
    assert slow["periodSeconds"] * slow["failureThreshold"] == 300


def test_secrets_are_referred_to(asking: Bundle) -> None:
    service = Service.of(asking.path, send_to="http://127.0.0.1:9/v1")
    found = container(service, name="c", image=IMAGE, memory=SCALE.memory)
    assert [entry["name"] for entry in found["env"]] == ["RATCHET_API_KEY", "ENDPOINT_KEY"]
    for entry in found["env"]:
        assert entry == {
            "name": entry["name"],
            "valueFrom": {"secretKeyRef": {"name": f"{service.name}-key", "key": entry["name"]}},
        }


def test_memory_is_limited_and_cpu_is_not(service: Service) -> None:
    found = container(service, name="c", image=IMAGE, memory=SCALE.memory)
    assert found["resources"] == {"requests": {"cpu": "1", "memory": "96Mi"}, "limits": {"memory": "256Mi"}}


def test_labels_and_notes_say_which_model_it_is(service: Service, bundle: Bundle) -> None:
    assert all(len(value) <= 63 and value.isascii() for value in labels(service).values())
    assert notes(service)["ratchet/model"] == "评论: no"
    assert notes(service)["ratchet/bundle"] == bundle.sha256
    assert all(isinstance(value, str) for value in notes(service).values())
