"""`setscrew compare`: which objects meet, what is drift, what is only a note."""

from __future__ import annotations

from tests.unit.cli.conftest import DEPLOYMENT, Run, Write, as_json

LIVE = DEPLOYMENT.replace("{name: web}\nspec", "{name: web, namespace: shop}\nspec")
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: {namespace}}}\ndata: {{a: {value}}}\n"
CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: queues.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Queue, plural: queues}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              flavors:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
                items: {type: object, properties: {name: {type: string}, quota: {type: integer}}}
"""
QUEUE = "apiVersion: example.com/v1\nkind: Queue\nmetadata: {name: q, namespace: shop}\nspec: {flavors: [%s]}\n"


def config(name: str, value: str, namespace: str = "shop") -> str:
    return CONFIG.format(name=name, value=value, namespace=namespace)


def test_a_file_is_the_same_as_itself(run: Run, write: Write) -> None:
    path = write("web.yaml", DEPLOYMENT)
    result = run("compare", "--desired", path, "--live", path, "-o", "json")
    assert (result.exit_code, as_json(result)) == (0, {"verdict": "same", "changes": [], "notes": []})


def test_a_namespace_that_git_leaves_out_is_that_of_the_live_object(run: Run, write: Write) -> None:
    result = run("compare", "--desired", write("d.yaml", DEPLOYMENT), "--live", write("l.yaml", LIVE))
    assert (result.exit_code, result.stdout) == (0, "same\n")


def test_drift_has_a_pointer_an_operation_and_both_values(run: Run, write: Write) -> None:
    live = LIVE.replace("replicas: 2", "replicas: 3").replace("web:1", "web:2")
    result = run("compare", "--desired", write("d.yaml", DEPLOYMENT), "--live", write("l.yaml", live), "-o", "json")
    shown = [{key: one[key] for key in ("path", "op", "desired", "live")} for one in as_json(result)["changes"]]
    assert result.exit_code == 1
    assert shown == [
        {"path": "/spec/replicas", "op": "replace", "desired": 2, "live": 3},
        {
            "path": "/spec/template/spec/containers/0/image",
            "op": "replace",
            "desired": "registry.example.com/web:1",
            "live": "registry.example.com/web:2",
        },
    ]


def test_what_is_added_and_removed_has_one_side_only(run: Run, write: Write) -> None:
    desired, live = write("d.yaml", config("c", "x")), write("l.yaml", config("c", "x").replace("{a:", "{b:"))
    changes = as_json(run("compare", "--desired", desired, "--live", live, "-o", "json"))["changes"]
    assert {(one["op"], one["path"], "desired" in one, "live" in one) for one in changes} == {
        ("remove", "/data/a", True, False),
        ("add", "/data/b", False, True),
    }


def test_with_several_objects_each_change_names_its_own(run: Run, write: Write) -> None:
    desired = write("d.yaml", f"{config('one', 'x')}---\n{config('two', 'x')}---\n{config('context', 'x')}")
    live = write("l.yaml", f"{config('two', 'y')}---\n{config('one', 'z')}")
    result = run("compare", "--desired", desired, "--live", live, "-o", "json")
    assert [(one["object"], one["path"]) for one in as_json(result)["changes"]] == [
        ("ConfigMap shop/two", "/data/a"),
        ("ConfigMap shop/one", "/data/a"),
    ]


def test_one_name_in_two_namespaces_is_two_objects(run: Run, write: Write) -> None:
    desired = write("d.yaml", f"{config('c', 'x', 'blue')}---\n{config('c', 'z', 'green')}")
    live = write("l.yaml", f"{config('c', 'z', 'green')}---\n{config('c', 'x', 'blue')}")
    assert run("compare", "--desired", desired, "--live", live).exit_code == 0
    swapped = write("s.yaml", f"{config('c', 'x', 'green')}---\n{config('c', 'z', 'blue')}")
    assert run("compare", "--desired", desired, "--live", swapped).exit_code == 1


def test_a_live_list_is_read_as_its_items(run: Run, write: Write) -> None:
    item = "- {apiVersion: v1, kind: ConfigMap, metadata: {name: %s, namespace: shop}, data: {a: x}}\n"
    items = item % "one" + item % "two"
    live = write("l.yaml", f"apiVersion: v1\nkind: List\nitems:\n{items}")
    desired = write("d.yaml", f"{config('one', 'x')}---\n{config('two', 'x')}")
    assert run("compare", "--desired", desired, "--live", live).exit_code == 0


def test_a_live_object_that_git_does_not_declare_is_a_note(run: Run, write: Write) -> None:
    live = write("l.yaml", f"{config('one', 'x')}---\n{config('stray', 'x')}")
    result = run("compare", "--desired", write("d.yaml", config("one", "x")), "--live", live, "-o", "json")
    assert (result.exit_code, as_json(result)["verdict"]) == (0, "same")
    assert as_json(result)["notes"] == ["ConfigMap shop/stray is not in --desired: it has been compared with nothing"]


def test_files_that_have_nothing_in_common_are_an_error_and_never_the_same(run: Run, write: Write) -> None:
    result = run(
        "compare", "--desired", write("d.yaml", config("one", "x")), "--live", write("l.yaml", config("two", "x"))
    )
    assert (result.exit_code, result.stdout) == (2, "")
    assert "l.yaml: no object of it is in" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_crd_in_the_context_gives_the_keys_of_lists(run: Run, write: Write) -> None:
    desired = write("d.yaml", QUEUE % "{name: a, quota: 1}, {name: b, quota: 2}")
    live = write("l.yaml", QUEUE % "{name: a, quota: 1}, {name: b, quota: 3}")
    result = run("compare", "--desired", desired, "--live", live, "--context", write("crd.yaml", CRD), "-o", "json")
    assert [one["field"] for one in as_json(result)["changes"]] == ["spec.flavors[name=b].quota"]


def test_an_unknown_kind_is_compared_as_it_is_written_and_asks_for_its_definition(run: Run, write: Write) -> None:
    desired, live = write("d.yaml", QUEUE % "{name: a}"), write("l.yaml", QUEUE % "{name: a, quota: 3}")
    same = run("compare", "--desired", desired, "--live", desired)
    assert (same.exit_code, "--context takes its CustomResourceDefinition" in same.stderr) == (0, True)
    # Nobody knows whether it is a default, and in doubt is not in sync.
    assert run("compare", "--desired", desired, "--live", live).exit_code == 1


def test_an_unknown_kind_without_a_live_twin_is_only_context(run: Run, write: Write) -> None:
    desired = write("d.yaml", f"{config('one', 'x')}---\n{QUEUE % ''}")
    assert run("compare", "--desired", desired, "--live", write("l.yaml", config("one", "x"))).exit_code == 0


def test_another_version_is_said_aloud(run: Run, write: Write) -> None:
    desired = "apiVersion: autoscaling/v1\nkind: HorizontalPodAutoscaler\nmetadata: {name: a, namespace: shop}\n"
    desired += "spec: {maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}\n"
    live = desired.replace("autoscaling/v1", "autoscaling/v2")
    result = run("compare", "--desired", write("d.yaml", desired), "--live", write("l.yaml", live), "-o", "json")
    assert result.exit_code == 0
    assert "declared as autoscaling/v1, live as autoscaling/v2" in as_json(result)["notes"][0]


def test_the_answer_is_the_same_each_time(run: Run, write: Write) -> None:
    desired, live = write("d.yaml", DEPLOYMENT), write("l.yaml", LIVE.replace("2", "5").replace("web:1", "web:9"))
    answers = {run("compare", "--desired", desired, "--live", live, "-o", "json").stdout for _ in range(5)}
    assert len(answers) == 1


def test_an_empty_live_file_is_an_error(run: Run, write: Write) -> None:
    result = run("compare", "--desired", write("d.yaml", DEPLOYMENT), "--live", write("l.yaml", "# nothing\n"))
    assert result.exit_code > 1
    assert "l.yaml" in result.stderr


QUEUE_OF = "apiVersion: example.com/v1\nkind: Queue\nmetadata: {name: q, namespace: shop}\nspec: %s\n"


def test_without_a_schema_what_git_does_not_declare_is_drift(run: Run, write: Write) -> None:
    desired, live = write("d.yaml", QUEUE_OF % "{size: 1}"), write("l.yaml", QUEUE_OF % "{size: 1, more: 2}")
    found = run("compare", "--desired", desired, "--live", live, "-o", "json")
    assert [(one["path"], one["class"]) for one in as_json(found)["changes"]] == [("/spec/more", "extra")]
    assert as_json(found)["notes"] == ["no schema of Queue at hand: --context takes its CustomResourceDefinition"]


def test_without_a_schema_an_empty_value_is_no_drift(run: Run, write: Write) -> None:
    desired = write("d.yaml", QUEUE_OF % "{size: 1}")
    live = write("l.yaml", QUEUE_OF % '{size: 1, a: {}, b: [], c: "", d: 0, e: false, f: null}')
    result = run("compare", "--desired", desired, "--live", live)
    assert (result.exit_code, result.stdout) == (0, "same\n")


def test_with_a_schema_at_hand_the_field_is_dropped_or_an_addition_and_no_doubt(run: Run, write: Write) -> None:
    crd, live = write("crd.yaml", CRD), write("l.yaml", QUEUE_OF % "{flavors: [{name: a, quota: 2}]}")
    desired = write("d.yaml", QUEUE_OF % "{flavors: [{name: a}], typo: 1}")
    found = as_json(run("compare", "--desired", desired, "--live", live, "--context", crd, "-o", "json"))
    assert [(one["path"], one["class"]) for one in found["changes"]] == [("/spec/flavors/0/quota", "extra")]
    assert found["notes"] == ["spec.typo: no such field, the API server drops it (rule unknown-field-dropped)"]


def test_an_empty_value_that_no_server_stores_is_the_same_as_itself(run: Run, write: Write) -> None:
    path = write("web.yaml", DEPLOYMENT.replace("replicas: 2", "replicas: 2\n  paused: false\n  minReadySeconds: 0"))
    assert run("compare", "--desired", path, "--live", path).stdout == "same\n"
