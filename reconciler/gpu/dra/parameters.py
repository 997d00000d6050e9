"""Owns DRA-03: what NVIDIA's driver accepts as its parameters, decoded as strictly as it does. Must not look around.

Facts: kubernetes-sigs/dra-driver-nvidia-gpu, api/nvidia.com/resource/v1beta1. A field that it does not know makes it
refuse the claim on the node, when the pod is about to start.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from reconciler.gpu.checker import Checker
from reconciler.gpu.dra.requests import HOLDERS, opaques
from reconciler.gpu.problem import Problem
from reconciler.gpu.tolerant import amount, shown
from reconciler.gpu.world import World
from reconciler.limits import MIB
from reconciler.model.path import Path
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree

RULES: Final = {"DRA-03": "Parameters for NVIDIA's driver hold only what it knows, with values that it takes"}

_VERSION: Final = "resource.nvidia.com/v1beta1"
_DRIVERS: Final = frozenset({"gpu.nvidia.com", "compute-domain.nvidia.com"})
_FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "GpuConfig": frozenset({"sharing"}),
    "MigDeviceConfig": frozenset({"sharing"}),
    "VfioDeviceConfig": frozenset({"iommu"}),
    "ComputeDomainChannelConfig": frozenset({"domainID", "allocationMode", "protocol"}),
    "ComputeDomainDaemonConfig": frozenset({"domainID", "protocol", "mode"}),
}
_TYPE: Final = frozenset({"apiVersion", "kind"})
_STRATEGIES: Final = ("TimeSlicing", "MPS")
_INTERVALS: Final = ("Default", "Short", "Medium", "Long")
_BACKENDS: Final = ("LegacyOnly", "PreferIommuFD")
_MODES: Final = ("PerDomain", "PersistentAgent")
_CHANNELS: Final = ("Single", "All")
_MPS: Final = frozenset(
    {"defaultActiveThreadPercentage", "defaultPinnedDeviceMemoryLimit", "defaultPerDevicePinnedMemoryLimit"}
)
_OTHER: Final = {"TimeSlicing": "mpsConfig", "MPS": "timeSlicingConfig"}

_Finding = tuple[Path, str, str]


def check(ref: ObjectRef, tree: Tree, _: World) -> Iterator[Problem]:
    """Everything in parameters of NVIDIA's kinds that fails when a claim is prepared."""
    for opaque in opaques(ref, tree):
        parameters = opaque.body.get("parameters")
        if isinstance(parameters, dict):
            for path, message, fix in _judged(opaque.driver, parameters):
                yield Problem("DRA-03", "error", ref, (*opaque.path, "parameters", *path), message, fix)


def _judged(driver: str, parameters: dict[str, Tree]) -> Iterator[_Finding]:
    version, kind = parameters.get("apiVersion"), parameters.get("kind")
    if driver in _DRIVERS and not (isinstance(version, str) and isinstance(kind, str)):
        yield (), f"parameters for {driver} without apiVersion and kind", f"say apiVersion: {_VERSION} and the kind"
        return
    if version != _VERSION or not isinstance(kind, str):
        return  # of other versions nothing is known
    if kind not in _FIELDS:
        message = f"parameters of kind {shown(kind)}, which NVIDIA's driver does not know"
        yield ("kind",), message, f"use one of {', '.join(_FIELDS)}"
    else:
        yield from _unknown(parameters, _FIELDS[kind] | _TYPE, kind, ())
        yield from _BY_KIND[kind](kind, parameters)


def _unknown(tree: dict[str, Tree], known: frozenset[str], what: str, path: Path) -> Iterator[_Finding]:
    for name in tree:
        if name not in known:
            message = f"{what} has no field {shown(name)}: preparing the claim fails on the node"
            fields = ", ".join(sorted(known - _TYPE))
            yield (*path, str(name)), message, f"remove the field; {what} takes {fields}"


def _sharing(kind: str, parameters: dict[str, Tree]) -> Iterator[_Finding]:
    sharing = parameters.get("sharing")
    if sharing is None:
        return
    if not isinstance(sharing, dict):
        yield ("sharing",), "sharing is no mapping", "give sharing a strategy"
        return
    mig = kind == "MigDeviceConfig"
    known = frozenset({"strategy", "mpsConfig"} if mig else {"strategy", "mpsConfig", "timeSlicingConfig"})
    yield from _unknown(sharing, known, f"sharing of {kind}", ("sharing",))
    strategy = sharing.get("strategy")
    yield from _one_of(strategy, _STRATEGIES, ("sharing", "strategy"), "strategy")
    other = _OTHER.get(strategy) if isinstance(strategy, str) else None
    if other in known and sharing.get(str(other)) is not None:
        message = f"{other} beside strategy {strategy}"
        yield ("sharing", str(other)), message, f"remove {other}, or choose the strategy that it belongs to"
    yield from _interval(sharing.get("timeSlicingConfig"))
    yield from _mps(sharing.get("mpsConfig"))


