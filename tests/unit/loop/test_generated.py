"""Values that each render makes anew: they change no key and no snapshot, and must be there."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from reconciler.canonical.engine import canonicalize
from reconciler.canonical.form import CanonicalObject
from reconciler.canonical.volatile import live_form
from reconciler.compare.comparison import compare
from reconciler.loop.assemble import Declared, assemble
from reconciler.model.objects import Provenance, RenderedObject
from reconciler.snapshot.model import Entry
from tests.unit.loop.test_assemble import RULES, context, rendered

IN_WEB = (
    "/spec/template/metadata/annotations/checksum~1secret",
    "/spec/template/spec/containers/0/args/0",
    "/spec/template/spec/containers/0/env/0/value",
)


def secret(values: dict[str, str], *generated: str) -> RenderedObject:
    return RenderedObject(rendered("s", kind="Secret", stringData=values).tree, Provenance("shop"), generated)


def web(made: str, mode: str = "production") -> RenderedObject:
    container = {
        "name": "web",
        "image": "web:1",
        "args": [f"--seed={made}", f"--mode={mode}"],
        "env": [{"name": "SALT", "value": made}],
    }
    template = {
        "metadata": {"labels": {"app": "web"}, "annotations": {"checksum/secret": made}},
        "spec": {"containers": [container]},
    }
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": template}
    return RenderedObject(rendered("web", kind="Deployment", api="apps/v1", spec=spec).tree, Provenance("shop"), IN_WEB)


def only(one: RenderedObject) -> Declared:
    return next(iter(assemble([(context(), [one])], RULES).objects.values()))


def entry(one: RenderedObject, *before: Entry) -> Entry:
    (found,) = assemble([(context(), [one])], RULES).entries({}, {}, before)
    return found


def drift(form: CanonicalObject, live: dict[str, Any]) -> list[str]:
    return [change.field for change in compare(form, live_form(live, context().secret_key)).changes]


def test_the_key_stays_from_render_to_render() -> None:
    assert only(web("one")).key == only(web("two")).key
    assert only(web("one")).key != only(web("one", mode="test")).key


def test_the_key_changes_when_a_value_is_generated_no_longer() -> None:
    assert only(secret({"p": ""}, "/stringData/p")).key != only(secret({"p": ""})).key


def test_the_first_value_is_the_one_that_is_published() -> None:
    first = entry(web("one"))
    assert entry(web("two"), first) == first
    assert entry(web("two")) != first


def test_what_git_says_beside_it_is_published_anew() -> None:
    (container,) = entry(web("two", mode="test"), entry(web("one"))).object.want["spec"]["template"]["spec"][
        "containers"
    ]
    assert container["args"] == ["--seed=one", "--mode=test"]


def test_a_value_that_git_says_in_so_many_words_replaces_a_generated_one() -> None:
    first = entry(secret({"p": "made"}, "/stringData/p"))
    assert entry(secret({"p": "said"}), first) == entry(secret({"p": "said"}))


def test_keys_that_are_made_anew_are_published_as_they_were_at_first() -> None:
    first = entry(secret({"made": "1"}, "/stringData"))
    assert entry(secret({"other": "2"}, "/stringData"), first) == first


def test_any_value_will_do_where_one_is_generated_and_nothing_else_is_let_through() -> None:
    form = only(web("one")).form
    assert drift(form, web("two").tree) == []
    assert drift(form, web("two", mode="test").tree) == ["spec.template.spec.containers[name=web].args[1]"]


@pytest.mark.parametrize(("live", "fields"), [({"other": "x"}, []), ({}, ["data"])], ids=["other keys", "none at all"])
def test_where_a_mapping_is_made_anew_there_must_be_one(live: dict[str, str], fields: list[str]) -> None:
    form = canonicalize(secret({"made": "1"}, "/stringData"), context())
    data = {key: base64.b64encode(value.encode()).decode() for key, value in live.items()}
    tree = rendered("s", kind="Secret", type="Opaque", data=data).tree
    assert drift(form, tree) == fields
