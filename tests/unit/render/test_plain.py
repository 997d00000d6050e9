"""Owns plain manifests and what every rendered object must be. The child process is the real one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler import limits
from reconciler.errors import RenderError
from reconciler.render import yaml_loader
from reconciler.render.detect import detect
from reconciler.render.renderer import render
from reconciler.render.spec import RenderResult, RenderSpec, RenderTools

TOOLS = RenderTools(Path("/nonexistent/helm"), Path("/nonexistent/kubectl"))


def manifest(name: str, kind: str = "ConfigMap", extra: str = "") -> str:
    return f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: {name}}}\n{extra}"


def show(path: Path, *, root: Path | None = None, recurse: bool = False) -> RenderResult:
    return render(path, RenderSpec(recurse=recurse, source="s", revision="r"), TOOLS, root=root)


def names(result: RenderResult) -> list[str]:
    return [found.ref.name for found in result.objects]


def refused(path: Path, *, root: Path | None = None) -> RenderError:
    with pytest.raises(RenderError) as caught:
        show(path, root=root)
    return caught.value


@pytest.mark.parametrize(
    ("file", "kind"),
    [("Chart.yaml", "helm"), ("kustomization.yaml", "kustomize"), ("kustomization.yml", "kustomize"),
     ("Kustomization", "kustomize"), ("web.yaml", "yaml")],
)  # fmt: skip
def test_a_directory_is_what_its_files_say(tmp_path: Path, file: str, kind: str) -> None:
    (tmp_path / file).write_text("{}")
    assert detect(tmp_path) == kind


def test_a_chart_with_a_kustomization_is_a_chart(tmp_path: Path) -> None:
    (tmp_path / "Chart.yaml").touch()
    (tmp_path / "kustomization.yaml").touch()
    assert detect(tmp_path) == "helm"


def test_an_unknown_path_is_one_clear_line(tmp_path: Path) -> None:
    error = refused(tmp_path / "nothing")
    assert str(error) == f"{tmp_path}/nothing: no such file or directory (check the path) [SS3004]"


def test_each_object_knows_file_line_and_document(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"# top\n{manifest('one')}---\n{manifest('two')}")
    (tmp_path / "b.json").write_text('{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "three"}}')
    (tmp_path / "notes.txt").write_text("not: [yaml")
    result = show(tmp_path)
    assert [(o.ref.name, o.provenance.place, o.provenance.document) for o in result.objects] == [
        ("one", "a.yaml:2", 0), ("two", "a.yaml:6", 1), ("three", "b.json:1", 0),
    ]  # fmt: skip
    assert (result.kind, result.renderer_version) == ("yaml", yaml_loader.LOADER)
    assert result.objects[0].provenance.revision == "r"


def test_sub_directories_are_read_only_when_asked_for(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/x.yaml").write_text(manifest("x"))
    assert names(show(tmp_path)) == []
    assert "recurse" in show(tmp_path).notes[0]
    assert names(show(tmp_path, recurse=True)) == ["x"]


def test_a_single_file_is_a_source_too(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(manifest("x"))
    (tmp_path / "y.yaml").write_text(manifest("y"))
    assert names(show(tmp_path / "x.yaml")) == ["x"]


def test_files_are_named_from_the_repository(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy/x.yaml").write_text(manifest("x"))
    assert show(tmp_path / "deploy").objects[0].provenance.file == "deploy/x.yaml"


def test_lists_are_flattened_and_their_items_keep_their_lines(tmp_path: Path) -> None:
    (tmp_path / "l.yaml").write_text(
        "apiVersion: v1\nkind: List\nitems:\n"
        "- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n"
        "- apiVersion: v1\n  kind: ConfigMapList\n  items:\n  - metadata: {name: b}\n"
    )
    assert [(str(o.ref), o.provenance.line) for o in show(tmp_path).objects] == [("ConfigMap a", 4), ("ConfigMap b", 5)]


@pytest.mark.parametrize("kind", ["List", "ConfigMapList"])
@pytest.mark.parametrize("items", ["items: []", "items: null", "items:"])
def test_a_list_without_entries_declares_nothing(tmp_path: Path, kind: str, items: str) -> None:
    (tmp_path / "l.yaml").write_text(f"apiVersion: v1\nkind: {kind}\n{items}\n")
    assert names(show(tmp_path)) == []


def test_a_kind_of_ones_own_may_end_in_list(tmp_path: Path) -> None:
    (tmp_path / "l.yaml").write_text("apiVersion: example.com/v1\nkind: AllowList\nmetadata: {name: a}\nspec: {}\n")
    assert names(show(tmp_path)) == ["a"]


def test_an_entry_of_a_list_that_is_nothing_does_not_vanish_silently(tmp_path: Path) -> None:
    (tmp_path / "l.yaml").write_text("apiVersion: v1\nkind: List\nitems:\n-\n")
    assert refused(tmp_path).where == "l.yaml:4"


def test_hooks_are_left_out_and_said_so(tmp_path: Path) -> None:
    hook = "apiVersion: v1\nkind: Pod\nmetadata: {name: t, annotations: {helm.sh/hook: test}}\n"
    (tmp_path / "x.yaml").write_text(f"{manifest('x')}---\n{hook}")
    result = show(tmp_path)
    assert names(result) == ["x"]
    assert result.notes == ("left out: Pod t is a Helm hook (test), at x.yaml:5",)


def test_duplicate_keys_are_noted(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(manifest("x", extra="data:\n  a: b\n  a: c\n"))
    result = show(tmp_path)
    assert result.notes == ("duplicate key, the last one counts: x.yaml:6: a",)
    assert result.objects[0].tree["data"] == {"a": "c"}


def test_an_object_declared_twice_is_an_error_that_names_both_places(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(manifest("x"))
    (tmp_path / "b.yaml").write_text("\n" + manifest("x").replace("{name: x}", "{name: x, namespace: default}"))
    error = refused(tmp_path)
    assert error.where == "b.yaml:2"
    assert "declared twice, first at a.yaml:1" in error.message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("kind: A\nmetadata: {name: x}", "apiVersion is missing"),
        ("apiVersion: v1\nkind: 3\nmetadata: {name: x}", "kind is not a string"),
        ("apiVersion: v1\nkind: A", "metadata.name is missing"),
        ("apiVersion: v1\nkind: A\nmetadata: {generateName: x-}", "metadata.name is missing"),
        ("apiVersion: v1\nkind: A\nmetadata: {name: 12}", "metadata.name is not a string"),
        ("apiVersion: v1\nkind: A\nmetadata: {name: x, namespace: 1}", "metadata.namespace is not a string"),
        ("apiVersion: v1\nkind: A\nmetadata: {name: x, annotations: []}", "metadata.annotations is not a mapping"),
        ("- 1", "a mapping is needed"),
        ("text", "a mapping is needed"),
    ],
)
def test_what_is_no_object_is_refused_with_its_place(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    error = refused(tmp_path)
    assert reason in error.message
    assert error.where == "x.yaml:1"


def test_a_syntax_error_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("a: 1\n  b: 2\n")
    assert (
        str(refused(tmp_path)) == "x.yaml:2: YAML syntax error: mapping values are not allowed in this context [SS3001]"
    )


def test_a_document_that_would_crash_a_parser_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("v: " + "[" * 30_000)
    assert refused(tmp_path).code == "SS3025"


def test_modules_that_lie_in_the_source_are_not_imported_by_the_child(tmp_path: Path) -> None:
    for name in ("yaml.py", "json.py", "reconciler.py", "sitecustomize.py"):
        (tmp_path / name).write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    (tmp_path / "x.yaml").write_text(manifest("x"))
    assert names(show(tmp_path)) == ["x"]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside.yaml"])
def test_links_out_of_the_source_are_refused(tmp_path: Path, target: str) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (tmp_path / "outside.yaml").write_text(manifest("x"))
    (source / "link.yaml").symlink_to(target)
    error = refused(source, root=source)
    assert (error.where, error.message) == ("link.yaml", "leads out of the source")


def test_links_inside_the_source_are_read(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/x.yaml").write_text(manifest("x"))
    (tmp_path / "app").mkdir()
    (tmp_path / "app/x.yaml").symlink_to("../shared/x.yaml")
    assert names(show(tmp_path / "app", root=tmp_path)) == ["x"]


def test_a_dangling_link_and_a_loop_of_links_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").symlink_to("nothing.yaml")
    assert "symbolic link" in refused(tmp_path).message
    (tmp_path / "a.yaml").unlink()
    (tmp_path / "a.yaml").symlink_to("a.yaml")
    assert "symbolic link" in refused(tmp_path).message


def test_a_linked_directory_that_holds_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/again").symlink_to("..")
    with pytest.raises(RenderError, match="loop"):
        show(tmp_path, recurse=True)


def test_a_fifo_does_not_hang_a_render(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.yaml")
    assert refused(tmp_path).message == "not a regular file"


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "x.yaml").open("wb") as stream:
        stream.truncate(limits.FILE_BYTES + 1)
    assert refused(tmp_path).message == "larger than 5 MiB"


def test_an_object_that_no_etcd_would_hold_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(manifest("x", extra=f"data: {{a: {'x' * (limits.OBJECT_BYTES + 2048)}}}\n"))
    assert "larger than 1536 KiB" in refused(tmp_path).message


@pytest.mark.parametrize("value", ["{}", "[]", "{a: 1}", "3", "~", "''"])
@pytest.mark.parametrize("field", ["apiVersion", "kind", "metadata"])
def test_whatever_stands_in_place_of_a_name_is_no_object(field: str, value: str, tmp_path: Path) -> None:
    fields = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": "{name: x}", field: value}
    (tmp_path / "x.yaml").write_text("".join(f"{key}: {text}\n" for key, text in fields.items()))
    assert refused(tmp_path).code == "SS3007"
