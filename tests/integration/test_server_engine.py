"""Holds that a real API server gives the clean form of each kind, or a reason where it has none."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from reconciler.cluster.api import ApiClient
from reconciler.cluster.discovery import Discovery
from reconciler.model.own import CANONICALIZER
from setscrew.controlplane import ControlPlane
from tests.support.engine import Engine, manifest
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: app, image: example/app:1, env: [{name: A, value: b}], resources: {limits: {cpu: 1000m}}}
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""
JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec: {suspend: true, template: {spec: {restartPolicy: Never, containers: [{name: app, image: example/app:1}]}}}
"""
CLAIM = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {storageClassName: "", accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""
CONFIG_MAP = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {a: b}
"""
DEVICE_CLASS = """
apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata: {name: engine-gpu}
spec: {selectors: [{cel: {expression: 'device.driver == "gpu.example.com"'}}]}
"""
CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.engine.example.com}
spec:
  group: engine.example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties: {size: {type: integer, default: 3}, colour: {type: string}}
"""
WIDGET = """
apiVersion: engine.example.com/v1
kind: Widget
metadata: {name: one}
spec: {colour: red}
"""


@pytest.fixture(scope="module")
def engine(control_plane: ControlPlane) -> Iterator[Engine]:
    client = ApiClient.load(str(control_plane.admin_kubeconfig))
    yield Engine(client, Discovery(client))
    client.close()


@pytest.fixture
def apply(control_plane: ControlPlane) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Creates objects with kubectl; cluster-scoped ones are removed at the end."""
    cluster_wide: list[str] = []

    def run(tree: dict[str, Any]) -> None:
        control_plane.kubectl("apply", "-f", "-", input=json.dumps(tree))
        if "namespace" not in tree["metadata"]:
            cluster_wide.append(json.dumps(tree))

    yield run
    for document in reversed(cluster_wide):
        control_plane.kubectl("delete", "-f", "-", "--wait=false", "--ignore-not-found", input=document)


Apply = Callable[[dict[str, Any]], None]


def test_an_absent_deployment_comes_back_with_its_defaults(engine: Engine, namespace: str) -> None:
    form = engine.form(manifest(DEPLOYMENT, namespace))
    assert (form.via, form.volatile, form.reason, form.warnings) == ("post", (), "", ())
    assert form.tree["spec"]["revisionHistoryLimit"] == 10
    assert form.tree["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"] == "1"
    assert form.tree["metadata"] == {"name": "web", "namespace": namespace, "labels": {"app": "web"}}
    assert "status" not in form.tree


def test_a_dry_run_leaves_nothing_behind(engine: Engine, namespace: str) -> None:
    engine.form(manifest(CONFIG_MAP, namespace))
    assert engine.form(manifest(CONFIG_MAP, namespace)).via == "post"


def test_drift_of_the_live_deployment_does_not_reach_its_form(
    engine: Engine, namespace: str, apply: Apply, control_plane: ControlPlane
) -> None:
    clean = engine.form(manifest(DEPLOYMENT, namespace)).tree
    apply(manifest(DEPLOYMENT, namespace))
    control_plane.kubectl("set", "env", "deployment/web", "EXTRA=1", "-n", namespace)
    control_plane.kubectl("patch", "deployment", "web", "-n", namespace, "-p", '{"spec":{"revisionHistoryLimit":0}}')
    control_plane.kubectl("annotate", "deployment", "web", "-n", namespace, "note=x")
    form = engine.form(manifest(DEPLOYMENT, namespace))
    assert form.via == "put"
    assert form.tree == clean


def test_a_changed_immutable_field_is_answered_by_a_copy(engine: Engine, namespace: str, apply: Apply) -> None:
    apply(manifest(DEPLOYMENT, namespace))
    changed = manifest(DEPLOYMENT.replace("app: web", "app: other"), namespace)
    form = engine.form(changed)
    assert (form.via, form.tree["metadata"]["name"]) == ("scratch", "web")
    assert form.tree["spec"]["selector"]["matchLabels"] == {"app": "other"}


def test_a_service_has_the_same_shape_whether_it_is_there_or_not(engine: Engine, namespace: str, apply: Apply) -> None:
    absent = engine.form(manifest(SERVICE, namespace))
    apply(manifest(SERVICE, namespace))
    present = engine.form(manifest(SERVICE, namespace))
    assert (absent.via, present.via) == ("post", "scratch")
    assert present.tree == absent.tree


def test_a_headless_live_service_does_not_make_the_form_headless(engine: Engine, namespace: str, apply: Apply) -> None:
    apply(manifest(SERVICE.replace("spec: {", "spec: {clusterIP: None, "), namespace))
    assert engine.form(manifest(SERVICE, namespace)).tree["spec"]["clusterIP"] != "None"


def test_pins_that_are_in_use_stay_in_the_form(engine: Engine, namespace: str, apply: Apply) -> None:
    pinned = SERVICE.replace("{port: 80}", "{port: 80, nodePort: 30123}").replace("spec: {", "spec: {type: NodePort, ")
    apply(manifest(pinned, namespace))
    other = manifest(pinned.replace("name: web", "name: other"), namespace)
    for tree, via in ((manifest(pinned, namespace), "scratch"), (other, "post")):
        form = engine.form(tree)
        assert (form.via, form.reason) == (via, "")
        assert form.tree["spec"]["ports"][0]["nodePort"] == 30123


def test_a_bound_claim_has_the_form_of_an_unbound_one(
    engine: Engine, namespace: str, apply: Apply, control_plane: ControlPlane
) -> None:
    absent = engine.form(manifest(CLAIM, namespace))
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"engine-{namespace}"},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": "/nowhere"},
            "claimRef": {"namespace": namespace, "name": "data"},
        },
    }
    apply(volume)
    apply(manifest(CLAIM, namespace))
    phase = ("get", "pvc", "data", "-n", namespace, "-o", "jsonpath={.status.phase}")
    eventually(lambda: control_plane.kubectl(*phase).stdout == "Bound", "the claim is bound")
    bound = engine.form(manifest(CLAIM, namespace))
    assert bound.via == "scratch"
    assert bound.tree == absent.tree
    assert engine.form(volume).reason == ""


def test_what_a_job_generates_is_volatile_and_its_name_is_its_own(engine: Engine, namespace: str, apply: Apply) -> None:
    absent = engine.form(manifest(JOB, namespace))
    apply(manifest(JOB, namespace))
    present = engine.form(manifest(JOB, namespace))
    assert (absent.via, present.via) == ("post", "scratch")
    assert present.volatile == absent.volatile
    assert "/spec/selector/matchLabels/batch.kubernetes.io~1controller-uid" in present.volatile
    assert present.tree["spec"]["template"]["metadata"]["labels"]["batch.kubernetes.io/job-name"] == "once"


def test_a_namespace_keeps_its_name_whether_it_is_there_or_not(engine: Engine, namespace: str) -> None:
    present = engine.form(manifest(f"{{apiVersion: v1, kind: Namespace, metadata: {{name: {namespace}}}}}"))
    absent = engine.form(manifest("{apiVersion: v1, kind: Namespace, metadata: {name: engine-absent}}"))
    assert (present.via, absent.via) == ("put", "post")
    assert present.tree["metadata"]["labels"] == {"kubernetes.io/metadata.name": namespace}


def test_a_crd_and_its_resource_have_forms_as_soon_as_the_crd_is_there(
    engine: Engine, namespace: str, apply: Apply
) -> None:
    crd = manifest(CRD)
    absent = engine.form(crd)
    apply(crd)
    eventually(lambda: "Widget" in served(engine), "the CRD is served")
    widget = engine.form(manifest(WIDGET.replace("red", "red, typo: 1"), namespace))
    assert engine.form(crd).tree == absent.tree
    assert widget.tree["spec"] == {"colour": "red", "size": 3}
    assert widget.warnings == ('unknown field "spec.typo"',)
    apply(manifest(WIDGET, namespace))
    assert engine.form(manifest(WIDGET, namespace)).via == "put"


def served(engine: Engine) -> set[str]:
    engine.discovery.refresh()
    return {kind for _, _, kind in engine.discovery.kinds()}


def test_a_gpu_class_is_put_clean_over_a_loosened_one(engine: Engine, apply: Apply) -> None:
    apply(manifest(DEVICE_CLASS.replace("gpu.example.com", "anything.example.com")))
    form = engine.form(manifest(DEVICE_CLASS))
    assert form.via == "put"
    assert "gpu.example.com" in form.tree["spec"]["selectors"][0]["cel"]["expression"]


def test_a_secret_is_merged_and_typed_and_an_immutable_one_is_copied(
    engine: Engine, namespace: str, apply: Apply
) -> None:
    secret = manifest("{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {a: example}}", namespace)
    form = engine.form(secret)
    assert (form.tree["type"], form.tree["data"]) == ("Opaque", {"a": "ZXhhbXBsZQ=="})
    apply({**secret, "type": "example.com/other", "immutable": True})
    again = engine.form(secret)
    assert (again.via, again.tree) == ("scratch", form.tree)


def test_a_secret_that_is_refused_says_where_but_not_what(engine: Engine, namespace: str) -> None:
    text = "{apiVersion: v1, kind: Secret, metadata: {name: s}, type: kubernetes.io/tls, stringData: {a: hunter2}}"
    form = engine.form(manifest(text, namespace))
    assert form.tree is None
    assert "hunter2" not in form.reason
    assert "data[tls.crt]" in form.reason


def test_a_full_quota_is_a_reason_that_names_it(
    engine: Engine, namespace: str, apply: Apply, control_plane: ControlPlane
) -> None:
    text = '{apiVersion: v1, kind: ResourceQuota, metadata: {name: full}, spec: {hard: {"count/configmaps": "0"}}}'
    apply(manifest(text, namespace))
    status = ("get", "resourcequota", "full", "-n", namespace, "-o", "jsonpath={.status.hard}")
    eventually(lambda: "configmaps" in control_plane.kubectl(*status).stdout, "the quota is counted")
    form = engine.form(manifest(CONFIG_MAP, namespace))
    assert (form.tree, form.retryable_cause) == (None, f"quota:{namespace}")
    assert "exceeded quota: full" in form.reason


def test_a_missing_namespace_is_a_reason_that_names_it(engine: Engine) -> None:
    form = engine.form(manifest(CONFIG_MAP, "not-there"))
    assert (form.retryable_cause, form.reason) == ("namespace:not-there", "namespace not-there does not exist yet")


def test_a_missing_crd_is_a_reason_that_names_the_kind(engine: Engine, namespace: str) -> None:
    gadget = manifest(CONFIG_MAP.replace("ConfigMap", "Gadget").replace(": v1", ": gone.example.com/v1"), namespace)
    kind = replace(engine.kind(manifest(CONFIG_MAP)), group="gone.example.com", kind="Gadget", resource="gadgets")
    pretending = Engine(engine.client, _Knows({("gone.example.com", "v1", "Gadget"): kind}))  # type: ignore[arg-type]
    assert pretending.form(gadget).retryable_cause == "kind:gone.example.com/Gadget"


class _Knows(dict):  # type: ignore[type-arg]
    def kinds(self) -> Any:
        return self


def test_an_identity_without_rights_gets_a_reason(engine: Engine, namespace: str, control_plane: ControlPlane) -> None:
    poor = ApiClient.load(str(control_plane.kubeconfig("nobody")))
    form = Engine(poor, engine.discovery).form(manifest(CONFIG_MAP, namespace))
    assert (form.tree, form.retryable_cause) == (None, "right")
    assert 'User "nobody" cannot get resource "configmaps"' in form.reason


def test_an_impersonated_client_acts_as_the_canonicalizer(control_plane: ControlPlane) -> None:
    client = ApiClient.load(str(control_plane.admin_kubeconfig), impersonate=CANONICALIZER)
    review = client.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {})
    assert review["status"]["userInfo"]["username"] == CANONICALIZER


def test_an_invalid_object_is_a_reason_in_the_servers_words(engine: Engine, namespace: str) -> None:
    form = engine.form(manifest(SERVICE.replace("80", "99999"), namespace))
    assert (form.tree, form.retryable_cause) == (None, "")
    assert "spec.ports[0].port" in form.reason


def test_an_object_larger_than_a_request_may_be_is_a_reason(engine: Engine, namespace: str) -> None:
    big = manifest(CONFIG_MAP, namespace)
    big["data"]["a"] = "x" * (4 * 1024 * 1024)
    form = engine.form(big)
    assert (form.tree, form.reason) == (None, "the object is larger than the API server takes")


def test_two_engines_at_once_do_not_disturb_each_other(engine: Engine, namespace: str, apply: Apply) -> None:
    trees = [manifest(text, namespace) for text in (DEPLOYMENT, SERVICE, JOB, CLAIM, CONFIG_MAP)]
    for tree in trees:
        apply(tree)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: engine.forms(*trees), range(2)))
    for one, other in zip(*both, strict=True):
        assert (one.via, one.reason, one.volatile) == (other.via, other.reason, other.volatile)
        assert one.tree is not None
