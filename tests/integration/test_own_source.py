"""Holds the whole path on what other projects publish: all of it guarded, no false alarm, no false denial.

The corpora lie outside this repository, `tests.support.corpus` says where. Entries that are not held here run through
the demo in `test_own_source_demo`.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from setscrew.controlplane import Tools
from setscrew.demo import own_source_story, own_source_sync
from setscrew.demo.own_source_plan import Declared, plan
from setscrew.demo.player import Player
from tests.support import audit
from tests.support.corpus import ABSENT_BECAUSE, CORPUS, SOAKED
from tests.support.own_source import Proof, Trial, proving
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

SOAK_SECONDS = float(os.environ.get("SETSCREW_SOAK_SECONDS") or 60)
CHANGES = 20
SAMPLES = 5


@dataclass(slots=True)
class Soaked:
    """One entry after its syncs and a while with the controllers; `drift` holds what each sample found."""

    name: str
    proof: Proof
    syncs: list[Any]
    too_large: tuple[Any, ...]
    drift: list[Any] = field(default_factory=list)
    unknown: set[tuple[str, str]] = field(default_factory=set)
    writes: list[dict[str, Any]] = field(default_factory=list)
    decisions: list[Any] = field(default_factory=list)
    trial: Trial | None = None

    @property
    def exempt(self) -> list[Declared]:
        """What the API server sends to no webhook, and the canonicalizer may not dry-run."""
        return [one for one in self.proof.plan.objects if one not in self.proof.guardable]

    def tried(self) -> Trial:
        """The sample of changed fields, tried once for all tests."""
        self.trial = self.trial or self.proof.trial(CHANGES)
        return self.trial


@pytest.fixture(scope="module", params=SOAKED)
def soaked(
    request: pytest.FixtureRequest, alone: None, tools: Tools, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Soaked]:
    """One entry after the other, each on a control plane of its own for the full time."""
    with _proof(request.param, tools, tmp_path_factory.mktemp(request.param)) as one:
        for _ in range(SAMPLES):
            time.sleep(SOAK_SECONDS / SAMPLES)
            one.drift.append([(item["kind"], item["name"], item["changes"]) for item in one.proof.drifted()])
            one.unknown |= one.proof.unknown()
        one.writes, one.decisions = one.proof.audited(), _decisions(one.proof)
        yield one


@contextmanager
def _proof(name: str, tools: Tools, directory: Path) -> Iterator[Soaked]:
    entry = _entry(name)
    values = directory / "values.yaml"
    values.write_text(yaml.safe_dump(entry.get("values", {})))
    mine = plan(CORPUS / entry["path"], entry["namespace"], [values] if entry["kind"] == "helm" else [])
    assert len(mine.objects) == entry["objects"]
    with proving(mine, tools, directory) as proof:
        again = own_source_sync.sync(proof.stage, mine)
        client_side, too_large = own_source_sync.sync_client_side(proof.stage, mine)
        yield Soaked(name, proof, [*again, *client_side], too_large)


def _entry(name: str) -> dict[str, Any]:
    listing = CORPUS / "corpus.yaml"
    if not listing.is_file():
        pytest.skip(ABSENT_BECAUSE)
    return next(entry for entry in yaml.safe_load(listing.read_text())["entries"] if entry["name"] == name)


def _decisions(proof: Proof) -> list[Any]:
    from setscrew.api_client import get_json
    from setscrew.api_files import read_address, read_token

    address = read_address(proof.stage.state_dir)
    page = get_json(address.url, read_token(address.token_file), "/api/v1/decisions", {"limit": "1000"})
    return list(page["items"])


def test_everything_that_was_synced_is_guarded(soaked: Soaked) -> None:
    entries = {entry.object.ref: entry for entry in soaked.proof.stage.snapshot().entries()}
    assert set(entries) == {one.ref for one in soaked.proof.plan.objects}
    assert all(entry.adopted and entry.policy.action == "Deny" for entry in entries.values())
    registered = soaked.proof.registered()
    assert {(one.kind.group, one.kind.resource) for one in soaked.proof.guardable} <= registered
    assert {one.ref.group for one in soaked.exempt} <= {"admissionregistration.k8s.io"}, (
        "only what no webhook can guard"
    )


def test_every_guarded_object_has_the_form_that_the_server_confirmed(soaked: Soaked) -> None:
    entries = {entry.object.ref: entry.object for entry in soaked.proof.stage.snapshot().entries()}
    offline = {str(ref): form.reason for ref, form in entries.items() if form.confidence == "offline"}
    guardable = {str(one.ref) for one in soaked.proof.guardable}
    assert not {ref: reason for ref, reason in offline.items() if ref in guardable}
    assert all(offline.values()), "an offline form says why"


def test_line_38_the_gitops_identity_syncs_server_side_and_client_side_with_every_write_admitted(
    soaked: Soaked,
) -> None:
    assert [done.stderr for done in soaked.syncs if done.returncode] == []
    assert all(one.ref.kind == "CustomResourceDefinition" for one in soaked.too_large)


def test_controllers_run_without_false_drift(soaked: Soaked) -> None:
    assert soaked.drift == [[]] * SAMPLES
    assert soaked.unknown <= {(one.ref.kind, one.ref.name) for one in soaked.exempt}, (
        "offline forms, which may not know"
    )


def test_nobody_of_the_system_is_denied_and_no_call_of_the_webhook_fails(soaked: Soaked) -> None:
    refused = [event for event in soaked.writes if audit.refused_by_us(event) and not audit.refused_as_it_asked(event)]
    assert [audit.in_short(event) for event in refused if event["user"]["username"].startswith("system:")] == []
    assert [audit.in_short(event) for event in soaked.writes if audit.unasked(event)] == []
    denied = [one for one in soaked.decisions if not one["allowed"] and one["user"].startswith("system:")]
    assert denied == []
    controllers = {event["user"]["username"] for event in soaked.writes}
    assert any(name.startswith("system:serviceaccount:kube-system:") for name in controllers), "controllers did write"


def test_twenty_changed_fields_are_refused_with_causes_that_name_them(soaked: Soaked) -> None:
    trial = soaked.tried()
    logging.getLogger(__name__).info(
        "%s: %d objects; %d fields refused by Setscrew, %d by the API server itself, %d not stored there",
        *(soaked.name, len(soaked.proof.plan.objects), len(trial.refused)),
        *(len(trial.refused_otherwise), len(trial.not_stored)),
    )
    assert [str(one) for one in trial.admitted] == []
    assert len(trial.refused) == CHANGES
    wrong = {str(one): causes for one, (_, causes) in trial.refused.items() if not _names(causes, one.pointer)}
    assert wrong == {}


def _names(causes: tuple[str, ...], pointer: str) -> bool:
    """A cause stands for the field itself, or for the list around it that is one value."""
    return any(pointer == cause or pointer.startswith(f"{cause}/") for cause in causes)


def test_twenty_fields_that_drifted_unguarded_are_reported_and_may_be_put_back(soaked: Soaked) -> None:
    proof, sample = soaked.proof, soaked.tried().refused
    before = {one: proof.live(one) for one in sample}
    proof.unguard()
    refusals = {str(one): error.message for one, (value, _) in sample.items() if (error := proof.patch(one, value))}
    assert refusals == {}, "nobody guards, so these are refusals of the API server"
    drifted = {(one.on.ref.kind, one.on.ref.namespace, one.on.ref.name) for one in sample}
    eventually(lambda: drifted <= _reported(proof), f"a report of {len(drifted)} objects")
    proof.guard()
    denials = {str(one): error.message for one in sample if (error := proof.patch(one, before[one]))}
    assert denials == {}
    eventually(lambda: not proof.drifted(), "a report without drift")


def _reported(proof: Proof) -> set[tuple[str, str, str]]:
    return {(item["kind"], item["namespace"], item["name"]) for item in proof.drifted()}


def test_every_step_of_the_demo_is_answered_as_announced(soaked: Soaked) -> None:
    proof = soaked.proof
    player = Player(proof.stage)
    steps = [step for chapter in own_source_story.chapters(proof.plan) for step in chapter.steps]
    outcomes = [player.play(step) for step in steps]
    wrong = [(one.step.title, one.answer, one.output, one.held) for one in outcomes if not one.right]
    assert wrong == []
    assert sum(one.answer == "refused" for one in outcomes) >= 10
