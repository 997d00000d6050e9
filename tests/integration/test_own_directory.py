"""Holds `setscrew demo --source` on a directory made for its traps: an unknown kind, a webhook without a server."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from setscrew.controlplane import Tools
from setscrew.demo import own_source

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

MANIFESTS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: elsewhere, labels: {team: web}}
data: {mode: fast}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: nameless}
data: {mode: slow}
---
apiVersion: example.com/v1
kind: Widget
metadata: {name: orphan}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: not-running-here}
webhooks:
- name: check.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  clientConfig: {service: {namespace: elsewhere, name: nobody}}
  rules: [{apiGroups: [""], apiVersions: [v1], operations: ["*"], resources: [configmaps]}]
"""


def test_a_directory_with_a_webhook_and_an_unknown_kind_plays_to_its_end(
    alone: None, tmp_path: Path, tools: Tools
) -> None:
    (tmp_path / "all.yaml").write_text(MANIFESTS)
    shown = io.StringIO()
    status = own_source.play(tmp_path, "mine", [], Console(file=shown, width=200))
    assert status == 0, shown.getvalue()
    assert "failurePolicy: Ignore" in shown.getvalue()
    assert "left out: Widget.example.com orphan" in shown.getvalue()
    assert "configmap/nameless serverside-applied" in shown.getvalue()
