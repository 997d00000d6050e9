"""Owns the corpora of other projects on a real control plane: rendered, applied, settled, dry-run, read back.

They lie outside this repository: $SETSCREW_CORPUS, else `shared/corpus` beside the checkout. What the cluster said is
kept for the other modules of a run; with $SETSCREW_CORPUS_DUMPS for other runs too. Must not judge anything.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.canonical.autoscale import widen
from reconciler.canonical.engine import Context, canonicalize, confirm, located
from reconciler.canonical.form import CanonicalObject
from reconciler.canonical.volatile import live_form
from reconciler.cluster.api import ApiClient
from reconciler.cluster.canonicalizer import ServerForm, canonical_forms
from reconciler.cluster.live import read_live
from reconciler.model.objects import Provenance, RenderedObject
from reconciler.model.ref import KindInfo
from reconciler.model.tree import Tree
from reconciler.render.renderer import render
from reconciler.render.spec import RenderSpec, RenderTools
from reconciler.schema.catalog import CRD
from setscrew.cli.common import offline_context
from setscrew.configuration import load_rules
from setscrew.controlplane import ControlPlane, Tools
from tests.support.waiting import eventually

CORPUS = Path(os.environ.get("SETSCREW_CORPUS") or Path(__file__).resolve().parents[3] / "shared" / "corpus")
SOAKED = ("argo-cd-core", "nvidia-device-plugin", "dra-driver-nvidia-gpu")
"""Entries that `test_own_source` holds for minutes; the others run through the demo once."""
ABSENT_BECAUSE = f"no corpora at {CORPUS}; SETSCREW_CORPUS names another place"
KEY = b"k" * 32
QUIET_SECONDS = 5.0
_SETTLE_SECONDS = 90.0
_GONE_SECONDS = 180.0
# Each look reads every object: ten a second kept a core busy, and with it whom they waited for.
_LOOK_SECONDS = 0.5
Pair = tuple[RenderedObject, KindInfo]
_SERVER_SIDE = ("--server-side", "--force-conflicts", "--field-manager=argocd-controller", "--validate=false")
_FIRST = (("", "Namespace"), CRD)
# What hooks into writes or discovery comes last: its servers do not run here.
_LAST = ("apiregistration.k8s.io", "admissionregistration.k8s.io")


@dataclass(frozen=True, slots=True)
class Entry:
    """One project as corpus.yaml lists it."""

    name: str
    path: str
    kind: str
    namespace: str
    objects: int
    origin: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def rendered(self, tools: Tools) -> tuple[RenderedObject, ...]:
        """What our renderer makes of it."""
        spec = RenderSpec(namespace=self.namespace, values=self.values, recurse=True, source=self.name)
        return render(CORPUS / self.path, spec, RenderTools(tools.path("helm"), tools.kubectl)).objects


SEEDS = Entry("seeds", str(Path(__file__).resolve().parents[1] / "cases/mutations/seeds"), "yaml", "seeds", 49, "here")
"""Small objects of this repository, of kinds and with fields that no corpus has."""


def entries() -> list[Any]:
    """All entries as parameters of tests; a skipped one where they are not there.

    Entries that follow one another in corpus.yaml share objects: here they stand apart, so that none waits for the
    deletion of the one before.
    """
    listing = CORPUS / "corpus.yaml"
    if not listing.is_file():
        return [pytest.param(None, marks=pytest.mark.skip(ABSENT_BECAUSE), id="corpora")]
    found = [Entry(**entry) for entry in yaml.safe_load(listing.read_text())["entries"]]
    return [pytest.param(entry, id=entry.name) for entry in [*found[::2], *found[1::2]]]


@dataclass(frozen=True, slots=True)
class Held:
    """One object that an entry declares, located; what the cluster holds of it and what its dry-run has answered."""

    rendered: RenderedObject
    kind: KindInfo
    live: Tree | None
    answer: ServerForm

    @property
    def name(self) -> str:
        """`Deployment.apps shop/web`."""
        return str(self.rendered.ref)


@dataclass(frozen=True, slots=True)
class Landed:
    """An entry as it stood in the cluster, settled. `context` needs no cluster."""

    entry: Entry
    context: Context
    objects: tuple[Held, ...]

    def offline(self) -> tuple[CanonicalObject, ...]:
        """The offline forms, in the order of `objects`."""
        return widen((canonicalize(one.rendered, self.context) for one in self.objects), self.context.rules.scalers)

    def server(self) -> tuple[CanonicalObject, ...]:
        """The forms that the server engine makes; the offline one where the answer is a reason."""
        return widen((self._confirmed(one) for one in self.objects), self.context.rules.scalers)

    def _confirmed(self, one: Held) -> CanonicalObject:
        form = canonicalize(one.rendered, self.context)
        return form if one.answer.tree is None else confirm(form, one.answer.tree, one.answer.volatile, self.context)

    def lives(self) -> tuple[Tree, ...]:
        """The live objects as comparisons take them."""
        return tuple(live_form(one.live or {}, KEY) for one in self.objects)

    def dump(self, file: Path) -> None:
        """Write what the cluster said, so that it can be judged again without one."""
        objects = [
            {
                "rendered": one.rendered.tree,
                "provenance": asdict(one.rendered.provenance),
                "live": one.live,
                "server": one.answer.tree,
                "reason": one.answer.reason,
                "volatile": one.answer.volatile,
                "warnings": one.answer.warnings,
            }
            for one in self.objects
        ]
        file.write_text(json.dumps({"objects": objects}, indent=1))


def read(entry: Entry, file: Path) -> Landed:
    """What `Landed.dump` has written."""
    objects = json.loads(file.read_text())["objects"]
    rendered = [RenderedObject(one["rendered"], Provenance(**one["provenance"])) for one in objects]
    context = context_of(rendered, entry.namespace)
    held = []
    for one, said in zip(objects, rendered, strict=True):
        answer = ServerForm(
            one["server"], volatile=tuple(one["volatile"]), warnings=tuple(one["warnings"]), reason=one["reason"]
        )
        held.append(Held(said, located(said, context)[1], one["live"], answer))
    return Landed(entry, context, tuple(held))


def context_of(objects: Iterable[RenderedObject], namespace: str) -> Context:
    """The product's context without a cluster: packaged kinds, the entry's own CRDs, policies/ and nothing else."""
    return offline_context(load_rules(None), objects, namespace=namespace, key=KEY)


def landed_once(plane: Callable[[], ControlPlane], entry: Entry, temporary: Path) -> Landed:
    """What `land` gives, once for all workers of a run; `temporary` is the worker's base directory."""
    with _kept(entry, temporary) as file:
        if not file.exists():
            running = plane()
            landed = land(running, entry)
            clear(running, landed)
            landed.dump(file)
    return read(entry, file)


