"""The OpenAPI 3.1 document of the REST interface, made from the message types."""

from __future__ import annotations

from typing import Any

import msgspec

from ratchet.serve.messages import ErrorResponse, PredictRequest, PredictResponse, Status

JSON = "application/json"
_ERRORS = {
    400: "The body is not JSON, or not an object.",
    401: "The API key is missing or wrong.",
    408: "The body came too slowly.",
    413: "The body, a text or the number of texts is too big.",
    415: "The content type is not application/json.",
    422: "The object has another shape; the message names the field.",
    500: "The model failed.",
    503: "The model is loading, or too many requests are waiting; Retry-After says when to try again.",
    504: "The deadline passed.",
}


def document(*, name: str, version: str, keyed: bool) -> dict[str, Any]:
    """The document; ``keyed`` says whether the server wants an API key."""
    types = (PredictRequest, PredictResponse, Status, ErrorResponse)
    _, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    request = components["PredictRequest"]
    request["oneOf"] = [{"required": ["text"]}, {"required": ["texts"]}]
    request.pop("required", None)
    result: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": name, "version": version, "description": "Predicts a label for each text."},
        "paths": {
            "/predict": {"post": _predict(keyed)},
            "/healthz": {"get": _status("alive", "Whether the process is alive.", ready=False)},
            "/readyz": {"get": _status("ready", "Whether the model is loaded and passed its self-test.", ready=True)},
        },
        "components": {"schemas": components},
    }
    if keyed:
        result["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
    return result


def _predict(keyed: bool) -> dict[str, Any]:
    examples = {
        "one": {"summary": "One text", "value": {"text": "物流很快，下次还会再来"}},
        "many": {"summary": "Several texts", "value": {"texts": ["very good", "太差了"]}},
    }
    operation: dict[str, Any] = {
        "operationId": "predict",
        "summary": "Predict the label of one text or of many",
        "requestBody": {"required": True, "content": {JSON: {"schema": _ref("PredictRequest"), "examples": examples}}},
        "responses": {
            "200": _answer("The predictions, in the order of the texts.", "PredictResponse"),
            **{str(status): _answer(text, "ErrorResponse") for status, text in _ERRORS.items()},
        },
    }
    if keyed:
        operation["security"] = [{"bearer": []}, {"header": []}]
    else:
        operation["responses"].pop("401")
    return operation


def _status(name: str, summary: str, *, ready: bool) -> dict[str, Any]:
    responses = {"200": _answer("Yes.", "Status")}
    if ready:
        responses["503"] = _answer("Not yet, or no longer.", "ErrorResponse")
    return {"operationId": name, "summary": summary, "responses": responses}


def _answer(description: str, schema: str) -> dict[str, Any]:
    return {"description": description, "content": {JSON: {"schema": _ref(schema)}}}


def _ref(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}
