"""Owns Argo CD's build environment: `$ARGOCD_APP_NAME` and the like in fields of an Application. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from reconciler.errors import UsageError

# As Go's os.Expand reads names: a word, one digit or one of the shell's own signs; "$$" is a dollar.
_VARIABLE: Final = re.compile(r"\$(?:\{([^}]*)\}|([A-Za-z_][A-Za-z0-9_]*|[*#$@!?0-9-]))")
_LATE: Final = re.compile(r"ARGOCD_APP_REVISION\w*|KUBE_VERSION|KUBE_API_VERSIONS")


@dataclass(frozen=True, slots=True)
class Environment:
    """The variables that are known from the Application alone."""

    variables: Mapping[str, str]

    def expand(self, text: str, where: str) -> str:
        """`text` with variables in place; one that nobody knows is empty, as it is for Argo CD.

        Raises UsageError for the revision and the cluster's version, which no Application tells.
        """

        def value(match: re.Match[str]) -> str:
            name = match[1] if match[1] is not None else match[2]
            if _LATE.fullmatch(name):
                raise UsageError(f"${name} is not known before the source is read", where=where)
            return "$" if name == "$" else self.variables.get(name, "")

        return _VARIABLE.sub(value, text)


def environment(*, name: str, namespace: str, project: str, url: str, path: str, revision: str) -> Environment:
    """The environment of one source. `name` is the Application's, `namespace` that of its destination."""
    return Environment(
        {
            "ARGOCD_APP_NAME": name,
            "ARGOCD_APP_NAMESPACE": namespace,
            "ARGOCD_APP_PROJECT_NAME": project,
            "ARGOCD_APP_SOURCE_REPO_URL": url,
            "ARGOCD_APP_SOURCE_PATH": path,
            "ARGOCD_APP_SOURCE_TARGET_REVISION": revision,
        }
    )
