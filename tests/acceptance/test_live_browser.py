"""The live page in a real browser: Debian's Chromium, without a window.

What the reader would see is kept as pictures in build/screenshots. How it is served:
tests/integration/test_live_page.py.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from folder_proxy import FOLDER, folder_proxy
from limits import HANG_S
from playwright.async_api import Locator, Page, Route, async_playwright, expect
from processes import Server, python_path

from netra_ws.events import EVENT_TYPES

ROOT = Path(__file__).parents[2]
SUPPORT = ROOT / "tests" / "support"
PICTURES = ROOT / "build" / "screenshots"
CHROMIUM = shutil.which("chromium")
LIMIT_MS = 1000 * HANG_S
WIDE, NARROW = (1280, 800), (420, 800)
ELSEWHERE = "netra.example"
"""A name that is not localhost: there, without TLS, a browser has no `crypto.subtle`."""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium")


class Browser:
    """A page of the browser, and what went wrong in it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        self.asked: set[str] = set()
        page.set_default_timeout(LIMIT_MS)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._note)
        page.on("request", lambda request: self.asked.add(request.url))

    def _note(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.errors.append(message.text)

    def panel(self, number: int) -> Locator:
        return self.page.locator(".panel").nth(number)

    async def log_in(self, number: int, user: Any) -> Locator:
        panel = self.panel(number)
        await panel.get_by_label("Email").fill(user.email)
        await panel.get_by_label("Password").fill(user.password)
        await panel.get_by_role("button", name="Log in").click()
        return panel

    async def keep(self, name: str, whole: bool = False) -> None:
        """Keep a picture of what there is, or of the whole page."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        await self.page.screenshot(path=PICTURES / f"{name}.png", full_page=whole)

    async def check_access(self) -> None:
        """Light and dark, wide and narrow: nothing for axe to say, nothing beyond the margin."""
        page = self.page
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            for width, height in (WIDE, NARROW):
                await page.set_viewport_size({"width": width, "height": height})
                results = await Axe().run(page)
                assert results.violations_count == 0, results.generate_report()
                assert await page.evaluate("document.documentElement.scrollWidth") <= width
        await page.emulate_media(color_scheme="light")
        await page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})


@asynccontextmanager
async def looking_at(url: str, *options: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        page = await chromium.new_page(viewport={"width": WIDE[0], "height": WIDE[1]})
        browser = Browser(page)
        await page.goto(url)
        yield browser
        await chromium.close()


async def connected(panel: Locator) -> None:
    await expect(panel.locator(".state")).to_have_text("● connected", timeout=LIMIT_MS)


async def proofs(panel: Locator, *texts: str) -> None:
    """Wait for the proofs of the runs, the newest first; each text is how one begins."""
    shown = panel.locator(".proof")
    await expect(shown).to_have_count(len(texts), timeout=LIMIT_MS)
    for place, text in enumerate(texts):
        await expect(shown.nth(place)).to_contain_text(text, timeout=LIMIT_MS)


async def say(panel: Locator, *steps: list[Any]) -> None:
    """Start a run of the scripted agent."""
    await panel.get_by_label("Message").fill(json.dumps(steps))
    await panel.get_by_role("button", name="Send").click()


async def column(panel: Locator, place: int) -> list[str]:
    """Return one column of the newest run, what happened to its connection left out."""
    rows = panel.locator(".runs > li").first.locator(".events li:not(.mark)")
    return await rows.locator(f":scope > :nth-child({place})").all_inner_texts()


async def seqs(panel: Locator) -> list[int]:
    return [int(text) for text in await column(panel, 2)]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("served")
    with Server("--demo-users", "8", cwd=folder, log=folder / "server.log") as server:
        yield server


ALL_OF_IT = "✓ 5 of 5 events, SHA-256 "


async def test_two_users_log_in_and_chat_side_by_side(served: Server) -> None:
    async with looking_at(served.backend) as browser:
        await browser.keep("live-log-in")
        await browser.check_access()
        await browser.page.get_by_label("The line that").fill(served.line)
        await browser.page.get_by_role("button", name="Log in both").click()
        both = [browser.panel(number) for number in (0, 1)]
        for panel in both:
            await connected(panel)
        questions = ("What did she ask?", "import asyncio\n")
        for panel, question in zip(both, questions, strict=True):
            await panel.get_by_label("Message").fill(question)
            await panel.get_by_role("button", name="Send").click()
        for panel, user_id, question in zip(both, ("user1", "user2"), questions, strict=True):
            await proofs(panel, ALL_OF_IT)
            assert await column(panel, 3) == list(EVENT_TYPES)
            assert await seqs(panel) == [1, 2, 3, 4, 5]
            await expect(panel.locator(".position")).to_contain_text(", seq 5")
            count = f"5 for {user_id}, 0 for anybody else"
            await expect(panel.locator(".count")).to_have_text(count)
            words = await panel.inner_text()
            assert question.strip() in words
        assert "import asyncio" not in await both[0].locator(".runs").inner_text()
        epochs = {await panel.locator(".position").inner_text() for panel in both}
        assert len(epochs) == 2  # a log each
        await browser.keep("live-chat")
        await browser.check_access()
        await browser.page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
        await browser.page.emulate_media(color_scheme="dark")
        await browser.keep("live-narrow-dark", whole=True)
        assert browser.errors == []
        own = (served.backend, served.auth, f"blob:{served.backend}")
        assert [url for url in browser.asked if not url.startswith(own)] == []


async def test_a_login_leaves_the_focus_where_somebody_types(served: Server) -> None:
    """What is typed for one user, a password perhaps, must not end up in the other's chat."""
    async with looking_at(served.backend) as browser:
        answered = asyncio.Event()

        async def hold(route: Route) -> None:
            await answered.wait()
            await route.continue_()

        await browser.page.route("**/auth/login", hold)
        other = await browser.log_in(1, served.users[7])
        password = browser.panel(0).get_by_label("Password")
        await password.focus()
        answered.set()
        await connected(other)
        await expect(password).to_be_focused()
        panel = await browser.log_in(0, served.users[6])
        await connected(panel)
        await expect(panel.get_by_label("Message")).to_be_focused()
        assert browser.errors == []


async def test_a_run_that_is_cut_at_its_first_event_is_resumed(served: Server) -> None:
    """All that comes after the cut is fetched again, though the run has ended meanwhile."""
    async with looking_at(served.backend) as browser:
        other = await browser.log_in(1, served.users[3])
        panel = await browser.log_in(0, served.users[2])
        await connected(panel)
        await connected(other)
        send = panel.get_by_role("button", name="Send")
        await send.click()
        await proofs(panel, ALL_OF_IT)
        await panel.get_by_role("checkbox").check()
        await send.click()
        await other.get_by_role("button", name="Send").click()
        await proofs(other, ALL_OF_IT)
        await expect(panel.locator(".resume")).to_have_text("● recovered, 0 lost", timeout=LIMIT_MS)
        await proofs(panel, ALL_OF_IT, ALL_OF_IT)
        assert await column(panel, 3) == list(EVENT_TYPES)
        assert await seqs(panel) == [6, 7, 8, 9, 10]
        marks = panel.locator(".events .mark")
        await expect(marks).to_have_count(2)
        await expect(marks.nth(1)).to_contain_text("resumed after seq 6: 0 lost")
        await expect(panel.locator(".history")).to_contain_text(
            "handshake: 101, asked to resume after seq 6"
        )
        await expect(other.locator(".resume")).to_have_text("–")  # only the one was cut
        await browser.keep("live-resume", whole=True)
        assert browser.errors == []


async def test_the_button_cuts_in_the_middle_of_a_run(tmp_path: Path) -> None:
    """The run goes on while nobody is connected, and the rest of it comes afterwards."""
    gate = tmp_path / "gate"
    agent = ("--agent", "scripted_agent:scripted")
    with Server(
        *agent, cwd=tmp_path, log=tmp_path / "server.log", env=python_path(SUPPORT)
    ) as server:
        async with looking_at(server.backend) as browser:
            panel = await browser.log_in(0, server.users[0])
            await connected(panel)
            await say(panel, ["think", 1, 0], ["wait", str(gate)], ["think", 3, 0])
            await expect(panel.locator(".position")).to_contain_text(", seq 2", timeout=LIMIT_MS)
            await panel.get_by_role("button", name="Cut the connection").click()
            await expect(panel.locator(".state")).to_contain_text("↻ no connection")
            await browser.keep("live-cut")
            gate.touch()
            await proofs(panel, "✓ 6 of 6 events, SHA-256 ")
            assert await seqs(panel) == [1, 2, 3, 4, 5, 6]
            assert (await panel.locator(".resume").inner_text()) == "● recovered, 0 lost"
            assert browser.errors == []


async def test_on_buggy_it_shows_what_users_saw(tmp_path: Path) -> None:
    with Server("--revision", "buggy", cwd=tmp_path, log=tmp_path / "server.log") as server:
        async with looking_at(server.backend.replace("127.0.0.1", "localhost")) as browser:
            await browser.page.get_by_label("The line that").fill(server.line)
            await browser.page.get_by_role("button", name="Log in both").click()
            for number in (0, 1):
                outage = browser.panel(number).locator(".outage")
                await expect(outage).to_be_visible(timeout=LIMIT_MS)
                assert await outage.locator("li").all_inner_texts() == [
                    "handshake: 101, so it counts as a success",
                    "then close code 1011, and an empty reason",
                    "0 of the 5 events of a run",
                ]
                send = browser.panel(number).get_by_role("button", name="Send")
                await expect(send).to_be_disabled()
            health = browser.page.locator("#health")
            await expect(health).to_have_text("✕ 500 Internal Server Error")
            await browser.check_access()
            await browser.keep("live-buggy")
            assert [error for error in browser.errors if "500" not in error] == []


async def test_a_backend_that_lost_its_log_says_so(tmp_path: Path) -> None:
    """Each service by itself: the page asks where to log in. Then the backend is killed."""
    port = free_port()
    origins = [f"http://{host}:{port}" for host in ("127.0.0.1", ELSEWHERE)]
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"allowed_origins": origins}))
    environment = {"NETRA_WS_SECRET": "s" * 48, **python_path(SUPPORT)}
    alone: dict[str, Any] = {"cwd": tmp_path, "env": environment}
    auth = ("--service", "auth", "--settings", settings)
    agent = ("--agent", "scripted_agent:scripted")
    backend = ("--service", "backend", "--settings", settings, "--port", str(port), *agent)
    with (
        Server(*auth, log=tmp_path / "auth.log", **alone) as login,
        Server(*backend, log=tmp_path / "first.log", **alone) as first,
    ):
        resolve = f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1"
        async with looking_at(first.backend) as browser:
            panel = await browser.log_in(0, login.users[0])
            await expect(panel.get_by_role("alert")).to_contain_text("Expected the address")
            await browser.page.get_by_label("Address of the login service").fill(login.auth)
            panel = await browser.log_in(0, login.users[0])
            await connected(panel)
            await say(panel, ["think", 3, 0])
            await proofs(panel, "✓ 5 of 5 events")
            await say(panel, ["think", 1, 0], ["wait", str(tmp_path / "never")])
            await expect(panel.locator(".position")).to_contain_text(", seq 7", timeout=LIMIT_MS)
            first.kill()
            await expect(panel.locator(".state")).to_contain_text("↻ no connection")
            with Server(*backend, log=tmp_path / "second.log", **alone):
                await connected(panel)
                lost = "✕ not recovered, an unknown number lost"
                await expect(panel.locator(".resume")).to_have_text(lost)
                await proofs(panel, "✕ the log of this run is gone", "✓ 5 of 5 events")
                await browser.check_access()
                await browser.keep("live-lost")
                await check_without_subtle(f"http://{ELSEWHERE}:{port}", login, resolve)


