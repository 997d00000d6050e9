"""Holds on a real API server that the registration is kept: what others do to it is undone, what is theirs stays."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from reconciler.cluster.api import ApiClient
from reconciler.cluster.watch import beats
from reconciler.errors import ApiError
from reconciler.model.blind import Blind
from reconciler.model.own import REGISTRATION
from reconciler.model.ref import KindInfo
from reconciler.policy.grant import Grant, Scope
from reconciler.policy.model import Policy
from setscrew.controlplane import ControlPlane
from tests.support.waiting import eventually
from webhook.registration.apply import PATH, current, register, switch_off, switched_off, write
from webhook.registration.change import change
from webhook.registration.client import UrlClient
from webhook.registration.configuration import build
from webhook.registration.keeper import Keeper

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

PEM = b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"
ONE = f"{PATH}/{REGISTRATION}"
CONFIG_MAP = KindInfo("", "v1", "ConfigMap", "configmaps", namespaced=True)
DEPLOYMENT = KindInfo("apps", "v1", "Deployment", "deployments", namespaced=True, subresources=("scale", "status"))
SOFT = Policy("soft")
KINDS = ((CONFIG_MAP, SOFT), (DEPLOYMENT, SOFT))
CORE = "core-v1.guard.setscrew.dev"


def document(*guarded: tuple[KindInfo, Policy]) -> dict[str, Any]:
    """Nobody listens at its address, and all but our own levers fail open."""
    return build(guarded, UrlClient("https://127.0.0.1:1"), PEM, "canonicalizer")


@pytest.fixture(scope="module")
def api(control_plane: ControlPlane) -> ApiClient:
    return ApiClient.load(str(control_plane.admin_kubeconfig))


@pytest.fixture(autouse=True)
def clean(control_plane: ControlPlane) -> Iterator[None]:
    control_plane.request("DELETE", ONE)
    yield
    control_plane.request("DELETE", ONE)


def edit(control_plane: ControlPlane, *operations: dict[str, Any]) -> None:
    """As a person with kubectl does it."""
    words = ("patch", "validatingwebhookconfiguration", REGISTRATION, "--type=json", "-p", json.dumps(operations))
    control_plane.kubectl(*words)


def entry(api: ApiClient, name: str = CORE) -> tuple[int, dict[str, Any]]:
    """Its index, and itself."""
    live = current(api)
    assert live is not None
    return next((index, one) for index, one in enumerate(live["webhooks"]) if one["name"] == name)


def names(api: ApiClient) -> set[str]:
    return {one["name"] for one in (current(api) or {}).get("webhooks") or []}


# What is ours and what is theirs


def test_it_is_written_once_and_read_back_the_same(api: ApiClient) -> None:
    assert register(api, document(*KINDS)) == "created"
    version = (current(api) or {})["metadata"]["resourceVersion"]
    assert register(api, document(*KINDS)) == "unchanged"
    assert (current(api) or {})["metadata"]["resourceVersion"] == version


@pytest.mark.parametrize("chosen", [("failurePolicy", "Fail"), ("timeoutSeconds", 9)], ids=["policy", "timeout"])
def test_the_choice_of_an_admin_stays_through_changes_and_goes_with_the_entry(
    control_plane: ControlPlane, api: ApiClient, chosen: tuple[str, Any]
) -> None:
    register(api, document(*KINDS))
    index, _ = entry(api)
    edit(control_plane, {"op": "replace", "path": f"/webhooks/{index}/{chosen[0]}", "value": chosen[1]})
    assert register(api, document(*KINDS)) == "unchanged"
    assert register(api, document((CONFIG_MAP, SOFT))) == "changed"
    assert entry(api)[1][chosen[0]] == chosen[1]
    assert register(api, document()) == "changed"
    assert CORE not in names(api)
    assert register(api, document(*KINDS)) == "changed"
    assert entry(api)[1][chosen[0]] != chosen[1]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("matchConditions/-", {"name": "never", "expression": "false"}),
        ("namespaceSelector", {"matchLabels": {"x": "y"}}),
        ("objectSelector", {"matchLabels": {"x": "y"}}),
        ("rules", [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["x"]}]),
        ("clientConfig", {"url": "https://127.0.0.1:2/else"}),
        ("matchPolicy", "Exact"),
    ],
)
def test_what_an_edit_has_put_into_an_entry_of_ours_goes(
    control_plane: ControlPlane, api: ApiClient, path: str, value: Any
) -> None:
    register(api, document(*KINDS))
    index, before = entry(api)
    edit(control_plane, {"op": "add", "path": f"/webhooks/{index}/{path}", "value": value})
    assert entry(api)[1] != before
    assert register(api, document(*KINDS)) == "changed"
    assert entry(api)[1] == before
    assert register(api, document(*KINDS)) == "unchanged"


def test_labels_and_entries_of_others_stay(control_plane: ControlPlane, api: ApiClient) -> None:
    register(api, document(*KINDS))
    theirs = {**entry(api)[1], "name": "theirs.example.com"}
    edit(
        control_plane,
        {"op": "add", "path": "/webhooks/-", "value": theirs},
        {"op": "add", "path": "/metadata/labels/team", "value": "x"},
    )
    assert register(api, document()) == "changed"
    assert "theirs.example.com" in names(api)
    assert (current(api) or {})["metadata"]["labels"]["team"] == "x"


def test_what_an_earlier_version_wrote_by_put_is_taken_over(api: ApiClient) -> None:
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
    api.request("POST", PATH, {**kind, **document(*KINDS)})
    assert register(api, document((CONFIG_MAP, SOFT))) == "changed"
    assert "apps-v1.guard.setscrew.dev" not in names(api)
    managers = {(one["manager"], one["operation"]) for one in (current(api) or {})["metadata"]["managedFields"]}
    assert managers == {("setscrew", "Apply")}


def test_an_off_switch_by_kubectl_is_one_and_register_takes_it_back(
    control_plane: ControlPlane, api: ApiClient
) -> None:
    register(api, document(*KINDS))
    note = {"metadata": {"annotations": {"setscrew.dev/off": "2026-11-22T12:00:00Z dana"}}, "webhooks": []}
    control_plane.kubectl(
        "patch", "validatingwebhookconfiguration", REGISTRATION, "--type=merge", "-p", json.dumps(note)
    )
    assert (names(api), switched_off(current(api))) == (set(), "2026-11-22T12:00:00Z dana")
    assert register(api, document(*KINDS)) == "changed"
    assert (CORE in names(api), switched_off(current(api))) == (True, "")


# The keeper


class Site:
    """A keeper on the real API server, and what can be wrong around it."""

    def __init__(self, control_plane: ControlPlane) -> None:
        self.down = ""
        self.grants: list[Grant] = []
        self.said: list[str] = []
        self.spans: list[Blind | str] = []
        self.api = api = ApiClient.load(str(control_plane.admin_kubeconfig))
        self.keeper = Keeper(
            api,
            bell=lambda: beats(api, PATH, REGISTRATION, self.said.append),
            probe=lambda: self.down,
            grants=lambda: self.grants,
            say=self.said.append,
            now=lambda: datetime.now(UTC),
            blind=self,
        )

    def begin(self, blind: Blind) -> None:
        self.spans.append(blind)

    def end(self, cause: str, until: datetime) -> None:
        self.spans.append(f"{cause} ends {until}")


@pytest.fixture
def site(control_plane: ControlPlane, api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """It keeps ConfigMaps and Deployments, and each of its watches is short."""
    monkeypatch.setattr("reconciler.cluster.watch.WATCH_SECONDS", 1)
    one = Site(control_plane)
    one.keeper.want(document(*KINDS))
    one.keeper.start()
    eventually(lambda: CORE in names(api), "the registration")
    yield one
    one.keeper.stop()
    one.api.close()


def test_a_deletion_is_undone_and_told_without_a_guess(control_plane: ControlPlane, api: ApiClient, site: Site) -> None:
    control_plane.kubectl("delete", "validatingwebhookconfiguration", REGISTRATION)
    eventually(lambda: CORE in names(api), "the registration again")
    line = eventually(lambda: next((one for one in site.said if "put back" in one), ""), "a line in the log")
    assert "registration put back (it was deleted, seen at " in line
    assert "by" not in line.partition("(")[2]
    begun = site.spans[0]
    assert isinstance(begun, Blind)
    assert (begun.cause, CORE in begun.entries) == ("registration", True)
    assert eventually(lambda: any(isinstance(one, str) for one in site.spans), "the end of the span")


def test_an_edit_is_undone_and_the_program_that_made_it_is_named(
    control_plane: ControlPlane, api: ApiClient, site: Site
) -> None:
    index, before = entry(api)
    edit(control_plane, {"op": "replace", "path": f"/webhooks/{index}/matchPolicy", "value": "Exact"})
    eventually(lambda: entry(api)[1] == before, "the entry as it was")
    assert eventually(lambda: any("kubectl-patch has edited it at 20" in one for one in site.said), "who did it")


def test_entries_that_are_taken_out_come_back(control_plane: ControlPlane, api: ApiClient, site: Site) -> None:
    assert site.said
    index, _ = entry(api)
    edit(control_plane, {"op": "remove", "path": f"/webhooks/{index}"})
    eventually(lambda: CORE in names(api), "the entry again")


def test_it_stays_away_while_the_admission_server_is_down_and_returns_with_it(
    control_plane: ControlPlane, api: ApiClient, site: Site
) -> None:
    site.down = "the admission server does not answer"
    control_plane.kubectl("delete", "validatingwebhookconfiguration", REGISTRATION)
    eventually(lambda: any("stays away: the admission server does not answer" in one for one in site.said), "a line")
    time.sleep(2)
    assert current(api) is None
    site.down = ""
    eventually(lambda: CORE in names(api), "the registration again")
    assert eventually(lambda: "the registration stands again" in site.said, "a line that it is back")


def test_it_stays_away_while_a_grant_covers_it(control_plane: ControlPlane, api: ApiClient, site: Site) -> None:
    scope = Scope(refs=("ValidatingWebhookConfiguration.admissionregistration.k8s.io setscrew",))
    site.grants = [Grant("night", (), scope, "an outage", not_after=time.time() + 600)]
    control_plane.kubectl("delete", "validatingwebhookconfiguration", REGISTRATION)
    eventually(lambda: any("stays away: grant night covers it until" in one for one in site.said), "a line")
    assert current(api) is None
    site.grants = []
    eventually(lambda: CORE in names(api), "the registration again")


def test_the_off_switch_is_obeyed_until_somebody_registers(api: ApiClient, site: Site) -> None:
    switch_off(api, "2026-11-22T12:00:00Z", "dana")
    eventually(lambda: any("switched off at 2026-11-22T12:00:00Z dana" in one for one in site.said), "a line")
    site.keeper.want(document(*KINDS, (KindInfo("", "v1", "Secret", "secrets", namespaced=True), SOFT)))
    assert names(api) == set()
    register(api, document(*KINDS))
    assert eventually(lambda: "secrets" in json.dumps(entry(api)[1]["rules"]), "what was wanted meanwhile")


def test_a_note_by_kubectl_alone_switches_off_what_it_says_is_off(
    control_plane: ControlPlane, api: ApiClient, site: Site
) -> None:
    assert site.said
    note = "setscrew.dev/off=2026-11-22T12:00:00Z dana"
    control_plane.kubectl("annotate", "validatingwebhookconfiguration", REGISTRATION, note)
    eventually(lambda: names(api) == set(), "no entry of ours")
    assert switched_off(current(api)) == "2026-11-22T12:00:00Z dana"
    register(api, document(*KINDS))
    assert (CORE in names(api), switched_off(current(api))) == (True, "")


def test_who_puts_it_back_on_a_stale_reading_does_not_undo_the_off_switch(api: ApiClient) -> None:
    register(api, document(*KINDS))
    read = current(api)
    found = change(read, document(KINDS[0]))
    switch_off(api, "2026-11-22T12:00:00Z", "dana")
    with pytest.raises(ApiError) as refused:
        write(api, read, found)
    assert (refused.value.status, names(api)) == (409, set())


def test_a_watch_that_the_api_server_ends_is_taken_up_again(
    control_plane: ControlPlane, api: ApiClient, site: Site
) -> None:
    assert site.said
    for _ in range(3):
        time.sleep(1)
        control_plane.kubectl("delete", "validatingwebhookconfiguration", REGISTRATION)
        eventually(lambda: CORE in names(api), "the registration again")


def test_a_controller_that_fights_is_told_and_does_not_make_it_spin(
    control_plane: ControlPlane, api: ApiClient, site: Site
) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and not any("again and again" in one for one in site.said):
        if current(api) is not None:
            control_plane.request("DELETE", ONE)
        time.sleep(0.02)
    assert any("put back every few seconds only" in one for one in site.said)
    assert sum("put back (" in one for one in site.said) <= 6
    eventually(lambda: CORE in names(api), "the registration, after all")
