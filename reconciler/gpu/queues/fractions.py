"""Owns the rule about fractions of GPUs that Pods ask KAI for, in Pods and in whatever embeds one. Pure.

KAI looks only at Pods that its scheduler is named in. A template that names no scheduler may get that one when the Pod
is made, so what is wrong there is a warning; other schedulers may mean something else by the same annotations.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from reconciler.gpu.checker import Checker
from reconciler.gpu.problem import Problem, Severity
from reconciler.gpu.queues.kai import QUEUE_LABEL
from reconciler.gpu.templates import WORKLOADS, label, pod_templates
from reconciler.gpu.tolerant import mapping, mappings, text
from reconciler.gpu.world import World
from reconciler.model.path import Path
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import ABSENT, Tree, dig

RULES: Final[Mapping[str, str]] = {"Q-07": "A Pod asks for a fraction of a GPU in one way, with numbers that exist"}
_FRACTION: Final = "gpu-fraction"
_MEMORY: Final = "gpu-memory"
DEVICES: Final = "gpu-fraction-num-devices"
MPS: Final = "mps"
_WHOLE: Final = "nvidia.com/gpu"
# nvidia.com/container.<name>.gpu-memory.request: the other spelling of gpu-memory.
_BY_CONTAINER: Final = re.compile(r"nvidia\.com/container\..+\.gpu-memory\.(request|limit)")
_NUMBER: Final = re.compile(r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,3})?", re.ASCII)
_COUNT: Final = re.compile(r"\d{1,20}", re.ASCII)
_SCHEDULER: Final = "kai-scheduler"


class _Fault(NamedTuple):
    """What is wrong with one annotation."""

    annotation: str
    message: str
    fix: str


def _check_templates(ref: ObjectRef, tree: Tree, _world: World) -> Iterator[Problem]:
    for path, template in pod_templates(tree):
        severity = _severity(tree, template)
        if severity is not None:
            yield from (_problem(ref, path, fault, severity) for fault in _faults(template))


def _problem(ref: ObjectRef, path: Path, fault: _Fault, severity: Severity) -> Problem:
    place = (*path, "metadata", "annotations", fault.annotation)
    return Problem("Q-07", severity, ref, place, f"the Pod of {ref.short} {fault.message}", fault.fix)


def _severity(tree: Tree, template: Tree) -> Severity | None:
    scheduler = text(template, "spec", "schedulerName")
    if scheduler == _SCHEDULER or label(template, QUEUE_LABEL) or label(tree, QUEUE_LABEL):
        return "error"
    return None if scheduler else "warning"


def _faults(template: Tree) -> Iterator[_Fault]:
    written = mapping(template, "metadata", "annotations")
    fraction, memory, devices = (text(written, name) for name in (_FRACTION, _MEMORY, DEVICES))
    if fraction and not (_NUMBER.fullmatch(fraction) and 0 < Decimal(fraction) < 1):
        yield _Fault(
            _FRACTION,
            f"asks for {fraction[:40]!r} of a GPU; a fraction lies between 0 and 1",
            "write a number such as 0.5; for whole GPUs, a limit of nvidia.com/gpu instead",
        )
    if memory and not (_COUNT.fullmatch(memory) and int(memory)):
        yield _Fault(
            _MEMORY,
            f"asks for {memory[:40]!r} of GPU memory, which is no whole number of MiB above 0",
            "write MiB without a unit, such as 4096",
        )
    if devices and not (_COUNT.fullmatch(devices) and int(devices)):
        yield _Fault(DEVICES, f"asks for fractions of {devices[:40]!r} devices", "write a whole number of 1 or more")
    yield from _contradictions(template, written, fraction=fraction, memory=memory, devices=devices)


def _contradictions(
    template: Tree, written: Mapping[str, Tree], *, fraction: str, memory: str, devices: str
) -> Iterator[_Fault]:
    if fraction and memory:
        message = f"asks for a fraction ({_FRACTION}: {fraction[:40]}) and for memory ({_MEMORY}: {memory[:40]} MiB)"
        yield _Fault(_MEMORY, f"{message} of a GPU: KAI takes one of them", f"remove {_FRACTION} or {_MEMORY}")
    annotation = _FRACTION if fraction else _MEMORY if memory else ""
    whole = _whole_gpus(template) if annotation else None
    if whole is not None:
        yield _Fault(
            annotation,
            f"asks for a part of a GPU ({annotation}) while its container {whole!r} limits {_WHOLE}",
            f"remove the annotation {annotation}, or the limit of {_WHOLE}",
        )
    if annotation or any(map(_BY_CONTAINER.fullmatch, written)):
        return
    if devices:
        message = f"asks for fractions of {devices[:40]} devices ({DEVICES}), but not for how much of each"
        yield _Fault(DEVICES, message, f"add {_FRACTION} or {_MEMORY}, or remove {DEVICES}")
    if text(written, MPS) == "true":
        yield _Fault(MPS, "asks for MPS without a fraction of a GPU", f"add {_FRACTION} or {_MEMORY}, or remove {MPS}")


def _whole_gpus(template: Tree) -> str | None:
    """The name of a container that asks for whole GPUs."""
    for field in ("containers", "initContainers"):
        for _, container in mappings(template, "spec", field):
            if dig(container, "resources", "limits", _WHOLE) not in (ABSENT, None):
                return text(container, "name")
    return None


CHECKERS: Final[tuple[Checker, ...]] = (Checker(WORKLOADS, _check_templates),)
