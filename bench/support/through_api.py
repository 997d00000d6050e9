"""Owns the benchmark through a real API server: the same writes at a steady rate, with our webhook and without.

Without is a namespace in which Git declares nothing: the API server does not call us for it. Its own histogram says how
long it waited for us. Must not start an admission server by hand: `setscrew run` stands there as it does elsewhere.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from setscrew.controlplane import ControlPlane
from setscrew.demo.stage import PERSON, Stage, dump
from support.cases import NAMESPACE, declared
from support.figures import medians
from support.golang import stop
from support.load import shoot

_OBJECTS: Final = 10
_RATE: Final = 100
_FREE: Final = "nothing-declared"
_SOURCES: Final = {"shop": {"path": "shop", "render": {"kind": "YAML"}}}
_HISTOGRAM: Final = "apiserver_admission_webhook_admission_duration_seconds"
_LINE: Final = re.compile(rf"^{_HISTOGRAM}_(bucket|count)\{{(.*)\}} (\S+)$", re.MULTILINE)
_PATCH: Final = '{"metadata":{"annotations":{"example.com/seen":"@N@"}}}'


@dataclass(frozen=True, slots=True)
class Found:
    """Figures by their key, and a sentence about what was done."""

    figures: dict[str, float]
    remark: str


def measure(load: Path, rounds: int, seconds: float, tell: Callable[[str], None]) -> Found:
    """Start a control plane and Setscrew, write in turns to both namespaces, end everything."""
    tell("a control plane, and setscrew run")
    # The canary calls, too: not while calls are counted.
    with Stage(_SOURCES, _fill, canary_seconds=3600) as stage:
        for namespace in (NAMESPACE, _FREE):
            stage.plane.kubectl("apply", "-f", "-", kubeconfig=stage.gitops, input=dump(_objects(namespace)))
        stage.start_setscrew()
        stage.wait("a guarded cluster", stage.guarded)
        stage.wait("forms of the server", lambda: not stage.unconfirmed())
        options = {**_client(stage), "rate": _RATE, "connections": 8, "seconds": seconds}
        times: dict[str, list[dict[str, Any]]] = {NAMESPACE: [], _FREE: []}
        calls: dict[str, dict[str, float]] = {NAMESPACE: {}, _FREE: {}}
        for turn in range(rounds):
            for namespace, found in times.items():
                before = _calls(stage.plane)
                tell(f"round {turn + 1} of {rounds}: {_RATE} writes a second to {namespace}")
                found.append(_written(load, stage.plane, namespace, options))
                calls[namespace] = _added(calls[namespace], before, _calls(stage.plane))
    return _found(times, calls, seconds, rounds)


def _found(
    times: dict[str, list[dict[str, Any]]], calls: dict[str, dict[str, float]], seconds: float, rounds: int
) -> Found:
    if calls[_FREE].get("count"):
        stop(f"the API server called the webhook for the namespace {_FREE}, in which nothing is guarded")
    guarded = calls[NAMESPACE]
    if not guarded.get("count"):
        stop("the API server did not call the webhook at all")
    figures = {
        f"write {word} {quantile}": medians(one[quantile] for one in times[namespace])
        for word, namespace in (("with", NAMESPACE), ("without", _FREE))
        for quantile in ("p50", "p99")
    }
    for bucket, limit in (("5", "0.005"), ("25", "0.025")):
        figures[f"bucket {bucket}"] = 100 * guarded[limit] / guarded["count"]
    remark = (
        f"Through the API server: {_RATE} merge patches a second to {_OBJECTS} Deployments, {rounds} rounds of "
        f"{seconds:g} s each with the webhook and, in turns, without ({guarded['count']:.0f} calls). The whole control "
        "plane shares the two cores."
    )
    return Found(figures, remark)


def _written(load: Path, plane: ControlPlane, namespace: str, options: dict[str, Any]) -> dict[str, Any]:
    urls = [
        f"{plane.server}/apis/apps/v1/namespaces/{namespace}/deployments/{one['metadata']['name']}"
        for one in _objects(namespace)[1:]
    ]
    found = shoot(load, urls=",".join(urls), **options)
    if found["errors"]:
        stop(f"{found['errors']} writes failed: {found['error'][:300]}")
    return found


def _objects(namespace: str) -> list[dict[str, Any]]:
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    return [space, *(declared(f"web-{number}", namespace) for number in range(_OBJECTS))]


def _fill(work: Path) -> None:
    (work / "shop").mkdir()
    (work / "shop" / "web.yaml").write_text(dump(_objects(NAMESPACE)))


def _client(stage: Stage) -> dict[str, Any]:
    """Options that make the load client the person of the stage."""
    user = yaml.safe_load(stage.plane.kubeconfig(PERSON).read_text())["users"][0]["user"]
    files = {}
    for option, name in (("certificate", "client-certificate-data"), ("key", "client-key-data")):
        files[option] = stage.directory / f"bench-{option}.pem"
        files[option].write_bytes(base64.b64decode(user[name]))
    patch = stage.directory / "bench-patch.json"
    patch.write_text(_PATCH)
    return {
        **files,
        "ca": stage.plane.ca_file,
        "body": patch,
        "method": "PATCH",
        "type": "application/merge-patch+json",
        "expect": '"kind":"Deployment"',
    }


def _calls(plane: ControlPlane) -> dict[str, float]:
    """Calls of our webhooks so far: all of them, and those within each limit of the histogram."""
    found: dict[str, float] = {}
    for what, labels, value in _LINE.findall(plane.kubectl("get", "--raw", "/metrics").stdout):
        if "setscrew" in labels and 'type="validating"' in labels:
            limit = re.search(r'le="([^"]+)"', labels)
            key = limit[1] if limit else what
            found[key] = found.get(key, 0.0) + float(value)
    return found


def _added(sums: dict[str, float], before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    return {key: sums.get(key, 0.0) + after[key] - before.get(key, 0.0) for key in after}
