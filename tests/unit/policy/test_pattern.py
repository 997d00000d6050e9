"""Owns how rules write places: two spellings that become one pattern, Pod specs, and patterns of field names."""

from __future__ import annotations

import pytest

from reconciler.model.path import split_pattern
from reconciler.policy.pattern import compiled, fits, item_values, placed
from reconciler.policy.select import CUSTOM, kind_matches


@pytest.mark.parametrize(
    ("path", "elements"),
    [
        ("/spec/a~1b/*", ("spec", "a/b", "*")),
        ("$.spec.containers[*].image", ("spec", "containers", "*", "image")),
        (".spec.containers[].image", ("spec", "containers", "*", "image")),
        (".spec.containers[0].image", ("spec", "containers", "0", "image")),
        (".metadata.annotations['a.b/c~d']", ("metadata", "annotations", "a.b/c~d")),
        ('.data["key.x"]', ("data", "key.x")),
        (".spec.*.image", ("spec", "*", "image")),
        ('$.spec.containers[?(@.name=="app")].image', ("spec", "containers", 'k:{"name":"app"}', "image")),
        (
            ".ports[?(@.protocol=='UDP' && @.port==53)].name",
            ("ports", 'k:{"port":53,"protocol":"UDP"}', "name"),
        ),
    ],
)
def test_pointers_and_plain_jsonpaths_are_one_pattern(path: str, elements: tuple[str, ...]) -> None:
    assert split_pattern(compiled(path)) == elements


@pytest.mark.parametrize("path", ["{replicas}", "{podSpec}/tolerations"])
def test_places_with_a_name_stay_as_they_are(path: str) -> None:
    assert compiled(path) == path


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("spec.replicas", "no JSON pointer"),
        ("", "no JSON pointer"),
        ("$", "whole object"),
        ("$..image", "no plain JSONPath"),
        (".spec.containers[0:2]", "no plain JSONPath"),
        (".spec | .image", "no plain JSONPath"),
        (".spec.containers[?(@.replicas>1)]", "no equality of keys"),
        (".spec.containers[?(@.name==name)]", "no equality of keys"),
    ],
)
def test_other_paths_are_refused_with_the_reason(path: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        compiled(path)


@pytest.mark.parametrize(
    ("element", "values"),
    [('k:{"name":"app"}', {"name": "app"}), ("k:{broken", None), ("name", None), ("k:[1]", None)],
)
def test_an_item_is_named_by_its_values(element: str, values: dict[str, str] | None) -> None:
    assert item_values(element) == values


def test_a_pod_spec_is_named_once_for_all_kinds_that_hold_one() -> None:
    found = dict(placed((), ["{podSpec}/tolerations"]))
    assert found["Pod",] == ("/spec/tolerations",)
    assert found["batch/CronJob",] == ("/spec/jobTemplate/spec/template/spec/tolerations",)
    assert any(
        "apps/DaemonSet" in kinds for kinds, paths in found.items() if paths == ("/spec/template/spec/tolerations",)
    )


def test_kinds_narrow_a_pod_spec_and_stay_with_other_paths() -> None:
    found = list(placed(("apps/Deployment", "x.io/Foo"), ["{podSpec}/tolerations", "/spec/other"]))
    assert found == [
        (("apps/Deployment", "x.io/Foo"), ("/spec/other",)),
        (("apps/Deployment",), ("/spec/template/spec/tolerations",)),
    ]


@pytest.mark.parametrize(
    ("pattern", "path", "is_named"),
    [
        ("/**/limits/*", ("spec", "resources", "limits", "cpu"), True),
        ("/**/limits/*", ("limits", "cpu"), True),
        ("/**/limits/*", ("spec", "limits"), False),
        ("/**/limits/*", ("spec", "limits", "cpu", "more"), False),
        ("/**/*[tT]imeout", ("spec", "syncTimeout"), True),
        ("/**/*[tT]imeout", ("spec", "syncTimeouts"), False),
        ("/spec/quota", ("spec", "quota"), True),
        ("/spec/quota", ("x", "spec", "quota"), False),
        ("/spec/**", ("spec", "items", "*", "name"), True),
    ],
)
def test_values_are_named_by_the_end_of_their_path(pattern: str, path: tuple[str, ...], is_named: bool) -> None:
    assert fits(pattern, path) is is_named


@pytest.mark.parametrize(
    ("pattern", "group", "is_meant"),
    [
        (CUSTOM, "apps", False),
        (CUSTOM, "", False),
        (CUSTOM, "networking.k8s.io", False),
        (CUSTOM, "gateway.networking.k8s.io", True),
        ("*.crossplane.io/*", "s3.crossplane.io", True),
        ("*.crossplane.io/*", "crossplane.io", False),
        ("*/Foo", "", True),
        ("Foo", "x.io", False),
    ],
)
def test_kinds_are_named_by_group_and_by_who_makes_them(pattern: str, group: str, is_meant: bool) -> None:
    assert kind_matches(pattern, group, "Foo") is is_meant
