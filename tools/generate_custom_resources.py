"""Writes docs/reference/custom-resources.md from the definitions themselves: `python tools/generate_custom_resources.py`.

tests/unit/docs/test_custom_resources.py fails while the page and the definitions differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

TOP: Final = Path(__file__).resolve().parents[1]
PAGE: Final = TOP / "docs" / "reference" / "custom-resources.md"
FILES: Final = ("gitsources", "driftpolicies", "driftgrants")
_HEAD: Final = """\
# Objects in a cluster

Written by `tools/generate_custom_resources.py` from the definitions in `manifests/crds/`, which are made from the code that
reads them; do not edit.

GitSource, DriftPolicy and DriftGrant are cluster-scoped objects of `setscrew.dev/v1alpha1`, and the same documents that a
directory holds ([configuration](configuration.md), [policies](policy.md)). Receivers, readers and rules stand in the mounted
directory (`--config`) alone; a source or policy of one name in both counts as the directory has it. The leader follows the
objects: what is applied counts within a second or two, without a restart. Objects are bounded: a text has at most 1024
characters, a list at most 100 entries unless said otherwise.

**Who may change one**: Git, where a source declares it; the group `setscrew:installers`; whom a DriftPolicy *of these kinds*
names (`writers` with `verify: None`, or `delegate`); somebody with a [grant](../how-to/break-glass.md) that names it. For
DriftGrant also the group `setscrew:grantors`: for others than themselves, and for nothing that steers the guard. Nobody but
Setscrew writes a status. Everybody else is refused with [`own-lever`](decision-codes.md).

**Secrets** that a source names are read from the namespace `setscrew-system`, by name; those of Setscrew itself are refused.

## Conditions

`status.conditions` say what has become of an object. Reasons are stable.

| kind | type | status | reason | meaning |
| --- | --- | --- | --- | --- |
| GitSource | `Ready` | True | `Enforced` | its newest revision is enforced |
| | | True | `Watched` | it is read, and nothing of it is refused: it is new, or waits for `setscrew enforce` |
| | | Unknown | `Pending`, `Publishing` | not looked at yet; read and not enforced yet |
| | | False | `FetchFailed`, `RefNotFound`, `VerifyFailed`, `RenderFailed`, `Held`, `Suspended`, `Stale` | [the state of the source](configuration.md#states-of-a-source); what was enforced stays so |
| | `Verified` | True, False, Unknown | `Signed`, `VerifyFailed`, `Pending` | only with `verify`: whether its newest revision is signed as it must be |
| | `Stale` | True, False | `Stale`, `Followed` | whether it could not be followed for long |
| DriftPolicy | `Ready` | True | `Accepted` | it counts |
| DriftGrant | `Ready` | True | `InForce` | it permits now |
| | | False | `Waiting`, `Ended`, `Revoked` | it does not begin yet; it is over |
| | | False | `TooMany` | as many as may be are in force |
| all | `Ready` | False | `Invalid` | it cannot be used: the message says where and why. What it said before holds, of a grant nothing |
| GitSource, DriftPolicy | `Ready` | False | `DefinedTwice` | the mounted directory, or what is shipped, has one of this name, and that counts |

Messages hold no Secrets: what a renderer quotes of a file that it cannot read is in `setscrew source list` alone. Changes are
[Events](../how-to/monitor.md) of the object: `ConfigurationRefused`, `ConfigurationAccepted`, `GrantInForce`, `GrantEnded`,
`GrantRevoked`, beside those of sources.
"""


def page() -> str:
    """The whole page."""
    found = [yaml.safe_load((TOP / "manifests" / "crds" / f"{name}.yaml").read_text("utf-8")) for name in FILES]
    return "\n".join([_HEAD, *(_section(one["spec"]) for one in found)])


def _section(spec: dict[str, Any]) -> str:
    names, (version,) = spec["names"], spec["versions"]
    whole = version["schema"]["openAPIV3Schema"]
    columns = version["additionalPrinterColumns"]
    shown = [one["name"] for one in columns if not one.get("priority")]
    wide = [one["name"] for one in columns if one.get("priority")]
    lines = [
        f"## {names['kind']}\n",
        f"{whole['description']}\n",
        f"`kubectl get {names['plural']}`, short `{names['shortNames'][0]}`: {', '.join(shown)}; with `-o wide` also {', '.join(wide)}.\n",
        "| field | form | meaning |",
        "| --- | --- | --- |",
        *_rows(whole["properties"]["spec"], "spec"),
        "\n| status | form | meaning |",
        "| --- | --- | --- |",
        *_rows(whole["properties"]["status"], "status"),
        "\nRules of the whole:\n",
        *(f"- {message}" for message in _messages(whole)),
        "",
    ]
    return "\n".join(lines)


def _rows(schema: dict[str, Any], place: str) -> Iterator[str]:
    required = schema.get("required", ())
    for name, one in schema.get("properties", {}).items():
        says = one.get("description", "").rstrip(".")
        form = _form(one) + (", required" if name in required else "")
        yield f"| `{place}.{name}` | {form} | {_escaped(says)} |"
        if "status.conditions" not in f"{place}.{name}":
            inner = one.get("items", one)
            yield from _rows(inner, f"{place}.{name}{'[]' if 'items' in one else ''}")


def _form(one: dict[str, Any]) -> str:
    if "enum" in one:
        return " \\| ".join(f"`{str(value).lower() if isinstance(value, bool) else value}`" for value in one["enum"])
    if one.get("x-kubernetes-int-or-string"):
        return "number or text"
    if "items" in one:
        inner, most = one["items"], one.get("maxItems")
        words = _form(inner) if inner.get("type") != "object" else "mappings"
        return f"list of {words}" + (f", at most {most}" if most != 100 else "")
    if "additionalProperties" in one:
        return f"mapping to {_form(one['additionalProperties'])}"
    known = {"string": "text", "object": "mapping", "boolean": "true or false", "integer": "number"}
    if one.get("format") == "date-time":
        return "time"
    return known.get(one.get("type", ""), "anything")


def _messages(schema: dict[str, Any]) -> list[str]:
    """What rules say that no single field tells, each once."""
    found = [one["message"] for one in schema.get("x-kubernetes-validations", ())]
    for one in schema.get("properties", {}).values():
        found += _messages(one.get("items", one)) if one.get("type") in {"object", "array"} else []
        found += [rule["message"] for rule in one.get("x-kubernetes-validations", ())]
    return list(dict.fromkeys(found))


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
