"""Owns gathering a bundle for support: an installation's state as files. Must let no secret out, and change nothing.

What cannot be read is a file that says why, so that nobody takes silence for health.
"""

from __future__ import annotations

import io
import json
import platform
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import version as version_of
from typing import Any, Final

import yaml

from reconciler.cluster.paths import collection_path
from reconciler.errors import SetscrewError, place
from reconciler.model.own import GROUP, LEVERS, NAMESPACE, SNAPSHOTS_NAMESPACE
from reconciler.model.ref import KindInfo
from setscrew.installing.objects import PART_OF, PRODUCT, containers
from setscrew.installing.redaction import cut, redacted
from setscrew.installing.server import Server

_LOG_LINES: Final = 2_000
_LOG_BYTES: Final = 2 * 1024 * 1024
_METRIC_LINES: Final = 5_000
_SELECTOR: Final = f"{PART_OF}={PRODUCT}"
# Kinds that are read as a whole in our namespaces, whoever made them.
_INSIDE: Final = (
    ("", "Pod"),
    ("apps", "ReplicaSet"),
    ("coordination.k8s.io", "Lease"),
    ("", "ConfigMap"),
    ("discovery.k8s.io", "EndpointSlice"),
    ("", "Secret"),
    ("", "Event"),
)
_METRICS: Final = ("apiserver_admission_webhook", "apiserver_validating_admission_policy")
_OURS: Final = ("setscrew", GROUP)


def files(server: Server, findings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and text of each file, every one without secrets; `findings` is what doctor says. Raises nothing."""
    yield "versions.yaml", _told(lambda: _yaml([_versions(server)]))
    yield "doctor.json", cut(json.dumps(findings, indent=2, ensure_ascii=False))
    for kind in _told_kinds(server):
        selector = "" if kind.group == GROUP else _SELECTOR
        if text := _told(lambda kind=kind, selector=selector: _objects(server, kind, "", selector)):  # type: ignore[misc]
            yield f"objects/{kind.resource}{f'.{kind.group}' if kind.group else ''}.yaml", text
    yield "objects/registration.yaml", _told(lambda: _registrations(server))
    for namespace in (NAMESPACE, SNAPSHOTS_NAMESPACE):
        for kind in filter(None, (server.found(*one) for one in _INSIDE)):
            if text := _told(lambda kind=kind, namespace=namespace: _objects(server, kind, namespace, "")):  # type: ignore[misc]
                yield f"{namespace}/{kind.resource}.yaml", text
    yield from _logs(server)
    yield "metrics/api-server.txt", _told(lambda: _metrics(server))


def packed(found: Iterable[tuple[str, str]], name: str, now: float) -> bytes:
    """The files below a directory `name`, as a tar.gz; `now` is their time in seconds."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for file, text in found:
            data = text.encode("utf-8", "replace")
            member = tarfile.TarInfo(f"{name}/{file}")
            member.size, member.mtime, member.mode = len(data), int(now), 0o600
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def _told_kinds(server: Server) -> list[KindInfo]:
    """What an installation is made of, in the one version that the API server prefers, without what is below."""
    inside = set(_INSIDE)
    found = {(kind.group, kind.kind): kind for kind in server.served.kinds().values()}
    return [found[key] for key in sorted(found) if key not in inside]


def _told(ask: Callable[[], str]) -> str:
    try:
        return ask()
    except SetscrewError as error:
        return f"# could not be read: {cut(error.message)}\n"
    except Exception as error:  # noqa: BLE001 - one look that nobody foresaw must not cost the others
        return f"# could not be read: {place(error)}\n"


def _versions(server: Server) -> dict[str, Any]:
    return {
        "setscrew": version_of("setscrew"),
        "python": platform.python_version(),
        "system": platform.system(),
        "kubernetes": server.served.version,
        "apiGroupsDown": dict(server.served.unavailable),
        "definitions": {plural: _stored(server, plural) for plural in LEVERS},
    }


def _stored(server: Server, plural: str) -> Any:
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{plural}.{GROUP}"
    return ((server.get(path) or {}).get("status") or {}).get("storedVersions")


def _objects(server: Server, kind: KindInfo, namespace: str, selector: str) -> str:
    query = {"labelSelector": selector} if selector else {}
    page = server.client.request("GET", collection_path(kind, namespace), query=query)
    found = [{**one, "apiVersion": kind.api_version, "kind": kind.kind} for one in page.get("items") or ()]
    return _yaml(map(redacted, found)) if found else ""


def _registrations(server: Server) -> str:
    root = "/apis/admissionregistration.k8s.io/v1"
    found: list[dict[str, Any]] = []
    for resource in ("validatingwebhookconfigurations", "mutatingwebhookconfigurations"):
        # Those of others are asked before or beside ours, and may be why something is refused or late.
        items = server.client.request("GET", f"{root}/{resource}").get("items") or ()
        found += ({"kind": resource, **redacted(one)} for one in items)
    return _yaml(found)


def _logs(server: Server) -> Iterator[tuple[str, str]]:
    path = f"/api/v1/namespaces/{NAMESPACE}/pods"
    try:
        pods = server.client.request("GET", path, query={"labelSelector": "app.kubernetes.io/name=setscrew"})
    except SetscrewError:
        return
    for pod in pods.get("items") or ():
        name = str(pod["metadata"]["name"])
        for container in (str(one["name"]) for one in containers(pod)):
            for previous in (False, True):
                query = {
                    "container": container,
                    "tailLines": _LOG_LINES,
                    "limitBytes": _LOG_BYTES,
                    "previous": previous,
                }
                text = _told(lambda name=name, query=query: _lines(server, f"{path}/{name}/log", query))  # type: ignore[misc]
                if not previous or not text.startswith("# could not"):
                    yield f"logs/{name}-{container}{'-previous' if previous else ''}.log", text


def _lines(server: Server, path: str, query: Mapping[str, str | int | bool] | None = None) -> str:
    return cut(b"".join(server.client.lines(path, query)).decode(errors="replace"))


def _metrics(server: Server) -> str:
    """What the API server counts of webhooks and policies of ours."""
    kept: list[str] = []
    for raw in server.client.lines("/metrics"):
        line = raw.decode(errors="replace")
        if line.startswith(_METRICS) and any(one in line for one in _OURS):
            kept.append(line)
        if len(kept) == _METRIC_LINES:
            break
    return cut("".join(kept))


def _yaml(values: Iterable[Any]) -> str:
    text: str = yaml.safe_dump_all(list(values), sort_keys=False, allow_unicode=True)
    return text


def stamped(now: float) -> str:
    """The name of a bundle of that time, in UTC."""
    return f"setscrew-support-{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}"
