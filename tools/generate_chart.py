"""Writes templates and definitions of manifests/chart from the Kustomize overlays: `python tools/generate_chart.py`.

Written by hand are Chart.yaml, values.yaml, values.schema.json, templates/NOTES.txt and the templates in BY_HAND, which
differ by more than being there or not. tests/integration/test_chart.py fails while the chart and an overlay differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

TOP: Final = Path(__file__).resolve().parents[1]
MANIFESTS: Final = TOP / "manifests"
CHART: Final = MANIFESTS / "chart"
Document = dict[str, Any]
# What makes the chart the same as each overlay.
VALUES: Final[Mapping[str, Mapping[str, Any]]] = {
    "prevent": {},
    "report-only": {"reportOnly": True},
    "prevent-gpu": {"gpu": {"enabled": True}},
    "cert-manager": {"certManager": {"enabled": True}},
    "monitoring": {"monitoring": {"enabled": True}, "events": {"enabled": True}},
}
# Objects of components that can be switched, by the condition of it. All others are in every installation.
_HEALING: Final = "healing"
_CONDITIONS: Final = {
    "registration": "not .Values.reportOnly",
    "gpu": ".Values.gpu.enabled",
    "cert-manager": ".Values.certManager.enabled",
    "monitoring": ".Values.monitoring.enabled",
    "events": ".Values.events.enabled",
    _HEALING: ".Values.healing.enabled",
}
# In which file stands what every installation has.
_FILES: Final = {
    "Namespace": "namespaces",
    "ServiceAccount": "identities",
    "ClusterRole": "rights",
    "ClusterRoleBinding": "rights",
    "Role": "rights",
    "RoleBinding": "rights",
    "ValidatingAdmissionPolicy": "policies",
    "ValidatingAdmissionPolicyBinding": "policies",
    "NetworkPolicy": "network",
    "Service": "network",
    "PodDisruptionBudget": "availability",
    "ResourceQuota": "availability",
}
BY_HAND: Final = {
    ("Deployment", "setscrew"): "deployment",
    ("ConfigMap", "setscrew-levers"): "levers",
    ("Pod", "setscrew-switch-off"): "switch-off",
}
_HEAD: Final = "# Written by tools/generate_chart.py from manifests/; do not edit.\n"


def files(rendered: Mapping[str, Sequence[Document]]) -> dict[str, str]:
    """What is written, by its path in the chart. `rendered` has the objects of each overlay of VALUES."""
    found: dict[str, list[Document]] = {}
    crds: dict[str, Document] = {}
    for tree in _each_once(rendered):
        if tree["kind"] == "CustomResourceDefinition":
            crds[tree["spec"]["names"]["plural"]] = tree
        elif (tree["kind"], tree["metadata"]["name"]) not in BY_HAND:
            found.setdefault(_part(tree, rendered), []).append(tree)
    found[_HEALING] = [_labelled(tree) for tree in _read("components/healing/rbac.yaml")]
    templates = {f"templates/{part}.yaml": _template(part, trees) for part, trees in found.items()}
    return templates | {f"crds/{name}.yaml": _HEAD + _dump([tree]) for name, tree in crds.items()}


def key(tree: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Which object it is."""
    metadata = tree["metadata"]
    return tree["apiVersion"], tree["kind"], metadata.get("namespace", ""), metadata["name"]


def _each_once(rendered: Mapping[str, Sequence[Document]]) -> Iterator[Document]:
    seen = set()
    for trees in rendered.values():
        for tree in trees:
            if key(tree) not in seen:
                seen.add(key(tree))
                yield tree


def _part(tree: Document, rendered: Mapping[str, Sequence[Document]]) -> str:
    """The part of the chart that it belongs to, by the overlays that have it."""
    having = {name for name, trees in rendered.items() if key(tree) in map(key, trees)}
    if having == set(rendered):
        return _FILES[tree["kind"]]
    if having == set(rendered) - {"report-only"}:
        return "registration"
    if having == {"monitoring"}:
        return "events" if key(tree) in map(key, _read("events/rbac.yaml")) else "monitoring"
    (overlay,) = having
    return {"prevent-gpu": "gpu"}.get(overlay, overlay)


def _read(path: str) -> list[Document]:
    return [tree for tree in yaml.safe_load_all((MANIFESTS / path).read_text("utf-8")) if tree]


def _labelled(tree: Document) -> Document:
    labels = {**tree["metadata"].get("labels", {}), "app.kubernetes.io/part-of": "setscrew"}
    return {**tree, "metadata": {**tree["metadata"], "labels": labels}}


def _template(part: str, trees: Sequence[Document]) -> str:
    # What looks like a template to Helm is text of alerts and dashboards.
    text = _dump(trees).replace("{{", '{{ "{{" }}')
    condition = _CONDITIONS.get(part)
    return _HEAD + (f"{{{{- if {condition} }}}}\n{text}{{{{- end }}}}\n" if condition else text)


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as such."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value and not any(line != line.rstrip() for line in value.splitlines()) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def _dump(trees: Sequence[Document]) -> str:
    return yaml.dump_all(trees, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True, explicit_start=True)


if __name__ == "__main__":
    from setscrew.installing.kustomize import rendered as built

    wanted = files({overlay: built(overlay) for overlay in VALUES})
    for place in ("templates", "crds"):
        for old in (CHART / place).glob("*.yaml"):
            name = f"{place}/{old.name}"
            if name not in wanted and old.stem not in BY_HAND.values():
                old.unlink()
    for name, text in wanted.items():
        (CHART / name).write_text(text, "utf-8")
