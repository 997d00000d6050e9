"""What is made with values of Secrets is parsed like all else; no message of that repeats them."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import RenderError
from reconciler.render.flux import Flux
from reconciler.render.kustomize import build
from reconciler.render.renderer import render
from reconciler.render.spec import RenderSpec, RenderTools

TOOLS = RenderTools(Path("/nonexistent/helm"), Path("/nonexistent/kubectl"))
PASSWORD = "hunter-5d1e"
SPEC = RenderSpec(kind="YAML", flux=Flux(secrets=(PASSWORD,)))
OBJECT = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  "


def test_an_error_does_not_quote_it(tmp_path: Path) -> None:
    twice = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {PASSWORD}}}\n---\n" * 2
    (tmp_path / "a.yaml").write_text(twice)
    with pytest.raises(RenderError) as failed:
        render(tmp_path, SPEC, TOOLS)
    assert failed.value.code == "SS3008"
    assert PASSWORD not in f"{failed.value} {failed.value.hint}"


def test_nor_does_a_note(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"{OBJECT}{PASSWORD}: a\n  {PASSWORD}: b\n")
    result = render(tmp_path, SPEC, TOOLS)
    assert result.notes
    assert PASSWORD not in " ".join(result.notes)


def test_what_kustomize_quotes_of_a_patch_is_left_out(tmp_path: Path) -> None:
    patch = f"stringData:\\n  password: {PASSWORD}\\n  list: [a]"
    said = (
        f'trouble with config: `\npatch: |-\n  password: {PASSWORD}\n`: unable to parse patch from [patch: "{patch}"]'
    )
    tool = tmp_path / "kubectl"
    tool.write_text(f"#!/bin/sh\n/bin/cat >&2 <<'END'\nerror: {said}\nEND\nexit 1\n")
    tool.chmod(0o755)
    with pytest.raises(RenderError) as failed:
        build(tool, tmp_path, "", tmp_path, where="shop")
    assert PASSWORD not in str(failed.value)
    assert "unable to parse patch from […]" in str(failed.value)
