"""Owns what a kustomization may refer to: the scanner stands before kustomize, which would follow anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.errors import RenderError
from reconciler.render.scan import Scan


def scan(root: Path, entry: str, files: dict[str, str]) -> list[str]:
    for name, text in files.items():
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    found = Scan(root)
    found.directory(root / entry)
    return sorted(str(path.relative_to(root)) for path in found.files)


def refused(root: Path, kustomization: str, files: dict[str, str] | None = None) -> RenderError:
    with pytest.raises(RenderError) as caught:
        scan(root, "app", {"app/kustomization.yaml": kustomization, **(files or {})})
    return caught.value


def test_every_kind_of_reference_is_found(tmp_path: Path) -> None:
    kustomization = {
        "resources": ["../base", "a.yaml"],
        "components": ["../part"],
        "crds": ["crd.json"],
        "configurations": ["names.yaml"],
        "patches": [{"path": "p.yaml"}, {"patch": "inline"}],
        "patchesStrategicMerge": ["s.yaml", "kind: A\nmetadata: {}\n"],
        "replacements": [{"path": "r.yaml"}],
        "openapi": {"path": "o.json"},
        "configMapGenerator": [{"name": "c", "files": ["k=f.txt", "g.txt"], "envs": ["e.env"]}],
        "secretGenerator": [{"name": "d", "env": "s.env"}],
        "transformers": ["t.yaml", "apiVersion: builtin\nkind: LabelTransformer\nmetadata: {name: l}\n"],
    }
    inside = ("a.yaml", "crd.json", "names.yaml", "p.yaml", "s.yaml", "r.yaml", "o.json", "f.txt", "g.txt", "e.env")
    files = {f"app/{name}": "{}" for name in (*inside, "s.env", "q.yaml")}
    files |= {
        "app/t.yaml": "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: t}\npath: q.yaml\n",
        "base/kustomization.yml": "resources: [b.yaml]",
        "base/b.yaml": "",
        "part/Kustomization": "kind: Component",
        "app/unused.yaml": "",
    }
    found = scan(tmp_path, "app", {"app/kustomization.yaml": json.dumps(kustomization), **files})
    assert found == sorted([*(set(files) - {"app/unused.yaml"}), "app/kustomization.yaml"])


@pytest.mark.parametrize(
    "base",
    ["https://example.com/x.yaml", "http://127.0.0.1:8080/x.yaml", "git::https://example.com/r", "git@example.com:o/r",
     "github.com/o/r/deploy?ref=main", "ssh://git@example.com/r", "../x?ref=main"],
)  # fmt: skip
def test_remote_bases_are_refused_with_file_and_line(tmp_path: Path, base: str) -> None:
    error = refused(tmp_path, f"kind: Kustomization\nresources:\n- {base}\n")
    assert error.message == "remote bases are not fetched"
    assert error.where == "app/kustomization.yaml:3"


def test_a_base_outside_the_source_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/kustomization.yaml").write_text("{}")
    assert refused(root, "resources:\n- ../../outside\n").message == "leads out of the source"


def test_a_linked_base_outside_the_source_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/kustomization.yaml").write_text("{}")
    (root / "app").mkdir(parents=True)
    (root / "app/base").symlink_to(tmp_path / "outside")
    assert refused(root, "resources: [base]").message == "leads out of the source"


@pytest.mark.parametrize(
    ("kustomization", "reason"),
    [
        ("resources: [/etc]", "absolute paths"),
        ("resources: [nothing.yaml]", "no such file or directory: nothing.yaml"),
        ("resources: [../other.yaml]", "file outside the kustomization's directory"),
        ("configMapGenerator: [{name: c, files: [../other.yaml]}]", "file outside the kustomization's directory"),
        ("helmCharts: [{name: x, repo: https://example.com}]", "helmCharts is not allowed"),
        ("resources: [..]", "no kustomization file"),
        ("- a", "must be one YAML mapping"),
        ("{}\n---\n{}", "must be one YAML mapping"),
        ("resources: [", "YAML syntax error"),
    ],
)
def test_what_kustomize_would_do_wrong_is_refused(tmp_path: Path, kustomization: str, reason: str) -> None:
    assert reason in refused(tmp_path, kustomization, {"other.yaml": ""}).message


def test_two_kustomization_files_in_one_directory_are_refused(tmp_path: Path) -> None:
    assert "more than one" in refused(tmp_path, "{}", {"app/Kustomization": "{}"}).message


def test_bases_that_name_each_other_end(tmp_path: Path) -> None:
    files = {"app/kustomization.yaml": "resources: [../b]", "b/kustomization.yaml": "resources: [../app]"}
    assert scan(tmp_path, "app", files) == sorted(files)
