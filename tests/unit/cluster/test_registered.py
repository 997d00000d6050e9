"""Which entry of the registration is asked about which object, and whether it is switched off."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.cluster.registered import Registered, read_registered
from reconciler.errors import ApiError
from reconciler.model.own import CANONICALIZER, ENTRY_SUFFIX, OFF
from reconciler.model.ref import KindInfo
from tests.support.fake_api import FakeApi, refused
from webhook.registration.client import UrlClient
from webhook.registration.configuration import build

WEB = KindInfo("apps", "v1", "Deployment", "deployments", namespaced=True, subresources=("status", "scale"))


def live(**changes: Any) -> dict[str, Any]:
    document = build([], UrlClient("https://127.0.0.1:8443"), b"-----BEGIN CERTIFICATE-----\n", CANONICALIZER)
    rules = [{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["deployments"]}]
    status = [{**rules[0], "resources": ["deployments/status"]}]
    document["metadata"] |= {"resourceVersion": "7", **changes}
    names = {
        "a": rules,
        "b": status,
        "c": [{**rules[0], "operations": ["DELETE"]}],
        "d": [{**rules[0], "apiVersions": ["v2"]}],
    }
    document["webhooks"] += [{"name": f"{name}{ENTRY_SUFFIX}", "rules": one} for name, one in names.items()]
    document["webhooks"] += [{"name": "x.example.com", "rules": rules}]
    return document


def read(answer: Any) -> Registered:
    def handler(_: object) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return read_registered(FakeApi(handler))  # type: ignore[arg-type]


def test_an_entry_sees_an_object_where_its_rules_name_it_for_updates() -> None:
    found = read(live())
    assert found.version == "7"
    assert found.asked_about(WEB) == [(f"a{ENTRY_SUFFIX}", ""), (f"b{ENTRY_SUFFIX}", "status")]
    assert "x.example.com" not in found.names
    assert f"setscrew.dev-v1alpha1-fail{ENTRY_SUFFIX}" in found.names


@pytest.mark.parametrize(
    ("annotations", "off"),
    [
        ({OFF: "2030-01-02T12:00:00Z dana"}, "2030-01-02T12:00:00Z dana"),
        ({OFF: ""}, "at an unknown time"),
        ({"other": "x"}, ""),
        (None, ""),
    ],
)
def test_it_is_off_where_the_object_says_so(annotations: dict[str, str] | None, off: str) -> None:
    assert read(live(annotations=annotations)).off == off


def test_none_is_no_error_and_a_refusal_is() -> None:
    assert read(refused(404)) == Registered()
    with pytest.raises(ApiError):
        read(refused(403))
