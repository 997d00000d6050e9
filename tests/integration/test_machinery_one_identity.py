"""The same controllers where all of them act as `system:kube-controller-manager`, for want of accounts of their own.

Their requests name no controller, so what each may do must be known by operation, kind and path alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import audit
from tests.support.machinery import IN, Machinery, running
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

SHOP, LEAVING, JOB = "shop.yaml", "leaving.yaml", "job.yaml"
MANAGER = "system:kube-controller-manager"


@pytest.fixture(scope="module")
def machinery(alone: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machinery]:
    with running(tmp_path_factory.mktemp("machinery"), (SHOP,), one_controller_identity=True) as one:
        yield one


@pytest.mark.parametrize(("name", "lowest"), [("worker", "2"), ("store", "4")])
def test_an_autoscaler_of_git_scales(machinery: Machinery, name: str, lowest: str) -> None:
    eventually(lambda: machinery.replicas(name) == lowest, f"{lowest} replicas of {name}")
    eventually(lambda: len(machinery.images(name)) == int(lowest), "as many Pods")


def test_a_new_image_in_git_rolls_out_to_the_end(machinery: Machinery) -> None:
    machinery.change(SHOP, {"registry.example.com/web:1": "registry.example.com/web:2"})
    eventually(lambda: machinery.rolled_out("deployment", "web", "registry.example.com/web:2"), "web 2")


def test_a_claim_a_role_and_a_token_are_filled_in(machinery: Machinery) -> None:
    eventually(lambda: machinery.value(".status.phase", "pvc", "files", *IN) == "Bound", "a bound claim")
    eventually(lambda: machinery.value(".rules[0].verbs", "clusterrole", "shop-viewer"), "gathered rules")
    eventually(lambda: machinery.value(".data.token", "secret", "app-token", *IN), "a token")


def test_a_job_of_git_is_removed_by_its_time_to_live(machinery: Machinery) -> None:
    machinery.declare(JOB)
    eventually(lambda: machinery.gone("job", "import", *IN), "the Job is removed")
    machinery.push({JOB: None}, "No Job")


def test_what_git_declares_with_its_owner_goes_with_it(machinery: Machinery) -> None:
    machinery.declare("owned.yaml", machinery.owned("boss"))
    assert machinery.as_person("delete", "configmap", "boss", *IN).returncode == 0
    eventually(lambda: machinery.gone("configmap", "owned-by-boss", *IN), "the owned one is collected")
    machinery.push({"owned.yaml": None}, "Owned no more")


def test_line_13_a_namespace_terminates_whose_objects_git_still_declares(machinery: Machinery) -> None:
    """The writer may be ahead of us, so the namespace controller empties what is still guarded."""
    machinery.declare(LEAVING)
    eventually(lambda: len(machinery.images("web", "-n", "leaving")) == 2, "its Pods")
    done = machinery.as_writer("delete", "namespace", "leaving", "--timeout=60s")
    assert done.returncode == 0, done.stderr
    assert machinery.gone("namespace", "leaving")


def test_nothing_of_the_cluster_itself_was_refused(machinery: Machinery) -> None:
    assert machinery.refused() == []
    assert audit.controllers_name_us(machinery.stage.plane) == []
    assert machinery.kubelet.faults == []
    users = {event["user"]["username"] for event in audit.writes(machinery.stage.plane)}
    assert MANAGER in users
    assert not {user for user in users if user.startswith("system:serviceaccount:kube-system:")}
