"""Owns that each limit of a render is met exactly: what is within passes, what is just beyond has its code.

Time, memory, processes and open files are in test_process; packed charts in test_archive; depth of bases and what the
renderers themselves make in tests/integration.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler import limits
from reconciler.errors import RenderError
from reconciler.render import parsing, process
from reconciler.render.renderer import render
from reconciler.render.spec import RenderResult, RenderSpec, RenderTools
from reconciler.render.yaml_loader import load_documents

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m%s}\n"
NODES = 5_000
TOOLS = RenderTools(Path("/nonexistent/helm"), Path("/nonexistent/kubectl"))


def load(text: str) -> None:
    list(load_documents(text.encode(), "f.yaml"))


def code_of(what: Callable[[], object]) -> str:
    with pytest.raises(RenderError) as caught:
        what()
    return caught.value.code


def depth(count: int) -> str:
    return "[" * count + "]" * count


def flow_depth(count: int) -> str:
    return "a: " + "[" * (count - 1) + "]" * (count - 1)


def nodes(count: int) -> str:
    """A mapping of one key, a list and numbers: so many nodes in all."""
    return "a: [" + "1," * (count - 3) + "]"


def nodes_by_alias(count: int) -> str:
    """The same by way of a list of nine that is named once: mapping, two keys, list, anchored list."""
    rest = count - 14 - 10
    return "a: &a [1,1,1,1,1,1,1,1,1]\nb: [*a, " + "1," * rest + "]"


def aliases(count: int) -> str:
    return "a: &a 1\nb: [" + "*a," * count + "]"


def documents(count: int) -> str:
    return "a: 1\n---\n" * (count - 1) + "a: 1\n"


def json_documents(count: int) -> str:
    return '{"a": 1}\n' * count


@pytest.mark.parametrize(
    ("text", "most", "code"),
    [
        (depth, limits.YAML_DEPTH, "SS3025"),
        (flow_depth, limits.YAML_DEPTH, "SS3025"),
        (nodes, NODES, "SS3026"),
        (nodes_by_alias, NODES, "SS3026"),
        (aliases, limits.YAML_ALIASES, "SS3027"),
        (documents, limits.YAML_DOCUMENTS, "SS3028"),
        (json_documents, limits.YAML_DOCUMENTS, "SS3028"),
    ],
)
def test_a_document_may_have_just_so_much(
    text: Callable[[int], str], most: int, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "YAML_NODES", NODES)
    load(text(most))
    assert code_of(lambda: load(text(most + 1))) == code


def shown(root: Path, files: dict[str, bytes]) -> RenderResult:
    for name, data in files.items():
        (root / name).write_bytes(data)
    return render(root, RenderSpec(), TOOLS, root=root)


def padded(size: int, name: str = "") -> bytes:
    text = (MAP % name + "# ").encode()
    return text + b"x" * (size - len(text))


def test_a_file_may_be_just_so_large(tmp_path: Path) -> None:
    assert len(shown(tmp_path, {"a.yaml": padded(limits.FILE_BYTES)}).objects) == 1
    assert code_of(lambda: shown(tmp_path, {"a.yaml": padded(limits.FILE_BYTES + 1)})) == "SS3020"


def test_files_may_be_just_so_large_together(tmp_path: Path) -> None:
    count = limits.INPUT_BYTES // limits.FILE_BYTES
    files = {f"{n}.yaml": padded(limits.FILE_BYTES, str(n)) for n in range(count)}
    assert len(shown(tmp_path, files).objects) == count
    assert code_of(lambda: shown(tmp_path, {"z.yaml": b"#"})) == "SS3021"


def test_there_may_be_just_so_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "INPUT_FILES", 20)
    assert len(shown(tmp_path, {f"{n}.yaml": (MAP % n).encode() for n in range(20)}).objects) == 20
    assert code_of(lambda: shown(tmp_path, {"z.yaml": b""})) == "SS3022"


def test_there_may_be_just_so_many_objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RENDERED_OBJECTS", 30)
    assert len(shown(tmp_path, {"a.yaml": "---\n".join(MAP % n for n in range(30)).encode()}).objects) == 30
    assert code_of(lambda: shown(tmp_path, {"b.yaml": (MAP % "z").encode()})) == "SS3023"


def test_an_object_may_be_just_so_large(tmp_path: Path) -> None:
    def sized(size: int) -> bytes:
        return (MAP % "" + "data:\n  a: " + "x" * size + "\n").encode()

    # What the line of the child holds beside the object counts for less than a KiB.
    assert len(shown(tmp_path, {"a.yaml": sized(limits.OBJECT_BYTES)}).objects) == 1
    assert code_of(lambda: shown(tmp_path, {"a.yaml": sized(limits.OBJECT_BYTES + limits.KIB)})) == "SS3024"


def test_a_child_may_print_just_so_much(tmp_path: Path) -> None:
    def printed(count: int) -> int:
        code = f"import os; os.write(1, b'x' * {count})"
        bounds = process.Limits(output_bytes=limits.MIB)
        done = process.run([sys.executable, "-I", "-c", code], home=tmp_path, name="child", bounds=bounds)
        return done.output.stat().st_size

    assert printed(limits.MIB - 1) == limits.MIB - 1
    assert code_of(lambda: printed(limits.MIB)) == "SS3017"


def test_the_parser_has_its_limits_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bounds = process.Limits(cpu_seconds=1, wall_seconds=60, address_bytes=limits.RENDER_MEMORY_BYTES)
    monkeypatch.setattr(parsing, "_BOUNDS", bounds)
    for number in range(4):
        (tmp_path / f"{number}.yaml").write_bytes(nodes(990_000).encode())
    assert code_of(lambda: render(tmp_path, RenderSpec(), TOOLS)) == "SS3016"
