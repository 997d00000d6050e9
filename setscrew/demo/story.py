"""Owns the order of the story and what is done between its steps: the sync, the start of Setscrew. Must not print."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

from reconciler.errors import UsageError
from setscrew.demo.changes import DELETIONS, FORGERY, GPU, SHOP
from setscrew.demo.passes import ALLOWED, BEFORE, FOUND, NEXT, OFF
from setscrew.demo.stage import Stage, dump
from setscrew.demo.step import Chapter, Step

PARTS: Final = ("shop", "inference", "gpu")
SOURCES: Final[dict[str, dict[str, Any]]] = {
    "shop": {"path": "shop/overlays/production"},
    "inference": {"path": "inference", "render": {"kind": "Helm", "namespace": "inference"}},
    "gpu": {"path": "gpu", "render": {"kind": "YAML"}},
}


def examples() -> Path:
    """The directory of the examples. Raises UsageError where there is no checkout."""
    directory = Path(__file__).resolve().parents[2] / "examples"
    if not all((directory / part).is_dir() for part in PARTS):
        raise UsageError(
            "the demo plays with examples/ of the repository, and there is no checkout here",
            where=str(directory),
            hint="clone the repository and run `make demo`",
        )
    return directory


def fill(work: Path) -> None:
    """Copy the examples into the working copy."""
    top = examples()
    for part in PARTS:
        shutil.copytree(top / part, work / part)


def sync(stage: Stage) -> str:
    """Apply all that Git declares, as the GitOps identity, namespaces first; returns kubectl's output."""
    from setscrew.cli.common import rendered

    work, documents = stage.repository.work, []
    for path, namespace in (("gpu", ""), ("shop/overlays/production", ""), ("inference", "inference")):
        documents += [one.tree for one in rendered(work / path, namespace).objects]
    documents.sort(key=lambda tree: tree["kind"] != "Namespace")
    options = ("--server-side", "--force-conflicts", "--field-manager=argocd-controller")
    return str(stage.plane.kubectl("apply", *options, "-f", "-", kubeconfig=stage.gitops, input=dump(documents)).stdout)


def _start(stage: Stage) -> None:
    stage.start_setscrew()


def _confirm(stage: Stage) -> None:
    stage.wait("the server forms", lambda: not stage.unconfirmed())


def _guard(stage: Stage) -> None:
    stage.wait("the first denial", stage.guarded)


def _report(stage: Stage) -> None:
    stage.wait("the first report", lambda: (stage.drift() or {}).get("items"))


def _sandbox(stage: Stage) -> None:
    stage.plane.kubectl("create", "namespace", "sandbox")


CHAPTERS: Final = (
    Chapter(
        "Before: nobody guards",
        "The service account of a GitOps controller has synced Git. Between two syncs, whoever may write, writes.",
        BEFORE,
    ),
    Chapter(
        "Setscrew starts",
        "It fetches the repository, renders the three sources, asks the API server by dry-run what each object looks "
        "like once stored, registers a validating webhook for the kinds it has found, and compares.",
        FOUND,
        (
            ("`setscrew run`: reconciler, admission server, API server", _start),
            ("each object confirmed by a dry-run of the API server", _confirm),
            ("the API server asks the webhook", _guard),
            ("the first comparison with the cluster", _report),
        ),
    ),
    Chapter("Changes to the shop", "A web shop, rendered by Kustomize.", SHOP),
    Chapter(
        "Changes to the GPUs", "Classes, MIG layouts and time-slicing: small objects that decide for every GPU.", GPU
    ),
    Chapter(
        "Deletions", "What Git declares cannot be deleted by hand: by name, with its namespace, or by label.", DELETIONS
    ),
    Chapter(
        "A deletion in disguise",
        "Deleting without a DELETE: the garbage collector is made to do it.",
        FORGERY,
        (("a namespace `sandbox` that Git does not declare", _sandbox),),
    ),
    Chapter(
        "What passes",
        "Git, controllers and repairs are not in the way, and the way through Git is the fast one.",
        ALLOWED,
    ),
    Chapter("While nobody guards", "Switched off, Setscrew still reports: nothing slips in unseen.", OFF),
    Chapter("Where to look next", "", NEXT),
)


def steps() -> list[Step]:
    """Every step, in order."""
    return [step for chapter in CHAPTERS for step in chapter.steps]
