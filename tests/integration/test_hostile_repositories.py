"""Owns what a push of a hostile repository does: its source says why, all that was good stays, everything else goes on.

docs/reference/security-checklist.md names the test of each line.
"""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.render import process
from reconciler.render.spec import RenderTools
from setscrew.controlplane import ensure
from tests.support.hostile import MAP, Link, Node, Submodule, World

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    found = ensure(["kubectl", "helm"])
    # What takes long here would take a minute longer in earnest.
    with pytest.MonkeyPatch.context() as patch:
        short = process.Limits(wall_seconds=60, cpu_seconds=10)
        patch.setattr(process, "Limits", lambda **fields: short if not fields else _limits(**fields))
        yield World(tmp_path_factory.mktemp("hostile"), RenderTools(found.path("helm"), found.path("kubectl")))


_limits = process.Limits


CHART = "apiVersion: v2\nname: x\nversion: 1.0.0\n"


def in_list(value: str) -> dict[str, Node]:
    return {"a.yaml": f"v: {value}\n"}


def kustomization(text: str, **files: Node) -> dict[str, Node]:
    return {"kustomization.yaml": text, **files}


def chart(template: str = "", **files: Node) -> dict[str, Node]:
    return {"Chart.yaml": CHART, "templates": {"a.yaml": template}, **files}


