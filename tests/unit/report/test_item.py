"""A comparison becomes a finding: state, who, where, and never a secret."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from reconciler.compare.comparison import Change, Comparison, Hidden
from reconciler.limits import REPORT_CHANGES
from reconciler.model.path import ItemKey, readable
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import ABSENT
from reconciler.report.drift import Attribution, DriftItem, finding_id
from reconciler.report.item import drift_item, public_url
from reconciler.snapshot.model import Entry, SourceState

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
LIVE = {
    "spec": {"replicas": 5},
    "metadata": {
        "managedFields": [
            {
                "manager": "kubectl-edit",
                "operation": "Update",
                "time": "2030-01-01T00:00:00Z",
                "fieldsV1": {"f:spec": {"f:replicas": {}}},
            }
        ]
    },
}


def change(place: list[Any], desired: Any, live: Any, op: Any = "replace", klass: Any = "changed") -> Change:
    return Change("/" + "/".join(map(str, place)), op, desired, live, klass, tuple(place), readable(tuple(place)))


REPLICAS = Comparison((change(["spec", "replicas"], 3, 5),))


def test_a_difference_is_drift_with_place_and_manager(deployment: Entry, source: SourceState) -> None:
    item = drift_item(deployment, REPLICAS, LIVE, now=NOW, source=source)
    assert (item.state, item.api_version, item.first_seen) == ("drifted", "apps/v1", "2030-01-02T03:04:05Z")
    assert item.changes[0].as_json() == {
        "path": "/spec/replicas",
        "field": "spec.replicas",
        "op": "replace",
        "class": "changed",
        "desired": 3,
        "live": 5,
        "masked": False,
        "manager": "kubectl-edit",
        "operation": "Update",
        "subresource": "",
        "time": "2030-01-01T00:00:00Z",
        "user": "",
    }
    assert item.attribution == Attribution("kubectl-edit", "", "2030-01-01T00:00:00Z", "managedFields")
    assert (item.source.file, item.source.line, item.source.commit) == ("deploy/web.yaml", 12, "a" * 40)


def test_the_signer_of_a_source_is_named_in_plain_text(deployment: Entry, source: SourceState) -> None:
    item = drift_item(deployment, REPLICAS, LIVE, now=NOW, source=source)
    assert item.source.signer == "Dana\\x1b[31m <dana@example.com> (SHA256:abc)"


def test_credentials_of_a_source_url_are_left_out(deployment: Entry, source: SourceState) -> None:
    item = drift_item(deployment, REPLICAS, LIVE, now=NOW, source=source)
    assert item.source.url == "https://git.example.com/shop.git"
    assert "hunter2" not in json.dumps(item.as_json())


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("ssh://git@git.example.com:22/a.git", "ssh://git.example.com:22/a.git"),
        ("git@git.example.com:a.git", "git.example.com:a.git"),
        ("/srv/a", "/srv/a"),
        ("https://[oops", ""),
    ],
)
def test_urls_of_all_shapes_lose_their_user(url: str, public: str) -> None:
    assert public_url(url) == public


def test_an_object_that_is_not_there_is_missing(deployment: Entry) -> None:
    for nothing in (None, ABSENT):
        assert drift_item(deployment, None, nothing, now=NOW).state == "missing"


def test_an_object_without_a_comparison_is_unknown_and_never_in_sync(deployment: Entry) -> None:
    item = drift_item(deployment, None, LIVE, now=NOW, reason="forbidden")
    assert (item.state, item.reason) == ("unknown", "forbidden")


def test_no_difference_is_in_sync(deployment: Entry) -> None:
    assert drift_item(deployment, Comparison(()), LIVE, now=NOW).state == "in-sync"


def test_absent_and_null_are_told_apart(deployment: Entry) -> None:
    added = Comparison((change(["spec", "paused"], ABSENT, None, "add", "extra"),))
    shown = drift_item(deployment, added, LIVE, now=NOW).changes[0].as_json()
    assert "desired" not in shown
    assert shown["live"] is None


@pytest.mark.parametrize(
    "path",
    [["data", "password"], ["stringData", "password"], [], ["metadata", "annotations", "x"]],
    ids=["data", "stringData", "the whole", "an annotation"],
)
@pytest.mark.parametrize("leak", ["swordfish", "hmac:" + "ab" * 32])
def test_no_byte_of_a_secret_reaches_the_report(secret: Entry, path: list[str], leak: str) -> None:
    value = {"deep": [leak]} if not path else leak
    comparison = Comparison((change(path, value, value),))
    item = drift_item(secret, comparison, {}, now=NOW, patch=[{"op": "replace", "path": "/x", "value": leak}])
    text = json.dumps(item.as_json())
    assert leak not in text
    assert "***" in text
    assert item.patch == ()
    assert [one.masked for one in item.changes] == [True]


def test_an_env_value_with_a_telling_name_is_masked_in_its_own_change(deployment: Entry) -> None:
    env = ["spec", "env", ItemKey((("name", "DB_PASSWORD"),)), "value"]
    item = drift_item(deployment, Comparison((change(env, "old-secret", "new-secret"),)), LIVE, now=NOW)
    assert (item.changes[0].desired, item.changes[0].live) == ("***", "***")


def test_the_subresource_that_a_field_was_written_through_is_named(deployment: Entry) -> None:
    (entry,) = LIVE["metadata"]["managedFields"]  # type: ignore[index] # the shape of above
    live = {**LIVE, "metadata": {"uid": "u-1", "managedFields": [{**entry, "subresource": "scale"}]}}
    item = drift_item(deployment, REPLICAS, live, now=NOW)
    assert [(one.subresource, one.masked) for one in item.changes] == [("scale", False)]
    assert item.as_json()["uid"] == "u-1"


def test_what_a_rule_hides_is_kept_beside_the_drift_without_its_values(deployment: Entry) -> None:
    hidden = tuple(
        Hidden(f"spec.x{number}", "allocated", "r-1", "the server's") for number in range(REPORT_CHANGES + 1)
    )
    item = drift_item(deployment, Comparison(REPLICAS.changes, hidden), LIVE, now=NOW)
    told = {"field": "spec.x0", "class": "allocated", "ignoredBy": "r-1", "reason": "the server's"}
    assert (item.as_json()["ignored"][0], len(item.ignored), item.hidden) == (told, REPORT_CHANGES, {"r-1": 201})
    assert drift_item(deployment, Comparison((), hidden), LIVE, now=NOW).ignored == ()


@pytest.mark.parametrize(
    ("classes", "klass"),
    [
        (["changed", "default-overridden"], "hard"),
        (["default-overridden", "default-overridden"], "defaulted"),
        ([], ""),
    ],
)
def test_drift_of_nothing_but_defaults_is_no_contradiction_of_git(
    deployment: Entry, classes: list[Any], klass: str
) -> None:
    changes = tuple(change(["spec", f"x{number}"], 1, 2, klass=one) for number, one in enumerate(classes))
    assert drift_item(deployment, Comparison(changes), LIVE, now=NOW).klass == klass
    assert drift_item(deployment, None, None, now=NOW).klass == "hard"
    assert drift_item(deployment, None, LIVE, now=NOW).klass == ""


def test_two_changes_of_a_secret_have_two_fingerprints(secret: Entry) -> None:
    prints = {_secret_item(secret, "hmac:" + digit * 64).fingerprint for digit in "123"}
    assert len(prints) == 3


def test_a_fingerprint_never_digests_plain_text(deployment: Entry) -> None:
    env = ["spec", "env", ItemKey((("name", "PIN_KEY"),)), "value"]
    one, two = (
        drift_item(deployment, Comparison((change(env, "1", value),)), LIVE, now=NOW) for value in ("1234", "5678")
    )
    assert one.fingerprint == two.fingerprint


def _secret_item(entry: Entry, digest: str) -> DriftItem:
    return drift_item(entry, Comparison((change(["data", "p"], "hmac:" + "0" * 64, digest),)), {}, now=NOW)


def test_a_patch_that_fits_is_kept_and_a_cut_one_is_not(deployment: Entry) -> None:
    step = {"op": "replace", "path": "/spec/replicas", "value": 3}
    assert drift_item(deployment, REPLICAS, LIVE, now=NOW, patch=[step]).patch == (step,)
    long = {"op": "replace", "path": "/x", "value": "x" * 10_000}
    assert drift_item(deployment, REPLICAS, LIVE, now=NOW, patch=[step, long]).patch == ()


def test_a_patch_that_holds_a_secret_beyond_the_reported_changes_is_not_kept(deployment: Entry) -> None:
    harmless = [change(["spec", f"field-{number}"], 1, 2) for number in range(REPORT_CHANGES)]
    env = ["spec", "env", ItemKey((("name", "DB_PASSWORD"),)), "value"]
    step = {"op": "replace", "path": "/spec/env/0/value", "value": "hunter2"}
    comparison = Comparison((*harmless, change(env, "hunter2", "other")))
    item = drift_item(deployment, comparison, LIVE, now=NOW, patch=[step])
    assert (len(item.changes), item.patch) == (REPORT_CHANGES, ())
    assert "hunter2" not in json.dumps(item.as_json())


def test_an_id_is_that_of_the_object_in_its_cluster() -> None:
    ref = ObjectRef("apps", "Deployment", "shop", "web")
    assert finding_id(ref) == hashlib.sha256(b"default/apps/Deployment/shop/web").hexdigest()
    assert finding_id(ref, "other") != finding_id(ref)


def test_an_admission_record_names_the_person(deployment: Entry) -> None:
    who = Attribution("kubectl", "mallory", "2030-01-01T00:00:00Z", "admission")
    assert drift_item(deployment, REPLICAS, LIVE, now=NOW, attribution=who).attribution.user == "mallory"
