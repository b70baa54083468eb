"""What the tests share: where the real logs and the hostile inputs are."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real logs, labelled cases and hostile inputs beside the checkout; tests that need it skip without it."""
    if not (SHARED / "data").is_dir():
        pytest.skip("the real logs and labelled cases (../shared) are not on this machine")
    return SHARED
