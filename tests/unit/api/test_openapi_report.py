"""The OpenAPI document says what the server does: every route is in it, and answers have its shapes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from werkzeug.test import TestResponse

from reconciler.store.state import State
from webhook.api.openapi import PATHS, document

Get = Callable[..., TestResponse]
ANSWERED = [
    path
    for path, one in PATHS.items()
    if path.startswith("/api/") and "{" not in path and "application/json" in one["get"]["responses"]["200"]["content"]
]
# The pages are for people: their addresses are no interface of programs.
PROGRAMS = ("/api/", "/hooks/", "/healthz", "/readyz", "/metrics")


def test_every_route_for_programs_is_in_the_document(client: FlaskClient) -> None:
    routes = {
        (re.sub("<([a-z]+)>", r"{\1}", rule.rule), method.lower())
        for rule in client.application.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith(PROGRAMS)
    }
    hook = {("/hooks/v1/{name}", method) for method in ("get", "put", "patch", "delete")}
    assert routes - hook == {(path, method) for path, one in PATHS.items() for method in one}


def test_the_document_is_served(get: Get) -> None:
    served = get("/api/v1/openapi.json").json
    assert (served["openapi"], served["paths"].keys()) == ("3.1.0", PATHS.keys())


@pytest.mark.parametrize("path", ANSWERED)
def test_an_answer_has_the_shape_that_the_document_promises(filled: State, get: Get, path: str) -> None:
    answer = get(path)
    assert answer.status_code == 200
    schema = PATHS[path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    whole = {**schema, "components": document("")["components"]}
    assert [error.message for error in jsonschema_rs.validator_for(whole).iter_errors(answer.json)] == []


def test_a_finding_and_a_problem_have_their_shapes(filled: State, get: Get) -> None:
    identity = get("/api/v1/drift").json["items"][0]["id"]
    components = document("")["components"]
    web = "/api/v1/resources/default/apps/v1/Deployment/shop/web"
    told = ((f"/api/v1/drift/{identity}", "Drift"), (web, "Resource"), ("/api/v1/drift?x=y", "Problem"))
    for path, name in told:
        whole = {"$ref": f"#/components/schemas/{name}", "components": components}
        assert [error.message for error in jsonschema_rs.validator_for(whole).iter_errors(get(path).json)] == []


CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
# Sent as they are: the client of WSGI unpacks nothing.
HEADERS = {"Authorization": "Bearer swordfish", "Accept-Encoding": "identity"}
ASKED = [path for path, one in PATHS.items() if "get" in one and "parameters" in one["get"]]


@pytest.mark.parametrize("path", [path for path in ASKED if path != "/api/v1/sources"])
def test_whatever_the_document_lets_one_ask_is_answered_as_it_says(
    client: FlaskClient, filled: State, path: str
) -> None:
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", client.application, headers=HEADERS)
    asked = []

    @settings(
        max_examples=30,
        deadline=None,
        phases=(Phase.generate,),
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=schema[path]["get"].as_strategy())
    def ask(case: Any) -> None:
        asked.append(case.call_and_validate(headers=HEADERS, checks=CHECKS).status_code)

    ask()
    assert len(asked) >= 2
