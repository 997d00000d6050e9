"""Holds what `setscrew register` writes to what the reconciler keeps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import yaml

from reconciler.model.own import CANONICALIZER
from reconciler.policy.occasion import settled
from reconciler.store.snapshot_file import publish
from tests.support import decisions
from tests.unit.cli.conftest import Run
from webhook.registration.client import UrlClient
from webhook.registration.configuration import build
from webhook.registration.places import guarded_by

URL = "https://127.0.0.1:8443"


def test_kinds_of_which_git_declares_none_and_that_are_exclusive_are_asked_about_as_well(
    run: Run, tmp_path: Path
) -> None:
    rules = settled(decisions.builtin_rules(), [{"apiVersion": "resource.k8s.io/v1", "kind": "DeviceClass"}])
    snapshot = replace(decisions.snapshot(["deviceclass"]), rules=rules)
    (tmp_path / "secret-values.key").write_bytes(decisions.KEY)
    publish(snapshot, tmp_path / "snapshots")
    told = run("register", "--dry-run", "--state", str(tmp_path), "--url", URL)
    assert told.exit_code == 0, told.stderr
    (document,) = yaml.safe_load_all(told.stdout)
    bundle = b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"
    kept = build(guarded_by(snapshot.entries, snapshot.rules), UrlClient(URL), bundle, CANONICALIZER)
    for one in (*document["webhooks"], *kept["webhooks"]):
        del one["clientConfig"]["caBundle"]
    assert document == kept
    assert "resourceslices" in str(document)


def test_without_a_state_directory_and_without_pods_it_says_what_it_needs(run: Run, tmp_path: Path) -> None:
    told = run("register", "--kubeconfig", str(tmp_path / "none"))
    assert (told.exit_code, told.stdout) == (2, "")
    assert "--state is needed" in told.stderr
