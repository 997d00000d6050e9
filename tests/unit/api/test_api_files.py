"""The token of the report: made once, or taken from a file that somebody mounts."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import UsageError
from setscrew.api_files import TOKEN_FILE, ensure_token, take_token

GIVEN = "a-token-of-some-secret"


def test_a_given_token_replaces_the_own_one_and_nobody_else_reads_it(tmp_path: Path) -> None:
    own, file = ensure_token(tmp_path), tmp_path / "mounted"
    file.write_text(GIVEN + "\n")
    file.chmod(0o440)  # as the kubelet mounts a Secret for the group of a pod
    take_token(tmp_path, file)
    assert ensure_token(tmp_path) == GIVEN.encode() != own
    assert (tmp_path / TOKEN_FILE).stat().st_mode & 0o777 == 0o600


def test_without_the_file_the_own_token_stays(tmp_path: Path) -> None:
    own = ensure_token(tmp_path)
    take_token(tmp_path, tmp_path / "mounted" / "token")
    assert ensure_token(tmp_path) == own


@pytest.mark.parametrize("token", ["", "short", "two words that are long", "schlüssel-schlüssel"])
def test_a_token_that_can_be_guessed_or_not_be_sent_is_refused_and_the_own_one_stays(
    tmp_path: Path, token: str
) -> None:
    own, file = ensure_token(tmp_path), tmp_path / "mounted"
    file.write_text(token)
    with pytest.raises(UsageError, match="16 or more plain characters") as caught:
        take_token(tmp_path, file)
    assert token == "" or token not in str(caught.value)
    assert ensure_token(tmp_path) == own
