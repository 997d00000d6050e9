"""A DriftGrant becomes a grant, or one line says why not; the rules for grants decide, and the time that is given."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.errors import StoreError, UsageError
from reconciler.limits import GRANTS_FILE_BYTES, GRANTS_IN_FORCE
from reconciler.policy.grant import Grant, Scope
from reconciler.policy.grant_file import dump, load
from reconciler.policy.granting import as_document, parse_grant, state
from reconciler.policy.model import GrantRules, Subject
from reconciler.policy.parse import parse_rules

SHIPPED = GrantRules()
NOW = datetime(2027, 1, 31, 12, tzinfo=UTC).timestamp()
SPEC = {
    "subjects": [{"user": "dana"}],
    "scope": {"refs": ["Deployment.apps shop/web"], "paths": ["/spec/replicas"]},
    "reason": "the queue is on fire",
    "approver": "lena",
    "duration": "1h",
}
REFUSED = yaml.safe_load((Path(__file__).parents[2] / "cases" / "grants" / "refused.yaml").read_text())


def parsed(changes: Any = None, *, rules: GrantRules = SHIPPED, name: Any = "night", now: float = NOW) -> Grant:
    spec = {key: value for key, value in (SPEC | (changes or {})).items() if value is not None or key == "reason"}
    document = {"kind": "DriftGrant", "metadata": {"name": name}, "spec": spec}
    return parse_grant(document, "g.yaml", rules, now, "root")


def test_a_document_becomes_a_grant_that_begins_now() -> None:
    assert parsed(now=NOW + 0.7) == Grant(
        id="night",
        subjects=(Subject(user="dana"),),
        scope=Scope(refs=("Deployment.apps shop/web",), paths=("/spec/replicas",)),
        reason="the queue is on fire",
        not_before=NOW,
        not_after=NOW + 3600,
        approver="lena",
        created_by="root",
        created=NOW,
    )


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: json.dumps(case["spec"])[:80])
def test_what_is_wrong_is_one_line_with_place_and_code(case: Any) -> None:
    with pytest.raises(UsageError) as caught:
        parsed(case["spec"])
    assert case["says"] in str(caught.value)
    assert str(caught.value).startswith("g.yaml: DriftGrant night: spec")
    assert "\n" not in str(caught.value)
    assert caught.value.code == case.get("code", "SS1000")


@pytest.mark.parametrize("name", [None, "", "Night", "-a", "a" * 64, 7, "a/b"])
def test_the_name_is_the_id_so_it_is_a_dns_label(name: Any) -> None:
    with pytest.raises(UsageError, match="DNS label"):
        parsed(name=name)


def test_a_grant_may_last_as_long_as_the_rules_say_and_not_a_second_longer() -> None:
    assert parsed({"duration": "8h"}).not_after == NOW + 8 * 3600
    assert parsed({"duration": "2h"}, rules=GrantRules(most_hours=2)).not_after == NOW + 2 * 3600
    with pytest.raises(UsageError, match="at most 2 hours"):
        parsed({"duration": "2h0m1s"}, rules=GrantRules(most_hours=2))


def test_the_approver_may_be_a_subject_only_where_the_rules_allow_it() -> None:
    assert parsed({"approver": "dana"}, rules=GrantRules(self_approval="Allow")).approver == "dana"


def test_an_end_is_a_time_as_text_or_as_yaml_reads_it() -> None:
    for text in ('"2027-01-31T14:30:00+02:00"', "2027-01-31T14:30:00+02:00", "2027-01-31T12:30:00Z"):
        assert parsed({"duration": None, "notAfter": yaml.safe_load(text)}).not_after == NOW + 1800


def test_paths_may_be_pointers_with_indexes_or_keys_and_jsonpaths() -> None:
    paths = ["/spec/containers/0/image", '/spec/containers/k:{"name":"web"}/image', "/metadata/annotations/a~1b", "/**"]
    found = parsed({"scope": {"paths": [*paths, '$.spec.ports[?(@.port==53 && @.protocol=="UDP")].nodePort']}})
    assert found.scope.paths == (*paths, '/spec/ports/k:{"port":53,"protocol":"UDP"}/nodePort')


def test_a_grant_written_as_a_document_is_the_same_grant() -> None:
    grant = parsed({"subjects": [{"user": "dana"}, {"group": "a"}, {"serviceAccount": "b/c"}]})
    document = as_document(grant, NOW)
    assert document["status"] == {"state": "InForce", "created": "2027-01-31T12:00:00Z", "createdBy": "root"}
    assert parse_grant(document, "x", GrantRules(), NOW, "root") == grant


def test_a_grant_waits_holds_ends_and_is_revoked() -> None:
    grant = parsed({"notBefore": "2027-01-31T12:10:00Z"})
    times = {0: "Waiting", 599: "Waiting", 600: "InForce", 3599: "InForce", 3600: "Ended"}
    assert {after: state(grant, NOW + after) for after in times} == times
    assert {after: grant.holds(NOW + after) for after in times} == {
        after: word == "InForce" for after, word in times.items()
    }


def test_rules_for_grants_of_ones_own_replace_what_they_give() -> None:
    first = {"kind": "GrantRules", "mostHours": 4, "selfApproval": "Allow"}
    rules = parse_rules([("a", first), ("b", {"kind": "GrantRules", "mostHours": 1})])
    assert rules.grants == GrantRules(1, "Allow")


@pytest.mark.parametrize("wrong", [{"mostHours": 9}, {"mostHours": 0}, {"selfApproval": "Maybe"}, {"hours": 2}])
def test_wrong_rules_for_grants_are_refused(wrong: Any) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        parse_rules([("a", {"kind": "GrantRules", **wrong})])


def test_published_grants_are_read_back_as_they_were() -> None:
    grants = (parsed(), parsed({"scope": {"kinds": ["*"]}}, name="day"))
    assert load(dump(grants)) == grants


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"{", b"[]", b'{"format":"2","grants":[]}', b'{"format":"1","grants":[{"id":"a"}]}'),
        dump([parsed()] * (GRANTS_IN_FORCE + 1)),
        b" " * (GRANTS_FILE_BYTES + 1),
    ],
    ids=["empty", "cut", "list", "format", "fields", "many", "large"],
)
def test_a_file_that_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(StoreError):
        load(data)
