"""Owns learning what the API server fills in by itself: reconciler/schema/data/defaults.json.

tools/generate_schema.py calls this; alone it writes the same file:

    .venv/bin/python tools/generate_defaults.py

It asks a real API server what it would store of the objects in tools/probe/seeds and of tens of thousands of variants
(dry run, nothing is stored), learns rules per OpenAPI definition, and checks them on answers that were held back. What
no rule explains is listed as computed. The feature gates stay as the version ships them: they change defaults.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from reconciler.cluster.api import ApiClient  # noqa: E402
from setscrew.controlplane import ControlPlane  # noqa: E402
from tools.probe.ask import Asked, answers, documents, prepare  # noqa: E402
from tools.probe.learn import text  # noqa: E402
from tools.probe.observe import Observation, observations  # noqa: E402
from tools.probe.seeds import seeds  # noqa: E402
from tools.probe.shapes import Shapes  # noqa: E402
from tools.probe.table import Learner, mistakes, without  # noqa: E402
from tools.probe.variants import Variants  # noqa: E402

COMPUTED = ROOT / "tools" / "probe" / "computed.yaml"
DATA = ROOT / "reconciler" / "schema" / "data" / "defaults.json"
# Every version may be declared in Git; an alpha version that is served changes no default of another.
SERVED = ["api/all=true"]
# One of so many answers is held back when the rules are checked, in as many rounds.
ROUNDS = 4
# Of so few rows each is a case of its own, which cannot be learned from the others.
FEW = 40


def main() -> int:
    """Write defaults.json; print what it holds and where learning from a part of the answers was wrong."""
    with ControlPlane.start(runtime_config=SERVED) as plane:
        client = ApiClient.load(str(plane.admin_kubeconfig))
        version = str(client.request("GET", "/version")["gitVersion"]).removeprefix("v")
        prepare(client)
        shapes = Shapes(documents(client))
        seen = observed(client, shapes)
    write(version, learned(shapes, seen))
    return 0


def observed(client: ApiClient, shapes: Shapes) -> list[Observation]:
    """What the server answers to all seeds and their variants, each different observation once."""
    found: dict[bytes, Observation] = {}
    asked = accepted = 0
    for one, answered in answers(client, _asked(shapes)):
        asked += 1
        if answered is not None:
            accepted += 1
            for seen in observations(shapes, one.root, one.tree, answered, one.path):
                key = text([seen.definition, seen.root, seen.sent, seen.answered]).encode()
                found.setdefault(hashlib.sha256(key).digest(), seen)
    print(f"asked {asked}, accepted {accepted}, {len(found)} observations")
    return list(found.values())


def learned(shapes: Shapes, seen: list[Observation]) -> dict[str, Any]:
    """The table; fields that a part of the answers would have taught wrongly are computed in it."""
    learner = Learner(shapes, yaml.safe_load(COMPUTED.read_text("utf-8")))
    learner.learn_keeps(seen)
    rows = learner.rows(seen)
    table = learner.table(rows)
    wrong = {definition: set(entry.get("computed", ())) for definition, entry in table.items()}
    for turn in range(ROUNDS):
        held = {name: [row for row in of if row.turn(ROUNDS) == turn] for name, of in rows.items() if len(of) > FEW}
        rest = {name: [row for row in rows[name] if row.turn(ROUNDS) != turn] for name in held}
        for definition, entry in learner.table(rest, wrong).items():
            for name, row, said in mistakes(entry, held[definition]):
                if all(name in other.struct for other in rest[definition]):
                    continue  # nothing was there to learn from
                print(f"held back: {definition} {name}: said {text(said)} of {row}")
                table[definition] = without(table[definition], name)
    for definition, of in rows.items():
        for name, row, said in mistakes(table.get(definition, {}), of) if definition in table else ():
            raise AssertionError(f"{definition} {name}: said {text(said)} of {row}")
    _report(shapes, table, rows)
    return table


def write(version: str, table: dict[str, Any], path: Path = DATA) -> None:
    """One definition a line: a new version shows in a diff as what it changes."""
    entries = ",\n".join(f"{_compact(name)}:{_compact(entry)}" for name, entry in sorted(table.items()))
    content = f'{{\n"version":{_compact(version)},\n"definitions":{{\n{entries}\n}}\n}}\n'
    path.write_text(content, "utf-8")
    print(f"{path.name}: {len(content)} bytes, {len(table)} definitions")


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def _asked(shapes: Shapes) -> Iterator[Asked]:
    all_seeds = seeds(shapes)
    variants = Variants(shapes)
    for seed in all_seeds:
        variants.learn(seed.root, seed.tree)
    for seed in all_seeds:
        for tree, path in variants.of(seed.root, seed.tree, thorough=seed.thorough):
            yield Asked(seed.root, tree, path)


def _report(shapes: Shapes, table: dict[str, Any], rows: dict[str, Any]) -> None:
    fills = [rules for entry in table.values() for rules in entry.get("fill", {}).values()]
    computed = sum(len(entry.get("computed", ())) for entry in table.values())
    print(f"{len(fills)} fields filled by {sum(map(len, fills))} rules, {computed} computed")
    for definition, of in sorted(rows.items()):
        declared = {name for row in of for name in row.struct}
        never = sorted(set(shapes.fields(definition)) - declared - {"apiVersion", "kind", "metadata", "status"})
        if never or definition not in table:
            print(f"{'never declared' if definition in table else 'unknown'}: {definition} {' '.join(never)}")


if __name__ == "__main__":
    sys.exit(main())
