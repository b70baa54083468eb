"""What some tests need of the machine: each function gives it, or skips the test and says what to install. Under CI a skip fails (conftest.py)."""

import importlib
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

WEB_TOOLS = Path(sys.prefix) / "web" / "node_modules"  # see the Makefile: web-tools
PACKAGES = {"chromium": "chromium", "pdftotext": "poppler-utils", "pdftoppm": "poppler-utils", "java": "default-jre-headless", "openssl": "openssl"}


def program(name: str) -> str:
    """The path of a program."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"the program {name} is not installed (Debian: apt-get install {PACKAGES[name]})")
    return found


def web_tool(name: str) -> Path:
    """A file of an npm package that only tests use."""
    path = WEB_TOOLS / name
    if not path.exists():
        pytest.skip(f"the npm package {name.split('/')[0]} is not installed (make web-tools)")
    return path


def weasyprint() -> ModuleType:
    """WeasyPrint with the libraries that it draws with."""
    try:
        return importlib.import_module("weasyprint")
    except (ImportError, OSError):
        pytest.skip("WeasyPrint cannot be used (pip install weasyprint; Debian: apt-get install libpango-1.0-0 libpangoft2-1.0-0)")
