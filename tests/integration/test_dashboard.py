"""The pages in a real browser, over a real `setscrew run` with real drift: usable by everybody, without a mouse too."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from setscrew.api_files import read_address, read_token
from setscrew.demo.stage import Stage
from tests.support import browser, small_shop
from tests.support.command import setscrew_on
from tests.support.tools import tool

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

EVIL = "\"'><script>document.title='run'</script><img src=x onerror=\"document.title='run'\">"
PAGES = ("/", "/sources", "/denials?allowed=all", "/grants", "/coverage", "/rules")
MORE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more, namespace: shop}\ndata: {a: b}\n"
DRIFTED = {"a100", "settings", "db", "web"}


def as_dana(stage: Stage, *arguments: str) -> None:
    stage.plane.kubectl(*arguments, kubeconfig=stage.person)


def grant(stage: Stage, *scope: str) -> None:
    why = ("--for", "1h", "--reason", f"a test of {EVIL}", "--approver", "lena")
    done = setscrew_on(stage, "grant", "create", "--user", "dana", *scope, *why)
    assert done.returncode == 0, done.stderr


def patch(*target: str, **body: Any) -> tuple[str, ...]:
    return ("patch", *target, "--type=merge", "-p", json.dumps(body))


@pytest.fixture(scope="module")
def drifted(stage: Stage) -> Stage:
    """Dana changes a class, a Secret and a ConfigMap and deletes a Service under a grant; somebody is refused."""
    as_dana(stage, "create", "configmap", "by-hand", "-n", "shop", "--from-literal=a=b")
    (stage.repository.work / "shop" / "more.yaml").write_text(MORE)
    commit, _ = small_shop.edit(stage, "cache/values.yaml", "size: 65\n", f"Size {EVIL}")
    stage.wait("the pushed revision", lambda: stage.enforced(commit))
    small_shop.sync(stage)
    grant(stage, "--namespace", "shop")
    grant(stage, "--ref", "DeviceClass.resource.k8s.io a100")
    in_shop = ("-n", "shop")
    as_dana(stage, *patch("cm/settings", *in_shop, data={"mode": EVIL, "extra": "line\nline"}))
    as_dana(stage, *patch("secret/db", *in_shop, stringData={"password": small_shop.OTHER_SECRET}))
    as_dana(stage, "delete", "service/web", *in_shop)
    selectors = [{"cel": {"expression": "true"}}]
    as_dana(stage, *patch("deviceclass/a100", spec={"selectors": selectors}))
    refused = patch("deploy/web", *in_shop, spec={"replicas": 9})
    done = stage.plane.kubectl(*refused, f"--as={EVIL}", "--as-group=system:masters", check=False)
    assert "Git wants 2" in done.stderr
    stage.wait("all findings", lambda: names(stage) >= DRIFTED)
    stage.wait("the record", lambda: len(small_shop.ask(stage, "/api/v1/decisions")["items"]) >= 5)
    return stage


def names(stage: Stage) -> set[str]:
    return {item["name"] for item in (stage.drift() or {"items": []})["items"]}


def paths(stage: Stage) -> list[str]:
    return [*PAGES, *(f"/objects/{item['id']}" for item in (stage.drift() or {})["items"])]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = browser.launch(playwright)
        yield found
        found.close()


def visitor(chromium: Browser, stage: Stage, **how: Any) -> BrowserContext:
    """Somebody who has signed in; anything that the pages do against their own rules ends the test."""
    address = read_address(stage.state_dir)
    token = read_token(address.token_file)
    return chromium.new_context(base_url=address.url, http_credentials=browser.signed_in(token.decode()), **how)


def opened(context: BrowserContext, path: str = "/") -> tuple[Page, list[str]]:
    """A page and what the browser complained about."""
    page, complaints = context.new_page(), list[str]()
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    answer = page.goto(path)
    assert answer is not None
    assert answer.status == 200
    return page, complaints


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_can_be_used_by_everybody_and_shows_no_secret(
    chromium: Browser, drifted: Stage, scheme: Any
) -> None:
    axe = Axe()
    with visitor(chromium, drifted, color_scheme=scheme, viewport={"width": 1280, "height": 800}) as context:
        for path in paths(drifted):
            page, complaints = opened(context, path)
            found = axe.run(page)
            assert found.violations_count == 0, f"{path}: {found.generate_report()}"
            assert page.title() != "run"
            assert complaints == []
            text = page.content()
            assert [secret for secret in small_shop.SECRETS if secret in text] == []
            page.set_viewport_size({"width": 400, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= 400, path
            page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_state_and_severity_can_be_read_by_everybody(chromium: Browser, tmp_path: Path, scheme: Any) -> None:
    pictures = tool("screenshots")
    signed_in = browser.signed_in(pictures.TOKEN)
    with (
        pictures.served(tmp_path) as url,
        chromium.new_context(base_url=url, http_credentials=signed_in, color_scheme=scheme) as context,
    ):
        page, complaints = opened(context)
        for word in ("drifted", "missing", "orphaned", "unknown", "critical", "low"):
            assert page.locator("table").first.get_by_text(word).count()
        more = (f"{pictures.OBJECT}?view=whole", pictures.OVER, pictures.UNKNOWN)
        for path in ("/", pictures.OBJECT, *more, "/sources", "/denials?allowed=all", "/grants", "/coverage"):
            page.goto(path)
            page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
            found = Axe().run(page)
            assert found.violations_count == 0, f"{path}: {found.generate_report()}"
        assert complaints == []


def test_a_newcomer_finds_who_changed_the_class_and_the_command_there_undoes_it(
    chromium: Browser, drifted: Stage
) -> None:
    with visitor(chromium, drifted) as context:
        page, _ = opened(context)
        page.get_by_role("link", name="a100").click()
        who = page.get_by_role("region", name="Who changed it")
        assert "dana" in who.inner_text()
        assert "our own record of the write" in who.inner_text()
        assert 'device.driver == "gpu.nvidia.com"' in page.get_by_role("region", name="Desired: Git says").inner_text()
        command = page.get_by_role("region", name="Command: Undo it").inner_text()
        assert "kubectl patch deviceclass.resource.k8s.io/a100" in command
        shell = {
            **os.environ,
            "KUBECONFIG": str(drifted.gitops),
            "PATH": f"{drifted.directory / 'bin'}:{os.environ['PATH']}",
        }
        subprocess.run(["bash", "-c", command], check=True, env=shell, capture_output=True, timeout=60)
        drifted.wait("the end of the finding", lambda: "a100" not in names(drifted))
        answer = page.reload()
        assert answer is not None
        assert answer.status == 200
        assert "As Git says again" in page.get_by_role("region", name="Timeline").inner_text()
        assert "dana" in page.get_by_role("region", name="Who had changed it").inner_text()
        assert page.get_by_role("region", name="Nothing is to be undone").count() == 1
        assert page.get_by_role("region", name="Command: Undo it").count() == 0
        page.get_by_role("link", name="Denials").click()
        assert EVIL in page.get_by_role("table").inner_text()


def test_the_keyboard_reaches_all_of_it(chromium: Browser, drifted: Stage) -> None:
    with visitor(chromium, drifted) as context:
        page, _ = opened(context)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "content"
        page.keyboard.press("/")
        page.keyboard.type("settings")
        page.keyboard.press("Enter")
        page.wait_for_url("**/?search=settings")
        assert page.locator("a.object").all_inner_texts() == ["shop/settings"]
        page.locator("button[type=submit]").focus()
        while page.evaluate("document.activeElement.className") != "object":
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_url("**/objects/*")
        assert page.title() == "ConfigMap shop/settings · Setscrew"


def test_without_script_nothing_is_missing_but_comfort(chromium: Browser, drifted: Stage) -> None:
    with visitor(chromium, drifted, java_script_enabled=False) as context:
        page, _ = opened(context)
        page.get_by_label("Search by kind").fill("db")
        page.get_by_role("button", name="Filter").click()
        page.wait_for_url("**/?search=db")
        page.get_by_role("link", name="shop/db").click()
        assert "dana" in page.get_by_role("region", name="Who changed it").inner_text()
        assert "git show" in page.get_by_role("region", name="Command: Undo it").inner_text()
        assert page.get_by_role("button").count() == 0
        for path in paths(drifted):
            opened(context, path)[0].close()


def test_the_registration_and_its_failure_policies_stand_under_coverage(chromium: Browser, drifted: Stage) -> None:
    with visitor(chromium, drifted) as context:
        page, _ = opened(context, "/coverage")
        entries = page.get_by_role("region", name="Entries of the webhook").inner_text()
        assert "failurePolicy: Ignore" in entries
        assert "failurePolicy: Fail" in entries


def test_what_somebody_made_by_hand_is_counted_under_coverage(chromium: Browser, drifted: Stage) -> None:
    with visitor(chromium, drifted) as context:
        page, _ = opened(context, "/coverage")

        def counted() -> bool:
            page.reload()
            rows = page.get_by_role("region", name="Unmanaged, by namespace").get_by_role("row")
            return any("shop" in text and "1 ConfigMap" in text for text in rows.all_inner_texts())

        drifted.wait("a count after Git has declared another object", counted)
        page.goto("/")
        assert page.get_by_role("link", name="unmanaged").count() == 1


def test_nobody_sees_a_page_without_the_token(chromium: Browser, drifted: Stage) -> None:
    with chromium.new_context(base_url=read_address(drifted.state_dir).url) as context:
        for path in (*PAGES, "/objects/x"):
            assert context.request.get(path).status == 401
