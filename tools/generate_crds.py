"""Writes manifests/crds/ from the code's own types, choices, forms and limits: `python tools/generate_crds.py`.

tests/unit/policy/test_generated_definitions.py fails while files and code differ, or where a field of a reader has no
schema; tests/integration/test_own_definitions.py holds that the API server takes just what the readers take.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml
from crds.drift_grant import drift_grant
from crds.drift_policy import drift_policy
from crds.git_source import git_source
from crds.status import COLUMNS, STATUS
from crds.words import Schema, mapping, rules

from reconciler.limits import GRANT_HOURS
from reconciler.model.own import GROUP, LEVERS, VERSION

DIRECTORY: Final = Path(__file__).resolve().parents[1] / "manifests" / "crds"
SHORT: Final = {"GitSource": "gsrc", "DriftPolicy": "dpol", "DriftGrant": "dgrant"}
_HEAD: Final = "# Written by tools/generate_crds.py from the code's own types, forms and limits; do not edit.\n"
_LABEL: Final = 'size(self.metadata.name) <= 63 && !self.metadata.name.contains(".")'
_KINDS_SAY: Final = {
    "GitSource": "A Git repository, a ref and a path, and how to render what stands there.",
    "DriftPolicy": "Which objects are guarded, how, and who may write what.",
    "DriftGrant": f"Permission for named subjects to drift within a scope until it ends, {GRANT_HOURS} hours at most.",
}
_NAMED: Final = {"GitSource": "a source", "DriftGrant": "a grant"}


def specs() -> dict[str, Schema]:
    """The schema of each kind's `spec`."""
    return {"GitSource": git_source(), "DriftPolicy": drift_policy(), "DriftGrant": drift_grant()}


def definition(kind: str) -> Schema:
    """The CustomResourceDefinition of one of our kinds."""
    (plural,) = (resource for resource, one in LEVERS.items() if one == kind)
    checked = rules((_LABEL, f"the name of {_NAMED[kind]} is a DNS label")) if kind in _NAMED else {}
    names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
    columns = [
        {"name": name, "type": form, "jsonPath": path, **({"priority": more[0]} if more else {})}
        for name, form, path, *more in COLUMNS[kind]
    ]
    properties = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}
    whole = {"spec": specs()[kind], "status": STATUS[kind]}
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": columns,
        "schema": {
            "openAPIV3Schema": mapping({**properties, **whole}, required=("spec",), says=_KINDS_SAY[kind], **checked)
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Cluster",
            "names": {**names, "shortNames": [SHORT[kind]], "categories": ["setscrew"]},
            "versions": [version],
        },
    }


class _Dumper(yaml.SafeDumper):
    """Writes shared parts out each time, and on one line what fits there."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the base class's
        return True

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> yaml.MappingNode:
        node = super().represent_mapping(tag, mapping, flow_style)
        wide = sum(len(str(one)) + 4 for pair in mapping.items() for one in pair)
        node.flow_style = bool(node.flow_style) and wide < 100
        return node


def files() -> dict[Path, str]:
    """What each file holds."""
    found = {}
    for kind in COLUMNS:
        made = definition(kind)
        name = made["metadata"]["name"].partition(".")[0]
        body = yaml.dump(made, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=118, allow_unicode=True)
        found[DIRECTORY / f"{name}.yaml"] = _HEAD + body
    return found


if __name__ == "__main__":
    for file, content in files().items():
        file.write_text(content, "utf-8")