def landed_here(plane: ControlPlane, entry: Entry, temporary: Path) -> Landed:
    """What `land` gives, still in the cluster; kept for those who ask `landed_once`."""
    with _kept(entry, temporary) as file:
        landed = land(plane, entry)
        landed.dump(file)
    return landed


@contextmanager
def _kept(entry: Entry, temporary: Path) -> Iterator[Path]:
    """The file of an entry, for one worker at a time."""
    shared = temporary.parent if os.environ.get("PYTEST_XDIST_WORKER") else temporary
    directory = Path(os.environ.get("SETSCREW_CORPUS_DUMPS") or shared / "corpora")
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / f"{entry.name}.json"
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield file


def land(plane: ControlPlane, entry: Entry) -> Landed:
    """Apply all of an entry, dry-run each object under its real name, and read all back once nothing moves any more."""
    rendered = entry.rendered(plane.site.tools)
    context = context_of(rendered, entry.namespace)
    pairs = [located(one, context) for one in rendered]
    first, rest, last = _phases(pairs)
    client = ApiClient.load(str(plane.admin_kubeconfig))
    try:
        places = [*pairs, *(_namespace(name) for name in _undeclared(entry, pairs))]
        gone = "what an earlier entry had in common is gone"
        eventually(lambda: not _there(client, places), gone, _GONE_SECONDS, _LOOK_SECONDS)
        _namespaces(plane, entry, pairs)
        put(plane, first)
        eventually(lambda: established(plane, first), "every CRD is served")
        put(plane, rest)
        _settle(client, pairs)
        answers = _answers(client, [*first, *rest])
        if last:
            put(plane, last)
            _settle(client, pairs)
            answers |= _answers(client, last)
        live = read_live(client, [(one.ref, kind) for one, kind in pairs])
    finally:
        client.close()
    held = (Held(one, kind, live.objects.get(one.ref), answers[id(one)]) for one, kind in pairs)
    return Landed(entry, context, tuple(held))


