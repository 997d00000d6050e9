"""Owns the reading of named rules: masks, meanings of lists and values, scalers. Must not read files.

One entry of a document may become several rules of one id: `{podSpec}` stands for a place in many kinds, and a list
rule is about one path.
"""

from __future__ import annotations

from typing import Any

from reconciler.policy.model import CodeRule, GpuClass, ListRule, MaskRule, ScalerRule, SemanticRule
from reconciler.policy.pattern import POD_SPEC, REPLICAS, placed
from reconciler.policy.reader import Reader, subject


def masks(data: Any, where: str) -> tuple[MaskRule, ...]:
    """The rules of one entry of MaskRules."""
    reader = Reader(data, where)
    kinds, paths = _kinds_and_paths(reader)
    common: dict[str, Any] = {
        "id": reader.id(),
        "reason": reader.get("reason", str, ""),
        "when": reader.choice("when", "undeclared"),
        "to": reader.each("to", subject),
        "allocated": reader.get("allocated", bool, default=False),
        "value": reader.condition("value"),
        "manager": reader.get("manager", str, ""),
        "names": reader.strings("names"),
        "namespaces": reader.strings("namespaces"),
        "sources": reader.strings("sources"),
        "owner": reader.get("owner", str, ""),
        "expires": reader.day("expires"),
    }
    reader.done()
    if common["when"] == "extra" and not all(path.endswith("/*") for path in paths):
        raise reader.wrong("paths: extra items stand in a list or map, so the path ends in /*")
    return tuple(MaskRule(kinds=some, paths=there, **common) for some, there in placed(kinds, paths))


def lists(data: Any, where: str) -> tuple[ListRule, ...]:
    """The rules of one entry of ListRules."""
    reader = Reader(data, where)
    kinds, paths = _kinds_and_paths(reader)
    if REPLICAS in paths:
        raise reader.wrong(f"paths: {REPLICAS} is no list")
    common: dict[str, Any] = {
        "meaning": reader.choice("meaning", "ordered", "listMeaning"),
        "keys": reader.strings("keys"),
        "id": reader.id(),
        "reason": reader.get("reason", str, ""),
        "owner": reader.get("owner", str, ""),
        "expires": reader.day("expires"),
    }
    reader.done()
    if bool(common["keys"]) != (common["meaning"] == "map"):
        raise reader.wrong("keys: a map has some, and nothing else has")
    return tuple(ListRule(kinds=some, path=path, **common) for some, there in placed(kinds, paths) for path in there)


def _kinds_and_paths(reader: Reader) -> tuple[tuple[str, ...], tuple[str, ...]]:
    kinds, paths = reader.strings("kinds"), reader.patterns("paths")
    if not kinds and not all(path.startswith(POD_SPEC) for path in paths):
        raise reader.wrong("kinds: a rule names at least one", hint='"*" is all')
    return kinds, paths


def semantic(data: Any, where: str) -> SemanticRule:
    """One entry of SemanticRules."""
    reader = Reader(data, where)
    rule = SemanticRule(
        id=reader.id(),
        kinds=reader.strings("kinds") or ("*",),
        paths=tuple("/" + path.removeprefix("/") for path in reader.strings("paths")),
        reason=reader.get("reason", str, ""),
        meaning=reader.choice("meaning", "", "valueMeaning"),
        owner=reader.get("owner", str, ""),
        expires=reader.day("expires"),
    )
    reader.done()
    if not rule.paths:
        raise reader.wrong("paths: a rule names at least one")
    return rule


def scaler(data: Any, where: str) -> ScalerRule:
    """One entry of ScalerRules."""
    reader = Reader(data, where)
    pointers = {key: _pointer(reader, key) for key in ("target", "low", "high", "idle", "pinned")}
    rule = ScalerRule(
        id=reader.id(),
        kinds=reader.strings("kinds"),
        reason=reader.get("reason", str, ""),
        target_kind=reader.get("targetKind", str, ""),
        low_default=reader.get("lowDefault", int, -1),
        high_default=reader.get("highDefault", int, -1),
        to=reader.each("to", subject),
        **pointers,
    )
    reader.done()
    if not (rule.kinds and rule.target and rule.low and rule.high):
        raise reader.wrong("a scaler has kinds, target, low and high")
    return rule


def _pointer(reader: Reader, key: str) -> str:
    path = reader.get(key, str, "")
    if path and not path.startswith("/"):
        raise reader.wrong(f"{key}: {path!r} is no JSON pointer", hint="it starts with /")
    return path


def code(data: Any, where: str) -> CodeRule:
    """One entry of CodeRules."""
    reader = Reader(data, where)
    rule = CodeRule(reader.id(), reader.get("reason", str, ""))
    reader.done()
    return rule


def gpu_class(data: Any, where: str) -> GpuClass:
    """One entry of GpuClasses."""
    reader = Reader(data, where)
    words = {key: reader.get(key, str, "") for key in ("title", "defines", "writers", "damage", "trigger")}
    row = GpuClass(
        id=reader.id(),
        kinds=reader.strings("kinds"),
        mode=reader.choice("mode", "own"),
        effect=reader.choice("effect", "live"),
        closed=reader.pointers("closed"),
        hits=reader.choices("hits"),
        **words,
    )
    reader.done()
    if row.hits and row.effect != "live":
        raise reader.wrong("hits: only a live effect hits anybody at once")
    if bool(row.trigger) != (row.effect == "latent"):
        raise reader.wrong("trigger: a latent effect has one, and no other has")
    return row
