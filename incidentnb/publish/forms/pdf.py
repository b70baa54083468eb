"""The appendix as a tagged PDF of the very page, by WeasyPrint where it is installed, else by the Chromium of the system.

Both get the sanitised page without a network: WeasyPrint may fetch ``data:`` alone, Chromium runs no script, resolves no host, and is
ended with all its processes when its time is up. The same page gives the same bytes.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from incidentnb.exceptions import InputError
from incidentnb.publish.forms import Made, paper

BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome", "microsoft-edge",
            "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium")
TIME_S = 60.0
_NO_PANGO = 3  # exit code
_SWITCHES = ("--headless", "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions", "--disable-sync", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--host-resolver-rules=MAP * ~NOTFOUND",
             "--no-pdf-header-footer", "--generate-pdf-document-outline")
_DATES = re.compile(rb"(/(?:CreationDate|ModDate) ?\(D:)\d{14}([^)]*\))")
_AGENT = re.compile(rb"/Creator ?\((?:[^()\\]|\\.)*\)")


def make(model: Mapping[str, Any], folder: str = "", to: str = "pdf") -> Made:
    """The page printed.

    Raises:
        InputError: neither WeasyPrint nor a Chromium is there, or what is there fails.
    """
    rendered = paper.render(model).encode("utf-8", "replace")
    page = (model["over"](rendered, "page.html") if "over" in model else rendered).decode("utf-8")
    failed: list[InputError] = []
    for printer in (weasyprint, chromium):  # what one cannot print the other often can
        try:
            printed = printer(page)
        except InputError as problem:
            failed.append(problem)
            continue
        if printed is not None:
            return Made(printed, page=page.encode("utf-8"))
    if failed:
        raise InputError(failed[0].where, "; ".join(problem.what for problem in failed), failed[0].do)
    raise InputError("export --to pdf", "needs WeasyPrint or a Chromium",
                     "pip install 'incidentnb[pdf]', or the package chromium of the system (apt-get install chromium)")


def weasyprint(page: str, seconds: float = TIME_S) -> bytes | None:
    """The page as PDF/UA-1 by WeasyPrint, in a process of its own; ``None`` where it, or the Pango that it needs, is not installed.

    Raises:
        InputError: it fails, or does not end within ``seconds``.
    """
    if importlib.util.find_spec("weasyprint") is None:
        return None
    try:
        done = subprocess.run([sys.executable, "-m", "incidentnb.publish.forms.pdf"], input=page.encode("utf-8", "replace"), capture_output=True,
                              timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        raise InputError("export --to pdf", f"WeasyPrint did not end within {seconds:.0f} s", "export --to html, and print that") from None
    if done.returncode == _NO_PANGO:
        return None
    if done.returncode:
        why = (done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise InputError("export --to pdf", f"WeasyPrint failed: {why[:200]}", "export --to html, and print that")
    return done.stdout


def _print() -> int:
    """Read a page from stdin, write it to stdout as PDF."""
    logging.getLogger("weasyprint").disabled = True
    try:
        from weasyprint import HTML
        from weasyprint.urls import URLFetcher
    except OSError:
        return _NO_PANGO
    page = sys.stdin.buffer.read().decode("utf-8")
    sys.stdout.buffer.write(HTML(string=page, url_fetcher=URLFetcher(allowed_protocols=("data",))).write_pdf(pdf_variant="pdf/ua-1"))
    return 0


def browser() -> str | None:
    """The Chromium of this system; ``None`` where there is none."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def chromium(page: str, seconds: float = TIME_S) -> bytes | None:
    """The page as a tagged PDF by the system's Chromium; ``None`` where there is none.

    Raises:
        InputError: it cannot be run, fails, or does not end within ``seconds``.
    """
    found = browser()
    if found is None:
        return None
    with tempfile.TemporaryDirectory(prefix="incidentnb-", ignore_cleanup_errors=True) as scratch:
        source, target = Path(scratch, "appendix.html"), Path(scratch, "appendix.pdf")
        source.write_text(page, encoding="utf-8", errors="replace")
        switches = [*_SWITCHES, *(["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else [])]
        command, silent = [found, *switches, f"--user-data-dir={scratch}/profile", f"--print-to-pdf={target}", source.as_uri()], subprocess.DEVNULL
        try:
            process = subprocess.Popen(command, stdin=silent, stdout=silent, stderr=silent, start_new_session=True)
        except OSError as problem:
            raise InputError("export --to pdf", f"{found} cannot be run: {problem.strerror or problem}", "export --to html, and print that") from None
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise InputError("export --to pdf", f"Chromium did not end within {seconds:.0f} s", "export --to html, and print that") from None
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if not target.is_file() or not target.stat().st_size:
            raise InputError("export --to pdf", f"Chromium made no PDF (exit code {process.returncode})", "export --to html, and print that")
        return _AGENT.sub(_same_length, _DATES.sub(rb"\g<1>20000101000000\2", target.read_bytes()))


def _same_length(found: re.Match[bytes]) -> bytes:
    """The name of the maker in place of the browser's; every offset in the file stays."""
    return b"/Creator (incidentnb".ljust(len(found[0]) - 1) + b")" if len(found[0]) > 21 else found[0]


if __name__ == "__main__":
    sys.exit(_print())
