"""Owns how rules write places: JSON pointers, a restricted JSONPath, `{podSpec}`. Must not walk objects.

Both spellings become one, the pattern: a pointer whose elements may be `*` (one element), a final `**` (everything
below) and `k:{"name":"app"}` (the item with these values).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from reconciler.model.path import split_pattern
from reconciler.policy.select import kind_matches

# Stands in a rule's paths for where the kind keeps its replicas: `specReplicasPath` of a custom resource.
REPLICAS: Final = "{replicas}"
POD_SPEC: Final = "{podSpec}"
# Kinds that hold a Pod spec, and where. One that is not here needs rules with paths of its own.
_POD_SPECS: Final = (
    (("Pod",), "/spec"),
    (("PodTemplate",), "/template/spec"),
    (
        (
            *("apps/DaemonSet", "apps/Deployment", "apps/ReplicaSet", "apps/StatefulSet", "batch/Job"),
            *("ReplicationController", "argoproj.io/Rollout"),
        ),
        "/spec/template/spec",
    ),
    (("batch/CronJob",), "/spec/jobTemplate/spec/template/spec"),
)
_STEP: Final = re.compile(
    r"""\.(?P<name>[A-Za-z_][\w-]*|\*)             # .spec  .*
      | \[\s*(?P<all>\*)?\s*\]                     # [*]  []
      | \[\s*(?P<index>\d+)\s*\]                   # [0]
      | \[\s*'(?P<single>[^']*)'\s*\]              # ['a.b/c']
      | \[\s*"(?P<double>[^"]*)"\s*\]              # ["a.b/c"]
      | \[\s*\?\s*\((?P<filter>[^()]*)\)\s*\]      # [?(@.name=="app")]
    """,
    re.VERBOSE,
)
_EQUALS: Final = re.compile(
    r"""\s*@\.(?P<key>\w+)\s*==\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<number>-?\d+))\s*"""
)


def compiled(text: str) -> str:
    """A path as a pattern. Raises ValueError, with a clause that says why, for what is neither pointer nor JSONPath."""
    if text.startswith(("/", f"{POD_SPEC}/")) or text == REPLICAS:
        return text
    if not text.startswith(("$", ".", "[")):
        raise ValueError("is no JSON pointer (it starts with /) and no JSONPath (it starts with $ or .)")
    rest, elements = text.removeprefix("$"), list[str]()
    while rest:
        step = _STEP.match(rest)
        if step is None:
            raise ValueError(f"is no plain JSONPath from {rest[:40]!r} on")
        elements.append(_element(step))
        rest = rest[step.end() :]
    if not elements:
        raise ValueError("names the whole object")
    return "".join(f"/{element}" for element in elements)


def _element(step: re.Match[str]) -> str:
    if step["filter"] is not None:
        return escaped("k:" + json.dumps(_keys(step["filter"]), separators=(",", ":"), sort_keys=True))
    for group in ("name", "index", "single", "double"):
        if step[group] is not None:
            return escaped(step[group])
    return "*"


def _keys(text: str) -> dict[str, Any]:
    keys: dict[str, Any] = {}
    for term in text.split("&&"):
        found = _EQUALS.fullmatch(term)
        if found is None:
            raise ValueError(f'has a filter that is no equality of keys: {text!r}, write @.name=="app"')
        words = found["double"] if found["double"] is not None else found["single"]
        keys[found["key"]] = int(found["number"]) if words is None else words
    return keys


def escaped(name: str) -> str:
    """A name as one token of a pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def item_values(element: str) -> dict[str, Any] | None:
    """The values that `k:{…}` asks of an item; None for any other element."""
    if not element.startswith("k:{"):
        return None
    try:
        values = json.loads(element[2:])
    except ValueError:
        return None
    return values if isinstance(values, dict) else None


def placed(kinds: tuple[str, ...], paths: Iterable[str]) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Kinds and paths of a rule, once for each place of a Pod spec that they mean.

    Without `kinds`, `{podSpec}` means all kinds that hold one.
    """
    paths = tuple(paths)
    plain = tuple(path for path in paths if not path.startswith(POD_SPEC))
    within = tuple(path.removeprefix(POD_SPEC) for path in paths if path.startswith(POD_SPEC))
    if plain:
        yield kinds, plain
    for holders, place in _POD_SPECS if within else ():
        chosen = tuple(kind for kind in holders if not kinds or _named(kind, kinds))
        if chosen:
            yield chosen, tuple(place + path for path in within)


def _named(kind: str, patterns: Iterable[str]) -> bool:
    group, _, name = kind.rpartition("/")
    return any(kind_matches(pattern, group, name) for pattern in patterns)


def fits(pattern: str, path: Sequence[str]) -> bool:
    """True if the pattern of a semantic rule names `path`: field names, and anything for items of lists."""
    return _fits(split_pattern(pattern), tuple(path))


def _fits(pattern: tuple[str, ...], path: tuple[str, ...]) -> bool:
    if not pattern:
        return not path
    if pattern[0] == "**":
        return any(_fits(pattern[1:], path[start:]) for start in range(len(path) + 1))
    return bool(path) and fnmatchcase(path[0], pattern[0]) and _fits(pattern[1:], path[1:])
