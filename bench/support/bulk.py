"""Owns many small ConfigMaps: as Git declares them, as they stand in a cluster, and one of them away from Git."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from reconciler.cluster.api import ApiClient
from reconciler.model.ref import KindInfo
from setscrew.demo.stage import Stage, dump
from setscrew.statedir import RUN_FILE
from support.machine import PROC, family

MAPS: Final = KindInfo("", "v1", "ConfigMap", "configmaps", namespaced=True)
WRITERS: Final = 8
_NAMESPACES: Final = 20
_FILE_OBJECTS: Final = 500


def name(number: int) -> str:
    """The name of one of them."""
    return f"map-{number:06}"


def declare(directory: Path, numbers: range) -> None:
    """Write them as Git declares them."""
    directory.mkdir()
    for start in range(numbers.start, numbers.stop, _FILE_OBJECTS):
        trees = [_config(number) for number in range(start, min(numbers.stop, start + _FILE_OBJECTS))]
        (directory / f"{start:06}.yaml").write_text(dump(trees))


def create(client: ApiClient, objects: int) -> None:
    """Make them in the cluster, as Git declares them."""
    for number in range(_NAMESPACES):
        _send(client, "POST", "/api/v1/namespaces", {"metadata": {"name": f"bulk-{number}"}})
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(lambda number: _send(client, "POST", _path(number), _config(number)), range(objects)))


def drift(client: ApiClient, number: int) -> None:
    """Change one past Git."""
    _send(client, "PATCH", f"{_path(number)}/{name(number)}", {"data": {"key": "drift"}})


def drifted(tree: dict[str, Any]) -> bool:
    """Whether an object as it stands in the cluster was changed so."""
    return (tree.get("data") or {}).get("key") == "drift"


def reconciler_of(stage: Stage) -> int:
    """The reconciler's process, among those of the run."""
    run = int(json.loads((stage.state_dir / RUN_FILE).read_text())["pid"])
    return next(pid for pid in family(run) if b"\0reconcile\0" in (PROC / str(pid) / "cmdline").read_bytes())


def _send(client: ApiClient, method: str, path: str, body: dict[str, Any]) -> None:
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    client.send(method, path, body, content_type=kind)


def _config(number: int) -> dict[str, Any]:
    data = {"key": "git"} | {f"setting-{index}": f"https://backend-{index}.example.com" for index in range(10)}
    metadata = {"name": name(number), "namespace": f"bulk-{number % _NAMESPACES}"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _path(number: int) -> str:
    return f"/api/v1/namespaces/bulk-{number % _NAMESPACES}/configmaps"
