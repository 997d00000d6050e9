"""Each line of "Bad input": one clear line with a stable code, or the right HTTP status, and the last good stays."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.store.snapshot_file import publish
from setscrew.demo.stage import Stage
from setscrew.readiness import answers
from tests.support import decisions, small_shop
from tests.support.admission import a_review, free_port
from tests.support.command import setscrew
from tests.support.waiting import eventually
from webhook.server.feed import KEY_FILE, Feed

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

CODED = re.compile(r"\[SS\d{4}\]$")
CONFIG = """\
apiVersion: setscrew.dev/v1alpha1
kind: GitSource
metadata: {{name: shop}}
spec: {{url: "{url}", ref: {{branch: main}}, path: shop}}
"""


@pytest.fixture(scope="module")
def stage(alone: None) -> Iterator[Stage]:
    with Stage(small_shop.SOURCES, small_shop.fill, scan_seconds=2) as one:
        yield small_shop.synced_stage(one)


@pytest.fixture
def untouched(stage: Stage) -> Iterator[Stage]:
    """The stage, with the promise that what it enforces is the same afterwards, and still enforced."""
    before = stage.snapshot().digest
    yield stage
    assert stage.snapshot().digest == before
    assert refused(stage)


def refused(stage: Stage) -> bool:
    done = stage.plane.kubectl("set", "image", "deploy/web", "web=evil:1", "-n", "shop", check=False)
    return done.returncode != 0 and "Git wants" in done.stderr


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """The line by which a command that could not do its work ends; its status is neither "same" nor "drift"."""
    assert done.returncode > 1, (done.returncode, done.stdout, done.stderr)
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("setscrew: ")
    assert CODED.search(lines[0]), lines[0]
    return lines[0]


def dead_kubeconfig(directory: Path) -> Path:
    path = directory / "dead.kubeconfig"
    cluster = {"name": "a", "cluster": {"server": f"https://127.0.0.1:{free_port()}"}}
    user = {"name": "a", "user": {"token": "do-not-print-this-token"}}
    context = {"name": "a", "context": {"cluster": "a", "user": "a"}}
    body = {"apiVersion": "v1", "kind": "Config", "current-context": "a"}
    path.write_text(json.dumps({**body, "clusters": [cluster], "users": [user], "contexts": [context]}))
    return path


def run_arguments(directory: Path, url: str, *more: str | Path) -> list[str | Path]:
    config = directory / "config"
    config.mkdir(exist_ok=True)
    (config / "source.yaml").write_text(CONFIG.format(url=url))
    return ["run", "--state", directory / "state", "--config", config, "--allow-local-sources", *more]


def listeners() -> list[str]:
    options = ("--listen-admission", "--listen-api", "--listen-metrics")
    return [word for option in options for word in (option, f"127.0.0.1:{free_port()}")]


# No cluster, no Go, wrong or taken port


@pytest.mark.parametrize("command", [("diff", "web.yaml"), ("register", "--remove")])
def test_no_cluster_is_one_line_that_names_the_address(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "web.yaml").write_text(small_shop.GPU)
    arguments = [tmp_path / part if part.endswith(".yaml") else part for part in command]
    kubeconfig = dead_kubeconfig(tmp_path)
    line = one_line(setscrew(*arguments, "--kubeconfig", kubeconfig))
    assert "https://127.0.0.1:" in line
    assert "cannot be reached: Connection refused (check the address" in line
    assert "do-not-print-this-token" not in line


def test_run_without_a_cluster_ends_with_the_reason_and_leaves_nothing(tmp_path: Path) -> None:
    arguments = run_arguments(tmp_path, "file:///nowhere", *listeners(), "--kubeconfig", dead_kubeconfig(tmp_path))
    done = setscrew(*arguments)
    assert done.returncode == 3, done.stderr
    assert "the API server cannot be reached: Connection refused" in done.stderr
    assert "Traceback" not in done.stderr
    assert children_of(tmp_path / "state") == []


def test_run_with_a_last_snapshot_guards_by_it_until_the_cluster_is_there(tmp_path: Path) -> None:
    state, admission = tmp_path / "state", ("127.0.0.1", free_port())
    state.mkdir()
    (state / KEY_FILE).write_bytes(bytes(32))
    digest = publish(replace(decisions.snapshot(["web"]), secret_key=bytes(32)), state / "snapshots")
    at = [*listeners()[2:], "--listen-admission", f"{admission[0]}:{admission[1]}"]
    arguments = run_arguments(tmp_path, "file:///nowhere", *at, "--kubeconfig", dead_kubeconfig(tmp_path))
    with (tmp_path / "log").open("w") as log:
        started = subprocess.Popen([sys.executable, "-m", "setscrew", *map(str, arguments)], stderr=log)
    try:
        waited = re.compile(r"the reconciler ended with status 3: starting it again in [48] s")
        eventually(lambda: waited.search((tmp_path / "log").read_text()), "more tries than a first start gets")
        assert answers(*admission, tls=True)
        assert Feed.of(state).current().digest == digest
    finally:
        started.terminate()
    assert started.wait(60) == 0
    assert children_of(state) == []


def test_no_kubeconfig_at_all_says_where_to_give_one(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(small_shop.GPU)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("KUBE", "SETSCREW"))}
    line = one_line(setscrew("diff", tmp_path / "web.yaml", environment=environment | {"HOME": str(tmp_path)}))
    assert "give --kubeconfig" in line


def test_no_go_names_what_to_install_and_builds_nothing(tmp_path: Path) -> None:
    """No binary anywhere, and nothing to build one with: an empty cache, and a PATH that has only git."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").symlink_to(str(shutil.which("git")))
    environment = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment |= {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    done = setscrew("demo", environment=environment)
    line = done.stderr.splitlines()[-1]
    assert done.returncode > 1, done.stderr
    assert CODED.search(line), done.stderr
    assert "Go" in line
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:http", "127.0.0.1:99999", ":8443", "127.0.0.1:0"])
def test_a_wrong_port_is_refused_before_anything_starts(tmp_path: Path, address: str) -> None:
    arguments = run_arguments(tmp_path, "file:///nowhere", "--listen-admission", address)
    assert "write HOST:PORT" in one_line(setscrew(*arguments))
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("option", ["--listen-admission", "--listen-api", "--listen-metrics"])
def test_a_taken_port_is_told_before_anything_starts(tmp_path: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        arguments = run_arguments(tmp_path, "file:///nowhere", *listeners(), option, address)
        line = one_line(setscrew(*arguments))
    assert address in line
    assert "Address already in use (choose another address)" in line


def test_a_port_where_no_setscrew_answers_is_told(stage: Stage, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text("x")
    server = f"http://127.0.0.1:{free_port()}"
    line = one_line(setscrew("drift", "--server", server, "--token-file", token))
    assert server in line
    assert "is `setscrew run` running?" in line
    served = f"http://127.0.0.1:{stage.admission_port}"
    assert served in one_line(setscrew("drift", "--server", served, "--token-file", token))


# What Git says


TEMPLATE = "templates/settings.yaml"
BROKEN_TEMPLATE = small_shop.CHART[TEMPLATE].replace(".Values.size | quote", 'fail "no size given"')
BROKEN_YAML = small_shop.SHOP + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: broken\n"


def test_a_yaml_syntax_error_is_one_line_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(BROKEN_YAML)
    line = one_line(setscrew("render", tmp_path / "shop.yaml"))
    assert re.search(r"shop\.yaml:\d+: YAML syntax error", line)


def test_a_chart_that_fails_is_one_line_with_template_and_line(tmp_path: Path, tools: Any) -> None:
    chart(tmp_path, broken=True)
    line = one_line(setscrew("render", tmp_path / "cache", environment=with_tools(tmp_path, tools)))
    assert "templates/settings.yaml:4" in line
    assert "no size given" in line


def test_an_unknown_kind_is_named_with_what_would_teach_it(tmp_path: Path) -> None:
    (tmp_path / "odd.yaml").write_text("apiVersion: example.com/v1\nkind: Odd\nmetadata: {name: one}\nspec: {a: 1}\n")
    done = setscrew("canonical", tmp_path / "odd.yaml")
    assert (done.returncode, len(done.stderr.splitlines())) == (0, 1)
    assert "no schema of Odd in example.com/v1" in done.stderr
    assert "CustomResourceDefinition" in done.stderr


def test_a_pushed_yaml_error_keeps_the_last_good_revision(stage: Stage) -> None:
    before = objects_of(stage, "shop")
    commit, _ = small_shop.edit(stage, "shop/shop.yaml", BROKEN_YAML, "A bracket is missing")
    try:
        found = failed(stage, "shop", commit)
        assert re.search(r"shop\.yaml:\d+: YAML syntax error", found["message"])
        assert objects_of(stage, "shop") == before
        assert refused(stage)
    finally:
        mend(stage)


def test_a_pushed_chart_error_keeps_the_last_good_revision(stage: Stage) -> None:
    before = objects_of(stage, "cache")
    commit, _ = small_shop.edit(stage, f"cache/{TEMPLATE}", BROKEN_TEMPLATE, "Sizes are needed now")
    try:
        found = failed(stage, "cache", commit)
        assert f"{TEMPLATE}:4" in found["message"]
        assert small_shop.source(stage, "shop")["state"] == "Ready"
        assert objects_of(stage, "cache") == before
        done = stage.plane.kubectl("delete", "configmap", "cache", "-n", "shop", check=False)
        assert "Git declares it" in done.stderr
    finally:
        mend(stage)


def test_a_pushed_unknown_kind_is_named_and_all_else_is_enforced(stage: Stage) -> None:
    odd = "---\napiVersion: example.com/v1\nkind: Odd\nmetadata: {name: one, namespace: shop}\nspec: {a: 1}\n"
    before = len(list(stage.snapshot().entries()))
    commit, _ = small_shop.edit(stage, "shop/shop.yaml", small_shop.SHOP + odd, "A kind that nobody serves")
    try:
        stage.wait("its snapshot", lambda: stage.enforced(commit))
        assert "unknown kind Odd in example.com/v1" in stage.log
        assert len(list(stage.snapshot().entries())) == before
        assert refused(stage)
    finally:
        mend(stage)


def test_a_commit_that_breaks_every_source_leaves_the_snapshot_file_as_it_is(untouched: Stage) -> None:
    before = untouched.snapshot().digest
    (untouched.repository.work / "shop" / "shop.yaml").write_text(BROKEN_YAML)
    commit, _ = small_shop.edit(untouched, f"cache/{TEMPLATE}", BROKEN_TEMPLATE, "All is broken")
    for name in small_shop.SOURCES:
        failed(untouched, name, commit)
    assert untouched.snapshot().digest == before
    # Nobody mends it: the reviews below meet a guard whose sources are broken.


def failed(stage: Stage, name: str, commit: str) -> dict[str, Any]:
    """The source once it says that this commit cannot be rendered: enforced stays another."""
    stage.wait("the failure to be told", lambda: small_shop.source(stage, name)["state"] == "RenderFailed")
    found = small_shop.source(stage, name)
    assert commit in found["attempted"]
    assert commit not in found["enforced"]
    assert "@sha1:" in found["enforced"]
    assert CODED.search(found["message"])
    assert small_shop.ask(stage, "/api/v1/drift")["metadata"]["stale"] is True
    return found


def objects_of(stage: Stage, name: str) -> tuple[str, list[Any]]:
    """The enforced commit of a source and all that it guards."""
    snapshot = stage.snapshot()
    entries = [one.object for one in snapshot.entries() if one.object.provenance.source == name]
    return snapshot.sources[name].commit, entries


def mend(stage: Stage) -> None:
    small_shop.fill(stage.repository.work)
    commit = stage.repository.commit("Mended")
    stage.repository.push()
    stage.wait("the mended revision", lambda: stage.enforced(commit))
    stage.wait("its server forms", lambda: not stage.unconfirmed())


def chart(directory: Path, *, broken: bool) -> None:
    for name, content in small_shop.CHART.items():
        path = directory / "cache" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(BROKEN_TEMPLATE if broken and name.startswith("templates") else content)


def with_tools(directory: Path, tools: Any) -> dict[str, str]:
    path = directory / "bin"
    path.mkdir()
    for name in ("helm", "kubectl"):
        (path / name).symlink_to(tools.path(name))
    return {**os.environ, "PATH": f"{path}{os.pathsep}{os.environ['PATH']}"}


# AdmissionReviews


GOOD = a_review("0d0f7a52-0000-4000-8000-000000000001")
NO_UID = {**GOOD, "request": {key: value for key, value in GOOD["request"].items() if key != "uid"}}
MIB = 1024 * 1024


def good(**request: Any) -> bytes:
    return json.dumps({**GOOD, "request": {**GOOD["request"], **request}}).encode()


WITH_STATUS: dict[str, tuple[bytes, str, int, str]] = {
    "v1beta1": (json.dumps({**GOOD, "apiVersion": "admission.k8s.io/v1beta1"}).encode(), "", 400, "SS5002"),
    "wrong kind": (json.dumps({**GOOD, "kind": "TokenReview"}).encode(), "", 400, "SS5002"),
    "no request": (json.dumps({**GOOD, "request": None}).encode(), "", 400, "SS5001"),
    "missing uid": (json.dumps(NO_UID).encode(), "", 400, "SS5001"),
    "empty uid": (good(uid=""), "", 400, "SS5001"),
    "broken JSON": (b'{"apiVersion":', "", 400, "SS5001"),
    "empty body": (b"", "", 400, "SS5001"),
    "9 MiB of text": (good(object={"data": "x" * 9 * MIB}), "", 413, "SS5003"),
    "20 MB": (good() + b" " * 20_000_000, "", 413, "SS5003"),
    "wrong content type": (good(), "application/yaml", 415, "SS5006"),
}
DENIED: dict[str, bytes] = {
    "truncated JSON": good()[:-40],
    "not UTF-8": good().replace(b"alice", b"\xff\xfe"),
    "an object that is a list": good(object=[]),
    "NaN": good(object={"spec": float("nan")}),
    "1e999": good(object={"spec": 7}).replace(b"7}", b"1e999}"),
    "a huge integer": good(object={"spec": 7}).replace(b"7}", b"9" * 5_000 + b"}"),
    "a lone surrogate": good(object={"spec": "\ud800"}),
    "depth 10,000": good(object={"spec": 7}).replace(b"7}", b"[" * 10_000 + b"]" * 10_000 + b"}"),
    "no object": good(object=None),
}


@pytest.mark.parametrize("name", WITH_STATUS)
def test_a_malformed_review_has_its_status_and_harms_nothing(untouched: Stage, name: str) -> None:
    body, content_type, status, code = WITH_STATUS[name]
    answered, problem = small_shop.post(untouched, body, content_type=content_type or "application/json")
    assert (answered, problem["status"], problem["code"]) == (status, status, code)
    assert len(problem["detail"].splitlines()) == 1
    assert small_shop.post(untouched, good())[0] == 200


@pytest.mark.parametrize("name", DENIED)
def test_a_malformed_review_whose_uid_can_be_read_is_a_denial(untouched: Stage, name: str) -> None:
    status, answered = small_shop.post(untouched, DENIED[name])
    response = answered["response"]
    assert (status, response["uid"], response["allowed"]) == (200, GOOD["request"]["uid"], False)
    assert len(response["status"]["message"]) < 1_000
    assert small_shop.post(untouched, good())[0] == 200


def test_a_review_at_the_path_of_another_version_has_its_status(untouched: Stage) -> None:
    answered, problem = small_shop.post(untouched, good(), "/validate/apps/v1beta1")
    assert (answered, problem["code"]) == (400, "SS5005")


def settings(mode: str, text: str) -> dict[str, Any]:
    """The guarded ConfigMap with a free annotation of this text."""
    metadata = {"name": "settings", "namespace": "shop", "annotations": {"note": text}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"mode": mode}}


def configmap_review(mode: str, text: str) -> bytes:
    """A change of the guarded ConfigMap; `<` is written as the API server writes it."""
    place = {"group": "", "version": "v1"}
    request = {
        "kind": {**place, "kind": "ConfigMap"},
        "resource": {**place, "resource": "configmaps"},
        "name": "settings",
    }
    body = good(**request, object=settings(mode, text), oldObject=settings("production", text))
    return body.replace(b"<", rb"\u003c")


@pytest.mark.parametrize(
    ("text", "size"), [("<" * (3 * MIB // 2 - 1_000), 17.9 * MIB), ("x" * 3 * MIB, 6 * MIB)], ids=["escapes", "plain"]
)
def test_two_full_objects_are_judged(untouched: Stage, text: str, size: float) -> None:
    """Asked again where a busy machine made the answer late: that is a denial too, but says nothing of the content."""
    refused, allowed = configmap_review("test", text), configmap_review("production", text)
    assert len(refused) > size

    def audit(body: bytes) -> Any:
        status, answered = small_shop.post(untouched, body)
        assert status == 200
        return answered["response"].get("auditAnnotations", {})

    assert eventually(lambda: audit(refused).get("paths") == "/data/mode", "the change is refused for its path")
    assert eventually(lambda: audit(allowed).get("code") == "unchanged", "no change is admitted")


@pytest.mark.parametrize("name", [name for name, case in WITH_STATUS.items() if not case[1]])
def test_a_malformed_review_on_stdin_is_an_error_with_a_code(tmp_path: Path, name: str) -> None:
    body, _, status, code = WITH_STATUS[name]
    done = reviewed(tmp_path, body)
    printed = json.loads(done.stdout)
    assert (done.returncode, printed["status"], printed["code"]) == (2, status, code)
    assert f"[{code}]" in done.stderr.decode()
    assert len(done.stderr.splitlines()) == 1


def test_a_malformed_review_on_stdin_gets_the_denial_of_the_server(tmp_path: Path) -> None:
    done = reviewed(tmp_path, DENIED["truncated JSON"])
    assert (done.returncode, json.loads(done.stdout)["response"]["allowed"]) == (1, False)


def reviewed(directory: Path, body: bytes) -> subprocess.CompletedProcess[bytes]:
    (directory / "empty").mkdir()
    command = [sys.executable, "-m", "setscrew", "review", "--desired", str(directory / "empty")]
    return subprocess.run(command, input=body, capture_output=True, check=False, timeout=60)


def children_of(state: Path) -> list[str]:
    """Processes that have this state directory in their command line or environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            text = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if str(state).encode() in text and process.name != str(os.getpid()):
            found.append(process.name)
    return found
