"""Owns the compacting of a control plane's etcd, as the API server does every five minutes. Must not start one."""

from __future__ import annotations

from setscrew.controlplane import ControlPlane
from setscrew.controlplane.api import Api


def compact(plane: ControlPlane) -> int:
    """Have etcd forget all revisions before the newest, which is returned."""
    pki = plane.site.pki
    files = (pki.certificate("etcd-ca"), pki.certificate("etcd-client"), pki.key("etcd-client"))
    api = Api.create(plane.site.ports.etcd, *files)
    now = api.request("POST", "/v3/kv/range", {"key": "AA=="})
    assert now.status == 200, now.body
    revision = int(now.body["header"]["revision"])
    done = api.request("POST", "/v3/kv/compaction", {"revision": str(revision), "physical": True})
    # Where nothing was written since the last time there is nothing left to forget.
    assert done.status == 200 or "has been compacted" in str(done.body), done.body
    return revision