def _one_of(value: Tree, known: tuple[str, ...], path: Path, what: str) -> Iterator[_Finding]:
    if not (isinstance(value, str) and value in known):
        message = f"no {what}" if value is None else f"the unknown {what} {shown(value)}"
        yield path, message, f"use one of {', '.join(known)}"


def _interval(config: Tree) -> Iterator[_Finding]:
    path: Path = ("sharing", "timeSlicingConfig")
    if isinstance(config, dict):
        yield from _unknown(config, frozenset({"interval"}), "timeSlicingConfig", path)
        if config.get("interval") is not None:
            yield from _one_of(config["interval"], _INTERVALS, (*path, "interval"), "interval")
    elif config is not None:
        yield path, "timeSlicingConfig is no mapping", "give it an interval"


def _mps(config: Tree) -> Iterator[_Finding]:
    path: Path = ("sharing", "mpsConfig")
    if not isinstance(config, dict):
        if config is not None:
            yield path, "mpsConfig is no mapping", f"give it {', '.join(sorted(_MPS))}"
        return
    yield from _unknown(config, _MPS, "mpsConfig", path)
    share = config.get("defaultActiveThreadPercentage")
    if share is not None and not (isinstance(share, int) and not isinstance(share, bool) and 0 <= share <= 100):
        message = f"defaultActiveThreadPercentage is {shown(share)}"
        yield (*path, "defaultActiveThreadPercentage"), message, "use a whole number from 0 to 100"
    yield from _limit(config.get("defaultPinnedDeviceMemoryLimit"), (*path, "defaultPinnedDeviceMemoryLimit"))
    each = config.get("defaultPerDevicePinnedMemoryLimit")
    at: Path = (*path, "defaultPerDevicePinnedMemoryLimit")
    if isinstance(each, dict):
        for device, limit in each.items():
            yield from _limit(limit, (*at, str(device)))
    elif each is not None:
        yield at, "defaultPerDevicePinnedMemoryLimit is no mapping", "give it a limit by device index or UUID"


def _limit(value: Tree, path: Path) -> Iterator[_Finding]:
    if value is None:
        return
    size = amount(value)
    if size is None:
        yield path, f"{shown(value)} is no quantity of memory", "write a quantity such as 4Gi"
    elif size < MIB:
        yield path, f"a limit of {shown(value)} is below 1Mi, the least that MPS takes", "write 1Mi or more"


def _iommu(_: str, parameters: dict[str, Tree]) -> Iterator[_Finding]:
    iommu = parameters.get("iommu")
    if iommu is None:
        return
    if not isinstance(iommu, dict):
        yield ("iommu",), "iommu is no mapping", "give it a backendPolicy"
        return
    yield from _unknown(iommu, frozenset({"backendPolicy", "enableAPIDevice"}), "iommu", ("iommu",))
    yield from _one_of(iommu.get("backendPolicy"), _BACKENDS, ("iommu", "backendPolicy"), "backendPolicy")
    if not isinstance(iommu.get("enableAPIDevice", False), bool | None):
        yield ("iommu", "enableAPIDevice"), "enableAPIDevice is neither true nor false", "write true or false"


def _domain(kind: str, parameters: dict[str, Tree]) -> Iterator[_Finding]:
    # Newer drivers have daemons that belong to no domain.
    free = kind == "ComputeDomainDaemonConfig" and parameters.get("mode") == "PersistentAgent"
    name = parameters.get("domainID")
    if not isinstance(name, str if not free else str | None) or not (name or free):
        yield ("domainID",), f"{kind} names no compute domain", "give domainID the UID of the ComputeDomain"
    for field, known in (("mode", _MODES), ("allocationMode", _CHANNELS)):
        if field in _FIELDS[kind] and parameters.get(field) not in ("", None):
            yield from _one_of(parameters[field], known, (field,), field)


_BY_KIND: Final = {
    "GpuConfig": _sharing,
    "MigDeviceConfig": _sharing,
    "VfioDeviceConfig": _iommu,
    "ComputeDomainChannelConfig": _domain,
    "ComputeDomainDaemonConfig": _domain,
}
CHECKERS: Final = (Checker(HOLDERS, check),)