async def check_without_subtle(url: str, login: Server, resolve: str) -> None:
    async with looking_at(url, resolve) as browser:
        await browser.page.get_by_label("Address of the login service").fill(login.auth)
        panel = await browser.log_in(0, login.users[1])
        await connected(panel)
        await say(panel, ["think", 3, 0])
        await proofs(panel, "○ 5 of 5 events; SHA-256 not checked: browsers have crypto.subtle on")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


async def test_a_wrong_password_is_told_in_the_words_of_the_service(served: Server) -> None:
    async with looking_at(served.backend) as browser:
        wrong = json.loads(served.line)["demo_users"][5] | {"password": "wrong"}
        line = browser.page.get_by_label("The line that")
        await line.fill(json.dumps({"demo_users": [wrong]}))
        await browser.page.get_by_role("button", name="Log in both").click()
        said = browser.panel(0).get_by_role("alert")
        await expect(said).to_have_text("401: wrong email or password", timeout=LIMIT_MS)
        await line.fill("not the line")
        await browser.page.get_by_role("button", name="Log in both").click()
        await expect(browser.page.locator("#all .said")).to_contain_text("Expected the JSON line")
        await browser.check_access()


CHANGES = {
    "nothing changed": ({}, {}, "✓ 2 of 2 events"),
    "another digest": ({"digest": "0" * 64}, {}, "✕ 2 of 2 events, SHA-256 000000000000… differs"),
    "another count": ({"events": 3}, {}, "✕ 2 of 3 events"),
    "somebody else's": ({}, {"user_id": "eve"}, "✓ 2 of 2 events"),
}


