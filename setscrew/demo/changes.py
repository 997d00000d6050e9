"""Owns the part of the story that is refused: what people change by hand, and the answer each change must get.

Data only; must not run anything.
"""

from __future__ import annotations

import json
from typing import Final

from setscrew.demo.player import live
from setscrew.demo.stage import Stage
from setscrew.demo.step import ADMIN, DANA, Check, Step

_OWNER: Final = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "name": "never-was",
    "uid": "00000000-dead-beef-0000-000000000000",
}
FORGED: Final = json.dumps({"metadata": {"ownerReferences": [_OWNER]}}, separators=(",", ":"))
_SELECTOR: Final = live("get", "deviceclass", "a100-40gb", "-o", "jsonpath={.spec.selectors[0].cel.expression}")
STRAY: Final = """\
apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata:
  name: any-gpu
spec:
  extendedResourceName: nvidia.com/gpu
  selectors:
  - cel:
      expression: "true"
"""


def _web(path: str, wants: str, says: str) -> Check:
    return Check(says, live("get", "deployment", "web", "-n", "shop", "-o", f"jsonpath={{{path}}}"), wants)


def _there(wants: str, says: str, *argv: str) -> Check:
    return Check(says, live("get", *argv, "-o", "name", "--ignore-not-found"), wants)


def _data(kind_name: tuple[str, ...], path: str, wants: str, says: str) -> Check:
    return Check(says, live("get", *kind_name, "-o", f"jsonpath={{{path}}}"), wants)


def _contains(name: str, text: str, says: str) -> Check:
    """The ConfigMap of the GPU operator holds `text`, on a line of its own."""

    def count(stage: Stage) -> str:
        lines = live("get", "configmap", name, "-n", "gpu-operator", "-o", "yaml")(stage).splitlines()
        return text if text in [line.strip() for line in lines] else "no such line"

    return Check(says, count, text)


SHOP: Final = (
    Step(
        "Another image",
        "The quick fix at night. Git declares the image, so nobody may move it to another one. admin is in "
        "system:masters, which passes every RBAC rule; but admission asks after RBAC.",
        ("kubectl", "set", "image", "deployment/web", "web=registry.example.com/shop/web:1.4.4-hotfix", "-n", "shop"),
        "refused",
        ADMIN,
        ("containers[name=web].image", "registry.example.com/shop/web:1.4.3", "1.4.4-hotfix", "shop/base/web.yaml"),
        (
            _web(
                ".spec.template.spec.containers[0].image",
                "registry.example.com/shop/web:1.4.3",
                "the live image is what Git says",
            ),
        ),
    ),
    Step(
        "More replicas, through the scale subresource",
        "kubectl scale writes deployments/scale, which a rule on deployments alone would never see. Dana has the "
        "ClusterRole cluster-admin by RBAC.",
        ("kubectl", "scale", "deployment/web", "--replicas=10", "-n", "shop"),
        "refused",
        DANA,
        ("spec.replicas", "Git wants 3", "10", "dana"),
        (_web(".spec.replicas", "3", "3 replicas, as Git says"),),
    ),
    Step(
        "A sidecar that Git never saw",
        "Nothing that Git declares is touched. But content beside it runs all the same, so it is refused as well.",
        (
            *("kubectl", "patch", "deployment", "web", "-n", "shop", "-p"),
            '{"spec":{"template":{"spec":{"containers":[{"name":"debug","image":"busybox"}]}}}}',
        ),
        "refused",
        DANA,
        ("containers[name=debug]", "is not in Git"),
        (_web(".spec.template.spec.containers[*].name", "web", "one container, web"),),
    ),
    Step(
        "An environment variable",
        "One more entry in a list that Git declares in part: compared entry by entry, not as a block.",
        ("kubectl", "set", "env", "deployment/web", "DEBUG=1", "-n", "shop"),
        "refused",
        ADMIN,
        ("env[name=DEBUG]", "is not in Git"),
        (_web(".spec.template.spec.containers[0].env[*].name", "LOG_LEVEL CHECKOUT_URL", "the two variables of Git"),),
    ),
    Step(
        "A label that Git declares",
        "Dashboards, policies and cost reports select by it.",
        ("kubectl", "label", "deployment", "web", "-n", "shop", "--overwrite", "app.kubernetes.io/part-of=skunkworks"),
        "refused",
        DANA,
        ("part-of", "shop", "skunkworks"),
        (_web(r".metadata.labels.app\.kubernetes\.io/part-of", "shop", "the label is still shop"),),
    ),
    Step(
        "A label that Git does not declare",
        "The object's own labels and annotations are free as long as Git does not name them and they steer nothing: "
        "tools and people may leave notes. So this one passes.",
        ("kubectl", "label", "deployment", "web", "-n", "shop", "oncall=dana"),
        "allowed",
        DANA,
        (),
        (_web(".metadata.labels.oncall", "dana", "the label is there"),),
    ),
)

