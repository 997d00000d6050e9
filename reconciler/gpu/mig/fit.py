"""Owns whether a `mig-devices` map fits one GPU of one model, and says why not. Must not know documents or nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from reconciler.gpu.finding import Finding
from reconciler.gpu.mig.name import ProfileName, parse_name
from reconciler.gpu.mig.placement import Wanted, compute_of, largest_part, memory_of, placement
from reconciler.gpu.mig_table import MigModel, MigProfile
from reconciler.gpu.problem import Severity
from reconciler.model.kept import kept

Devices = Mapping[str, int]
_Asked = tuple[tuple[str, int], ...]
# Layouts repeat each other, and a short document may repeat one a thousand times; what is kept is bounded.
_MODELS_KEPT = 64
_MIXES_KEPT = 64
_NAMES_KEPT = 16
# More compute instances than any GPU has are counted, not packed.
_PACKED = 64


def misfits(model: MigModel, devices: Devices) -> tuple[Finding, ...]:
    """Why one GPU of `model` cannot be cut so; nothing where it can. Names without the grammar are left out."""
    asked = tuple((text, count) for text, count in devices.items() if count > 0 and parse_name(text) is not None)
    return _misfits_of(model)(asked) if len(asked) <= _NAMES_KEPT else _misfits(model, asked)


@kept(_MODELS_KEPT)
def _misfits_of(model: MigModel) -> Callable[[_Asked], tuple[Finding, ...]]:
    return lru_cache(_MIXES_KEPT)(lambda asked: _misfits(model, asked))


def _misfits(model: MigModel, asked: _Asked) -> tuple[Finding, ...]:
    severity: Severity = "warning" if model.uncertain else "error"
    found = list(_profiles(model, asked))
    unknown = tuple(_unknown(model, text, severity) for text, _, _, profile in found if profile is None)
    if unknown:
        return unknown
    known = [(text, name, count, profile) for text, name, count, profile in found if profile is not None]
    wanted = _instances([(name.compute, count, profile) for _, name, count, profile in known])
    wrong = (*_too_many(model, wanted, severity), *_media(model, wanted, severity))
    written = {profile.name: text for text, _, _, profile in known}
    return tuple(
        replace(one, at=tuple(written.get(str(name), name) for name in one.at))
        for one in wrong or _misplaced(model, wanted, severity)
    )


def _profiles(model: MigModel, asked: _Asked) -> Iterator[tuple[str, ProfileName, int, MigProfile | None]]:
    for text, count in asked:
        if (name := parse_name(text)) is not None:
            yield text, name, count, model.profile(str(name.instance))


def _unknown(model: MigModel, text: str, severity: Severity) -> Finding:
    known = [profile.name for profile in model.profiles]
    return Finding("MIG-02", severity, (text,), f"{model.name} has no profile {text}", f"use one of {', '.join(known)}")


def _instances(asked: Sequence[tuple[int, int, MigProfile]]) -> Wanted:
    """GPU instances by profile, the compute instances (slices, count) of `asked` packed into them."""
    parts = dict[str, tuple[MigProfile, list[tuple[int, int]]]]()
    for compute, count, profile in asked:
        parts.setdefault(profile.name, (profile, []))[1].append((compute, count))
    return [(profile, _packed(profile.compute_slices, found)) for profile, found in parts.values()]


def _packed(slices: int, parts: Sequence[tuple[int, int]]) -> int:
    """GPU instances of `slices` that hold (size, count) compute instances: the largest first, each where it fits."""
    if len(parts) == 1:
        return -(-parts[0][1] // (slices // parts[0][0]))
    if sum(count for _, count in parts) > _PACKED:
        return -(-sum(size * count for size, count in parts) // slices)
    free = list[int]()
    for size in sorted((size for size, count in parts for _ in range(count)), reverse=True):
        room = next((at for at, left in enumerate(free) if left >= size), len(free))
        free[room:] = [free[room] - size, *free[room + 1 :]] if room < len(free) else [slices - size]
    return len(free)


def _too_many(model: MigModel, wanted: Wanted, severity: Severity) -> Iterator[Finding]:
    for profile, count in wanted:
        if count > profile.max_count and not _is_media(profile):
            message = f"{count} x {profile.name}, but {model.name} takes {profile.max_count} at most"
            yield Finding("MIG-03", severity, (profile.name,), message, f"ask for {profile.max_count} or fewer")


def _media(model: MigModel, wanted: Wanted, severity: Severity) -> Iterator[Finding]:
    with_media = [(profile, count) for profile, count in wanted if _is_media(profile)]
    total = sum(count for _, count in with_media)
    if total > model.max_media_extensions:
        message = f"{mix(with_media)}, but {model.name} has media extensions for {model.max_media_extensions} instance"
        yield Finding("MIG-05", severity, (with_media[0][0].name,), message, "leave +me to one instance of the GPU")
    takes_all = next((profile for profile, _ in wanted if profile.name.endswith("+me.all")), None)
    if takes_all and any(not one.name.endswith(("+me.all", "-me")) for one, _ in wanted):
        message = f"{takes_all.name} takes every media engine of {model.name}, yet others are not without one"
        yield Finding("MIG-05", "warning", (takes_all.name,), message, "use the -me profiles beside it")


def _is_media(profile: MigProfile) -> bool:
    name = parse_name(profile.name)
    return name is not None and name.media


def _misplaced(model: MigModel, wanted: Wanted, severity: Severity) -> Iterator[Finding]:
    if placement(wanted, model.memory_slices) is not None:
        return
    memory = f"memory {memory_of(wanted)}/{model.memory_slices}"
    compute = f"compute {compute_of(wanted)}/{model.compute_slices}"
    message = f"{mix(wanted)} cannot be placed on {model.name}: {memory}, {compute} slices"
    fits = largest_part(wanted, model.memory_slices)
    yield Finding("MIG-04", severity, (), message, f"ask for no more than {mix(fits)}, which fits")


def mix(wanted: Wanted) -> str:
    """`2 x 3g.20gb + 1 x 1g.5gb`."""
    return " + ".join(f"{count} x {profile.name}" for profile, count in wanted)
