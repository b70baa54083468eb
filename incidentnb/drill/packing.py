"""The files that a drill's lines go into: one, zipped, rotated, one a host, in syslog's or a container's envelope."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from incidentnb.drill import shop
from incidentnb.drill.lines import Line, stamp
from incidentnb.drill.scenario import Plan
from incidentnb.drill.traffic import ms


class Files:
    """The open log files of one stream of a drill; a context manager, so that all are closed.

    Attributes:
        lines: written so far, over all files. names: of the files, oldest part first.
    """

    def __init__(self, folder: Path, stem: str, packing: str, plan: Plan):
        self.folder, self.stem, self.packing, self.plan = folder, stem, packing, plan
        self.lines, self.names = 0, []
        self._open: dict[str, BinaryIO] = {}
        third = (plan.until - plan.start) / 3
        self._turns = [ms(plan.start + third), ms(plan.start + 2 * third + timedelta(seconds=7))]

    def __enter__(self) -> Files:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._open.values():
            file.close()

    def write(self, lines: list[Line]) -> None:
        """Append records in order of time."""
        parts: dict[str, list[str]] = {}
        if self.packing in ("one", "gz"):
            parts[f"{self.stem}.log" + (".gz" if self.packing == "gz" else "")] = [text for _, _, text in lines]
        for t, host, text in lines if not parts else ():
            if self.packing == "rotated":
                name = f"{self.stem}.log" + (".2.gz" if t < self._turns[0] else ".1" if t < self._turns[1] else "")
            elif self.packing == "hosts":
                name = f"{shop.HOSTS[host]}.{self.stem}.log"
            else:
                name = f"{self.stem}.log"
            parts.setdefault(name, []).append(self._wrapped(t, host, text))
        for name, texts in parts.items():
            data = "\n".join([*texts, ""]).encode()
            self.lines += data.count(b"\n")
            self._file(name).write(data)

    def _wrapped(self, t: int, host: int, text: str) -> str:
        if self.packing == "syslog":
            level = 131 if '"level":50' in text[:14] or " ERROR " in text[:40] else 134
            flat = text.replace("\n", "#012").replace("\t", "#011")
            return f"<{level}>1 {stamp(t)}Z {shop.HOSTS[host]} shop-api {4100 + host} - - {flat}"
        if self.packing == "docker":
            return "\n".join(f'{{"log":{json.dumps(line + chr(10))},"stream":"stdout","time":"{stamp(t)}000000Z"}}'
                             for line in text.split("\n"))
        return text

    def _file(self, name: str) -> BinaryIO:
        if name not in self._open:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            raw = path.open("wb")
            # no name and no time inside, so that the same drill is the same bytes
            self._open[name] = _Zipped(raw) if name.endswith(".gz") else raw
            self.names.append(name)
        return self._open[name]


class _Zipped(gzip.GzipFile):
    """A gz file without a name or a time in it that closes the file below it too."""

    def __init__(self, raw: BinaryIO):
        super().__init__(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=4)
        self._raw = raw

    def close(self) -> None:
        super().close()
        self._raw.close()