async def test_the_page_tells_a_run_that_does_not_add_up(served: Server) -> None:
    """Its own judgement: it is handed messages that no server of ours would send."""
    async with looking_at(served.backend) as browser:
        panel = await browser.log_in(0, served.users[4])
        await connected(panel)
        await panel.get_by_role("button", name="Send").click()
        await proofs(panel, ALL_OF_IT)
        epoch, seq = await browser.page.evaluate(
            "[panels[0].position.epoch, panels[0].position.seq]"
        )
        for number, (payload, envelope, verdict) in enumerate(CHANGES.values()):
            common = {"epoch": epoch, "user_id": "user5", "run_id": f"made-{number}", **envelope}
            first, last = seq + 1 + 2 * number, seq + 2 + 2 * number
            started = common | {"type": "agent_started", "seq": first, "payload": {"message": "é"}}
            text = json.dumps(started, ensure_ascii=False)
            end = {
                "status": "completed",
                "final_response": "",
                "events": 2,
                "digest": hashlib.sha256(f"{text}\n".encode()).hexdigest(),
            }
            ended = common | {"type": "agent_completed", "seq": last, "payload": end | payload}
            for message in (text, json.dumps(ended)):
                await browser.page.evaluate("text => panels[0].onText(text)", message)
            proof = panel.locator(".proof").first
            await expect(proof).to_contain_text(verdict, timeout=LIMIT_MS)
        count = panel.locator(".count")
        await expect(count).to_have_text("11 for user5, 2 for anybody else")
        again = json.dumps(ended)
        await browser.page.evaluate("text => panels[0].onText(text)", again)
        await expect(count).to_contain_text("1 doubled and dropped")
        ahead = json.dumps(ended | {"seq": 99, "run_id": "late"})
        await browser.page.evaluate("text => panels[0].onText(text)", ahead)
        gap = f"✕ expected seq {last + 1}, got 99"
        await expect(panel.locator(".history")).to_contain_text(gap)


