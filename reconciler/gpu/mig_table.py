"""Owns the table of MIG profiles by GPU model, as read from policies/gpu/mig-profiles.yaml. Must not judge layouts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.gpu.mig.name import gigabytes_of, resource_of
from reconciler.policy.mig import MigModel, MigProfile
from reconciler.policy.reader import Reader

__all__ = ["MigModel", "MigProfile", "MigTable", "parse_mig_table"]


@dataclass(frozen=True, slots=True)
class MigTable:
    """All models."""

    models: tuple[MigModel, ...] = ()

    def by_pci_id(self, number: int) -> tuple[MigModel, ...]:
        """The models with this device and vendor."""
        return tuple(model for model in self.models if number in model.pci_ids)

    def by_product(self, product: str) -> MigModel | None:
        """The model that GPU feature discovery calls so: `NVIDIA-A100-SXM4-40GB`, or with `-SHARED` after it."""
        return next((model for model in self.models if re.match(model.product_pattern, product)), None)


def parse_mig_table(documents: Iterable[tuple[str, Mapping[str, Any]]]) -> MigTable:
    """The table of documents of kind MigProfiles, each with its place; later shapes and models replace earlier ones.

    Raises UsageError for the first wrong field, and for a model whose shape no document has.
    """
    shapes, models = dict[str, Any](), dict[str, MigModel]()
    for where, document in documents:
        head = Reader(document, where)
        head.read |= {"apiVersion", "kind", "metadata"}
        spec = Reader(head.get("spec", dict, {}), f"{where}: spec")
        head.done()
        shapes |= {shape.data["name"]: shape for shape in spec.each("shapes", _named)}
        models |= {model.name: model for model in (_model(one, shapes) for one in spec.each("models", _named))}
        spec.done()
    return MigTable(tuple(models.values()))


def _named(data: Any, where: str) -> Reader:
    reader = Reader(data, where)
    if not reader.get("name", str, ""):
        raise reader.wrong("name: expected a text")
    return reader


def _model(reader: Reader, shapes: Mapping[str, Reader]) -> MigModel:
    if (known := shapes.get(reader.get("shape", str, ""))) is None:
        raise reader.wrong(f"shape: {reader.get('shape', str, '')!r} is none of {', '.join(sorted(shapes))}")
    shape = Reader(known.data, known.where)
    shape.read.add("name")
    memory = _count(reader, "memoryGiB")
    others = [_above_zero(reader, "otherMemoryGiB", one) for one in reader.get("otherMemoryGiB", list, [])]
    slices = _count(shape, "memorySlices")
    model = MigModel(
        name=reader.get("name", str, ""),
        pci_ids=tuple(_number(reader, text) for text in reader.strings("pciIds")),
        product_pattern=_pattern(reader),
        compute_slices=_count(shape, "computeSlices"),
        memory_slices=slices,
        max_instances=_count(shape, "maxInstances"),
        max_media_extensions=_count(shape, "maxMediaExtensions"),
        profiles=shape.each("profiles", lambda data, where: _profile(Reader(data, where), slices, (memory, *others))),
        uncertain=reader.get("uncertain", bool, False),
    )
    reader.done()
    shape.done()
    return model


def _profile(reader: Reader, slices: int, memories: tuple[int, ...]) -> MigProfile:
    compute, memory = _count(reader, "computeSlices"), _count(reader, "memorySlices")
    starts = reader.get("starts", list, [])
    if not starts or not all(type(start) is int and 0 <= start <= slices - memory for start in starts):
        raise reader.wrong(f"starts: {memory} of {slices} slices begin at 0 to {slices - memory}")
    attributes = reader.get("attributes", str, "")
    name, *more = dict.fromkeys(_names(compute, memory, slices, memories, attributes))
    profile = MigProfile(
        name, compute, memory, _count(reader, "maxCount"), tuple(starts), resource_of(name), tuple(more)
    )
    reader.done()
    return profile


def _names(compute: int, memory: int, slices: int, memories: tuple[int, ...], attributes: str) -> Iterator[str]:
    for total in memories:
        yield f"{compute}g.{gigabytes_of(memory, slices, total)}gb{attributes}"


def _count(reader: Reader, key: str) -> int:
    return _above_zero(reader, key, reader.get(key, int, 0))


def _above_zero(reader: Reader, key: str, value: Any) -> int:
    if type(value) is not int or value < 1:
        raise reader.wrong(f"{key}: expected a number above 0")
    return value


def _number(reader: Reader, text: str) -> int:
    try:
        return int(text, 16)
    except ValueError as error:
        raise reader.wrong(f"pciIds: {text!r} is no hexadecimal number", hint="as in 0x20B510DE") from error


def _pattern(reader: Reader) -> str:
    pattern = reader.get("product", str, "")
    try:
        re.compile(pattern)
    except re.error as error:
        raise reader.wrong(f"product: {pattern!r} is no regular expression: {error}") from error
    if not pattern:
        raise reader.wrong("product: expected a regular expression")
    return pattern