def packed(*members: tarfile.TarInfo, content: bytes = b"") -> dict[str, Node]:
    """A chart with a packed sub-chart of these members; those that are files hold `content`."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for member in members:
            member.size = len(content) if member.isreg() else 0
            tar.addfile(member, io.BytesIO(content))
    return chart(charts={"y.tgz": stream.getvalue()})


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)
GIT = {"config": "[core]\n  fsmonitor = touch /tmp/ran\n"}
EXEC = (
    "apiVersion: x/v1\nkind: E\nmetadata:\n  name: e\n  annotations:\n"
    "    config.kubernetes.io/function: 'exec: {path: ./run}'\n"
)
ITSELF = '{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}'
BUILTIN = "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: e}\nfiles: [/etc/passwd]\n"
OK = MAP % ("bad", "2")

# A line of the checklist each: what stands in `app`, and the code with which it is refused.
CASES: dict[str, tuple[dict[str, Node], str]] = {
    "30,000 open brackets": (in_list("[" * 30_000), "SS3025"),
    "30,000 open brackets in JSON": ({"a.json": "[" * 30_000}, "SS3025"),
    "an alias bomb": ({"a.yaml": LAUGHS}, "SS3026"),
    "aliases by the thousand": ({"a.yaml": "a: &a 1\nb: [" + "*a," * 1_000 + "]"}, "SS3027"),
    "1,001 documents": ({"a.yaml": "---\n".join(MAP % (f"m{n}", n) for n in range(1_001))}, "SS3028"),
    "a link to a file outside": ({"a.yaml": Link("../../outside.yaml")}, "SS2008"),
    "a link to an absolute file": ({"a.yaml": Link("/etc/passwd")}, "SS2008"),
    "a link to a directory outside": ({"d": Link("../../")}, "SS2008"),
    "a chain of links out": ({"a.yaml": Link("b"), "b": Link("c"), "c": Link("../../x")}, "SS2008"),
    "a loop of links": ({"a.yaml": Link("b.yaml"), "b.yaml": Link("a.yaml")}, "SS2008"),
    "a link to its own directory": ({"d": Link(".")}, "SS2008"),
    "a dangling link": ({"a.yaml": Link("nothing.yaml")}, "SS2008"),
    "a link into .git": ({"a.yaml": Link("../.git/config")}, "SS2008"),
    "a name that climbs": ({"..": {"a.yaml": OK}}, "SS2002"),
    "a directory .git": ({".git": GIT}, "SS2002"),
    "a directory .GIT": ({".GIT": GIT}, "SS2002"),
    "a directory that a Mac takes for .git": ({".g\u200cit": GIT}, "SS2002"),
    "a name with a slash in it": ({"../../a.yaml": OK}, "SS2002"),
    "an empty name": ({"": OK}, "SS2002"),
    "a name of 5,000 characters": ({"x" * 5_000 + ".yaml": OK}, "SS2008"),
    "a name in no UTF-8": ({"a\udcff.yaml": OK}, "SS2008"),
    "a name with a line break": ({"a\nb.yaml": OK}, "SS2008"),
    "a kustomization above": (kustomization("resources: [../../outside]\n"), "SS3006"),
    "a URL on loopback": (kustomization("resources: ['http://127.0.0.1:9/x.yaml']\n"), "SS3006"),
    "an exec function": (kustomization("transformers: [t.yaml]\n", **{"t.yaml": EXEC}), "SS3006"),
    "a schema by path": (kustomization("openapi: {path: ../../../etc/passwd}\n"), "SS3006"),
    "a generator in the text": (kustomization("generators:\n- |\n  " + BUILTIN.replace("\n", "\n  ") + "\n"), "SS3006"),
    "a fifo in a package": (packed(member("y/a", tarfile.FIFOTYPE)), "SS3034"),
    "a device in a package": (packed(member("y/a", tarfile.CHRTYPE)), "SS3034"),
    "a hard link in a package": (packed(member("y/a", tarfile.LNKTYPE, "/etc/passwd")), "SS3034"),
    "an absolute name in a package": (packed(member("/etc/cron.d/a")), "SS3034"),
    "a name that climbs in a package": (packed(member("y/../../a")), "SS3034"),
    "a bomb in a package": (packed(member("y/a"), content=b"\0" * 30_000_000), "SS3033"),
    "a package that is none": (chart(charts={"y.tgz": gzip.compress(b"x" * 5_000)}), "SS3034"),
    "a schema of values elsewhere": (chart(**{"values.schema.json": '{"$ref": "http://127.0.0.1:9/x"}'}), "SS3006"),
    "a template that asks for the environment": (chart('{{ env "HOME" }}'), "SS3011"),
    "a template that expands the environment": (chart('{{ expandenv "$HOME" }}'), "SS3011"),
    "a template that includes itself": (chart(ITSELF), "SS3011"),
    "a template that is no object": (chart("{{ .Values | toJson }}"), "SS3007"),
    "a file outside the chart": (chart('{{ .Files.Get "../../x" | required "nothing" }}'), "SS3011"),
    "a dependency that is not there": (
        {**chart(OK), "Chart.yaml": CHART + "dependencies: [{name: y, version: 1.0.0, repository: 'http://127.0.0.1:9'}]\n"},
        "SS3011",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_push_is_refused_by_its_code_and_all_else_goes_on(name: str, world: World) -> None:
    tree, code = CASES[name]
    check_refused(world, tree, code)


def check_refused(world: World, tree: dict[str, Node], *codes: str) -> str:
    """Push it, and see that it does no harm; gives what its source says."""
    good = world.status.enforced
    commit = world.push({"app": tree, "keep.yaml": OK})
    status = world.status
    assert any(f"[{code}]" in status.message for code in codes), status.message
    assert status.state == ("FetchFailed" if codes == ("SS2002",) else "RenderFailed")
    assert commit in status.attempted
    assert status.enforced == good
    assert world.enforced() == {"good": "1", "honest": world.count}
    return status.message


@pytest.mark.parametrize(
    "template",
    [
        '{{ range until 3000 }}{{ repeat 100000 "x" }}{{ end }}',
        '{{ $x := "x" }}{{ range until 40 }}{{ $x = printf "%s%s" $x $x }}{{ end }}',
        "{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}",
        '{{ tpl (printf "{{ range until %d }}{{ range until %d }}{{ end }}{{ end }}" 100000 100000) . }}',
        '{{ $x := list }}{{ range until 100000000 }}{{ $x = append $x "x" }}{{ end }}',
    ],
    ids=["much text", "a text that doubles", "a loop", "a loop from a value", "a list"],
)
def test_a_template_without_end_ends_at_a_limit(template: str, world: World) -> None:
    check_refused(world, chart(template), "SS3015", "SS3016", "SS3017", "SS3018", "SS3003", "SS3011")


def test_values_that_are_templates_can_do_no_more(world: World) -> None:
    values = 'evil: \'{{ include "no" . }}{{ env "HOME" }}\'\n'
    message = check_refused(world, chart("{{ tpl .Values.evil . }}", **{"values.yaml": values}), "SS3011")
    assert "env" in message


@pytest.mark.parametrize(
    ("render", "code"),
    [
        ({"valueFiles": ["../../outside.yaml"]}, "SS3005"),
        ({"valueFiles": ["link.yaml"]}, "SS2008"),
        ({"fileParameters": [{"name": "a", "path": "../../../etc/passwd"}]}, "SS3005"),
        ({"valueFiles": ["/etc/passwd"]}, "SS1000"),
        ({"valueFiles": ["http://127.0.0.1:9/x.yaml"]}, "SS1000"),
    ],
)
def test_values_outside_the_repository_are_not_read(render: dict[str, Any], code: str, world: World) -> None:
    world.follow(render=render)
    try:
        check_refused(world, chart(OK, **{"link.yaml": Link("/etc/passwd")} if code == "SS2008" else {}), code)
    finally:
        world.follow()


# --------------------------------------------------------------------------- what is passed over, with a word


def told(world: World, tree: dict[str, Node]) -> str:
    """Push what can be read, look at what is said of it, and put back what was good."""
    world.push({"app": tree})
    status, enforced = world.status, world.enforced()
    world.take_back()
    assert status.state == "Ready", status.message
    assert enforced == {"bad": "2", "honest": str(int(world.count) - 1)}
    assert world.enforced() == {"good": "1", "honest": world.count}
    return status.message


def test_a_submodule_is_never_fetched_whatever_its_url(world: World, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    modules = f'[submodule "x"]\n\tpath = app/x\n\turl = ext::touch {ran}\n'
    assert "app/x is a submodule and was left out" in told(
        world, {"a.yaml": OK, "x": Submodule(), ".gitmodules.txt": modules}
    )
    assert not ran.exists()


@pytest.mark.parametrize("url", ["-upload-pack=touch /tmp/x", "--upload-pack=touch /tmp/x"])
def test_a_submodule_with_an_option_for_url_is_refused_by_git_itself(url: str, world: World) -> None:
    modules = f'[submodule "x"]\n\tpath = app/x\n\turl = {url}\n'
    world.push({"app": {"a.yaml": OK, "x": Submodule()}, ".gitmodules": modules})
    assert (world.status.state, "disallowed submodule url" in world.status.message) == ("FetchFailed", True)
    assert world.enforced() == {"good": "1", "honest": world.count}
    world.take_back()
    assert world.status.state == "Ready"


def test_a_pointer_of_lfs_is_named(world: World) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 1\n"
    assert "app/big.bin is a Git LFS pointer" in told(world, {"a.yaml": OK, "big.bin": pointer})


def test_a_file_that_is_too_large_is_named(world: World) -> None:
    assert "app/big.bin is larger than 5 MiB" in told(world, {"a.yaml": OK, "big.bin": b"x" * 6_000_000})


def test_attributes_change_nothing_that_is_read(world: World) -> None:
    attributes = "* filter=evil export-subst ident text eol=crlf working-tree-encoding=UTF-16\n"
    assert told(world, {"a.yaml": OK + "# $Format:%H$ $Id$\n", ".gitattributes": attributes}) == ""


def test_twins_that_differ_in_case_are_two_files(world: World) -> None:
    twins = {"a.yaml": OK, "A.yaml": "# nothing\n"}
    assert told(world, twins) == ""


@pytest.mark.parametrize("function", ["lookup", "getHostByName"])
def test_a_chart_that_asks_others_hears_nothing_and_says_so(function: str, world: World) -> None:
    asked = {
        "lookup": '{{ lookup "v1" "Secret" "kube-system" "x" | toJson }}',
        "getHostByName": '{{ getHostByName "localhost" }}',
    }
    message = told(world, chart(OK + "# " + asked[function]))
    assert f"calls `{function}`, which finds nothing" in message


def test_the_environment_of_the_child_holds_nothing_of_ours(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kustomize takes a variable without a value from its environment."""
    monkeypatch.setenv("EXAMPLE_TOKEN", "example-words")
    monkeypatch.setenv("value", "example-words")
    text = "configMapGenerator: [{name: bad, namespace: shop, envs: [e], options: {disableNameSuffixHash: true}}]\n"
    world.push({"app": kustomization(text, e="EXAMPLE_TOKEN\nvalue\nKUBERNETES_SERVICE_HOST\n")})
    assert world.status.state == "Ready", world.status.message
    snapshot = world.reconciler.current
    assert snapshot is not None
    (bad,) = (entry.object.want for entry in snapshot.entries if entry.object.ref.name == "bad")
    assert {value or "" for value in bad["data"].values()} == {""}
    world.take_back()


def test_of_two_sources_that_declare_one_object_the_other_is_told(world: World) -> None:
    world.push({"app": {"good.yaml": MAP % ("good", "1"), "stolen.yaml": MAP % ("honest", "stolen")}})
    enforced = world.enforced()
    world.take_back()
    assert enforced["good"] == "1"
    assert any("honest" in line and "other" in line for line in world.said), world.said


def test_a_push_that_empties_a_source_is_held(world: World) -> None:
    world.push({"app": {"nothing.yaml": "# nothing\n"}})
    assert (world.status.state, "[SS2015]" in world.status.message) == ("Held", True)
    assert world.enforced() == {"good": "1", "honest": world.count}
    world.take_back()
    assert world.status.state == "Ready"
