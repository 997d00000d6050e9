"""Owns writing reconciler/schema/data from a real API server of the pinned version.

For a new Kubernetes version: change the pins (setscrew/controlplane/pins.py, tools/kubernetes/go.mod), then run

    .venv/bin/python tools/generate_schema.py

and commit what changed. The result depends on the version alone: two runs write the same bytes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from reconciler.cluster.api import ApiClient  # noqa: E402
from reconciler.cluster.discovery import Discovery  # noqa: E402
from reconciler.schema.builtin import pack_kinds, pack_types  # noqa: E402
from setscrew.controlplane import ControlPlane  # noqa: E402
from tools import generate_defaults  # noqa: E402

DATA = ROOT / "reconciler" / "schema" / "data"
# Alpha and beta versions too: a cluster may serve them, and Git may declare them.
EVERYTHING = {"runtime_config": ["api/all=true"], "feature_gates": ["AllAlpha=true", "AllBeta=true"]}


def main() -> int:
    """Write kinds.json, types.json and defaults.json; print what they hold."""
    with ControlPlane.start(**EVERYTHING) as plane:
        client = ApiClient.load(str(plane.admin_kubeconfig))
        version = str(client.request("GET", "/version")["gitVersion"]).removeprefix("v")
        discovery = Discovery(client)
        kinds = discovery.kinds()
        types = {gvk: discovery.types(*gvk) for gvk in kinds}
    _write("kinds.json", pack_kinds(version, kinds.values()))
    _write("types.json", pack_types(types))
    return generate_defaults.main()


def _write(name: str, content: Any) -> None:
    """One entry a line: a new version shows in a diff as what it adds."""
    lines = []
    for key, value in content.items():
        if isinstance(value, list):
            entries = ",\n".join(_compact(entry) for entry in value)
            lines.append(f"{_compact(key)}:[\n{entries}\n]")
        elif isinstance(value, dict):
            entries = ",\n".join(f"{_compact(inner)}:{_compact(entry)}" for inner, entry in value.items())
            lines.append(f"{_compact(key)}:{{\n{entries}\n}}")
        else:
            lines.append(f"{_compact(key)}:{_compact(value)}")
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    (DATA / name).write_text(text, "utf-8")
    print(f"{name}: {len(text)} bytes, {max(len(value) for value in content.values())} entries")


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


if __name__ == "__main__":
    sys.exit(main())
