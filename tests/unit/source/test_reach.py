"""Holds which places beside a directory come along: those that its kustomizations name, and what these name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import pytest

from reconciler.source.backend import Entry, Revision
from reconciler.source.reach import reach

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
REVISION = Revision("shop", "0" * 40, "main")


@dataclass(frozen=True)
class Files:
    texts: Mapping[str, str]

    def list(self, revision: Revision) -> Iterator[Entry]:
        assert revision is REVISION
        return (Entry("100644", name, len(text), name) for name, text in self.texts.items())

    def read(self, revision: Revision, wanted: Iterable[Entry]) -> Iterator[tuple[Entry, bytes]]:
        assert revision is REVISION
        return ((entry, self.texts[entry.path].encode()) for entry in wanted)


REST = {"README.md": "../..", "other/kustomization.yaml": "resources: [../secret]", "secret/one.yaml": ""}


@pytest.mark.parametrize(
    ("path", "files", "also", "places"),
    [
        ("app", {"app/one.yaml": "see ../other"}, (), set()),
        ("app", {"app/kustomization.yaml": "resources: [one.yaml]"}, (), set()),
        ("app", {"app/kustomization.yaml": "resources:\n- ../base\n", "base/one.yaml": ""}, (), {"base"}),
        ("app", {"app/Kustomization": '{"resources":["../base"]}', "base/one.yaml": ""}, (), {"base"}),
        ("app", {"app/deep/kustomization.yml": "bases: ['../../base']", "base/one.yaml": ""}, (), {"base"}),
        (
            "app",
            {"app/kustomization.yaml": "patches: [{path: ../patches/one.yaml}]", "patches/one.yaml": ""},
            (),
            {"patches"},
        ),
        ("app/prod", {"app/prod/kustomization.yaml": "- ../..//base/./x", "base/x/one.yaml": ""}, (), {"base/x"}),
        (
            "app",
            {
                "app/kustomization.yaml": "- ../a",
                "a/kustomization.yaml": "- ../b # ../c",
                "b/one.yaml": "",
                "c/one.yaml": "",
            },
            (),
            {"a", "b", "c"},
        ),
        ("a", {"a/kustomization.yaml": "- ../b", "b/kustomization.yaml": "- ../a"}, (), {"b"}),
        ("app", {"app/kustomization.yaml": "- ../../../etc"}, (), set()),
        ("app", {"app/kustomization.yaml": "- .."}, (), {"", "secret"}),
        ("app", {"app/Chart.yaml": "", "values/prod.yaml": ""}, ("../values/prod.yaml",), {"values"}),
        ("app", {"app/Chart.yaml": "", "values/prod.yaml": ""}, ("./values/prod.yaml",), {"values"}),
        ("app", {"app/Chart.yaml": ""}, ("../gone.yaml", "Helm"), set()),
        ("", {"kustomization.yaml": "- base", "base/one.yaml": ""}, (), set()),
    ],
)
def test_what_is_named_comes_along(
    path: str, files: Mapping[str, str], also: tuple[str, ...], places: set[str]
) -> None:
    assert reach(Files({**REST, **files}), REVISION, path, NAMES, also) == places
