"""What the browser tests share: the running service, and a Chromium that tells on a page.

Playwright drives the Chromium of the system; nothing is ever downloaded.
"""

from __future__ import annotations

import http.client
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import psutil
from chaos_support import APPLICATION, Client
from cli_support import Instance
from erp_support import free_port, source_file
from playwright.sync_api import expect, sync_playwright
from support import wait_for

from archibald_sync.demo.server import DemoErp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from playwright.sync_api import Browser, BrowserContext, Page

PASSWORD = "correct horse battery"
# Every page that an admin can open without knowing an id: checked, and photographed.
PAGES = {
    "/products/overview": "overview",
    "/products/history": "history",
    "/products/catalogue": "catalogue",
    "/products/changes": "changes",
    "/priority": "priority",
    "/admin/users": "users",
    "/admin/users/operator": "user",
    "/admin/keys": "keys",
    "/admin/audit": "audit",
    "/account": "account",
}
SETTLED_MS = 500  # charts are drawn, and instants written, after the page has arrived
USERS = ("admin", "operator", "viewer")
PATIENCE_S = 60.0  # nothing here takes so long; a machine with other work to do may
AXE = Path(__file__).parent / "axe" / "axe.min.js"
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
DESKTOP: Any = {"width": 1280, "height": 900}
PHONE: Any = {"width": 390, "height": 844}
expect.set_options(timeout=PATIENCE_S * 1000)
# The one message that is tolerated, and only where the service is taken away: the browser
# itself tells its console of each request that found nobody, whatever the page does.
_OUTAGE = re.compile(r"console: Failed to load resource: net::ERR_[A-Z_]+")
_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Site:
    """The service, two workers of gunicorn, with the demo ERP behind it."""

    def __init__(self, instance: Instance, erp: DemoErp, application: str) -> None:
        """Serve ``instance``, which reads from ``erp``; ``url`` has no slash at its end."""
        self.instance = instance
        self.erp = erp
        self._application = application
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{self._port}"

    @property
    def database(self) -> Path:
        """Return the file of the database."""
        return self.instance.folder / "instance" / "archibald_sync.sqlite3"

    def start(self) -> None:
        """Serve, and return once it answers."""
        settings = ["-c", "python:archibald_sync.serving", "-b", f"127.0.0.1:{self._port}"]
        tests = str(Path(__file__).parent)
        with self.instance.folder.joinpath("service.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", *settings, "-w", "2", self._application],
                cwd=self.instance.folder,
                env={**os.environ, **self.instance.environ, "PYTHONPATH": tests},
                stdout=log,
                stderr=log,
            )
        wait_for(lambda: _is_alive(self._port), PATIENCE_S)

    def stop(self) -> None:
        """End the service, if it runs."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE_S)
            self._process = None

    def memory_mb(self) -> list[float]:
        """Return what each worker uses, its part of shared pages, in 10^6 bytes."""
        assert self._process is not None
        workers = psutil.Process(self._process.pid).children()
        return [round(one.memory_full_info().pss / 1e6, 1) for one in workers]

    def client(self, ttl_s: int = 900) -> Client:
        """Return who asks the API as the admin, for ``ttl_s`` seconds."""
        code, token, err = self.instance.call("token", "--ttl", str(ttl_s))
        assert code == 0, err
        return Client(self._port, token.strip())

    def pages(self) -> dict[str, str]:
        """Return ``PAGES``, and the pages of what there is: a run, a held plan, a product."""
        client, found = self.client(), dict(PAGES)
        runs = client.sure("GET", "/api/products/sync/runs?limit=200").body["runs"]
        for run in runs[:1]:
            found[f"/products/history/runs/{run['id']}"] = "run"
        for run in [one for one in runs if one["outcome"] == "held"][:1]:
            found[f"/products/history/runs/{run['id']}/plan"] = "plan"
        changes = client.sure("GET", "/api/products/changes?since=0&limit=1").body["changes"]
        for change in changes:
            found[f"/products/catalogue/record/{quote(change['productId'])}"] = "product"
        return found


@contextmanager
def running_site(
    folder: Path,
    *,
    rows: int = 4540,
    drift: bool = True,
    environ: Mapping[str, str] | None = None,
    application: str = APPLICATION,
) -> Iterator[Site]:
    """Run gunicorn with two workers over a demo ERP of its own, with a user of each role.

    Args:
        folder: An empty folder for the instance.
        rows: How many products the ERP has.
        drift: Whether they change a little from read to read.
        environ: Settings of the service.
        application: What gunicorn serves.
    """
    for name in [one for one in os.environ if one.startswith(("ARCHIBALD_", "JWT_SECRET"))]:
        del os.environ[name]
    instance = Instance(folder, {"ARCHIBALD_SYNC_INITIAL_DELAY_SECONDS": "1", **(environ or {})})
    erp = DemoErp(rows, drift=drift)
    erp.start()
    site = Site(instance, erp, application)
    try:
        _prepare(instance, erp)
        site.start()
        yield site
    finally:
        site.stop()
        erp.stop()


def _prepare(instance: Instance, erp: DemoErp) -> None:
    """Make the instance, its users (all with ``PASSWORD``) and its source.toml."""
    folder = instance.folder / "instance"
    folder.mkdir()
    source_file(folder, erp.url("/api/products"))
    commands = [
        ("init",),
        ("user", "password", "admin", "--password-stdin"),
        *(("user", "add", name, "--role", name, "--password-stdin") for name in USERS[1:]),
    ]
    for command in commands:
        code, out, err = instance.call(*command, stdin=PASSWORD)
        assert code == 0, out + err


def _is_alive(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def chromium() -> str:
    """Return the path of the Chromium of this system."""
    found = shutil.which("chromium")
    assert found, "the browser tests need Chromium: apt-get install chromium"
    return found


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Run a Chromium without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=_ARGUMENTS)
        yield browser
        browser.close()


@dataclass(frozen=True)
class Weight:
    """What a page took: bytes over the wire of all answers, and until it could be used."""

    size_bytes: int
    usable_ms: float


@dataclass
class Watched:
    """A page, and everything that it must not do."""

    page: Page
    context: BrowserContext
    host: str
    faults: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        """Open a path of the site."""
        self.page.goto(f"http://{self.host}{path}")

    def log_in(self, name: str, path: str = "/") -> None:
        """Open a path without a login, and log in as ``name``."""
        self.go(path)
        self.fill_login(name)

    def fill_login(self, name: str) -> None:
        """Log in as ``name`` where the form is shown."""
        self.page.fill("#username", name)
        self.page.fill("#password", PASSWORD)
        self.page.click("#log-in")
        self.arrive()

    def arrive(self) -> None:
        """Return when a page for those who are logged in is there, and its scripts have run."""
        self.page.wait_for_selector("#logout")
        # Modules run before this event: whatever is clicked next is heard.
        self.page.wait_for_load_state("domcontentloaded")

    def forgive_outage(self) -> None:
        """Forget what the browser said of requests while there was no service."""
        self.faults[:] = [one for one in self.faults if not _OUTAGE.fullmatch(one)]

    def confirm(self, button: str) -> None:
        """Press a button that asks first, and say yes."""
        self.page.click(button)
        self.page.click("#confirm-yes")

    def weigh(self, path: str) -> Weight:
        """Open a path with an empty cache, and say what it took."""
        session = self.context.new_cdp_session(self.page)
        session.send("Network.enable")
        session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        sizes: list[int] = []
        session.on("Network.responseReceived", lambda one: sizes.append(_head_bytes(one)))
        session.on("Network.dataReceived", lambda one: sizes.append(one["encodedDataLength"]))
        self.go(path)
        self.page.wait_for_load_state("load")
        timing = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
        # Scripts of the page are modules: they have run when this event comes.
        usable_ms = float(self.page.evaluate(timing))
        self.page.wait_for_timeout(SETTLED_MS)
        session.detach()
        return Weight(sum(sizes), usable_ms)

    def violations(self) -> list[str]:
        """Return what axe-core finds wrong on the page as it is, rule and place."""
        # Evaluated by the debugger, to which the policy of the page does not apply.
        self.page.evaluate(AXE.read_text("utf-8"))
        options = {"runOnly": {"type": "tag", "values": AXE_RULES}}
        found: dict[str, Any] = self.page.evaluate("options => axe.run(document, options)", options)
        return [
            f"{one['id']}: {node['target']} {node['failureSummary']}"
            for one in found["violations"]
            for node in one["nodes"]
        ]


@contextmanager
def watched_page(browser: Browser, url: str, **options: Any) -> Iterator[Watched]:  # noqa: ANN401
    """Open a page of its own; afterwards it must have done nothing wrong.

    Wrong are errors on the console, violations of the content security policy, errors of
    the script, and requests to other hosts. A test that provokes one empties ``faults``.

    Args:
        browser: Where.
        url: The address of the site.
        options: As of ``browser.new_context``.
    """
    host = urlsplit(url).netloc
    context = browser.new_context(**{"locale": "en-GB", "viewport": DESKTOP, **options})
    context.add_init_script(
        "addEventListener('securitypolicyviolation',"
        " e => console.error('CSP', e.violatedDirective, e.blockedURI))"
    )
    page = context.new_page()
    watched = Watched(page, context, host)
    page.on("console", lambda one: _note(watched, one.type, one.text))
    page.on("pageerror", lambda error: watched.faults.append(f"script: {error}"))
    page.on("request", lambda one: _note_request(watched, one.url))
    try:
        yield watched
        assert watched.faults == [], watched.faults
    finally:
        context.close()


def _head_bytes(event: dict[str, Any]) -> int:
    """Return how long the head of an answer was."""
    return int(event["response"]["encodedDataLength"])


def _note(watched: Watched, kind: str, text: str) -> None:
    if kind in {"error", "warning"}:
        watched.faults.append(f"console: {text}")


def _note_request(watched: Watched, url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"data", "blob"} and parts.netloc != watched.host:
        watched.faults.append(f"other host: {url}")
