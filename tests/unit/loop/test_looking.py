"""When a reconciler asks the server for forms: by what it is now, once it rests, and never blindly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import reconciler.loop.forms as module
from reconciler.cluster.canonicalizer import ServerForm
from reconciler.cluster.mutators import GROUP
from reconciler.limits import SERVER_SETTLE_SECONDS
from reconciler.loop.reconciler import Reconciler
from reconciler.loop.server_state import Server
from reconciler.model.ref import KindInfo
from tests.support.fake_api import Call, FakeApi, refused
from tests.unit.loop.conftest import CONFIG, Site

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOOKS = KindInfo(GROUP, "v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", namespaced=False)


class Cluster:
    """A server whose answers a test sets: `said` by the last part of the path, `reason` for all dry-runs."""

    def __init__(self) -> None:
        self.said: dict[str, Any] = {"version": {"gitVersion": "v1.36.3"}}
        self.reason = ""
        self.refreshed = self.asked = 0
        self.version = "v1.36.3"
        self.seen = ()
        self.meanwhile: Any = lambda: None

    def answer(self, call: Call) -> Any:
        said = self.said.get(call.path.rpartition("/")[2], {"items": []})
        if isinstance(said, Exception):
            raise said
        return said

    def forms(self, _: Any, pairs: Any, **__: Any) -> Any:
        for one, _kind in pairs:
            self.asked += 1
            self.meanwhile()
            yield one, ServerForm(None if self.reason else one.tree, reason=self.reason)

    def kinds(self) -> dict[tuple[str, str, str], KindInfo]:
        return {(HOOKS.group, HOOKS.version, HOOKS.kind): HOOKS}

    def kind(self, *_: str) -> None:
        """The packaged table knows better."""

    def refresh(self) -> None:
        self.refreshed += 1


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    one = Cluster()
    monkeypatch.setattr(module, "canonical_forms", one.forms)
    return one


@pytest.fixture
def found(site: Site, cluster: Cluster) -> Reconciler:
    """A reconciler over that cluster that has read its one object."""
    site.push("shop", CONFIG % ("one", "x"))
    reconciler = site.reconciler()
    api: Any = FakeApi(cluster.answer)
    reconciler.client = reconciler.forms.client = api
    reconciler.discovery = cluster  # type: ignore[assignment]
    reconciler._server = Server(api, cluster)  # type: ignore[arg-type]
    reconciler.sync()
    return reconciler


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def enforced(found: Reconciler) -> tuple[str, str]:
    assert found.current is not None
    (entry,) = found.current.entries
    return entry.object.confidence, entry.object.reason


def hook(name: str) -> dict[str, Any]:
    return {"items": [{"metadata": {"name": name}, "webhooks": []}]}


def test_a_first_look_is_enough_to_ask(found: Reconciler, cluster: Cluster) -> None:
    assert found.confirm(NOW) == 1
    assert enforced(found) == ("server", "")


def test_a_reason_is_published_with_the_form_and_said_once(found: Reconciler, cluster: Cluster, site: Site) -> None:
    cluster.reason = "the namespace is missing"
    found.confirm(NOW)
    found.confirm(after(60))
    assert enforced(found) == ("offline", "the namespace is missing")
    assert site.said.count("no server form for now: the namespace is missing") == 1


def test_a_change_at_the_server_rests_before_anything_is_asked(found: Reconciler, cluster: Cluster) -> None:
    found.confirm(NOW)
    cluster.said["version"] = {"gitVersion": "v1.37.0"}
    found.rediscover(after(100))
    assert found.confirm(after(100)) == 0
    assert cluster.asked == 1
    assert found.confirm(after(100 + SERVER_SETTLE_SECONDS)) == 1


def test_answers_that_came_while_a_mutator_appeared_are_not_taken(found: Reconciler, cluster: Cluster) -> None:
    cluster.meanwhile = lambda: cluster.said.update({HOOKS.resource: hook("new")})
    assert found.confirm(NOW) == 0
    assert cluster.asked == 1
    assert enforced(found)[0] == "offline"


def test_while_mutators_cannot_be_read_nothing_is_asked_and_the_form_says_why(
    found: Reconciler, cluster: Cluster
) -> None:
    cluster.said[HOOKS.resource] = refused(403, "forbidden")
    assert found.confirm(NOW) == 0
    assert cluster.asked == 0
    assert enforced(found) == ("offline", "mutating admission cannot be read: forbidden")


def test_other_types_of_a_declared_kind_are_taken_into_the_offline_form(found: Reconciler, cluster: Cluster) -> None:
    found.confirm(NOW)
    before = found._assembly
    cluster.said["v3"] = {"paths": {"api/v1": {"serverRelativeURL": "/openapi/v3/api/v1?hash=2"}}}
    found.rediscover(after(100))
    assert found._assembly is not before
    assert enforced(found)[0] == "server"


def test_other_types_of_kinds_that_git_does_not_declare_change_nothing(found: Reconciler, cluster: Cluster) -> None:
    found.confirm(NOW)
    before = found._assembly
    cluster.said["v3"] = {"paths": {"apis/example.com/v1": {"serverRelativeURL": "/openapi/v3/x?hash=2"}}}
    found.rediscover(after(100))
    assert found._assembly is before
    assert found.confirm(after(200)) == 0


def test_a_cause_that_has_gone_ends_the_wait(
    found: Reconciler, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = {"quota:shop": "full"}
    monkeypatch.setattr("reconciler.loop.reconciler.read_causes", lambda *_: dict(tokens))
    cluster.reason = "a quota refuses it"
    found.confirm(NOW)
    for wait in found.forms._waits.values():
        wait.cause, wait.until = "quota:shop", after(1e6).timestamp()
    found.rediscover(after(1))
    assert found.confirm(after(2)) == 0
    tokens["quota:shop"], cluster.reason = "free", ""
    found.rediscover(after(3))
    assert found.confirm(after(4)) == 1
