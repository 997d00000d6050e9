"""Owns the part of the story that passes: repairs, restarts, Git, controllers, and what happens while nobody guards.

Data, and the edits in the working copy that the steps announce; must not run commands of its own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from setscrew.demo.changes import STRAY
from setscrew.demo.player import live
from setscrew.demo.stage import Stage
from setscrew.demo.step import ADMIN, ARGOCD, CONTROLLER, DANA, Check, Probe, Step

OVERLAY: Final = "shop/overlays/production"
HOTFIX: Final = "registry.example.com/shop/worker:1.4.2-hotfix"
_DECLARED: Final = "registry.example.com/shop/worker:1.4.2"
_WORKER_IMAGE: Final = live(
    *("get", "deployment", "worker", "-n", "shop", "-o", "jsonpath={.spec.template.spec.containers[0].image}")
)
_APPLY: Final = ("kubectl", "apply", "--server-side", "--force-conflicts", "--field-manager=argocd-controller")
STATUS_FILE: Final = "../status.json"


def _web(path: str) -> Probe:
    return live("get", "deployment", "web", "-n", "shop", "-o", f"jsonpath={{{path}}}")


def _found(what: str) -> Probe:
    """How many findings of a sort the report counts."""
    return lambda stage: str(((stage.drift() or {}).get("summary") or {}).get(what, "no report"))


def _report(stage: Stage) -> str:
    """The report's findings by kind, name and state: a table folds its words."""
    items = (stage.drift() or {}).get("items") or []
    return ", ".join(sorted("{kind} {name} {state}".format_map(item) for item in items))


def _asked(stage: Stage) -> str:
    return "asks" if stage.guarded() else "asks nobody"


def _commit_count(stage: Stage) -> None:
    file = stage.repository.work / OVERLAY / "kustomization.yaml"
    file.write_text(file.read_text().replace("{name: web, count: 3}", "{name: web, count: 4}"))
    stage.repository.commit("A fourth web Pod for the sale")


def _enforced(stage: Stage) -> str:
    return "enforced" if stage.enforced(stage.repository.git("rev-parse", "HEAD").strip()) else "not yet"


def _status_of_web(stage: Stage) -> None:
    """The live object with one more condition, as a controller that has looked at it would write it."""
    live_object = json.loads(stage.plane.kubectl("get", "deployment", "web", "-n", "shop", "-o", "json").stdout)
    condition = {
        "type": "DemoObserved",
        "status": "True",
        "reason": "Seen",
        "message": "written by the demo under the controller's own token",
    }
    live_object["status"].setdefault("conditions", []).append(condition)
    Path(stage.repository.work, STATUS_FILE).write_text(json.dumps(live_object))


def _observed(stage: Stage) -> str:
    seen = _web(".metadata.generation} {.status.observedGeneration")(stage).split()
    return "same" if len(seen) == 2 and seen[0] == seen[1] else " / ".join(seen)


BEFORE: Final = (
    Step(
        "A hotfix by hand",
        "Dana is cluster-admin by RBAC, and it is three at night. RBAC has nothing against it; Git never hears of it.",
        ("kubectl", "set", "image", "deployment/worker", f"worker={HOTFIX}", "-n", "shop"),
        "allowed",
        DANA,
        (),
        (Check("the cluster runs what Git does not say", _WORKER_IMAGE, HOTFIX),),
    ),
)

FOUND: Final = (
    Step(
        "What has been changed?",
        "The report compares all of the cluster with Git: field, both values, since when, who, and the declaring file.",
        ("setscrew", "drift"),
        "drift",
        ADMIN,
        ("worker", "What next"),
        (Check("the hotfix is found, and nothing else", _report, "Deployment worker drifted"),),
    ),
)