async def test_the_page_works_in_a_folder_behind_a_proxy(tmp_path: Path) -> None:
    """Its login too, which its own machine's address would not lead to."""
    port = free_port()
    public_url = f"http://{ELSEWHERE}:{port}{FOLDER}"
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"public_url": public_url}))
    log = tmp_path / "server.log"
    with Server("--settings", settings, cwd=tmp_path, log=log) as server:
        opened = server.announcement["open"]
        assert opened.startswith(f"{public_url}#")
        resolve = f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1"
        async with (
            folder_proxy(server.backend, server.auth, port),
            looking_at(opened, resolve) as browser,
        ):
            await browser.page.get_by_role("button", name="Log in user1").click()
            for number in (0, 1):
                await connected(browser.panel(number))
            await browser.panel(0).get_by_role("button", name="Send").click()
            await proofs(browser.panel(0), "○ 5 of 5 events; SHA-256 not checked")
            await expect(browser.page.locator("#health")).to_have_text("● 200 healthy")
            assert browser.errors == []
            asked = {url for url in browser.asked if not url.startswith("blob:")}
            assert [url for url in asked if not url.startswith(public_url)] == []


async def test_the_address_that_serve_prints_takes_the_demo_users(tmp_path: Path) -> None:
    commit = "c0ffee" * 6 + "dead"
    environment = {"NETRA_WS_COMMIT": commit}
    with Server(cwd=tmp_path, log=tmp_path / "server.log", env=environment) as server:
        async with looking_at(server.announcement["open"]) as browser:
            assert browser.page.url == f"{server.backend}/"  # no password is left in it
            await browser.check_access()
            await browser.keep("live-demo")
            await browser.page.reload()
            first, second = [user.email for user in server.users[:2]]
            await browser.page.get_by_role("button", name=f"Log in {first} and {second}").click()
            for number in (0, 1):
                await connected(browser.panel(number))
            await expect(browser.page.locator("#commit")).to_have_text(commit[:12])
            assert browser.errors == []


