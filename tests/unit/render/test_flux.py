"""Owns the options of Flux: how they are read, what they do to a chart, and what of them may lie on a disk."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import RenderError, UsageError
from reconciler.model.objects import Provenance, RenderedObject
from reconciler.render.cache import RenderCache
from reconciler.render.flux import Flux, check_there
from reconciler.render.flux_chart import pack
from reconciler.render.spec import RenderResult, RenderSpec, parse_render

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def parsed(**flux: Any) -> Flux:
    return parse_render({"tool": "Flux", "flux": flux}, revision=f"main@sha1:{COMMIT}").flux


def test_all_options_are_read() -> None:
    flux = parsed(
        ignore="",
        buildMetadata=["originAnnotations"],
        substitute={"variables": {"a": "b"}, "always": True},
        commonMetadata={"labels": {"l": "1"}, "annotations": {"a": "1"}},
        values=["a: 1"],
        replacesDefaults=True,
        versionSuffix="{commit}.3",
        postRenderers=[{"images": [{"name": "web", "newTag": "2"}]}],
        secrets=["hunter22"],
        missing=["Secret x/y"],
    )
    assert flux.ignore == ""
    assert flux.substitute is not None
    assert (flux.substitute.variables, flux.substitute.always) == ({"a": "b"}, True)
    assert flux.version_suffix == f"{COMMIT[:12]}.3"
    assert flux.post_renderers[0].images[0].new_tag == "2"
    assert (flux.labels, flux.annotations) == ({"l": "1"}, {"a": "1"})


def test_no_value_of_a_secret_is_shown_with_the_options() -> None:
    shown = repr(parsed(substitute={"variables": {"pin": "hunter22"}}, values=["pin: hunter22"], secrets=["hunter22"]))
    assert "hunter22" not in shown


def test_what_is_not_said_is_none() -> None:
    assert parsed() == Flux()
    assert parsed().ignore is None


@pytest.mark.parametrize(
    ("flux", "where"),
    [
        ({"ignore": 1}, "spec.render.flux.ignore"),
        ({"substitute": {"variables": {"a": 1}}}, "spec.render.flux.substitute.variables"),
        ({"substitute": {"strict": True}}, "spec.render.flux.substitute"),
        ({"postRenderers": [{"helm": {}}]}, "spec.render.flux.postRenderers"),
        ({"commonMetadata": {"labels": ["a"]}}, "spec.render.flux.commonMetadata.labels"),
        ({"wonder": 1}, "spec.render.flux"),
    ],
)
def test_a_wrong_option_is_named(flux: dict[str, Any], where: str) -> None:
    with pytest.raises(UsageError) as error:
        parsed(**flux)
    assert error.value.where == where


def test_what_the_cluster_lacks_is_an_error_that_keeps_the_last_good() -> None:
    check_there(parsed())
    with pytest.raises(RenderError, match=r"the cluster has no Secret x/y.*SS3014"):
        check_there(parsed(missing=["Secret x/y"]))


def test_a_chart_is_packed_as_flux_packs_it(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("a: 1")
    described = {"name": "web", "version": "1.0.0+theirs"}
    pack(tmp_path, described, parsed())
    assert (tmp_path / "values.yaml").read_text() == "a: 1"
    assert not (tmp_path / "Chart.yaml").exists()
    pack(tmp_path, described, parsed(replacesDefaults=True, versionSuffix="7"))
    assert (tmp_path / "values.yaml").read_text() == "{}"
    assert json.loads((tmp_path / "Chart.yaml").read_text()) == {"name": "web", "version": "1.0.0+7"}


@pytest.mark.parametrize(("secrets", "kept"), [((), 1), (("hunter22",), 0)])
def test_what_is_made_with_secrets_never_lies_on_the_disk(secrets: tuple[str, ...], kept: int, tmp_path: Path) -> None:
    def ids(places: Iterable[str]) -> Mapping[str, str]:
        return dict.fromkeys(places, "1")

    tree = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "hunter22"}}
    result = RenderResult((RenderedObject(tree, Provenance()),), (), "kustomize", "1")
    spec = RenderSpec(source="s", flux=Flux(secrets=secrets))
    cache = RenderCache(tmp_path)
    cache.put("", spec, "tools", ids, result)
    assert len(list(tmp_path.iterdir())) == kept
    assert cache.get("", spec, "tools", ids) is not None
