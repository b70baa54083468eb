"""What the tests share: where the real logs and the hostile inputs are."""

import os
from pathlib import Path

import pytest
from record_samples import begun

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what the tests start, kernels and command lines by the dozen, is compiled once
SHARED = Path(__file__).resolve().parents[2] / "shared"


LONG = ("test_workflow.py", "test_packaging.py", "test_hostile.py", "test_answers.py", "test_reviewing.py", "test_notebooks.py", "test_accessible.py",
        "test_canaries.py")


def pytest_collection_modifyitems(items):
    """The files that take longest come first: run side by side, none of them is left over at the end."""
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real logs, labelled cases and hostile inputs beside the checkout; tests that need it skip without it."""
    if not (SHARED / "data").is_dir():
        pytest.skip("the real logs and labelled cases (../shared) are not on this machine")
    return SHARED


@pytest.fixture
def folder():
    """A folder with an empty journal in it."""
    with begun() as made:
        yield Path(made)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Under CI a skipped test is a failed one: there, everything that the tests need must be on the machine."""
    report = yield
    if os.environ.get("CI") == "true" and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome, report.longrepr = "failed", f"not to be skipped under CI: {reason}"
    return report
