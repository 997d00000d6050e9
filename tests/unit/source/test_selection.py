"""What of a repository is looked at: patterns as gitignore has them, and the rendered path always."""

from __future__ import annotations

import pytest

from reconciler.errors import UsageError
from reconciler.source.backend import Entry
from reconciler.source.selection import Selection

FILES = ("README.md", "app/x.yaml", "app/docs/y.yaml", "base/kustomization.yaml", "base/big.bin", "other/z.yaml")


def selected(*, paths: tuple[str, ...] = (), ignore: tuple[str, ...] = ()) -> list[str]:
    entries = (Entry("100644", "0" * 40, 1, name) for name in FILES)
    return [entry.path for entry in Selection(paths, ignore).of(entries, "app")]


@pytest.mark.parametrize(
    ("paths", "ignore", "left_out"),
    [
        ((), (), ()),
        (("base",), (), ("README.md", "other/z.yaml")),
        (("/base/", "!*.bin"), (), ("README.md", "base/big.bin", "other/z.yaml")),
        ((), ("*.md", "docs/"), ("README.md", "app/docs/y.yaml")),
        ((), ("*", "!*.yaml"), ("README.md", "base/big.bin")),
        (("nothing",), (), ("README.md", "base/kustomization.yaml", "base/big.bin", "other/z.yaml")),
    ],
)
def test_patterns_leave_out_what_gitignore_would(
    paths: tuple[str, ...], ignore: tuple[str, ...], left_out: tuple[str, ...]
) -> None:
    assert selected(paths=paths, ignore=ignore) == [name for name in FILES if name not in left_out]


def test_a_pattern_that_gitignore_does_not_have_is_named() -> None:
    with pytest.raises(UsageError) as caught:
        selected(ignore=("!",))
    assert caught.value.where == "spec.ignore"
