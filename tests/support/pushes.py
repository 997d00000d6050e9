"""Owns a repository that people push to, step by step, and the mirror that follows it. Steps are those of the cases."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reconciler import limits
from reconciler.source.command import run
from reconciler.source.signature.modes import Revised
from tests.support.forging import COMMITS, TAGS
from tests.support.signing import People

_WHO = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Dana"), ("EMAIL", "dana@example.com"))
}


@dataclass(slots=True)
class Pushes:
    """One repository below `place`. `ref` is followed, in full; `accepted` is the commit that was, or ""."""

    place: Path
    people: People
    ref: str = "refs/heads/main"
    accepted: str = ""
    deepened: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.work.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.mirror.mkdir()
        run(self.mirror, ["init", "--quiet", "--bare", "--template=", "."])

    @property
    def work(self) -> Path:
        """Where people work; what is there is pushed."""
        return self.place / "work"

    @property
    def mirror(self) -> Path:
        """What was fetched of it."""
        return self.place / "mirror.git"

    def git(self, *arguments: str, stdin: bytes = b"") -> str:
        """Run git as a person does. Raises AssertionError with what git said.

        On a busy machine gpg's agent now and then does not answer the first time; what fails leaves nothing behind.
        """
        env = {**self.people.environment, **_WHO, "GIT_CONFIG_GLOBAL": os.devnull}
        command = ["git", "-C", str(self.work), *arguments]
        done = subprocess.run(command, env=env, input=stdin, capture_output=True, check=False)
        if done.returncode and b"gpg" in done.stderr:
            done = subprocess.run(command, env=env, input=stdin, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout.decode().strip()

    def do(self, step: str) -> None:
        """One step of a case: a word and its arguments."""
        word, *arguments = step.split()
        getattr(self, f"_{word.replace('-', '_')}")(*arguments)

    def revised(self) -> Revised:
        """What a fetch brings now: one commit at first, later so many as sources are fetched."""
        self.deepen(limits.REVISIONS_KEPT if (self.mirror / "refs/kept").exists() else 1)
        tip, commit = (self._in_mirror(f"refs/kept{end}") for end in ("", "^{commit}"))
        return Revised(self.mirror, commit, self.ref, tip, self.accepted)

    def deepen(self, depth: int) -> None:
        """Fetch, so deep."""
        self.deepened.append(depth)
        wanted = [self.work.as_uri(), f"+{self.ref}:refs/kept"]
        run(self.mirror, ["fetch", "--quiet", f"--depth={depth}", "--no-tags", *wanted], allow_local=True)

    def _in_mirror(self, name: str) -> str:
        return run(self.mirror, ["rev-parse", "--verify", name]).decode().strip()

    def _commit(self, who: str) -> None:
        sign = [] if who == "-" else ["--gpg-sign"]
        options = self.people.git_options(who)
        self.git(*options, "commit", "--quiet", "--allow-empty", *sign, "--message", f"By {who}")

    def _many(self, count: str, who: str) -> None:
        for _ in range(int(count)):
            self._commit(who)

    def _accept(self) -> None:
        self.accepted = self.revised().commit

    def _branch(self) -> None:
        self.git("checkout", "--quiet", "-b", "side")

    def _back(self) -> None:
        self.git("checkout", "--quiet", "main")

    def _merge(self, who: str) -> None:
        self._back()
        sign = [] if who == "-" else ["--gpg-sign"]
        self.git(*self.people.git_options(who), "merge", "--quiet", "--no-ff", *sign, "-m", "Both", "side")

    def _reset(self, count: str) -> None:
        self.git("reset", "--quiet", "--hard", f"HEAD~{count}")

    def _orphan(self) -> None:
        self.git("checkout", "--quiet", "--orphan", "new")
        self.git("branch", "--quiet", "-M", "main")

    def _tag(self, name: str, who: str, of: str = "HEAD") -> None:
        sign = "--annotate" if who == "-" else "--sign"
        self.git(*self.people.git_options(who), "tag", sign, "--message", f"By {who}", name, of)

    def _light(self, name: str) -> None:
        self.git("tag", name)

    def _repush(self, old: str, new: str) -> None:
        self.git("update-ref", f"refs/tags/{new}", f"refs/tags/{old}")

    def _tag_of_tag(self, name: str, who: str) -> None:
        self._tag(name, who, "refs/tags/v1")

    def _forge(self, how: str) -> None:
        self._commit("-")
        raw = self._raw("commit", "HEAD")
        self.git("update-ref", "HEAD", self._stored("commit", COMMITS[how](self.people, raw)))

    def _forge_tag(self, how: str) -> None:
        self._tag("v1", "-")
        raw = self._raw("tag", "v1")
        self.git("update-ref", "refs/tags/v1", self._stored("tag", TAGS[how](self.people, raw)))

    def _raw(self, kind: str, name: str) -> bytes:
        return f"{self.git('cat-file', kind, name)}\n".encode()

    def _stored(self, kind: str, raw: bytes) -> str:
        return self.git("hash-object", "-t", kind, "-w", "--literally", "--stdin", stdin=raw)


def pushed(place: Path, people: People, case: Mapping[str, object]) -> Pushes:
    """The repository after all steps of a case."""
    ref = f"refs/tags/{case['ref']}" if "ref" in case else "refs/heads/main"
    found = Pushes(place, people, ref)
    steps = case["do"]
    for step in steps if isinstance(steps, list) else []:
        found.do(str(step))
    return found