GPU: Final = (
    Step(
        "Which devices a class means",
        "The selector a100-40gb becomes: any device. Every claim that names the class would get whatever is free.",
        (
            *("kubectl", "patch", "deviceclass", "a100-40gb", "--type=json", "-p"),
            '[{"op":"replace","path":"/spec/selectors/0/cel/expression","value":"true"}]',
        ),
        "refused",
        ADMIN,
        ("DeviceClass", "a100-40gb", "gpu/device-classes.yaml"),
        (
            Check(
                "the selector still names the product",
                lambda stage: str("NVIDIA A100-SXM4-40GB" in _SELECTOR(stage)),
                "True",
            ),
        ),
    ),
    Step(
        "A stray DeviceClass",
        "A new object, not a changed one. It claims the resource name nvidia.com/gpu for any device: new Pods that "
        "ask for a GPU in the usual way would be served by it, and deleting it later does not bring the right one "
        "back. Git declares DeviceClasses, so Git declares all of them.",
        ("kubectl", "create", "-f", "-"),
        "refused",
        DANA,
        ("any-gpu",),
        (_there("", "there is no class any-gpu", "deviceclass", "any-gpu"),),
        STRAY,
    ),
    Step(
        "A MIG layout",
        "One line in one key of a ConfigMap decides how each A100 is cut: four slices in place of seven, and the nodes "
        "that follow this layout would evict what runs on the others.",
        ("kubectl", "edit", "configmap", "mig-layouts", "-n", "gpu-operator"),
        "refused",
        ADMIN,
        ("data[config.yaml].mig-configs", '["1g.5gb"]: Git wants 7, the request has 4', "gpu/mig-layouts.yaml"),
        (_contains("mig-layouts", "1g.5gb: 7", "the layout still has seven slices"),),
        editor="sed -i 's/1g.5gb: 7/1g.5gb: 4/'",
    ),
    Step(
        "Time-slicing: 16 on one GPU in place of 4",
        "More Pods fit at once, and all of them get slow: a change of capacity that no quota sees.",
        ("kubectl", "edit", "configmap", "device-plugin-configs", "-n", "gpu-operator"),
        "refused",
        DANA,
        ("shared", "sharing.timeSlicing", "replicas: Git wants 4, the request has 16", "gpu/time-slicing.yaml"),
        (_contains("device-plugin-configs", "replicas: 4", "still 4 replicas a GPU"),),
        editor="sed -i 's/replicas: 4/replicas: 16/'",
    ),
)

DELETIONS: Final = (
    Step(
        "One object",
        "Git declares it, so it stays. To remove it for good, remove it from Git.",
        ("kubectl", "delete", "deployment", "web", "-n", "shop"),
        "refused",
        DANA,
        ("may not delete", "shop/base/web.yaml"),
        (_there("deployment.apps/web", "the Deployment is there", "deployment", "web", "-n", "shop"),),
    ),
    Step(
        "A whole namespace",
        "The namespace goes first and takes all that is in it: by then it would be too late to ask for each object.",
        ("kubectl", "delete", "namespace", "shop"),
        "refused",
        ADMIN,
        ("Namespace", "guarded objects"),
        (_data(("namespace", "shop"), ".status.phase", "Active", "the namespace is Active"),),
    ),
    Step(
        "All ConfigMaps with a label",
        "One request that names no object. The API server asks about each object it would delete, and each is judged.",
        ("kubectl", "delete", "configmaps", "-n", "gpu-operator", "-l", "team=platform"),
        "refused",
        DANA,
        ("device-plugin-configs", "mig-layouts"),
        (
            _there(
                "configmap/device-plugin-configs\nconfigmap/mig-layouts",
                "both ConfigMaps are there",
                *("configmap", "-n", "gpu-operator", "-l", "team=platform"),
            ),
        ),
    ),
)

_FORGE: Final = ("kubectl", "patch", "deployment", "web", "--subresource=status", "--type=merge", "-p", FORGED)

FORGERY: Final = (
    Step(
        "An owner that does not exist, written through status",
        "The status subresource of built-in kinds takes ownerReferences as well. An object whose owner is gone is "
        "garbage to the cluster: this deletes a Deployment without any DELETE by a person.",
        (*_FORGE, "-n", "shop"),
        "refused",
        ADMIN,
        ("ownerReferences",),
        (_web(".metadata.ownerReferences", "", "the Deployment has no owner"),),
    ),
    Step(
        "A twin that nobody guards",
        "The same Deployment in a namespace that Git does not know: for comparison, nothing is refused here.",
        ("kubectl", "create", "deployment", "web", "--image=registry.example.com/shop/web:1.4.3", "-n", "sandbox"),
        "allowed",
        ADMIN,
        (),
        (_there("deployment.apps/web", "the twin is there", "deployment", "web", "-n", "sandbox"),),
    ),
    Step(
        "The same forgery on the twin",
        "Nobody guards it: the write passes, and the garbage collector of this cluster does the rest.",
        (*_FORGE, "-n", "sandbox"),
        "allowed",
        ADMIN,
        (),
        (
            Check(
                "the garbage collector has deleted the twin",
                live("get", "deployment", "web", "-n", "sandbox", "-o", "name", "--ignore-not-found"),
                "",
                60,
            ),
        ),
    ),
)