async def test_a_line_that_a_terminal_broke_has_the_right_password(tmp_path: Path) -> None:
    with Server(cwd=tmp_path, log=tmp_path / "server.log") as server:
        async with looking_at(server.backend) as browser:
            password = server.users[0].password
            for number, gap in enumerate(("\n", "\r\n  ")):
                broken = server.line.replace(password, f"{password[:9]}{gap}{password[9:]}")
                await browser.page.get_by_label("The line that").focus()
                await browser.page.keyboard.insert_text(broken)
                await browser.page.get_by_role("button", name="Log in both").click()
                await connected(browser.panel(0))
                if not number:
                    for panel in (0, 1):
                        await browser.panel(panel).get_by_role("button", name="Log out").click()


async def test_a_reload_shows_what_the_log_has_and_stops_what_goes_on(tmp_path: Path) -> None:
    with scripted(tmp_path) as server:
        async with looking_at(server.announcement["open"]) as browser:
            await browser.page.get_by_role("button", name="Log in user1").click()
            panel = browser.panel(0)
            await connected(panel)
            await say(panel, ["think", 3, 0])
            await proofs(panel, "✓ 5 of 5 events")
            await say(panel, ["think", 1, 0], ["wait", str(tmp_path / "never")])
            await expect(panel.locator(".position")).to_contain_text(", seq 7", timeout=LIMIT_MS)
            await browser.page.reload()
            await connected(panel)
            await proofs(panel, "○ running", "✓ 5 of 5 events")
            assert await seqs(panel) == [6, 7]
            await browser.keep("live-reload", whole=True)
            await browser.check_access()
            assert browser.page.context.browser is not None
            other = Browser(await browser.page.context.browser.new_page())
            await other.page.goto(server.backend)
            tab = await other.log_in(0, server.users[0])
            await proofs(tab, "○ running", "✓ 5 of 5 events")
            await tab.get_by_role("button", name="Stop").click()
            for one in (panel, tab):
                await proofs(one, "✓ 3 of 3 events", "✓ 5 of 5 events")
                await expect(one.get_by_role("button", name="Stop")).to_have_count(0)
            assert browser.errors == other.errors == []


async def test_a_run_seen_in_part_is_said_to_be_partial(tmp_path: Path) -> None:
    """Its beginning is no longer in the log; and then one of which the page lost an event."""
    gate = tmp_path / "gate"
    with scripted(tmp_path, retained_events=4) as server:
        async with looking_at(server.announcement["open"]) as browser:
            await browser.page.get_by_role("button", name="Log in user1").click()
            panel = browser.panel(0)
            await connected(panel)
            await say(panel, ["think", 9, 0.001], ["wait", str(gate)])
            await expect(panel.locator(".position")).to_contain_text(", seq 10", timeout=LIMIT_MS)
            await browser.page.reload()
            await proofs(panel, "○ running, seen in part")
            await expect(panel.locator(".resume")).to_have_text(
                "the oldest 6 events are no longer kept"
            )
            await browser.keep("live-partial", whole=True)
            await panel.get_by_role("button", name="Stop").click()
            await proofs(panel, "○ partial: 5 of 11 events seen here, so there is no SHA-256")
            await say(panel, ["think", 1, 0], ["wait", str(gate)])
            await expect(panel.locator(".position")).to_contain_text(", seq 13", timeout=LIMIT_MS)
            for text in ("{", "5", "null", '{"type": "agent_thinking", "seq": 14}'):
                await browser.page.evaluate("text => panels[0].onText(text)", text)
            words = "a message that does not keep to the contract"
            await expect(panel.locator(".history")).to_contain_text(words)
            gate.touch()
            await proofs(panel, "○ partial: 3 of 3 events", "○ partial: 5 of 11 events")
            assert browser.errors == []


