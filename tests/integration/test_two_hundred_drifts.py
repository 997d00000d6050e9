"""Five hundred objects that other projects publish, two hundred drifts by people: each reported once, none else.

120 are made while the guard only records, those name the person; 80 while nobody runs. Then all are put back.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.canonical.engine import located
from reconciler.cluster.api import ApiClient
from reconciler.cluster.live import read_live
from reconciler.cluster.paths import object_path
from reconciler.model.objects import Provenance, RenderedObject
from reconciler.model.own import API_VERSION
from reconciler.schema.catalog import CRD
from setscrew.api_client import get_json
from setscrew.api_files import read_address, read_token
from setscrew.controlplane import Tools
from setscrew.demo.stage import Stage
from tests.support.corpus import ABSENT_BECAUSE, CORPUS, Entry, Pair, context_of, established, put
from tests.support.drifts import JSON_PATCH, Drift, Object, drifts
from tests.support.waiting import eventually

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not CORPUS.is_dir(), reason=ABSENT_BECAUSE),
]

OBJECTS, RECORDED, UNSEEN = 500, 120, 80
PEOPLE = ("alice", "bob", "carol")
MANAGERS = ("kubectl-edit", "kubectl-patch", "k9s", "helm")
# Its servers do not run here, and these would hook into every write.
_HOOKS = ("apiregistration.k8s.io", "admissionregistration.k8s.io")
_PROJECTS = ("argo-cd", "sveltos", "kueue", "gpu-operator", "nvidia-device-plugin", "dra-driver-nvidia-gpu")
_COPIED = ("ConfigMap", "Deployment", "Service", "ServiceAccount", "Role", "RoleBinding", "DaemonSet")
# Whoever puts back a role must be able to give what is in it.
RIGHTS = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["create", "patch", "escalate", "bind"]}]
COSTS = {"cost_center": "4711"}
CODEOWNERS = "* @platform\n/kueue/ @queues\n/sveltos/ @fleet\n"


@dataclass(slots=True)
class Written:
    """A drift as it was made. `seen` False: nobody ran who could have named the person."""

    drift: Drift
    person: str
    manager: str
    seen: bool


@dataclass(slots=True)
class Scene:
    """The stage, what Git declares on it, and what people have written since."""

    stage: Stage
    pairs: Sequence[Pair]
    clients: Mapping[str, ApiClient]
    written: list[Written] = field(default_factory=list)

    def write(self, planned: Sequence[Drift], *, seen: bool) -> None:
        """Each by one person with one tool, in turn."""
        for drift, person, manager in zip(planned, itertools.cycle(PEOPLE), itertools.cycle(MANAGERS), strict=False):
            path = object_path(drift.kind, drift.ref.namespace, drift.ref.name)
            client, query = self.clients[person], {"fieldManager": manager}
            if drift.step is None:
                client.request("DELETE", path)
            else:
                client.request("PATCH", path, [drift.step], query, content_type=JSON_PATCH)
            self.written.append(Written(drift, person, manager, seen))

    def findings(self) -> list[dict[str, Any]]:
        """All that the report has, page by page."""
        report = self.stage.drift()
        return [] if report is None else list(report["items"])

    def total(self) -> int:
        """How many objects are not as Git says."""
        report = self.stage.drift()
        return -1 if report is None else int(report["summary"]["total"])


def desired(tools: Tools) -> dict[str, list[dict[str, Any]]]:
    """Source → objects: the projects as they are rendered, and copies of them in namespaces of teams, 500 in all."""
    listing = yaml.safe_load((CORPUS / "corpus.yaml").read_text())["entries"]
    found, seen = dict[str, list[dict[str, Any]]](), set[Any]()
    for entry in (Entry(**one) for one in listing if one["name"] in _PROJECTS):
        new = [one for one in entry.rendered(tools) if one.ref not in seen and one.ref.group not in _HOOKS]
        seen |= {one.ref for one in new}
        trees = [one.tree if one.ref.kind != "Namespace" else _labelled(one.tree, entry.name) for one in new]
        names = {one.ref.name for one in new if one.ref.kind == "Namespace"}
        spaces = sorted({entry.namespace, *(one.ref.namespace for one in new if one.ref.namespace)} - {"kube-system"})
        missing = [one for one in spaces if one not in names and ("Namespace", one) not in seen]
        seen |= {("Namespace", one) for one in (*missing, *names)}
        found[entry.name] = [*(_namespace(one, entry.name) for one in missing), *trees]
    left = OBJECTS - sum(map(len, found.values()))
    found["teams"] = list(itertools.islice(_copies(found), left))
    return found


def _labelled(tree: Any, team: str) -> dict[str, Any]:
    metadata = tree["metadata"]
    return {**tree, "metadata": {**metadata, "labels": {**(metadata.get("labels") or {}), "team": team, **COSTS}}}


def _namespace(name: str, team: str) -> dict[str, Any]:
    return _labelled({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, team)


def _copies(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[dict[str, Any]]:
    originals = [one for trees in list(found.values()) for one in trees if one["kind"] in _COPIED]
    for team in itertools.count(1):
        name = f"team-{team}"
        yield _namespace(name, name)
        told = set[tuple[str, str]]()
        for one in originals:
            if (one["kind"], one["metadata"]["name"]) not in told:
                told.add((one["kind"], one["metadata"]["name"]))
                yield {**one, "metadata": {**one["metadata"], "namespace": name}}


@pytest.fixture(scope="module")
def scene(alone: None, tools: Tools) -> Iterator[Scene]:
    sources = desired(tools)

    def fill(work: Path) -> None:
        (work / "CODEOWNERS").write_text(CODEOWNERS)
        for name, trees in sources.items():
            (work / name).mkdir()
            (work / name / "all.yaml").write_text(yaml.safe_dump_all(trees))

    specs = {name: {"path": name, "render": {"kind": "YAML"}} for name in sources}
    with Stage(specs, fill, tools=tools, heals=RIGHTS) as stage:
        rendered = [RenderedObject(tree, Provenance()) for trees in sources.values() for tree in trees]
        context = context_of(rendered, "default")
        pairs = [located(one, context) for one in rendered]
        _land(stage, pairs)
        account = "--serviceaccount=setscrew-system:setscrew-canonicalizer"
        stage.plane.kubectl("create", "clusterrolebinding", "all-kinds", "--clusterrole=cluster-admin", account)
        write_policy(stage, heal="Never")
        stage.start_setscrew()
        for person in PEOPLE:
            stage.plane.kubectl(
                "create", "clusterrolebinding", person, "--clusterrole=cluster-admin", f"--user={person}"
            )
        clients = {person: ApiClient.load(str(stage.plane.kubeconfig(person))) for person in PEOPLE}
        yield Scene(stage, pairs, clients)


def _land(stage: Stage, pairs: Sequence[Pair]) -> None:
    first = [one for one in pairs if (one[1].group, one[1].kind) in (("", "Namespace"), CRD)]
    put(stage.plane, first)
    eventually(lambda: established(stage.plane, first), "every CRD is served")
    put(stage.plane, [one for one in pairs if one not in first])


def write_policy(stage: Stage, *, heal: str) -> None:
    """Nothing is refused, all is recorded."""
    spec = {"priority": 1000, "match": [{"sources": ["*"]}], "action": "Audit", "heal": heal}
    config = stage.directory / "config"
    config.mkdir(exist_ok=True)
    document = {"apiVersion": API_VERSION, "kind": "DriftPolicy", "metadata": {"name": "recorded"}, "spec": spec}
    (config / "policy.yaml").write_text(yaml.safe_dump(document))


def there(scene: Scene) -> list[Object]:
    client = scene.clients[PEOPLE[0]]
    live = read_live(client, [(one.ref, kind) for one, kind in scene.pairs]).objects
    return [Object(one.ref, kind, live[one.ref], one.tree) for one, kind in scene.pairs]


def name_of(item: Mapping[str, Any]) -> tuple[str, ...]:
    return item["apiVersion"].rpartition("/")[0], item["kind"], item["namespace"], item["name"]


def key_of(drift: Drift) -> tuple[str, ...]:
    return drift.ref.group, drift.ref.kind, drift.ref.namespace, drift.ref.name


def test_at_rest_nothing_of_five_hundred_objects_is_drift(scene: Scene) -> None:
    assert len(scene.pairs) == OBJECTS
    scene.stage.wait("all forms", lambda: not scene.stage.unconfirmed())
    scene.stage.wait("no finding", lambda: scene.total() == 0)


def test_each_of_two_hundred_drifts_is_reported_once_and_nothing_else(scene: Scene) -> None:
    planned = drifts(there(scene), RECORDED + UNSEEN)
    scene.write(planned[:RECORDED], seen=True)
    assert misreported(scene) == (set(), set())
    scene.stage.stop_setscrew()
    scene.write(planned[RECORDED:], seen=False)
    scene.stage.start_setscrew()
    assert misreported(scene) == (set(), set())
    found = {name_of(one): one for one in scene.findings()}
    wrong = {
        str(one.ref): (one.klass, found[key_of(one)]["state"], found[key_of(one)]["changes"])
        for one in planned
        if not shown_right(one, found[key_of(one)])
    }
    assert wrong == {}


def misreported(scene: Scene) -> tuple[set[Any], set[Any]]:
    """What is missing in the report, and what it has beside the drifts, once both are empty or a minute is over."""
    written = {key_of(one.drift) for one in scene.written}
    end = time.monotonic() + 60
    while True:
        found = {name_of(one) for one in scene.findings()}
        if found == written or time.monotonic() > end:
            return written - found, found - written
        time.sleep(0.2)


def shown_right(drift: Drift, finding: Mapping[str, Any]) -> bool:
    shown = [(one["path"], one["op"]) for one in finding["changes"]]
    return finding["state"] == drift.state and shown == (
        [] if drift.step is None else [(drift.step["path"], drift.step["op"])]
    )


def test_those_that_were_recorded_name_the_person(scene: Scene) -> None:
    found = {name_of(one): one["attribution"] for one in scene.findings()}
    told = {key_of(one.drift): (one.person, "admission") for one in scene.written if one.seen}
    assert {key: (found[key]["user"], found[key]["confidence"]) for key in told} == told


def test_those_that_nobody_saw_name_the_manager_and_no_person(scene: Scene) -> None:
    found = {name_of(one): one["attribution"] for one in scene.findings()}
    # Of what is gone no field is left that anybody could have written.
    steps = [(one, one.drift.step) for one in scene.written if not one.seen]
    unseen = [one for one, step in steps if step is not None and step["op"] != "remove"]
    told = {key_of(one.drift): (one.manager, "", "managedFields") for one in unseen}
    assert {key: tuple(found[key][name] for name in ("manager", "user", "confidence")) for key in told} == told


def test_each_has_an_owner_by_its_namespace_else_by_the_file(scene: Scene) -> None:
    scene.stage.wait("owners", lambda: all(one["owner"]["team"] for one in scene.findings()))
    labels = {one.ref.name: one.tree["metadata"]["labels"] for one, _ in scene.pairs if one.ref.kind == "Namespace"}
    wrong = {}
    for one in scene.findings():
        owner = one["owner"]
        mine = labels.get(one["namespace"])
        by_file = {"kueue": "@queues", "sveltos": "@fleet"}.get(one["source"]["name"], "@platform")
        expected = ("namespace", mine["team"], "4711") if mine else ("CODEOWNERS", by_file, "")
        if (owner["from"], owner["team"], owner["costCenter"]) != expected:
            wrong[name_of(one)] = (owner, expected)
    assert wrong == {}


def test_without_a_word_of_the_policy_nothing_is_put_back(scene: Scene) -> None:
    assert scene.total() == RECORDED + UNSEEN
    history = [get(scene, f"/api/v1/drift/{one['id']}").get("history", []) for one in scene.findings()[:20]]
    assert {event["event"] for events in history for event in events} == {"detected"}


def get(scene: Scene, path: str) -> dict[str, Any]:
    address = read_address(scene.stage.state_dir)
    answer = get_json(address.url, read_token(address.token_file), path, {})
    assert isinstance(answer, dict)
    return answer


def test_with_heal_auto_all_of_it_is_as_git_says_again(scene: Scene) -> None:
    scene.stage.stop_setscrew()
    write_policy(scene.stage, heal="Auto")
    scene.stage.start_setscrew()
    scene.stage.wait("all is put back", lambda: scene.total() == 0, 400)
    live = read_live(scene.clients["alice"], [(one.drift.ref, one.drift.kind) for one in scene.written]).objects
    assert live.keys() == {one.drift.ref for one in scene.written}
    assert "mallory" not in json.dumps(list(live.values()))
