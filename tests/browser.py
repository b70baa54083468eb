"""A headless Chromium for tests, driven over its debugging pipe: pages are loaded, watched, clicked, measured and photographed."""

import base64
import fcntl
import json
import os
import select
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import needs

_SWITCHES = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--disable-sync", "--disable-extensions",
             "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--hide-scrollbars",
             "--force-device-scale-factor=1", "--font-render-hinting=none", "--remote-debugging-pipe", "--allow-file-access-from-files")


@dataclass
class Visit:
    """What a page did: ``requests`` beyond its own file, ``dialogs``, messages on the ``console``, navigations, windows opened."""

    browser: "Browser"
    session: str
    url: str
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    navigations: list[str] = field(default_factory=list)

    def evaluate(self, script: str) -> Any:
        """The value of an expression in the page; the page's own policy does not bind it."""
        answer = self.browser.call("Runtime.evaluate", {"expression": script, "returnByValue": True, "awaitPromise": True}, self.session)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def click_everything(self, wait: bool = True) -> None:
        """Open what is folded, point at, focus and click every element; ``wait`` for what comes of it."""
        self.evaluate("""(() => {
            document.querySelectorAll('details').forEach(d => d.open = true);
            for (const e of [...document.querySelectorAll('body *')]) {
                for (const kind of ['mouseover', 'mouseenter', 'pointerdown', 'mousedown', 'mouseup', 'focus', 'dblclick', 'contextmenu', 'toggle'])
                    e.dispatchEvent(new Event(kind, {bubbles: false, cancelable: true}));
                if (e.focus) e.focus();
                if (e.click && e.tagName !== 'SUMMARY') e.click();
            }})()""")
        self.browser.settle(0.25 if wait else 0.0)

    @property
    def happened(self) -> dict[str, list[str]]:
        """Everything that a page that runs and loads nothing does not do."""
        return {"requests": self.requests, "dialogs": self.dialogs, "console": self.console,
                "navigations": [n for n in self.navigations if not n.startswith(self.url)]}

    def elements(self) -> dict[str, int]:
        """Elements of the page by name, and how many attributes they have in all."""
        return self.evaluate("""(() => { const n = {};
            for (const e of document.querySelectorAll('*')) { n[e.tagName] = (n[e.tagName] || 0) + 1;
                for (const a of e.attributes) n['@' + a.name] = (n['@' + a.name] || 0) + 1; }
            return n; })()""")

    def text(self) -> str:
        """All text of the page, its blanks made single."""
        return " ".join(self.evaluate("document.documentElement.textContent").split())

    def screenshot(self, path: Path, height: int | None = None) -> Path:
        """A picture of what the window shows, or of the first ``height`` pixels of the page."""
        options: dict[str, Any] = {"format": "png", "captureBeyondViewport": height is not None}
        if height is not None:
            width = self.evaluate("document.documentElement.clientWidth")
            options["clip"] = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        path.write_bytes(base64.b64decode(self.browser.call("Page.captureScreenshot", options, self.session)["data"]))
        return path


class Browser:
    """One Chromium; a context manager."""

    def __init__(self, profile: Path):
        found = needs.program("chromium")
        pipes = (*os.pipe(), *os.pipe())
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 20) for end in pipes]
        for end in pipes:
            os.close(end)
        theirs_in, self._out, self._in, theirs_out = ends

        def wire() -> None:  # it reads from 3 and writes to 4
            os.dup2(theirs_in, 3)
            os.dup2(theirs_out, 4)

        self.process = subprocess.Popen([found, *_SWITCHES, f"--user-data-dir={profile}"], pass_fds=(3, 4), preexec_fn=wire, start_new_session=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)
        self._buffer, self._number, self._visits, self._answers, self._loaded = b"", 0, {}, {}, set()

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._out)
        os.close(self._in)

    def call(self, method: str, params: dict[str, Any] | None = None, session: str = "", seconds: float = 60) -> dict[str, Any]:
        """Ask the browser and wait for its answer."""
        self._number += 1
        number, message = self._number, {"id": self._number, "method": method, "params": params or {}}
        os.write(self._out, json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0")
        until = time.monotonic() + seconds
        while number not in self._answers:
            assert time.monotonic() < until, f"{method}: no answer within {seconds} s"
            self._listen(1.0)
        answer = self._answers.pop(number)
        assert "error" not in answer, (method, answer)
        return answer["result"]

    def settle(self, seconds: float) -> None:
        """Listen for what still happens."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._listen(0.05)

    def visit_all(self, pages: list[Path], **window: Any) -> Iterator[Visit]:
        """Load pages one after the other in one window; each is to be looked at before the next."""
        visit = self.visit(pages[0], **window)
        yield visit
        for page in pages[1:]:
            self.settle(0.02)
            visit = self._visits[visit.session] = Visit(self, visit.session, page.resolve().as_uri())
            self._go(visit)
            yield visit

    def visit(self, page: Path | str, *, width: int = 1280, height: int = 900, dark: bool = False, printed: bool = False) -> Visit:
        """Load a page, in a window of its own, and watch it until nothing happens any more."""
        url = page if isinstance(page, str) else page.resolve().as_uri()
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        visit = self._visits[session] = Visit(self, session, url)
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable", {}, session)
        self.call("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}, session)
        self.call("Emulation.setEmulatedMedia", {"media": "print" if printed else "screen", "features": [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]}, session)
        self._go(visit)
        self.settle(0.1)
        return visit

    def _go(self, visit: Visit) -> None:
        self._loaded.discard(visit.session)
        self.call("Page.navigate", {"url": visit.url}, visit.session)
        until = time.monotonic() + 30
        while visit.session not in self._loaded:
            assert time.monotonic() < until, f"{visit.url} did not load"
            self._listen(0.2)

    def _listen(self, seconds: float) -> None:
        if not select.select([self._in], [], [], seconds)[0]:
            return
        data = os.read(self._in, 1 << 20)
        assert data, "the browser went away"
        *whole, self._buffer = (self._buffer + data).split(b"\0")
        for message in map(json.loads, whole):
            if "id" in message:
                self._answers[message["id"]] = message
            elif (visit := self._visits.get(message.get("sessionId", ""))) is not None:
                self._heard(visit, message["method"], message["params"])

    def _heard(self, visit: Visit, method: str, what: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent" and not what["request"]["url"].startswith(("data:", visit.url)):
            visit.requests.append(what["request"]["url"][:200])
        elif method == "Page.javascriptDialogOpening":
            visit.dialogs.append(f"{what['type']}: {what['message'][:200]}")
            self._number += 1  # nobody waits for this answer
            os.write(self._out, json.dumps({"id": self._number, "method": "Page.handleJavaScriptDialog", "params": {"accept": False},
                                            "sessionId": visit.session}).encode() + b"\0")
        elif method == "Runtime.consoleAPICalled":
            visit.console.append(str(what["args"])[:300])
        elif method == "Log.entryAdded":
            visit.console.append(what["entry"]["text"][:300])
        elif method == "Runtime.exceptionThrown":
            visit.console.append(str(what["exceptionDetails"].get("text"))[:300])
        elif method == "Page.frameNavigated" and what["frame"]["url"] != "about:blank":
            visit.navigations.append(what["frame"]["url"][:200])
        elif method == "Page.windowOpen":
            visit.navigations.append(f"window {what['url'][:200]}")
        elif method == "Page.loadEventFired":
            self._loaded.add(visit.session)
