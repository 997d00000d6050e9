"""Owns the rules about how the device plugin shares GPUs, and by which names. Must not look at who selects what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from reconciler.gpu.checker import Checker
from reconciler.gpu.finding import Finding
from reconciler.gpu.operator_maps import CONFIG_MAP
from reconciler.gpu.pods import askers
from reconciler.gpu.problem import Problem
from reconciler.gpu.sharing.config import SHARED, Config, Share
from reconciler.gpu.sharing.maps import ConfigMap, config_map, config_maps, strategies, users
from reconciler.gpu.tolerant import counted, shown, text
from reconciler.gpu.world import World
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree

RULES: Final[Mapping[str, str]] = {
    "SHR-01": "sharing names resources, each with a whole number of replicas from 2 on",
    "SHR-02": "MPS has at most 48 clients a GPU, 16 before compute capability 7.5",
    "SHR-03": "a GPU is shared by time slicing or by MPS, not by both",
    "SHR-04": "MPS shares whole GPUs, not MIG devices",
    "SHR-05": "a configuration of the device plugin has no field that the plugin ignores",
    "SHR-06": "shared resources keep the names that Pods ask for",
    "SHR-07": "each client of MPS has memory and threads to work with",
    "SHR-09": "the full name of a shared resource has at most 63 characters",
    "SHR-10": "time slicing refuses requests for more than one: the second would be no second GPU",
}
_CLIENTS: Final = 48
_CLIENTS_OLD: Final = 16
_OLD: Final = (7, 5)
_NAME_CHARS: Final = 63
# Below these, a client of MPS hardly holds a CUDA context, or waits more than it computes.
_LEAST_MIB: Final = 1024
_LEAST_PERCENT: Final = 5


def _check(ref: ObjectRef, _: Tree, world: World) -> Iterator[Problem]:
    held = world.once(config_maps).get(ref)
    if held is None:
        return
    for key, error in held.errors.items():
        message = f"{shown(key)} cannot be parsed: {error}"
        yield Problem("SHR-01", "error", ref, ("data", key), message, "make it a YAML document of the device plugin")
    before = _before(held, world)
    for key, error in before.errors.items() if before else ():
        if key in held.configs:
            message = f"{shown(key)} in the cluster cannot be parsed, so it is compared as text: {error}"
            yield Problem("SHR-01", "warning", ref, ("data", key), message, "put back what Git has")
    for key, config in held.configs.items():
        for finding in (*config.findings, *_judged(held, key, config, world)):
            yield finding.below((), f"key {shown(key)}").within(ref, ("data", key))
        for finding in _renamed(before.configs.get(key) if before else None, config, world):
            yield finding.below((), f"key {shown(key)}").within(ref, ("data", key))


CHECKERS: Final = (Checker((CONFIG_MAP,), _check),)


def _before(held: ConfigMap, world: World) -> ConfigMap | None:
    live = world.live_twin(held.ref)
    return config_map(world, held.ref, live, named=held.named) if live is not None else None


def _judged(held: ConfigMap, key: str, config: Config, world: World) -> Iterator[Finding]:
    if len(config.sections) > 1:
        message = "timeSlicing and mps are both set: MPS wins, and nothing says so"
        yield Finding("SHR-03", "error", ("sharing",), message, "remove one of them")
    if "timeSlicing" in config.sections and "timeSlicing" not in config.strict:
        message = "a Pod that asks for two shares gets one GPU, as if it had asked for one"
        fix = "set failRequestsGreaterThanOne: true"
        yield Finding("SHR-10", "warning", ("sharing", "timeSlicing"), message, fix)
    if "mps" in config.sections:
        yield from _strategy(held, key, config, world)
    for share in config.shares:
        if len(share.name) > _NAME_CHARS:
            message = f"{shown(share.name)} has {len(share.name)} characters, {_NAME_CHARS} at most"
            yield Finding("SHR-09", "error", (*share.at, "name"), message, "name a resource that exists")
        if share.way == "mps":
            yield from _clients(share, key, world)


def _strategy(held: ConfigMap, key: str, config: Config, world: World) -> Iterator[Finding]:
    """What a ClusterPolicy says stands above the configuration: the operator passes it as an environment variable."""
    said = {*strategies(world)} if held.named else set()
    strategy = said or {config.strategy}
    if strategy == {"mixed"}:
        message = f"MPS does not go with the MIG strategy mixed{' of the ClusterPolicy' if said else ''}"
        yield Finding("SHR-04", "error", ("sharing", "mps"), message, "share by timeSlicing, or set the strategy none")
    cut = [name for name, node in users(world, key) if text(node, *_MIG) not in ("", "all-disabled")]
    if strategy == {"single"} and cut:
        message = f"MPS does not share MIG devices, and node {shown(cut[0])} selects a MIG layout"
        yield Finding("SHR-04", "warning", ("sharing", "mps"), message, "let this node select another configuration")
    for share in config.shares:
        if share.way == "mps" and share.name.startswith("nvidia.com/mig-"):
            message = f"MPS does not share MIG devices: {shown(share.name)}"
            yield Finding("SHR-04", "error", (*share.at, "name"), message, "share it by timeSlicing")


_MIG: Final = ("metadata", "labels", "nvidia.com/mig.config")


def _clients(share: Share, key: str, world: World) -> Iterator[Finding]:
    if share.replicas is None or share.replicas < 2:
        return
    at = (*share.at, "replicas")
    most = _CLIENTS_OLD if any(_is_old(node) for _, node in users(world, key)) else _CLIENTS
    if share.replicas > most:
        message = f"{share.replicas} replicas of {shown(share.name)}, but MPS has {most} clients a GPU at most"
        yield Finding("SHR-02", "error", at, message, f"write {most} or fewer")
        return
    percent = 100 // share.replicas
    memories = [size // share.replicas for _, node in users(world, key) if (size := _number(node, "memory"))]
    if percent < _LEAST_PERCENT or min(memories, default=_LEAST_MIB) < _LEAST_MIB:
        memory = f"{min(memories)} MiB and " if memories else ""
        message = f"each of {share.replicas} clients of {shown(share.name)} has {memory}{percent} % of the threads"
        yield Finding("SHR-07", "warning", at, message, "share among fewer, unless these are all small")


def _is_old(node: Tree) -> bool:
    major, minor = _number(node, "compute.major"), _number(node, "compute.minor")
    return major > 0 and (major, minor) < _OLD


def _number(node: Tree, what: str) -> int:
    """What GPU feature discovery says of a node's GPUs; 0 where it says nothing."""
    said = text(node, "metadata", "labels", f"nvidia.com/gpu.{what}")
    return int(said) if said.isascii() and said.isdecimal() and len(said) < 10 else 0


def _renamed(before: Config | None, after: Config, world: World) -> Iterator[Finding]:
    """By the names of the ways that act; what was or is not shared goes by its own name."""
    old, new = _offers(before), _offers(after)
    for name in sorted(old.keys() | new.keys()) if before is not None else ():
        was, now = old.get(name, name), new.get(name, name)
        if was != now:
            pods = askers(world, was)
            hit = f"asked for by {counted(pods, 'Pod')}" if pods else "no Pod asks for it now"
            message = f"{shown(was)} becomes {shown(now)}: {hit}"
            fix = f"let Pods and quotas name {shown(now)} first; {SHARED} comes from renameByDefault"
            yield Finding("SHR-06", "warning", ("sharing", after.way or "timeSlicing"), message, fix)


def _offers(config: Config | None) -> dict[str, str]:
    return {share.name: share.offered for share in config.shares if share.way == config.way} if config else {}
