"""What the tests of the record share."""

import tempfile
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def begun():
    """A folder with an empty journal in it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "journal.jsonl").touch()
        yield folder
