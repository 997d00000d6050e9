"""A Pod says which snapshot it judges with: once for each, again where it could not, and never another's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from reconciler.errors import ApiError
from setscrew.incluster.shown import Shown
from tests.support.fake_api import Call, FakeApi, refused


def test_each_snapshot_is_noted_once_and_a_refusal_is_told_once_and_tried_again(tmp_path: Path) -> None:
    answers: list[ApiError | None] = [refused(403), refused(403), None]
    said: list[str] = []

    def answer(_: Call) -> Any:
        if answers and (error := answers.pop(0)) is not None:
            raise error
        return {}

    api = FakeApi(answer)
    shown = Shown(api, "one", tmp_path, said.append)  # type: ignore[arg-type] # a fake
    shown.look()
    assert api.calls == []
    pointer = tmp_path / "snapshots" / "current.json"
    pointer.parent.mkdir()
    pointer.write_text(json.dumps({"digest": "abc", "file": "abc.sqlite"}))
    for _ in range(5):
        shown.look()
    assert [call.body["metadata"]["annotations"] for call in api.calls] == 3 * [{"setscrew.dev/snapshot": "abc"}]
    assert len(said) == 1
    pointer.write_text("damaged")
    shown.look()
    pointer.write_text(json.dumps({"digest": "xyz", "file": "xyz.sqlite"}))
    shown.look()
    shown.look()
    assert len(api.calls) == 4
    assert api.calls[3].path == "/api/v1/namespaces/setscrew-system/pods/one"