async def test_what_the_server_would_not_take_is_not_sent(tmp_path: Path) -> None:
    """Its limit counts bytes, and is that of its settings."""
    with scripted(tmp_path, max_message_bytes=1000) as server:
        async with looking_at(server.announcement["open"]) as browser:
            await browser.page.get_by_role("button", name="Log in user1").click()
            panel = browser.panel(0)
            await connected(panel)
            message = panel.get_by_label("Message")
            for text in ("é" * 480, "\n" * 480, "👩‍🚀" * 90, "a" * 70 * 1024):
                await message.fill(text)
                await panel.get_by_role("button", name="Send").click()
                await expect(panel.get_by_role("alert").first).to_contain_text(
                    "the server takes 1,000"
                )
                assert await message.input_value() == text
            await browser.check_access()
            await browser.keep("live-too-long")
            await message.fill("[]")
            await message.press("Shift+Enter")
            await message.press("Enter")
            await proofs(panel, "✓ 2 of 2 events")
            started = panel.locator(".events li").first
            assert (await started.text_content() or "").endswith("agent_started[]\n")
            assert browser.errors == []


async def test_a_message_that_a_cut_may_have_lost_is_sent_again_and_runs_once(
    tmp_path: Path,
) -> None:
    with scripted(tmp_path) as server:
        async with looking_at(server.announcement["open"]) as browser:
            await browser.page.get_by_role("button", name="Log in user1").click()
            panel = browser.panel(0)
            await connected(panel)
            lost = "panels[0].send = () => {}; panels[0].ask('[]'); delete panels[0].send"
            sent = "panels[0].ask('[]')"
            for number, asking in enumerate((lost, sent), 1):
                await browser.page.evaluate(f"{asking}; panels[0].cut('now')")
                await proofs(panel, *["✓ 2 of 2 events"] * number)
                await connected(panel)
            await say(panel, ["think", 1, 0])  # what came before it has been answered
            await proofs(panel, "✓ 3 of 3 events", "✓ 2 of 2 events", "✓ 2 of 2 events")
            assert browser.errors == []


async def test_a_token_that_expires_is_said(tmp_path: Path) -> None:
    with scripted(tmp_path, token_lifetime_s=3, token_leeway_s=0) as server:
        async with looking_at(server.announcement["open"]) as browser:
            await browser.page.get_by_role("button", name="Log in user1").click()
            said = browser.panel(0).get_by_role("alert").first
            await expect(said).to_contain_text("log in again", timeout=LIMIT_MS)


async def test_a_server_that_no_longer_takes_the_token_is_told_from_one_that_is_gone(
    tmp_path: Path,
) -> None:
    port = str(free_port())
    with scripted(tmp_path, "--port", port) as first:
        async with looking_at(first.announcement["open"]) as browser:
            await browser.page.get_by_role("button", name="Log in user1").click()
            panel = browser.panel(0)
            await connected(panel)
            first.kill()
            await expect(panel.locator(".state")).to_contain_text("↻ no connection")
            with scripted(tmp_path, "--port", port):
                said = panel.get_by_role("alert").first
                await expect(said).to_contain_text("401: the token is not", timeout=LIMIT_MS)
                await browser.page.reload()
                await expect(panel.locator(".state")).to_have_text("○ logged out")


def scripted(folder: Path, *options: str, **limits: Any) -> Server:
    """Start both services with the scripted agent and these limits."""
    settings = folder / "settings.json"
    settings.write_text(json.dumps(limits))
    return Server(
        *("--agent", "scripted_agent:scripted", "--settings", settings, *options),
        cwd=folder,
        log=folder / "server.log",
        env=python_path(SUPPORT),
    )
