"""Owns the proof on a real source: a stage with it, writes as people, what the API server and Setscrew recorded."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from reconciler.cluster.api import ApiClient
from reconciler.cluster.paths import object_path
from reconciler.errors import ApiError
from reconciler.schema.types import TypeNode
from setscrew.controlplane import Tools
from setscrew.demo import own_source_files, own_source_sync
from setscrew.demo.own_source_plan import Declared, Plan
from setscrew.demo.pick_shared import Place, at
from setscrew.demo.player import Player
from setscrew.demo.stage import Stage
from tests.support import audit
from tests.support.fields import Field, others, shuffled
from tests.support.waiting import eventually
from webhook.registration.kinds import never_registered

SEED = 20261122


@dataclass(slots=True)
class Trial:
    """What became of changes to a sample of declared fields, made by a person."""

    refused: dict[Field, tuple[Any, tuple[str, ...]]] = field(default_factory=dict)
    """By us: the value that was tried, and the pointers of the causes."""
    refused_otherwise: dict[Field, str] = field(default_factory=dict)
    """By the API server itself, whatever the value: immutable or not valid."""
    not_stored: list[Field] = field(default_factory=list)
    admitted: list[Field] = field(default_factory=list)


@dataclass(slots=True)
class Proof:
    """A stage on which `plan` has been synced and is guarded."""

    plan: Plan
    stage: Stage
    person: ApiClient
    player: Player

    @property
    def guardable(self) -> list[Declared]:
        """What the API server asks webhooks about."""
        return [one for one in self.plan.objects if not never_registered(one.kind)]

    def registered(self) -> set[tuple[str, str]]:
        """(group, resource) pairs of the registration that the API server holds."""
        name = "validatingwebhookconfiguration"
        document = json.loads(self.stage.plane.kubectl("get", name, "setscrew", "-o", "json").stdout)
        rules = [
            rule for webhook in document["webhooks"] for rule in webhook["rules"] if "UPDATE" in rule["operations"]
        ]
        return {(rule["apiGroups"][0], resource) for rule in rules for resource in rule["resources"]}

    def drifted(self) -> list[dict[str, Any]]:
        """Findings that are drift; an `unknown` one says that it is none."""
        report = self.stage.drift()
        assert report is not None, self.stage.log[-2000:]
        return [item for item in report["items"] if item["state"] not in ("unknown", "in-sync")]

    def unknown(self) -> set[tuple[str, str]]:
        """(kind, name) of objects of which the report cannot tell."""
        items = (self.stage.drift() or {}).get("items") or []
        return {(item["kind"], item["name"]) for item in items if item["state"] == "unknown"}

    def live(self, one: Field) -> Any:
        """The value that the cluster holds there, or ABSENT."""
        return at(self.person.request("GET", _path(one)), one.path)

    def patch(self, one: Field, value: Any) -> ApiError | None:
        """Set one field as the person does; the refusal, or None."""
        body = [{"op": "add", "path": one.pointer, "value": value}]
        if one.path and isinstance(one.path[-1], int):
            body[0]["op"] = "replace"  # "add" would insert an item
        try:
            self.person.send("PATCH", _path(one), body, content_type="application/json-patch+json")
        except ApiError as error:
            return error
        return None

    def trial(self, count: int) -> Trial:
        """Change fields until `count` of them have been refused by us, or none is left.

        Of a list that is one value only one field is taken: it can be put back as a whole only.
        """
        trial, taken = Trial(), set()
        forms = {entry.object.ref: entry.object for entry in self.stage.snapshot().entries()}
        for one in shuffled(self.guardable, SEED):
            if len(trial.refused) == count:
                break
            unit = (one.on.ref, _one_value(one.path, forms[one.on.ref].types))
            if unit in taken:
                continue
            taken.add(unit)
            live = self.live(one)
            if isinstance(live, dict | list) or type(live).__name__ == "Absent":
                trial.not_stored.append(one)
            else:
                self._try(one, live, trial)
        return trial

    def _try(self, one: Field, live: Any, trial: Trial) -> None:
        for value in others(live):
            error = self.patch(one, value)
            if error is None:
                trial.admitted.append(one)
                return
            if "guard.setscrew.dev" in error.message:
                assert error.status == 403, error
                trial.refused_otherwise.pop(one, None)
                trial.refused[one] = (value, tuple(place for place, _, _ in error.causes))
                return
            assert "cannot patch" not in error.message, "the person has every right"
            trial.refused_otherwise[one] = error.message

    def unguard(self) -> None:
        """The off-switch, and the moment that the API server takes to notice."""
        self._setscrew("register", "--remove")
        eventually(lambda: not self.stage.guarded(), "the API server asks nobody")

    def guard(self) -> None:
        """Registration from the current snapshot."""
        url = f"https://127.0.0.1:{self.stage.admission_port}"
        self._setscrew("register", "--state", str(self.stage.state_dir), "--url", url)
        eventually(self.stage.guarded, "the API server asks again")

    def _setscrew(self, *args: str) -> None:
        command = [sys.executable, "-m", "setscrew", *args]
        done = subprocess.run(
            command, env=self.stage.plane.environment(), capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr

    def audited(self) -> list[dict[str, Any]]:
        """Every write that the API server has answered, as its audit log says."""
        return list(audit.writes(self.stage.plane))


def _one_value(path: Place, node: TypeNode) -> Place:
    """The path, cut where it enters a list that is compared as one value."""
    for depth, part in enumerate(path):
        if isinstance(part, int) and node.list_type != "map":
            return path[:depth]
        node = node.item if isinstance(part, int) else node.at(part)
    return path


def _path(one: Field) -> str:
    return object_path(one.on.kind, one.on.ref.namespace, one.on.ref.name)


@contextmanager
def proving(plan: Plan, tools: Tools, directory: Path) -> Iterator[Proof]:
    """A stage with `plan` synced for the first time, all forms confirmed, and the webhook asked."""
    sources, fill = own_source_files.sources(plan), partial(own_source_files.fill, plan)
    with Stage(sources, fill, tools=tools, audit_policy=audit.policy_file(directory)) as stage:
        own_source_sync.prepare(stage, plan)
        stage.start_setscrew()
        for done in own_source_sync.sync(stage, plan):
            assert done.returncode == 0, done.stderr
        never = {str(one.ref) for one in plan.objects if never_registered(one.kind)}
        eventually(lambda: not set(stage.unconfirmed()) - never, f"server forms: {stage.unconfirmed()}")
        eventually(stage.guarded, "the API server asks us")
        yield Proof(plan, stage, ApiClient.load(str(stage.person)), Player(stage))
