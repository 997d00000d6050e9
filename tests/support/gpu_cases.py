"""Owns how a case file of tests/cases/gpu/rules becomes a world, and what the rules find in it. Must not assert."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from reconciler.gpu.checker import problems
from reconciler.gpu.mig_table import MigTable
from reconciler.gpu.problem import Problem
from reconciler.gpu.rules import CHECKERS
from reconciler.gpu.world import World, by_kind
from reconciler.model.tree import dig
from reconciler.render.embedded_loader import load_embedded
from reconciler.render.yaml_loader import load_documents
from setscrew import configuration

CASES: Final = Path(__file__).parents[1] / "cases" / "gpu" / "rules"


@cache
def _mig() -> MigTable:
    return configuration.mig_table()


def world(file: Path) -> World:
    """The repository that a file is; Lists named `live` and `retired` hold what is live, and what was there before."""
    trees = [document.tree for document in load_documents(file.read_bytes(), file.name) if document.tree is not None]
    lists = {str(dig(tree, "metadata", "name")): tree["items"] for tree in trees if tree["kind"] == "List"}
    assert lists.keys() <= {"live", "retired"}, "one List named live holds all that is live"
    return World(
        desired=by_kind(tree for tree in trees if tree["kind"] != "List"),
        parse=load_embedded,
        mig=_mig(),
        live=by_kind(lists.get("live", ())),
        clustered="live" in lists,
        retired=by_kind(lists.get("retired", ())),
    )


def found(file: Path) -> list[Problem]:
    """All that the rules find in it."""
    return list(problems(world(file), CHECKERS))
