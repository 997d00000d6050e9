"""Laws of findings: whatever is planted in a Secret never gets into one, and what is stored comes back as it was."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.canonical.volatile import live_form
from reconciler.compare.comparison import compare
from reconciler.compare.patch import repair
from reconciler.policy.model import Policy
from reconciler.report.attributed import attributed
from reconciler.report.drift import DriftItem
from reconciler.report.item import drift_item
from reconciler.report.lasting import event_body, lasting
from reconciler.report.owner import owner_of
from reconciler.report.revived import revived
from reconciler.report.severity import severity_of
from reconciler.report.whole import whole_object
from reconciler.snapshot.model import Entry
from tests.property.typed import another_state, form, objects, stored
from tests.support.decisions import KEY, builtin_rules

pytestmark = pytest.mark.property
fewer = settings(max_examples=settings().max_examples // 2)
NOW = datetime(2030, 1, 1, tzinfo=UTC)
RULES = builtin_rules()
PLANTED = "planted-4f1d-in-a-secret"
FORMS = (PLANTED, base64.b64encode(PLANTED.encode()).decode())
keys = st.sampled_from(["password", "tls.key", "config.json", "a"])
values = st.sampled_from([*FORMS, json.dumps({"deep": PLANTED}), base64.b64encode(b"harmless").decode(), ""])


@st.composite
def secrets(draw: st.DrawFn) -> dict[str, Any]:
    """A Secret as Git or a cluster may hold it, with the planted text anywhere but in its name and labels."""
    tree: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "shop"}}
    text = st.dictionaries(keys, values, max_size=3)
    for field, held in (("data", draw(text)), ("stringData", draw(text))):
        tree |= {field: {key: _encoded(value) if field == "data" else value for key, value in held.items()}}
    if draw(st.booleans()):
        tree["metadata"]["annotations"] = {
            "kubectl.kubernetes.io/last-applied-configuration": json.dumps({"stringData": {"password": PLANTED}}),
            "note": draw(values),
        }
    return tree


def _encoded(value: str) -> str:
    return value if value in FORMS[1:] else base64.b64encode(value.encode()).decode()


def finding(want: dict[str, Any], live: dict[str, Any]) -> DriftItem:
    """The finding in full, as a pass makes it."""
    entry = Entry(form(want), Policy(name="default"))
    shown = live_form(live, KEY)
    compared = compare(entry.object, shown)
    item = drift_item(entry, compared, live, now=NOW, patch=repair(compared, shown))
    record = {"code": "audited", "operation": "UPDATE", "user": "dana", "time": "T", "paths": [{"path": "/data"}]}
    item = attributed(item, [record])
    severity, reason = severity_of(item, RULES)
    owner = owner_of({}, entry.metadata, ())
    return replace(item, severity=severity, severity_reason=reason, owner=owner)


@given(secrets(), secrets())
def test_nothing_that_is_planted_in_a_secret_gets_into_a_finding_or_its_past(
    want: dict[str, Any], live: dict[str, Any]
) -> None:
    live = {**live, "data": {**live["data"], **{key: _encoded(text) for key, text in live["stringData"].items()}}}
    del live["stringData"]
    item = finding(want, live)
    wanted = form(want)
    whole = [whole_object(wanted.ref, "v1", tree) for tree in (wanted.want, want, live)]
    told = json.dumps([item.as_json(), event_body(item), lasting(item, None).item.as_json(), whole])
    assert [one for one in FORMS if one in told] == []


@fewer
@given(objects(), st.data())
def test_a_finding_comes_back_from_its_json_as_it_was(tree: Any, data: st.DataObject) -> None:
    item = finding(tree, stored(another_state(tree, data)))
    again = revived(json.loads(json.dumps(item.as_json())))
    assert (again, again.as_json()) == (replace(item, uid=""), item.as_json())


@fewer
@given(objects(), st.data())
def test_a_finding_without_a_difference_is_info_and_any_other_is_more(tree: Any, data: st.DataObject) -> None:
    item = finding(tree, stored(another_state(tree, data)))
    assert (item.severity == "info") is (item.state == "in-sync")
