"""Owns `userInfo` as the API server sends it, by short names. Must not know what any of them may do."""

from __future__ import annotations

from typing import Any, Final

CREDENTIAL: Final = "authentication.kubernetes.io/credential-id"
_SERVICE_ACCOUNTS: Final = {
    "hpa": "kube-system/horizontal-pod-autoscaler",
    "namespace-controller": "kube-system/namespace-controller",
    "garbage-collector": "kube-system/generic-garbage-collector",
    "flux": "flux-system/kustomize-controller",
    "flux-helm": "flux-system/helm-controller",
    "argo": "argocd/argocd-application-controller",
    "tenant": "flux-system/deployer",
    "pv-binder": "kube-system/persistent-volume-binder",
    "pvc-protection": "kube-system/pvc-protection-controller",
    "job": "shop/ci-job",
    "canonicalizer": "setscrew-system/setscrew-canonicalizer",
    "installer": "setscrew-system/setscrew-installer",
    "reconciler": "setscrew-system/setscrew-reconciler",
}


def identity(name: str) -> dict[str, Any]:
    """`userInfo` of a person, a service account (short name or `namespace/name`) or a name of the control plane.

    Service accounts come with their token, `system:` names with their certificate; with "impersonated " before the name
    somebody else has taken it on: no uid, no extra. `ivy@deployers` is ivy, who is in the group `deployers` as well.
    """
    if "@" in name:
        user = identity(name.partition("@")[0])
        return {**user, "groups": [name.partition("@")[2], *user["groups"]]}
    plain = name.removeprefix("impersonated ")
    account = _SERVICE_ACCOUNTS.get(plain, plain)
    if "/" in account:
        user = _service_account(*account.split("/"))
    elif account == "system:apiserver":
        user = {"username": account, "groups": ["system:authenticated", "system:masters"], "uid": "5c1e"}
    elif account.startswith("system:"):
        groups = ["system:nodes"] if account.startswith("system:node:") else []
        extra = {CREDENTIAL: ["X509SHA256=5feceb66"]}
        user = {"username": account, "groups": [*groups, "system:authenticated"], "extra": extra}
    else:
        groups = ["system:masters"] if account == "root" else []
        user = {"username": account, "groups": [*groups, "system:authenticated"]}
    return user if plain == name else {key: user[key] for key in ("username", "groups")}


def _service_account(namespace: str, name: str) -> dict[str, Any]:
    return {
        "username": f"system:serviceaccount:{namespace}:{name}",
        "groups": ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"],
        "uid": "9",
        "extra": {CREDENTIAL: ["JTI=1"]},
    }
