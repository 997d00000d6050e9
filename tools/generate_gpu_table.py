"""Writes into docs/gpu.md what policies/gpu says of each kind of GPU class: `python tools/generate_gpu_table.py`.

A comment `<!-- gpu FILE -->` is filled in, up to the next `<!-- end -->`, by the rows of `policies/gpu/FILE.yaml`.
tests/unit/docs/test_gpu_table.py fails while page and policies differ.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from reconciler.policy.model import GpuClass, Rules
from reconciler.policy.parse import parse_rules
from reconciler.policy.select import any_kind
from setscrew.configuration import builtin_policies, documents

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "gpu.md"
_BLOCK: Final = re.compile(r"(<!-- gpu (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_HEAD: Final = (
    "| class | what defines it | who else writes it | guarded | a change acts | damage |",
    "| --- | --- | --- | --- | --- | --- |",
)
_MODES: Final = {
    "own": "as Git declares it",
    "fragment": "the labels that Git declares",
    "observe": "only its writers change it, on a Node of which Git declares a label",
    "machines": "no person writes it; never compared",
    "payload": "as part of the object around it",
}

_HIT: Final[dict[tuple[str, ...], str]] = {
    ("running", "pending"): "at once, on what runs as well",
    ("pending",): "at once on what waits; on what runs at its next start",
    (): "at once, on what starts from now on",
}


def page() -> str:
    """The page with its generated blocks filled in."""
    rules = parse_rules(documents(builtin_policies()))
    return _BLOCK.sub(lambda block: f"{block[1]}\n{_table(block[2], rules)}\n{block[3]}", PAGE.read_text("utf-8"))


def shown() -> list[str]:
    """The files of policies/gpu that the page shows."""
    return [block[1] for block in _BLOCK.findall(PAGE.read_text("utf-8"))]


def _table(name: str, rules: Rules) -> str:
    own = parse_rules(documents(builtin_policies() / "gpu" / f"{name}.yaml"))
    return "\n".join([*_HEAD, *(_row(one, rules) for one in own.gpu_classes)]) + "\n"


def _row(one: GpuClass, rules: Rules) -> str:
    acts = {"live": _HIT[one.hits], "latent": f"later: {one.trigger}", "none": "defines nothing"}[one.effect]
    cells = (f"**{one.title}**", one.defines, one.writers, _guarded(one, rules), acts, one.damage)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _guarded(one: GpuClass, rules: Rules) -> str:
    exclusive = [kind.rpartition("/")[2] for kind in one.kinds if one.mode == "own" and _is_exclusive(kind, one, rules)]
    of_some = f" ({', '.join(exclusive)})" if len(exclusive) < len(one.kinds) else ""
    return _MODES[one.mode] + (f"; exclusive{of_some}" if exclusive else "")


def _is_exclusive(kind: str, one: GpuClass, rules: Rules) -> bool:
    """Whether a kind of the row is; the policy for ConfigMaps of a ClusterPolicy is about two rows of three."""
    group, _, name = kind.rpartition("/")
    policies = (one for one in rules.policies if one.exclusive)
    return one.id != "other-configs" and any(
        any_kind(tuple(kind for match in policy.match for kind in match.kinds), group, name) for policy in policies
    )


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
