"""What is live comes into Git: fields, whole objects and removals, in the files of a source, proved by a render."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from setscrew.into_git.patch import touches
from setscrew.into_git.written import NotAdoptableError
from tests.support.source_site import Site

WEB = """\
# What the shop runs.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
spec:
  replicas: 3   # as many as fit
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      # The server itself.
      - name: web
        image: 'registry.example.com/web:1'
        args: [serve, "--quick"]
        env:
        - name: DB_PASSWORD
          value: "as-git-says"
        - name: MODE
          value: "on"
        ports:
        - containerPort: 80
---
# Its settings.
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
data:
  colour: blue
  text: |
    one
    two
---
apiVersion: v1
kind: Secret
metadata: {name: db, namespace: shop}
stringData: {password: as-git-says}
---
data: {a: b, b: c}
apiVersion: v1
kind: ConfigMap
metadata: {name: beside, namespace: shop}
"""
PAGE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: page, namespace: shop}\ndata: {a: b}\n"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, {"deploy/web.yaml": WEB, "deploy/page.yaml": PAGE})


def containers(live: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = live["spec"]["template"]["spec"]["containers"]
    return found


def test_a_field_changes_where_it_stands_and_nothing_else(site: Site) -> None:
    live = site.live("web")
    live["spec"]["replicas"] = 5
    containers(live)[0]["image"] = "registry.example.com/web:2"
    adoption = site.adopt(live)
    assert adoption.paths == ["spec.replicas", "spec.template.spec.containers[name=web].image"]
    assert site.applied(adoption) == [
        "-  replicas: 3   # as many as fit",
        "+  replicas: 5   # as many as fit",
        "-        image: 'registry.example.com/web:1'",
        "+        image: 'registry.example.com/web:2'",
    ]


def test_what_was_added_or_taken_away_is_so_in_git(site: Site) -> None:
    live = site.live("web")
    one = containers(live)[0]
    one["args"] = ["serve", "--quick", "--loud"]
    one["env"] = [*one["env"][:1], {"name": "EXTRA", "value": "1"}]
    del one["ports"]
    assert site.applied(site.adopt(live)) == [
        '-        args: [serve, "--quick"]',
        '+        args: [serve, "--quick", "--loud"]',
        "-        - name: MODE",
        '-          value: "on"',
        "-        ports:",
        "-        - containerPort: 80",
        "+        - name: EXTRA",
        '+          value: "1"',
    ]


def test_a_text_of_several_lines_stays_one(site: Site) -> None:
    live = site.live("settings")
    live["data"] |= {"text": "one\nthree\n", "new": "yes"}
    assert site.applied(site.adopt(live)) == ["-    two", "+    three", '+  new: "yes"']


def test_what_is_as_git_says_needs_no_patch(site: Site) -> None:
    assert site.adopt(site.live("web")).files == {}


@pytest.mark.parametrize("name", ["web", "db"])
def test_what_may_be_secret_is_refused_and_not_told(site: Site, name: str) -> None:
    live = site.live(name)
    if name == "web":
        containers(live)[0]["env"][0]["value"] = "planted-7c2e"
    else:
        live["stringData"]["password"] = "planted-7c2e"
    with pytest.raises(NotAdoptableError, match="holds what may be secret") as refused:
        site.adopt(live)
    assert "planted" not in str(refused.value)
    assert refused.value.where.startswith("deploy/web.yaml:")


def test_a_patch_that_shows_a_secret_beside_it_is_told_from_others(site: Site) -> None:
    def shows(name: str, **data: str) -> bool:
        live = site.live(name)
        live["data"] |= data
        adoption = site.adopt(live)
        return touches(adoption.files["deploy/web.yaml"], adoption.secret_lines["deploy/web.yaml"])

    assert not shows("settings", colour="red")
    assert shows("beside", b="d")
    live = site.live("web")
    containers(live)[0]["env"][1]["value"] = "off"
    adoption = site.adopt(live)
    assert touches(adoption.files["deploy/web.yaml"], adoption.secret_lines["deploy/web.yaml"])


def test_a_variable_that_may_be_secret_does_not_come_along_with_others(site: Site) -> None:
    live = site.live("web")
    containers(live).append({"name": "side", "image": "i:1", "env": [{"name": "API_TOKEN", "value": "planted-7c2e"}]})
    with pytest.raises(NotAdoptableError, match="may be secret") as refused:
        site.adopt(live)
    assert "planted" not in str(refused.value)


def test_an_object_that_git_lacks_becomes_a_file(site: Site) -> None:
    live = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "extra", "namespace": "shop", "uid": "u", "resourceVersion": "7", "labels": {"a": "b"}},
        "data": {"k": "v"},
    }
    live["metadata"] |= {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}}  # type: ignore[operator]
    adoption = site.adopt(live)
    assert list(adoption.files) == ["deploy/configmap-extra.yaml"]
    site.applied(adoption)
    written = yaml.safe_load((site.root / "deploy/configmap-extra.yaml").read_text())
    assert written == {**live, "metadata": {"name": "extra", "namespace": "shop", "labels": {"a": "b"}}}


@pytest.mark.parametrize(
    ("name", "file", "left"), [("settings", "deploy/web.yaml", True), ("page", "deploy/page.yaml", False)]
)
def test_an_object_that_is_gone_goes_from_its_file(site: Site, name: str, file: str, left: bool) -> None:
    adoption = site.into.gone(site.entry("ConfigMap", name))
    site.applied(adoption)
    assert (site.root / file).exists() is left
    kept = (site.root / "deploy/web.yaml").read_text()
    assert kept == (
        WEB.replace(WEB[WEB.index("---\n# Its settings") : WEB.index("---\napiVersion: v1\nkind: Secret")], "")
        if left
        else WEB
    )


def test_an_item_of_a_list_is_changed_in_its_place(tmp_path: Path) -> None:
    items = "".join(
        f"- apiVersion: v1\n  kind: ConfigMap\n  metadata: {{name: {n}, namespace: shop}}\n  data: {{k: v}}\n"
        for n in "ab"
    )
    site = Site(tmp_path, {"deploy/list.yaml": f"apiVersion: v1\nkind: List\nitems:\n{items}"})
    live = site.live("b")
    live["data"]["k"] = "w"
    assert site.applied(site.adopt(live)) == ["-  data: {k: v}", "+  data: {k: w}"]
    site.applied(site.into.gone(site.entry("ConfigMap", "a")))


def test_what_an_anchor_holds_is_left_to_people(tmp_path: Path) -> None:
    text = PAGE.replace("{a: b}", "\n  one: &it b\n  two: *it")
    site = Site(tmp_path, {"deploy/page.yaml": text})
    live = site.live("page")
    live["data"]["one"] = "c"
    with pytest.raises(NotAdoptableError, match="cannot be changed in place"):
        site.adopt(live)


def test_a_source_that_renders_otherwise_here_is_refused(site: Site) -> None:
    live = site.live("page")
    live["data"]["a"] = "c"
    (site.root / "deploy/page.yaml").write_text(PAGE.replace("{a: b}", "{a: x}"))
    with pytest.raises(NotAdoptableError, match="not what its files render to here"):
        site.adopt(live)
