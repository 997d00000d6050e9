"""Owns what is chosen for one installation, and putting it into the rendered manifests. Pure."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from reconciler.errors import UsageError
from reconciler.model.own import API_VERSION, LEVERS, NAMESPACE, OWN_GUARD, SERVICE_ACCOUNT
from reconciler.model.own import GROUP as OWN_GROUP
from setscrew.installing.objects import PART_OF, PRODUCT, VERSION, Document, containers, ref_of

DEFAULT_OVERLAY: Final = "prevent"
# Below the built-in policy of levers: of those every policy adds its writers, and the first says all else.
_PRIORITY: Final = 900
_GROUP: Final = "group:"
_GRANTS: Final = f"{OWN_GROUP}/{LEVERS['driftgrants']}"
_SOURCE_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_OURS: Final = re.compile(r"(?:^|/)setscrew(?::[^/]+)?(?:@[^/]+)?$")


@dataclass(frozen=True, slots=True)
class Settings:
    """What is chosen. Subjects are user names, or `group:NAME`; `image` "" is that of the manifests."""

    overlay: str = DEFAULT_OVERLAY
    image: str = ""
    installers: tuple[str, ...] = ()
    grantors: tuple[str, ...] = ()
    sources: tuple[Document, ...] = ()
    policies: tuple[Document, ...] = ()
    version: str = ""


def customized(rendered: Iterable[Document], settings: Settings) -> list[Document]:
    """The documents to apply, those among them by which Setscrew knows who may change it."""
    chosen = {ref_of(tree): tree for tree in (*_lever_objects(settings), *settings.policies, *settings.sources)}
    documents = [_with(copy.deepcopy(tree), settings) for tree in rendered]
    # What is shipped of these is a place to put them.
    filled = [_filled(tree, chosen.pop(ref_of(tree), {})) for tree in documents]
    return [*filled, *chosen.values()]


def images(documents: Iterable[Document]) -> set[str]:
    """The images of all containers."""
    return {str(one.get("image")) for tree in documents if tree["kind"] == "Deployment" for one in containers(tree)}


def installers_of(listed: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Whom the ConfigMap of our own objects names, as `Settings` has them."""
    data = (listed or {}).get("data") or {}
    groups = [f"{_GROUP}{one}" for one in str(data.get("groups", "")).split("\n") if one]
    return (*(one for one in str(data.get("users", "")).split("\n") if one), *groups)