ALLOWED: Final = (
    Step(
        "Back to what Git says",
        "The hotfix of the first step goes. A change that moves a field to exactly Git's value is a repair, and "
        "anybody who has the rights may make it.",
        ("kubectl", "set", "image", "deployment/worker", f"worker={_DECLARED}", "-n", "shop"),
        "allowed",
        DANA,
        (),
        (Check("the live image is what Git says", _WORKER_IMAGE, _DECLARED),),
    ),
    Step(
        "A rolling restart",
        "kubectl writes one annotation into the Pod template. Policy frees this one key by name: a restart is not a "
        "change of configuration.",
        ("kubectl", "rollout", "restart", "deployment/web", "-n", "shop"),
        "allowed",
        DANA,
        (),
        (Check("the Deployment controller has seen it and written its status", _observed, "same"),),
    ),
    Step(
        "A status, written by a controller",
        "The Deployment controller's own service account, with a real token. Status is what the cluster reports, not "
        "what Git declares: never judged.",
        ("kubectl", "replace", "--subresource=status", "-f", STATUS_FILE),
        "allowed",
        CONTROLLER,
        (),
        (Check("3 replicas are declared still", _web(".spec.replicas"), "3"),),
        prepare=_status_of_web,
    ),
    Step(
        "The right way: a commit",
        f"Dana changes `count: 3` to `count: 4` in {OVERLAY}, commits and pushes. A post-receive hook tells Setscrew's "
        "receiver, signed as GitHub signs, and the new revision is enforced at once: nobody waits for a poll.",
        ("git", "push", "origin", "main"),
        "allowed",
        DANA,
        (),
        (Check("the new commit is enforced", _enforced, "enforced", 30),),
        prepare=_commit_count,
    ),
    Step(
        "The GitOps controller syncs it",
        "The service account of Argo CD's controller, with a real token, applies the overlay. It gets no blank "
        "cheque: its writes are held against the content of Git, and this one agrees.",
        (
            *_APPLY,
            "-k",
            OVERLAY,
        ),
        "allowed",
        ARGOCD,
        ("deployment.apps/web serverside-applied",),
        (Check("4 replicas, as the new commit says", _web(".spec.replicas"), "4"),),
    ),
    Step(
        "And the old number?",
        "What was right a minute ago is drift now.",
        ("kubectl", "scale", "deployment/web", "--replicas=3", "-n", "shop"),
        "refused",
        DANA,
        ("Git wants 4", "A fourth web Pod for the sale"),
        (Check("4 replicas stay", _web(".spec.replicas"), "4"),),
    ),
)

OFF: Final = (
    Step(
        "The off-switch",
        "One command takes the registration away. Nothing is refused from here on; the report goes on.",
        ("setscrew", "register", "--remove"),
        "allowed",
        ADMIN,
        ("nothing is refused any more",),
        (Check("the API server asks nobody", _asked, "asks nobody"),),
    ),
    Step(
        "The image again",
        "The first change of this demo, word for word.",
        ("kubectl", "set", "image", "deployment/web", "web=registry.example.com/shop/web:1.4.4-hotfix", "-n", "shop"),
        "allowed",
        ADMIN,
    ),
    Step(
        "The stray DeviceClass again",
        "Now it is there.",
        ("kubectl", "create", "-f", "-"),
        "allowed",
        DANA,
        (),
        (),
        STRAY,
    ),
    Step(
        "And an object goes",
        "The MIG layouts, deleted.",
        ("kubectl", "delete", "configmap", "mig-layouts", "-n", "gpu-operator"),
        "allowed",
        DANA,
        (),
        (
            Check(
                "the next look at the cluster finds all three",
                _found("total"),
                "3",
                30,
            ),
        ),
    ),
    Step(
        "What slipped in",
        "The same report again, now with what happened while nobody was asked.",
        ("setscrew", "drift"),
        "drift",
        ADMIN,
        ("web", "mig-layouts", "missing", "any-gpu"),
        (
            Check(
                "all three are found: drifted, missing, and not declared at all",
                _report,
                "ConfigMap mig-layouts missing, Deployment web drifted, DeviceClass any-gpu extra",
            ),
        ),
    ),
    Step(
        "Guard again",
        "The same command without --remove writes the registration back, from the current snapshot.",
        ("setscrew", "register", "--url", "{webhook}"),
        "allowed",
        ADMIN,
        (),
        (Check("the API server asks again", _asked, "asks", 30),),
    ),
    Step(
        "Repair: the objects of the GPUs",
        "Applying what Git says is always allowed: the GitOps controller's next sync brings back what is gone.",
        (*_APPLY, "-f", "gpu"),
        "allowed",
        ARGOCD,
        ("configmap/mig-layouts serverside-applied",),
    ),
    Step(
        "Repair: the shop",
        "And puts back the image.",
        (*_APPLY, "-k", OVERLAY),
        "allowed",
        ARGOCD,
        ("deployment.apps/web serverside-applied",),
        (
            Check(
                "the live image is what Git says",
                _web(".spec.template.spec.containers[0].image"),
                "registry.example.com/shop/web:1.4.3",
            ),
        ),
    ),
    Step(
        "Remove the stray",
        "No sync removes what Git has never heard of. Nobody may make or change a stray DeviceClass, but anybody "
        "who has the rights may remove one.",
        ("kubectl", "delete", "deviceclass", "any-gpu"),
        "allowed",
        DANA,
        (),
        (Check("the next look at the cluster finds nothing", _found("total"), "0", 30),),
    ),
    Step(
        "What is left?",
        "Nothing: the restart and the label are no drift either.",
        ("setscrew", "drift"),
        "allowed",
        ADMIN,
        ("No drift",),
    ),
)

NEXT: Final = (
    Step(
        "Why is this field held?",
        "Each denial names this command: where a field is declared, by which commit, who wrote it last, and what a "
        "change would be answered.",
        ("setscrew", "explain", "deployment/web", "-n", "shop", "--field", "spec.replicas"),
        "allowed",
        ADMIN,
        ("spec.replicas",),
    ),
)