def clear(plane: ControlPlane, landed: Landed) -> None:
    """Remove all of it. Nobody waits here: an entry waits for what it has in common with the one before."""
    first, rest, last = _phases([(one.rendered, one.kind) for one in landed.objects])
    namespaces = [_namespace(name) for name in _undeclared(landed.entry, [*first, *rest, *last])]
    for part in (last, rest, first, namespaces):
        take(plane, part)


def _there(client: ApiClient, pairs: Sequence[Pair]) -> bool:
    return bool(read_live(client, [(one.ref, kind) for one, kind in pairs]).objects)


def _phases(pairs: Sequence[Pair]) -> tuple[list[Pair], list[Pair], list[Pair]]:
    first = [pair for pair in pairs if (pair[1].group, pair[1].kind) in _FIRST]
    last = [pair for group in _LAST for pair in pairs if pair[1].group == group]
    return first, [pair for pair in pairs if pair not in first and pair not in last], last


def _undeclared(entry: Entry, pairs: Iterable[Pair]) -> list[str]:
    refs = [one.ref for one, _ in pairs]
    named = {entry.namespace, *(ref.namespace for ref in refs if ref.namespace)}
    return sorted(named - {ref.name for ref in refs if ref.kind == "Namespace"} - {"kube-system", "default"})


def _namespaces(plane: ControlPlane, entry: Entry, pairs: Iterable[Pair]) -> None:
    put(plane, [_namespace(name) for name in _undeclared(entry, pairs)])


def _namespace(name: str) -> Pair:
    tree = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    return RenderedObject(tree, Provenance()), KindInfo("", "v1", "Namespace", "namespaces", namespaced=False)


def put(plane: ControlPlane, part: Sequence[Pair]) -> None:
    """Apply these objects as a GitOps controller does."""
    if part:
        plane.kubectl("apply", *_SERVER_SIDE, "-f", "-", input=_text(part))


def take(plane: ControlPlane, part: Sequence[Pair]) -> None:
    """Delete these objects; nobody waits until they are gone."""
    if part:
        plane.kubectl("delete", "--ignore-not-found", "--wait=false", "-f", "-", input=_text(part))


def _text(part: Iterable[Pair]) -> str:
    return "---\n".join(json.dumps(one.tree) + "\n" for one, _ in part)


def established(plane: ControlPlane, part: Iterable[Pair]) -> bool:
    """Whether every CRD among these is served."""
    names = {one.ref.name for one, kind in part if (kind.group, kind.kind) == CRD}
    if not names:
        return True
    items = json.loads(plane.kubectl("get", "crd", "-o", "json").stdout)["items"]
    served = {crd["metadata"]["name"] for crd in items if _is_established(crd)}
    return names <= served


def _is_established(crd: Tree) -> bool:
    conditions = crd.get("status", {}).get("conditions") or ()
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


def _answers(client: ApiClient, pairs: Sequence[Pair]) -> dict[int, ServerForm]:
    return {id(one): form for one, form in canonical_forms(client, pairs)}


def _settle(client: ApiClient, pairs: Sequence[Pair]) -> None:
    """Wait until no resourceVersion of these objects has changed for a while."""
    wanted = [(one.ref, kind) for one, kind in pairs]
    seen: set[tuple[Any, str]] = set()
    since = time.monotonic()

    def quiet() -> bool:
        nonlocal seen, since
        live = read_live(client, wanted).objects
        now = {(ref, str(tree["metadata"]["resourceVersion"])) for ref, tree in live.items()}
        if now != seen:
            seen, since = now, time.monotonic()
        return time.monotonic() - since > QUIET_SECONDS

    eventually(quiet, "no object changes any more", _SETTLE_SECONDS, _LOOK_SECONDS)
