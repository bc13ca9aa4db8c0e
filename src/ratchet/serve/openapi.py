"""The OpenAPI 3.1 document of the REST interface, made from the message types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from ratchet.serve.messages import FIELDS, ErrorResponse, PredictRequest, PredictResponse, Status
from ratchet.serve.rows import Fields

JSON = "application/json"
_ERRORS = {
    400: "The body is not JSON, or not an object.",
    401: "The API key is missing, wrong or expired.",
    403: "The key has not the scope predict, or a page of a site that is not named sent the request.",
    408: "The body came too slowly.",
    413: "The body, a text or the number of texts is too big.",
    415: "The content type is not application/json.",
    421: "The header Host names another server; only where no key is asked for.",
    422: "The object has another shape; the message names the field or the column.",
    500: "The model failed.",
    429: "Too many requests are waiting, the key is used too often, or too many wrong keys came from this address; "
    "Retry-After says when to try again.",
    503: "The model is loading, or the server is about to stop; Retry-After says when to try again.",
    504: "The deadline passed.",
}

_HEADERS = {
    "X-Request-ID": {
        "description": "The id of the request: the client's own, if it is short and plain, or a new one.",
        "schema": {"type": "string"},
    }
}


@dataclass(frozen=True, kw_only=True)
class Served:
    """What a bundle answers, as the document tells it."""

    name: str
    version: str
    prediction: Mapping[str, Any]
    """The JSON schema of one prediction, with an example."""
    fields: Fields


def document(served: Served, *, keyed: bool) -> dict[str, Any]:
    """The document; ``keyed`` says whether the server wants an API key."""
    types = (PredictRequest, PredictResponse, Status, ErrorResponse)
    _, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    components |= {"Row": _row(served.fields), "Prediction": dict(served.prediction)}
    components["PredictResponse"]["properties"]["predictions"]["items"] = _ref("Prediction")
    request, names = components["PredictRequest"], FIELDS if served.fields.plain else ("row", "rows")
    request["properties"] = {name: request["properties"][name] for name in names}
    request["properties"]["row"] = _ref("Row")
    request["properties"]["rows"] = {"type": "array", "items": _ref("Row"), "description": "Several rows."}
    request["oneOf"] = [{"required": [name]} for name in names]
    request.pop("required", None)
    result: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": served.name, "version": served.version, "description": served.prediction["description"]},
        "paths": {
            "/predict": {"post": _predict(served, keyed=keyed)},
            "/healthz": {"get": _status("alive", "Whether the process is alive.", ready=False)},
            "/readyz": {"get": _status("ready", "Whether the model is loaded and passed its self-test.", ready=True)},
            "/metrics": {"get": _metrics(keyed=keyed)},
        },
        "components": {"schemas": components},
    }
    if keyed:
        result["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
    return result


def _row(fields: Fields) -> dict[str, Any]:
    cell = {"type": ["string", "number", "null"]}
    about = {**dict.fromkeys(fields.texts, "A text."), **dict.fromkeys(fields.features, "A feature; may be left out.")}
    return {
        "title": "Row",
        "description": "A row of the table that the model was trained with, by the names of its columns.",
        "type": "object",
        "properties": {name: cell | {"description": text} for name, text in about.items()},
        "required": [*fields.texts],
        "additionalProperties": False,
    }


def _examples(fields: Fields) -> dict[str, Any]:
    text = "物流很快，下次还会再来"
    if fields.plain:
        return {
            "one": {"summary": "One text", "value": {"text": text}},
            "many": {"summary": "Several texts", "value": {"texts": ["very good", "太差了"]}},
        }
    row = {**dict.fromkeys(fields.texts, text), **dict.fromkeys(fields.features)}
    return {
        "one": {"summary": "One row", "value": {"row": row}},
        "many": {"summary": "Several rows", "value": {"rows": [row, row]}},
    }


def _predict(served: Served, *, keyed: bool) -> dict[str, Any]:
    schema, noun = _ref("PredictRequest"), "text" if served.fields.plain else "row"
    answer = _answer(f"The predictions, in the order of the {noun}s.", "PredictResponse")
    predictions = served.prediction["examples"]
    answer["content"][JSON]["example"] = {
        "model": served.name,
        "bundle": served.version,
        "predictions": [*predictions],
    }
    operation: dict[str, Any] = {
        "operationId": "predict",
        "summary": f"Predict for one {noun} or for many",
        "requestBody": {
            "required": True,
            "content": {JSON: {"schema": schema, "examples": _examples(served.fields)}},
        },
        "responses": {
            "200": answer,
            **{str(status): _answer(text, "ErrorResponse") for status, text in _ERRORS.items()},
        },
    }
    return _guarded(operation, keyed=keyed)


def _metrics(*, keyed: bool) -> dict[str, Any]:
    statuses = (401, 403, 429) if keyed else (403, 421)
    operation = {
        "operationId": "metrics",
        "summary": "Requests, latencies, rows and refusals, in the text form of Prometheus",
        "responses": {
            "200": {
                "description": "The numbers.",
                "headers": _HEADERS,
                "content": {"text/plain": {"schema": {"type": "string"}}},
            },
            **{
                str(status): _answer(_ERRORS[status].replace("predict", "metrics"), "ErrorResponse")
                for status in statuses
            },
        },
    }
    return _guarded(operation, keyed=keyed)


def _guarded(operation: dict[str, Any], *, keyed: bool) -> dict[str, Any]:
    """The operation, with the keys that it wants, and without the errors that cannot be."""
    if keyed:
        operation["security"] = [{"bearer": []}, {"header": []}]
    operation["responses"].pop("421" if keyed else "401", None)
    return operation


def _status(name: str, summary: str, *, ready: bool) -> dict[str, Any]:
    responses = {"200": _answer("Yes.", "Status")}
    if ready:
        responses["503"] = _answer("Not yet, or no longer.", "ErrorResponse")
    return {"operationId": name, "summary": summary, "responses": responses}


def _answer(description: str, schema: str) -> dict[str, Any]:
    return {"description": description, "headers": _HEADERS, "content": {JSON: {"schema": _ref(schema)}}}


def _ref(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}
