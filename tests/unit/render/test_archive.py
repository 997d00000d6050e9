"""Owns what a packed sub-chart may be, each bound met exactly, and what a schema of values may refer to."""

from __future__ import annotations

import gzip
import io
import json
import random
import tarfile
from typing import Any

import pytest

from reconciler import limits
from reconciler.errors import RenderError
from reconciler.render import archive
from reconciler.render.archive import Archives
from reconciler.render.chart_schema import check_schema


def packed(*members: tuple[str, bytes] | tarfile.TarInfo) -> bytes:
    """A gzipped tar of files (name, content) and of whatever else a TarInfo is."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return stream.getvalue()


def entry(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def check(data: bytes, *, schemas: bool = True) -> Archives:
    archives = Archives(schemas=schemas)
    archives.check(data, "charts/x.tgz")
    return archives


def refused(data: bytes) -> RenderError:
    with pytest.raises(RenderError) as caught:
        check(data)
    return caught.value


def noise(size: int) -> bytes:
    return random.Random(1).randbytes(size)  # noqa: S311  what does not shrink


CHART = ("x/Chart.yaml", b"name: x\n")


def test_an_honest_chart_passes() -> None:
    check(packed(CHART, entry("x/templates", tarfile.DIRTYPE), ("x/templates/a.yaml", b"a"), ("x/README.md", b"a" * 9)))


@pytest.mark.parametrize(
    ("member", "why"),
    [
        (entry("x/a", tarfile.SYMTYPE, "/etc/passwd"), "a link"),
        (entry("x/a", tarfile.SYMTYPE, "Chart.yaml"), "a link"),
        (entry("x/a", tarfile.LNKTYPE, "x/Chart.yaml"), "a link"),
        (entry("x/a", tarfile.LNKTYPE, "../../etc/passwd"), "a link"),
        (entry("x/a", tarfile.FIFOTYPE), "no regular file"),
        (entry("x/a", tarfile.CHRTYPE), "no regular file"),
        (entry("x/a", tarfile.BLKTYPE), "no regular file"),
        (entry("x/a", b"Z"), "no regular file"),
        (("/etc/cron.d/x", b"a"), "leads out of its chart"),
        (("../x", b"a"), "leads out of its chart"),
        (("x/../../y", b"a"), "leads out of its chart"),
        (("x\\..\\..\\y", b"a"), "leads out of its chart"),
        (entry("x/..", tarfile.DIRTYPE), "leads out of its chart"),
    ],
)
def test_what_no_chart_needs_is_refused_with_its_name(member: Any, why: str) -> None:
    error = refused(packed(CHART, member))
    name = member.name if isinstance(member, tarfile.TarInfo) else member[0]
    assert (error.code, error.where) == ("SS3034", f"charts/x.tgz/{name}")
    assert why in error.message


@pytest.mark.parametrize(
    "data",
    [b"", b"PK\x03\x04", packed(CHART)[:60], gzip.compress(b"no tar at all" * 100)],
    ids=["nothing", "zip", "cut", "no tar"],
)
def test_a_damaged_archive_is_refused(data: bytes) -> None:
    assert refused(data).code == "SS3034"


def test_packages_in_packages_are_looked_into_so_deep() -> None:
    def nested(count: int) -> bytes:
        data = packed(CHART)
        for _ in range(count - 1):
            data = packed(CHART, ("x/charts/y.tgz", data))
        return data

    check(nested(limits.CHARTS_DEEP))
    assert refused(nested(limits.CHARTS_DEEP + 1)).code == "SS3034"
    evil = packed(CHART, ("x/charts/y.tgz", packed(entry("y/a", tarfile.SYMTYPE, "/"))))
    assert refused(evil).where == "charts/x.tgz/x/charts/y.tgz/y/a"


def test_entries_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CHART_ENTRIES", 50)
    check(packed(*[(f"x/{n}", b"") for n in range(50)]))
    assert refused(packed(*[(f"x/{n}", b"") for n in range(51)])).code == "SS3032"
    # Those of all packages of one chart count together.
    archives = check(packed(*[(f"x/{n}", b"") for n in range(50)]))
    with pytest.raises(RenderError, match="SS3032"):
        archives.check(packed(CHART), "charts/y.tgz")


def unpacked(data: bytes) -> int:
    return len(gzip.decompress(data))


def test_what_is_unpacked_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    data = packed(CHART, ("x/a", noise(limits.MIB)))
    monkeypatch.setattr(limits, "CHART_UNPACKED_BYTES", unpacked(data))
    check(data)
    monkeypatch.setattr(limits, "CHART_UNPACKED_BYTES", unpacked(data) - 1)
    assert refused(data).code == "SS3031"


def test_what_grows_too_much_is_a_bomb() -> None:
    def zeros(count: int) -> bytes:
        return packed(CHART, ("x/a", b"\0" * count))

    check(zeros(limits.FILE_BYTES - 64 * limits.KIB))
    assert refused(zeros(limits.FILE_BYTES)).code == "SS3033"


def test_the_ratio_is_met_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FILE_BYTES", 1)
    data = packed(CHART, ("y", b"\0" * limits.MIB))
    ratio = -(-unpacked(data) // len(data))
    monkeypatch.setattr(limits, "CHART_RATIO", ratio)
    check(data, schemas=False)
    monkeypatch.setattr(limits, "CHART_RATIO", ratio - 1)
    assert refused(data).code == "SS3033"


@pytest.mark.parametrize("name", ["x/charts/y.tgz", "x/values.schema.json"])
def test_a_packed_file_that_is_read_is_bounded(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FILE_BYTES", 100)
    error = refused(packed((name, b" " * 101)))
    assert (error.code, error.where) == ("SS3020", f"charts/x.tgz/{name}")


def test_a_sparse_file_is_refused() -> None:
    info = entry("x/a", tarfile.GNUTYPE_SPARSE)
    assert refused(packed(CHART, info)).code == "SS3034"


def test_a_bomb_is_never_held_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    read = archive._Counted.read

    def watched(self: Any, size: int = -1) -> bytes:
        data = read(self, size)
        asked.append(len(data))
        return data

    monkeypatch.setattr(archive._Counted, "read", watched)
    assert refused(packed(("x/a", b"\0" * (60 * limits.MIB)))).code == "SS3033"
    assert max(asked) <= limits.MIB
    assert sum(asked) <= limits.FILE_BYTES + limits.MIB


# -------------------------------------------------------------------------------------- schemas of values


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:8001/x.json"},
        {"$ref": "file:///etc/passwd"},
        {"$ref": "other.json"},
        {"$schema": "http://127.0.0.1:8001/meta.json"},
        {"$schema": "https://json-schema.org/evil"},
        {"properties": {"a": {"anyOf": [{"$dynamicRef": "https://example.com/x"}]}}},
        {"$defs": {"a": {"$recursiveRef": "/x"}}},
    ],
)
def test_a_schema_that_refers_outside_is_refused(schema: Any) -> None:
    with pytest.raises(RenderError, match=r"values\.schema\.json: the schema refers to .* \[SS3006\]"):
        check_schema(json.dumps(schema).encode(), "values.schema.json")
    assert refused(packed(("x/values.schema.json", json.dumps(schema).encode()))).code == "SS3006"


def test_a_reference_that_another_hides_is_seen_too() -> None:
    with pytest.raises(RenderError, match="SS3006"):
        check_schema(b'{"$ref": "http://127.0.0.1/x", "$ref": "#/a"}', "values.schema.json")


@pytest.mark.parametrize("data", [b"", b"{", b"[" * 100_000, b"\xff\xfe{\0}\0", b"{} {}"])
def test_a_schema_that_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(RenderError, match="SS3001"):
        check_schema(data, "values.schema.json")


def test_a_schema_of_its_own_is_fine() -> None:
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "https://example.com/values",
        "properties": {"$ref": {"$ref": "#/$defs/a"}, "url": {"default": "https://example.com"}},
        "$defs": {"a": {"type": "string"}},
    }
    check_schema(json.dumps(schema).encode(), "values.schema.json")