def grantors_of(levers: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Whom the policy of levers lets make grants, as `Settings` has them."""
    delegations = ((levers or {}).get("spec") or {}).get("delegate") or ()
    subjects = [one for entry in delegations if entry.get("kinds") == [_GRANTS] for one in entry.get("to") or ()]
    return tuple(map(_text, subjects))


def git_source(text: str) -> Document:
    """The GitSource of `[NAME=]URL[//PATH][?ref=BRANCH]`, a URL as Kustomize writes it. Raises UsageError."""
    named = re.match(r"([a-z0-9-]+)=(?=[a-z]+://)", text)
    name, url = (named[1], text[named.end() :]) if named else ("", text)
    parts = urlsplit(url)
    if parts.scheme not in ("https", "ssh") or not parts.hostname:
        short = _SHORT_SSH.fullmatch(url)
        hint = f"write it as ssh://{short[1]}/{short[2]}" if short else _SOURCE_HINT
        raise UsageError("not the URL of a repository", where=f"--source {text}", hint=hint)
    # A token alone stands where a user name would; over ssh a user name is no secret.
    if parts.password or (parts.username and parts.scheme == "https"):
        hint = "put them into a Secret that spec.secretRef names: docs/how-to/connect-a-repository.md"
        raise UsageError("credentials do not belong into a URL", where="--source", hint=hint)
    repository, _, path = parts.path.partition("//")
    asked = dict(parse_qsl(parts.query))
    if set(asked) - {"ref"} or parts.fragment:
        raise UsageError("only ?ref=BRANCH may follow the URL", where=f"--source {text}", hint=_SOURCE_HINT)
    name = name or _source_name(repository, text)
    spec: Document = {"url": f"{parts.scheme}://{parts.netloc}{repository}"}
    spec |= {"ref": {"branch": asked["ref"]}} if "ref" in asked else {}
    spec |= {"path": path} if path else {}
    return {"apiVersion": API_VERSION, "kind": "GitSource", "metadata": {"name": name}, "spec": spec}


# As git and most hosts write it: user@host:path.
_SHORT_SSH: Final = re.compile(r"([^/:@\s]+@[^/:@\s]+):([^:\s]+)")
_SOURCE_HINT: Final = "for example https://git.example.com/shop.git//deploy/prod?ref=main"


def _source_name(repository: str, text: str) -> str:
    last = repository.rstrip("/").rpartition("/")[2].removesuffix(".git").lower()
    if not _SOURCE_NAME.fullmatch(last):
        raise UsageError("no name follows from the URL", where=f"--source {text}", hint="give one: --source NAME=URL")
    return last


def _filled(shipped: Document, chosen: Mapping[str, Any]) -> Document:
    """What is chosen, in place of what is shipped; of a ConfigMap only the keys that it has."""
    data = {**shipped.get("data", {}), **chosen.get("data", {})}
    return {**shipped, **({"data": data} if data else {}), **({"spec": chosen["spec"]} if "spec" in chosen else {})}


def _with(tree: Document, settings: Settings) -> Document:
    if tree["kind"] == "Deployment":
        tree["metadata"].setdefault("annotations", {})[VERSION] = settings.version
        for container in containers(tree):
            if settings.image and _OURS.search(str(container.get("image"))):
                container["image"] = settings.image
    return tree


def _lever_objects(settings: Settings) -> Iterator[Document]:
    yield {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {**_metadata(OWN_GUARD), "namespace": NAMESPACE},
        "data": _listed(settings.installers),
    }
    yield _levers_policy(settings)


def _listed(subjects: Sequence[str]) -> dict[str, str]:
    """As the policy of our own objects reads them: one a line."""
    users = [one for one in subjects if not one.startswith(_GROUP)]
    groups = [one.removeprefix(_GROUP) for one in subjects if one.startswith(_GROUP)]
    return {"users": "".join(f"{one}\n" for one in users), "groups": "".join(f"{one}\n" for one in groups)}


def _levers_policy(settings: Settings) -> Document:
    kinds = [f"{OWN_GROUP}/{kind}" for kind in LEVERS.values()]
    spec: Document = {"priority": _PRIORITY, "match": [{"kinds": kinds}], "action": "Deny", "failurePolicy": "Fail"}
    if settings.installers:
        spec["writers"] = [{"subjects": list(map(_subject, settings.installers)), "verify": "None"}]
    if settings.grantors:
        to = list(map(_subject, settings.grantors))
        grant = {"paths": ["/**"], "kinds": [_GRANTS], "to": to}
        spec["delegate"] = [{**grant, "operations": ["CREATE", "UPDATE", "DELETE"]}]
    return {"apiVersion": API_VERSION, "kind": "DriftPolicy", "metadata": _metadata(OWN_GUARD), "spec": spec}


def _metadata(name: str) -> Document:
    return {"name": name, "labels": {PART_OF: PRODUCT}}


def _subject(text: str) -> dict[str, str]:
    if text.startswith(_GROUP):
        return {"group": text.removeprefix(_GROUP)}
    if text.startswith(SERVICE_ACCOUNT):
        return {"serviceAccount": "/".join(text.removeprefix(SERVICE_ACCOUNT).split(":", 1))}
    return {"user": text}


def _text(subject: Mapping[str, str]) -> str:
    """The opposite."""
    if "group" in subject:
        return _GROUP + subject["group"]
    if "serviceAccount" in subject:
        return SERVICE_ACCOUNT + subject["serviceAccount"].replace("/", ":")
    return subject["user"]
