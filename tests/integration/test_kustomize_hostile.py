"""Owns what hostile kustomizations may do: nothing. A server on loopback and a file outside wait to be touched."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler import limits
from reconciler.errors import RenderError
from reconciler.render import isolation, process
from reconciler.render.edits import Edits
from reconciler.render.flux import Flux
from reconciler.render.renderer import render
from reconciler.render.spec import RenderResult, RenderSpec, RenderTools
from setscrew.controlplane import ensure

pytestmark = pytest.mark.integration

CASES = yaml.safe_load((Path(__file__).parents[1] / "cases" / "hostile" / "kustomize.yaml").read_text())
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: canary}\n"
LONG = "x" * 5_000


@dataclass
class Canaries:
    """A server on this machine and a file outside every repository."""

    url: str
    secret: Path
    asked: list[str] = field(default_factory=list)

    def touched(self) -> list[str]:
        """What was asked of the server; and the file, if the disk says that it was read."""
        return [*self.asked, *([str(self.secret)] if self.secret.stat().st_atime_ns != 0 else [])]


@pytest.fixture(scope="module")
def tools() -> RenderTools:
    found = ensure(["kubectl", "helm"])
    return RenderTools(found.path("helm"), found.path("kubectl"))


@pytest.fixture
def canaries(tmp_path: Path) -> Iterator[Canaries]:
    outside = tmp_path / "outside"
    outside.mkdir()
    secret = outside / "secret.yaml"
    secret.write_text(SECRET)
    (outside / "kustomization.yaml").write_text("resources: [secret.yaml]\n")
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(SECRET.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        # Read before it was written, as far as the disk knows: the next reading of it will be noted.
        os.utime(secret, ns=(0, secret.stat().st_mtime_ns))
        yield Canaries(f"http://127.0.0.1:{server.server_port}", secret, asked)
        server.shutdown()


def planted(root: Path, case: dict[str, Any], canaries: Canaries) -> Path:
    """The repository of a case; gives the directory with its entry."""

    def filled(text: str) -> str:
        text = text.replace("HTTP:CAPITALS", canaries.url.upper()).replace("URL", canaries.url)
        return text.replace("OUTSIDE", str(canaries.secret)).replace("LONG", LONG)

    for name, text in {"app/kustomization.yaml": case["kustomization"], **case.get("files", {})}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(filled(text))
    for name, target in case.get("links", {}).items():
        place = filled(target)
        (root / name).symlink_to(Path(place).parent.parent if place.endswith("/..") else place)
    return root / "app"


def spec_of(habits: str) -> RenderSpec:
    return RenderSpec(kind="Kustomize", tool="Flux", flux=Flux()) if habits == "Flux" else RenderSpec()


@pytest.mark.parametrize("habits", ["kustomize", "Flux"])
@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_hostile_kustomization_is_refused_and_touches_nothing(
    case: dict[str, Any], habits: str, canaries: Canaries, tools: RenderTools, tmp_path: Path
) -> None:
    if habits == "Flux" and case["name"] in FLUX_DIFFERS:
        pytest.skip("Flux lets it be or drops the field; its own tests hold that")
    root = tmp_path / "root"
    with pytest.raises(RenderError) as caught:
        render(planted(root, case, canaries), spec_of(habits), tools, root=root)
    error = caught.value
    assert error.code == case.get("code", "SS3006"), str(error)
    assert case["says"] in error.message, str(error)
    if case.get("where") != "ANY":
        assert error.where == case.get("where", f"app/kustomization.yaml:{case.get('at')}"), str(error)
    assert canaries.touched() == []


# Files beside the kustomization's directory may be read in Flux, and unknown fields are dropped.
FLUX_DIFFERS = {"a file in another directory of the source", "a field that nobody knows"}


def test_the_canaries_sing(canaries: Canaries, tools: RenderTools, tmp_path: Path) -> None:
    """Without our walls kustomize does touch them: else the cases above would prove nothing."""
    (tmp_path / "kustomization.yaml").write_text(f"resources: [{canaries.url}/x.yaml, outside]\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(isolation, "prefix", tuple)
        done = process.run([str(tools.kubectl), "kustomize", str(tmp_path)], home=tmp_path, name="kustomize")
    assert canaries.asked == ["/x.yaml"]
    assert done.status, "the same Secret twice"
    assert canaries.secret.stat().st_atime_ns != 0 or _disk_keeps_no_time(tmp_path)


def _disk_keeps_no_time(place: Path) -> bool:
    probe = place / "probe"
    probe.write_text("x")
    os.utime(probe, ns=(0, 0))
    probe.read_text()
    return probe.stat().st_atime_ns == 0


def test_where_a_child_has_no_network_kustomize_alone_reaches_nothing(
    canaries: Canaries, tools: RenderTools, tmp_path: Path
) -> None:
    if not isolation.prefix():
        pytest.skip("no namespaces for programs on this machine")
    (tmp_path / "kustomization.yaml").write_text(f"resources: [{canaries.url}/x.yaml]\n")
    done = process.run([str(tools.kubectl), "kustomize", str(tmp_path)], home=tmp_path, name="kustomize")
    assert done.status
    assert "connect: " in done.stderr
    assert canaries.asked == []


def test_kustomize_finds_no_git(tools: RenderTools, tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: ['git@127.0.0.1:o/r']\n")
    done = process.run([str(tools.kubectl), "kustomize", str(tmp_path)], home=tmp_path, name="kustomize")
    assert done.status
    assert "no 'git' program on path" in done.stderr


@pytest.mark.parametrize("patch", [{"path": "URL/p.yaml"}, {"path": "../values.yaml"}, {"PATH": "URL/p.yaml"}])
def test_a_post_renderer_reads_no_files(
    patch: dict[str, str], canaries: Canaries, tools: RenderTools, tmp_path: Path
) -> None:
    (tmp_path / "root/templates").mkdir(parents=True)
    (tmp_path / "root/Chart.yaml").write_text("apiVersion: v2\nname: x\nversion: 1.0.0\n")
    (tmp_path / "root/templates/a.yaml").write_text(MAP % "a")
    edits = Edits(patches=({key: value.replace("URL", canaries.url) for key, value in patch.items()},))
    spec = RenderSpec(tool="Flux", flux=Flux(post_renderers=(edits,)))
    with pytest.raises(RenderError, match="SS3006"):
        render(tmp_path / "root", spec, tools)
    assert canaries.touched() == []


# ------------------------------------------------------------------- what the scanner read is what is built

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"


def built(root: Path, files: dict[str, str], tools: RenderTools) -> RenderResult:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return render(root / "app", RenderSpec(), tools, root=root)


def names(result: RenderResult) -> list[str]:
    return [found.ref.name for found in result.objects]


@pytest.mark.parametrize(
    "kustomization",
    [
        "resources: [b.yaml]\nresources: [a.yaml]\n",
        'resources: [b.yaml]\n"resources": [a.yaml]\n',
        "vars: &x []\nresources: [a.yaml]\n",
        "resources: &x [a.yaml]\nbases: []\n",
        "# resources: [b.yaml]\nresources:\n  - >-\n    a.yaml\n",
        '{"resources": ["\\u0061.yaml"]}\n',
        "\ufeffresources: [a.yaml]\n",
        "resources: [!!str a.yaml]\n",
    ],
)
def test_a_base_is_built_from_what_was_read_of_it(kustomization: str, tools: RenderTools, tmp_path: Path) -> None:
    files = {"app/kustomization.yaml": "resources: [../base]\n", "base/kustomization.yaml": kustomization}
    maps = {f"base/{name}.yaml": MAP % name for name in "ab"}
    assert names(built(tmp_path, {**files, **maps}, tools)) == ["a"]


@pytest.mark.parametrize(
    "config",
    [
        "files: [b.txt]\nfiles: [a.txt]\n",
        "literals: &x [b.txt=b]\nfiles: [a.txt]\n<<: {literals: []}\n",
        "files: [a.txt]\n---\n# nothing more\n",
    ],
    ids=["a field twice", "a merged mapping", "an empty document"],
)
def test_a_plugin_is_configured_by_what_was_read_of_it(config: str, tools: RenderTools, tmp_path: Path) -> None:
    plugin = "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: m}\n"
    files = {"app/kustomization.yaml": "generators: [g.yaml]\n", "app/g.yaml": plugin + config}
    (found,) = built(tmp_path, {**files, "app/a.txt": "a", "app/b.txt": "b"}, tools).objects
    assert found.tree["data"] == {"a.txt": "a"}


def test_odd_characters_survive_being_written_anew(tools: RenderTools, tmp_path: Path) -> None:
    text = 'caf\u00e9 \U0001f512 \u2028 \ufeff tab\tquote" back\\slash # : - {}'
    files = {
        "app/kustomization.yaml": "resources: [../base]\n",
        "base/kustomization.yaml": json.dumps({"resources": ["a.yaml"], "commonAnnotations": {"a": text, "b": "no"}}),
        "base/a.yaml": MAP % "a",
    }
    (found,) = built(tmp_path, files, tools).objects
    assert found.tree["metadata"]["annotations"] == {"a": text, "b": "no"}


@pytest.mark.parametrize(
    "kustomization",
    [
        "patches:\n- p.yaml\n",
        "patchesStrategicMerge:\n- p.yaml\n",
        "patchesStrategicMerge:\n- |-\n  apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a}\n  data: {x: '1'}\n",
        "patches:\n- path: p.yaml\n",
        "transformers:\n- t.yaml\n",
        "transformers:\n- |-\n  apiVersion: builtin\n  kind: PatchTransformer\n  metadata: {name: t}\n  path: p.yaml\n",
        "configMapGenerator: [{name: a, behavior: merge, literals: [x=1]}]\n",
        "imageTags: [{name: a, newTag: b}]\npatches:\n- path: p.yaml\n",
    ],
)
def test_old_and_new_fields_are_built_as_ever(kustomization: str, tools: RenderTools, tmp_path: Path) -> None:
    patch = MAP % "a" + "data: {x: '1'}\n"
    transformer = "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: t}\npath: p.yaml\n"
    files = {"app/p.yaml": patch, "app/t.yaml": transformer, "app/a.yaml": MAP % "a"}
    if "configMapGenerator" in kustomization:
        files["app/kustomization.yaml"] = (
            "resources: [../base]\n" + kustomization + "generatorOptions: {disableNameSuffixHash: true}\n"
        )
        files["base/kustomization.yaml"] = "configMapGenerator: [{name: a}]\n"
    else:
        files["app/kustomization.yaml"] = "resources: [a.yaml]\n" + kustomization
    (found,) = built(tmp_path, files, tools).objects
    assert found.tree["data"] == {"x": "1"}


def test_bases_are_followed_so_deep_and_no_deeper(tools: RenderTools, tmp_path: Path) -> None:
    def chain(count: int) -> dict[str, str]:
        files = {f"b{n}/kustomization.yaml": f"resources: [../b{n + 1}]\n" for n in range(1, count - 1)}
        files[f"b{count - 1}/kustomization.yaml"] = "resources: [a.yaml]\n"
        return {**files, f"b{count - 1}/a.yaml": MAP % "a", "app/kustomization.yaml": "resources: [../b1]\n"}

    assert names(built(tmp_path / "in", chain(limits.BASES_DEEP), tools)) == ["a"]
    with pytest.raises(RenderError, match="SS3035"):
        built(tmp_path / "out", chain(limits.BASES_DEEP + 1), tools)


def test_bases_that_multiply_are_stopped(tools: RenderTools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = process.Limits(wall_seconds=20, cpu_seconds=3)
    monkeypatch.setattr(process, "Limits", lambda: short)
    files = {
        f"b{n}/{part}/kustomization.yaml": f"namePrefix: {part}-\nresources: [../../b{n + 1}/x, ../../b{n + 1}/y]\n"
        for n in range(30)
        for part in "xy"
    }
    for part in "xy":
        files |= {
            f"b30/{part}/kustomization.yaml": f"namePrefix: {part}-\nresources: [a.yaml]\n",
            f"b30/{part}/a.yaml": MAP % "a",
        }
    with pytest.raises(RenderError, match=r"SS301[5678]"):
        built(tmp_path, {**files, "app/kustomization.yaml": "resources: [../b0/x]\n"}, tools)
