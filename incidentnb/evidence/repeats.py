"""Finds stretches of a file that stand in it twice: the overlap of a log that was collected two times."""

from __future__ import annotations

_MOST_LINES = 60_000  # looked at; a longer file is not checked further
_SHORTEST = 10  # lines in a row that must come again; fewer do so by chance
_DIFFERENT = 5  # of them; a row of one and the same line is chatter


class Repeats:
    """Looks at the lines of a file in order."""

    def __init__(self):
        self._at: dict[int, int] = {}
        self._lines = 0
        self._run: list[int] = []
        self._previous = -2
        self.repeated = 0

    def look(self, text: str) -> None:
        """Take the next lines."""
        if self._lines > _MOST_LINES:
            return
        for line in text.split("\n"):
            key = hash(line)
            first = self._at.setdefault(key, self._lines)
            if first < self._lines and first == self._previous + 1:
                self._run.append(key)
            else:
                self._close()
                self._run = [key] if first < self._lines else []
            self._previous = first if first < self._lines else -2
            self._lines += 1

    def _close(self) -> None:
        if len(self._run) >= _SHORTEST and len(set(self._run)) >= _DIFFERENT:
            self.repeated += len(self._run)

    def warning(self) -> str:
        """What was found, in words; "" for nothing."""
        self._close()
        self._run = []
        if not self.repeated:
            return ""
        return f"{self.repeated:,} lines are exact duplicates of a stretch before them; kept (the log may have been collected twice)"
