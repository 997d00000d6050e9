"""Owns a namespace of Secrets and ConfigMaps in memory, for unit tests of publishing. A fake: no RBAC, no history."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.fake_api import Call, FakeApi, refused


@dataclass
class FakeNamespace:
    """Stands for the API server as far as publishing asks it; `secrets` are trees by name."""

    secrets: dict[str, dict[str, Any]] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)
    api: Any = field(init=False)
    _version: int = 0

    def __post_init__(self) -> None:
        self.api = FakeApi(self._answer)

    def content(self, name: str) -> bytes:
        """The `data` of one Secret."""
        return b64decode(self.secrets[name]["data"]["data"])

    def alter(self, name: str, data: Mapping[str, bytes]) -> None:
        """Write as somebody else."""
        self._put({"metadata": {"name": name}, "data": {key: b64encode(one).decode() for key, one in data.items()}})

    def _put(self, tree: dict[str, Any]) -> dict[str, Any]:
        self._version += 1
        name = tree["metadata"]["name"]
        self.secrets[name] = {**tree, "metadata": {"name": name, "resourceVersion": str(self._version)}}
        return self.secrets[name]

    def _answer(self, call: Call) -> Any:
        name = call.path.rpartition("/secrets")[2].lstrip("/") or (call.body or {}).get("metadata", {}).get("name", "")
        if call.method == "GET" and not name:
            return {"items": list(self.secrets.values()), "metadata": {}}
        if call.method == "POST" and name in self.secrets:
            raise refused(409)
        if call.method != "POST" and name not in self.secrets:
            raise refused(404)
        if call.method == "DELETE":
            return self.secrets.pop(name)
        if call.method == "GET":
            return self.secrets[name]
        wanted = call.body["metadata"].get("resourceVersion")
        if wanted and wanted != self.secrets[name]["metadata"]["resourceVersion"]:
            raise refused(409)
        self.written.append(name)
        return self._put(call.body)
