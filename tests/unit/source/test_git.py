"""Owns fetching and materialising, against real repositories on this disk."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler import limits
from reconciler.errors import SourceError
from reconciler.source import command, hosts
from reconciler.source.backend import Revision
from reconciler.source.command import environment, run
from reconciler.source.directory import directory_revision
from reconciler.source.git import Git as Mirrors
from reconciler.source.materialise import materialise
from reconciler.source.secret import SecretRef
from reconciler.source.selection import ALL, Selection
from reconciler.source.spec import GitRef, GitSource

Git = Callable[..., str]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    place = tmp_path / "repository"
    place.mkdir()
    git(place, "init", "--initial-branch=main")
    (place / "app").mkdir()
    (place / "app/x.yaml").write_text("a: 1\n")
    (place / "README").write_text("hello\n")
    commit(place, "First words")
    return place


def git(place: Path, *arguments: str) -> str:
    identity = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in
                (("NAME", "Dana"), ("EMAIL", "dana@example.com"))}  # fmt: skip
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_GLOBAL": "/dev/null", **identity}
    return subprocess.run(
        ["git", "-C", str(place), *arguments], check=True, capture_output=True, text=True, env=env
    ).stdout


def commit(place: Path, message: str) -> str:
    git(place, "add", "--all", "--force")
    git(place, "commit", "--quiet", "--message", message)
    return git(place, "rev-parse", "HEAD").strip()


def source(repository: Path, **fields: Any) -> GitSource:
    return GitSource("shop", str(repository), **{"ref": GitRef("branch", "main"), **fields})


def get(repository: Path, mirrors: Path, **fields: Any) -> Revision:
    one, found = Mirrors(mirrors, allow_local=True), source(repository, **fields)
    return one.fetch(found, one.resolve(found))


def head(repository: Path, tmp_path: Path, **fields: Any) -> str:
    return Mirrors(tmp_path, allow_local=True).resolve(source(repository, **fields)).commit


def write(repository: Path, tmp_path: Path, path: str = "", selection: Selection = ALL) -> tuple[Path, tuple[str, ...]]:
    into, objects = tmp_path / "into", Mirrors(tmp_path / "mirrors")
    return into, materialise(objects, get(repository, tmp_path / "mirrors"), path, into, selection)


def refused(repository: Path, tmp_path: Path, path: str = "") -> SourceError:
    with pytest.raises(SourceError) as caught:
        write(repository, tmp_path, path)
    return caught.value


def test_a_revision_names_ref_commit_subject_and_author(repository: Path, tmp_path: Path) -> None:
    found = get(repository, tmp_path)
    first = git(repository, "rev-parse", "HEAD").strip()
    assert (found.text, found.subject, found.author) == (f"main@sha1:{first}", "First words", "Dana <dana@example.com>")


@pytest.mark.parametrize("ref", [GitRef(), GitRef("tag", "v1"), GitRef("tag", "light")])
def test_default_branch_and_tags_lead_to_the_commit(repository: Path, tmp_path: Path, ref: GitRef) -> None:
    git(repository, "tag", "--annotate", "v1", "--message", "one")
    git(repository, "tag", "light")
    commit = git(repository, "rev-parse", "HEAD").strip()
    assert get(repository, tmp_path, ref=ref).commit == commit
    assert head(repository, tmp_path, ref=ref) == commit


def test_a_pinned_commit_is_fetched_by_its_id(repository: Path, tmp_path: Path) -> None:
    first = git(repository, "rev-parse", "HEAD").strip()
    (repository / "README").write_text("more\n")
    commit(repository, "Second")
    assert get(repository, tmp_path, ref=GitRef("commit", first)).text == f"sha1:{first}"


def test_a_push_is_seen_by_the_next_fetch(repository: Path, tmp_path: Path) -> None:
    get(repository, tmp_path)
    (repository / "README").write_text("more\n")
    second = commit(repository, "Second")
    assert head(repository, tmp_path) == second
    assert get(repository, tmp_path).commit == second


@pytest.mark.parametrize("lock", ["shallow.lock", "refs/at/x.lock", "refs/setscrew/shop/now.lock"])
def test_a_lock_that_a_killed_fetch_has_left_does_not_end_the_source(
    repository: Path, tmp_path: Path, lock: str
) -> None:
    place = Path(get(repository, tmp_path / "mirrors").mirror) / lock
    place.touch()
    (repository / "new").write_text("")
    second = commit(repository, "Second words")
    assert get(repository, tmp_path / "mirrors").commit == second
    assert not place.exists()


def test_a_rewritten_branch_is_followed(repository: Path, tmp_path: Path) -> None:
    get(repository, tmp_path)
    git(repository, "commit", "--amend", "--quiet", "--message", "Rewritten")
    assert get(repository, tmp_path).subject == "Rewritten"


def test_a_missing_ref_is_one_clear_line(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        head(repository, tmp_path, ref=GitRef("branch", "nope"))
    assert str(caught.value) == "source shop: the remote has no refs/heads/nope (check spec.ref) [SS2003]"


def test_local_repositories_are_for_demo_and_tests_only(repository: Path, tmp_path: Path) -> None:
    for url in (str(repository), f"file://{repository}"):
        with pytest.raises(SourceError, match="not allowed here"):
            Mirrors(tmp_path).resolve(GitSource("shop", url))
    assert get(repository, tmp_path).commit


def test_git_itself_refuses_local_transport_unless_allowed(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="transport 'file' not allowed"):
        run(tmp_path, ["ls-remote", f"file://{repository}"])


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "::1", "fe80::1", "::", "::ffff:127.0.0.1"])
def test_hosts_that_are_this_machine_or_its_metadata_are_refused(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts.socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", (address, 0))])
    with pytest.raises(SourceError, match="this machine or its metadata service"):
        Mirrors(tmp_path).resolve(GitSource("shop", "https://git.example.com/r.git"))


def test_nothing_of_our_environment_reaches_git(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In a hook, git sets these; a child that inherited them would work on the wrong repository.
    for name in ("GIT_DIR", "GIT_OBJECT_DIRECTORY", "GIT_INDEX_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_SSH_COMMAND", f"touch {tmp_path}/ran")
    assert get(repository, tmp_path / "mirrors").subject == "First words"
    assert "GIT_DIR" not in environment(tmp_path, allow_local=True)


def test_hooks_and_filters_of_the_repository_do_not_run(repository: Path, tmp_path: Path) -> None:
    (repository / ".gitattributes").write_text("* filter=evil export-subst\n")
    (repository / "app/x.yaml").write_text("v: $Format:%H$\n")
    commit(repository, "Attributes")
    into, _ = write(repository, tmp_path)
    assert (into / "app/x.yaml").read_text() == "v: $Format:%H$\n"


def test_control_characters_in_a_subject_do_not_reach_a_terminal(repository: Path, tmp_path: Path) -> None:
    git(repository, "commit", "--allow-empty", "--quiet", "--message", "red \x1b[31malert " + "x" * 500)
    subject = get(repository, tmp_path).subject
    assert subject.startswith("red  [31malert")
    assert len(subject) == 120


def test_the_whole_repository_comes_along_for_bases_outside_the_path(repository: Path, tmp_path: Path) -> None:
    into, notes = write(repository, tmp_path, "app")
    assert sorted(str(file.relative_to(into)) for file in into.rglob("*")) == ["README", "app", "app/x.yaml"]
    assert notes == ()


def test_a_repository_beyond_the_limits_leaves_all_but_the_path_behind(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "INPUT_FILES", 1)
    into, notes = write(repository, tmp_path, "app")
    assert [file.name for file in into.rglob("*") if file.is_file()] == ["x.yaml"]
    assert "too large to bring along" in notes[0]
    assert "more than 1 files" in refused(repository, tmp_path).message


def test_an_unknown_path_is_one_clear_line(repository: Path, tmp_path: Path) -> None:
    assert str(refused(repository, tmp_path, "ap")) == "ap: no such path in the repository (check spec.path) [SS2006]"


def test_links_inside_the_repository_become_copies(repository: Path, tmp_path: Path) -> None:
    (repository / "app/y.yaml").symlink_to("../README")
    (repository / "also").symlink_to("app")
    (repository / "chain").symlink_to("also/y.yaml")
    commit(repository, "Links")
    into, _ = write(repository, tmp_path)
    assert not [file for file in into.rglob("*") if file.is_symlink()]
    assert {name: (into / name).read_text() for name in ("app/y.yaml", "also/x.yaml", "also/y.yaml", "chain")} == {
        "app/y.yaml": "hello\n", "also/x.yaml": "a: 1\n", "also/y.yaml": "hello\n", "chain": "hello\n",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("target", "reason"),
    [("/etc/passwd", "out of the repository"), ("../../x", "out of the repository"), ("../.git/config", "out of"),
     ("nothing", "to nothing"), ("link.yaml", "loop"), ("..", "loop"), ("../app", "loop")],
)  # fmt: skip
def test_links_that_lead_elsewhere_are_refused(repository: Path, tmp_path: Path, target: str, reason: str) -> None:
    (repository / "app/link.yaml").symlink_to(target)
    commit(repository, "Link")
    assert reason in refused(repository, tmp_path, "app").message


def test_a_hostile_link_outside_the_path_does_not_stop_a_source(repository: Path, tmp_path: Path) -> None:
    (repository / "passwd").symlink_to("/etc/passwd")
    commit(repository, "Link")
    into, _ = write(repository, tmp_path, "app")
    assert not (into / "passwd").exists()


def test_links_to_links_do_not_multiply(repository: Path, tmp_path: Path) -> None:
    """Ten links to a directory of ten links, ten times over, lead to more files than anyone can count."""
    for level in range(1, 10):
        (repository / f"d{level}").mkdir()
        for number in range(10):
            (repository / f"d{level}/{number}").symlink_to(f"../d{level - 1}" if level > 1 else "../app")
    commit(repository, "Bomb")
    assert refused(repository, tmp_path).code == "SS2007"


def test_many_links_to_one_directory_count_together(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "INPUT_FILES", 10)
    for number in range(11):
        (repository / f"to-app-{number}").symlink_to("app")
    commit(repository, "Links")
    assert "symbolic links to more than 10 files" in refused(repository, tmp_path).message


def test_a_link_too_long_to_be_read_is_refused(repository: Path, tmp_path: Path) -> None:
    (repository / "long").write_text("a/" * 3_000)
    blob = git(repository, "hash-object", "-w", "long").strip()
    git(repository, "update-index", "--add", "--cacheinfo", f"120000,{blob},app/link")
    git(repository, "commit", "--quiet", "--message", "Link")
    assert refused(repository, tmp_path).code == "SS2008"


def test_a_name_that_no_file_system_takes_is_refused(repository: Path, tmp_path: Path) -> None:
    blob = git(repository, "rev-parse", "HEAD:README").strip()
    git(repository, "update-index", "--add", "--cacheinfo", f"100644,{blob},{'n' * 256}.yaml")
    git(repository, "commit", "--quiet", "--message", "Name")
    assert refused(repository, tmp_path).code == "SS2008"


def test_a_tree_of_more_names_than_fit_is_refused_and_not_held_in_memory(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    revision = get(repository, tmp_path / "mirrors")
    assert command.run.__kwdefaults__ is not None
    monkeypatch.setitem(command.run.__kwdefaults__, "file_bytes", 50)
    with pytest.raises(SourceError) as caught:
        materialise(Mirrors(tmp_path), revision, "", tmp_path / "into")
    assert (caught.value.code, "wrote more than" in caught.value.message) == ("SS2007", True)


def test_submodules_lfs_pointers_and_large_files_are_remarked_on(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FILE_BYTES", 200)
    (repository / "app/model.bin").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    (repository / "app/big.txt").write_text("x" * 201)
    pointed = commit(repository, "Pointers")
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{pointed},app/module")
    git(repository, "commit", "--quiet", "--message", "Submodule")
    into, notes = write(repository, tmp_path)
    assert sorted(notes) == [
        "app/big.txt is larger than 0 MiB and was left out",
        "app/model.bin is a Git LFS pointer: its content is not fetched",
        "app/module is a submodule and was left out",
    ]
    assert not (into / "app/module").exists()


def test_names_that_are_no_text_are_refused(repository: Path, tmp_path: Path) -> None:
    (repository / "app" / os.fsdecode(b"bad\xff.yaml")).write_text("")
    commit(repository, "Name")
    assert "not in UTF-8" in refused(repository, tmp_path).message


def test_a_directory_has_a_revision_that_follows_its_content(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("a: 1")
    first = directory_revision(tmp_path).text
    assert first.startswith("dir@sha256:")
    assert directory_revision(tmp_path).text == first
    (tmp_path / "x.yaml").write_text("a: 2")
    assert directory_revision(tmp_path).text != first


def test_a_missing_directory_has_none(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file or directory"):
        directory_revision(tmp_path / "nothing")


@pytest.mark.parametrize("address", [b"http://127.0.0.1:9000", b"http://169.254.169.254", b"http://localhost:1"])
def test_a_secret_cannot_make_this_machine_or_its_metadata_the_proxy(tmp_path: Path, address: bytes) -> None:
    """Whoever may write a source and its Secret is not always who runs Setscrew."""
    found = GitSource("shop", "https://git.example.com/a.git", proxy_secret=SecretRef("proxy", "tenant"))
    by_argo = replace(found, secret=found.proxy_secret, proxy_secret=None)
    mirrors = Mirrors(tmp_path, secrets=lambda _: {"address": address, "proxy": address})
    for one in (found, by_argo):
        with pytest.raises(SourceError) as refused:
            mirrors.credentials(one)
        assert refused.value.code == "SS2005"
    assert mirrors.credentials(replace(found, allow_private_hosts=True)).proxy is not None
