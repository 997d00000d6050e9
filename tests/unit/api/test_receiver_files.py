"""Secrets are read again when their files change, and the last good ones stay while a file cannot be used."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.errors import UsageError
from setscrew.receivers import ReceiverFiles, load_receivers
from webhook.api.configuration import parse_receivers

OLD, NEW = b"0123456789abcdef-old", b"0123456789abcdef-new"


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "hook-secret"
    path.write_bytes(OLD + b"\n")
    return path


@pytest.fixture
def values(secret: Path, clock: Clock) -> Callable[[], list[bytes]]:
    spec = {"provider": "github", "secretFile": str(secret), "sources": ["*"]}
    files = ReceiverFiles(parse_receivers([{"kind": "Receiver", "metadata": {"name": "gh"}, "spec": spec}]), clock)

    def now() -> list[bytes]:
        clock.now += 1
        return [one.value for one in files()["gh"].secrets]

    return now


def test_a_file_that_is_written_anew_is_read_again(secret: Path, values: Callable[[], list[bytes]]) -> None:
    assert values() == [OLD]
    secret.write_bytes(NEW + b"x")
    assert values() == [NEW + b"x"]


def test_a_file_that_is_replaced_is_read_again(secret: Path, values: Callable[[], list[bytes]], tmp_path: Path) -> None:
    (tmp_path / "next").write_bytes(NEW + b"\n")
    (tmp_path / "next").rename(secret)
    assert values() == [NEW]


def test_a_mounted_volume_is_followed_through_its_links(tmp_path: Path, clock: Clock) -> None:
    """As the kubelet does it: a link to a link to a directory, and one rename swaps them all."""
    for name, value in (("first", OLD), ("second", NEW)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "token").write_bytes(value)
    (tmp_path / "..data").symlink_to("first")
    (tmp_path / "token").symlink_to("..data/token")
    spec = {"provider": "gitlab", "secretFile": str(tmp_path / "token"), "sources": ["*"]}
    files = ReceiverFiles(parse_receivers([{"kind": "Receiver", "metadata": {"name": "gl"}, "spec": spec}]), clock)
    (tmp_path / "..tmp").symlink_to("second")
    (tmp_path / "..tmp").rename(tmp_path / "..data")
    clock.now += 1
    assert files()["gl"].secrets[0].value == NEW


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"short")])
def test_the_last_good_secret_stays_while_a_file_cannot_be_used(
    secret: Path,
    values: Callable[[], list[bytes]],
    damage: Callable[[Path], object],
    caplog: pytest.LogCaptureFixture,
) -> None:
    damage(secret)
    assert values() == values() == [OLD]
    assert [record.getMessage().count("the secrets of before stay") for record in caplog.records] == [1]
    assert "short" not in caplog.text
    assert OLD.decode() not in caplog.text
    secret.write_bytes(NEW)
    assert values() == [NEW]


def test_files_are_looked_at_once_a_second(secret: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = {"provider": "github", "secretFile": str(secret), "sources": ["*"]}
    files = ReceiverFiles(parse_receivers([{"kind": "Receiver", "metadata": {"name": "gh"}, "spec": spec}]), clock)
    looked: list[object] = []
    stat = Path.stat
    monkeypatch.setattr(Path, "stat", lambda path, **how: looked.append(path) or stat(path, **how))
    for _ in range(1_000):
        files()
        clock.now += 0.01
    assert 9 <= looked.count(secret) <= 11


def test_receivers_of_a_directory_must_have_usable_secrets(tmp_path: Path, secret: Path) -> None:
    text = (
        "kind: Receiver\nmetadata: {name: NAME}\nspec: {provider: github, secretEnv: SETSCREW_HOOK, sources: ['*']}\n"
    )
    (tmp_path / "a.yaml").write_text(text.replace("NAME", "a"))
    os.environ.pop("SETSCREW_HOOK", None)
    with pytest.raises(UsageError, match="no variable SETSCREW_HOOK"):
        load_receivers(tmp_path)
    os.environ["SETSCREW_HOOK"] = "0123456789abcdef"
    assert [spec.name for spec in load_receivers(tmp_path)] == ["a"]
    del os.environ["SETSCREW_HOOK"]
    assert load_receivers(None) == ()
