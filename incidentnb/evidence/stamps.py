"""Time stamps of log lines: every common layout and epoch unit, read in bulk, nothing guessed in silence.

A ``Clock`` belongs to one file. It knows the zone and the year for stamps that carry none, decides the order of day and month
once, and keeps count of what it had to assume, so that the manifest can say so. All results are microseconds since the epoch, UTC.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo

import pyarrow as pa
import pyarrow.compute as pc

MONTHS = {m: i + 1 for i, m in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"])}
_MON = (r"(?P<mon>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec"
        r"|January|February|March|April|June|July|August|September|October|November|December)\.?")
_HMS = r"(?P<H>\d{1,2}):(?P<M>\d{2}):(?P<S>\d{2})(?:[.,:](?P<f>\d{1,9}))?"
_OFF = r"(?P<z>Z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2}|[A-Z]{3,5})"
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,?"

# Zone abbreviations that the field writes. Those with several meanings (CST, IST, BST) have the one most often logged, and the
# manifest says which offset was used.
ABBREVIATIONS = {"Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "CET": 60, "CEST": 120, "EET": 120, "EEST": 180, "MSK": 180, "BST": 60,
                 "IST": 330, "JST": 540, "KST": 540, "HKT": 480, "SGT": 480, "AEST": 600, "AEDT": 660, "NZST": 720, "NZDT": 780,
                 "EST": -300, "EDT": -240, "CST": -360, "CDT": -300, "MST": -420, "MDT": -360, "PST": -480, "PDT": -420,
                 "AKST": -540, "AKDT": -480, "HST": -600, "BRT": -180, "ART": -180, "WEST": 60, "SAST": 120, "PKT": 300}

# name → pattern. The first that matches a stamp whole is its layout; a file is expected to keep to it.
LAYOUTS: dict[str, str] = {
    "iso": rf"(?P<Y>\d{{4}})[-/.](?P<m>\d{{1,2}})[-/.](?P<d>\d{{1,2}})[T _]\s*{_HMS}(?:\s*{_OFF}(?: [A-Z]{{3,5}}| \+\d{{4}})?)?",
    "iso minutes": rf"(?P<Y>\d{{4}})-(?P<m>\d{{2}})-(?P<d>\d{{2}})[T ](?P<H>\d{{2}}):(?P<M>\d{{2}})(?:\s*{_OFF})?",
    "basic": r"(?P<Y>(?:19|20)\d{2})(?P<m>\d{2})(?P<d>\d{2})[T -]?(?P<H>\d{2}):?(?P<M>\d{2}):?(?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?"
             rf"(?:\s*{_OFF})?",
    "iso dashes": r"(?P<Y>\d{4})-(?P<m>\d{2})-(?P<d>\d{2})-(?P<H>\d{2})[.:-](?P<M>\d{2})[.:-](?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?",
    "access": rf"(?P<d>\d{{1,2}})[/ -]{_MON}[/ -](?P<Y>\d{{4}})[: T,]+{_HMS}(?:\s*(?P<ap>[AaPp][Mm]))?(?:\s*{_OFF})?",
    "syslog": rf"(?:{_DAY}\s+)?{_MON}\s+(?P<d>\d{{1,2}})\s+{_HMS}(?:\s+(?P<Y>\d{{4}}))?",
    "asctime": rf"{_DAY}\s+{_MON}\s+(?P<d>\d{{1,2}})\s+{_HMS}(?:\s+{_OFF})?\s+(?P<Y>\d{{4}})",
    "syslog year": rf"(?P<Y>\d{{4}})\s+{_MON}\s+(?P<d>\d{{1,2}})\s+{_HMS}(?:\s+{_OFF})?",
    "rfc2822": rf"{_DAY}\s+(?P<d>\d{{1,2}})\s+{_MON}\s+(?P<Y>\d{{4}})\s+{_HMS}(?:\s*{_OFF})?",
    "java": rf"{_MON}\s+(?P<d>\d{{1,2}}),?\s+(?P<Y>\d{{4}}),?\s+(?:at\s+)?{_HMS}(?:[\s\u202f]*(?P<ap>[AaPp][Mm]))?(?:\s*{_OFF})?",
    "glog": r"(?P<m>\d{2})(?P<d>\d{2})\s+(?P<H>\d{2}):(?P<M>\d{2}):(?P<S>\d{2})(?:\.(?P<f>\d{1,9}))?",
    "yy/mm/dd": rf"(?P<s1>\d{{2}})/(?P<s2>\d{{2}})/(?P<s3>\d{{2}})\s+{_HMS}",
    "yymmdd": r"(?P<y>\d{2})(?P<m>\d{2})(?P<d>\d{2})\s+(?P<H>\d{1,2}):?(?P<M>\d{2}):?(?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?",
    "d.m.y": rf"(?P<d>\d{{1,2}})\.(?P<m>\d{{1,2}})\.(?P<Y>\d{{4}}),?[ T]+{_HMS}(?:\s*{_OFF})?",
    "d/m or m/d": rf"(?P<a>\d{{1,2}})[/-](?P<b>\d{{1,2}})[/-](?P<Y>\d{{4}}),?[ T-]+{_HMS}(?:\s*(?P<ap>[AaPp][Mm]))?(?:\s*{_OFF})?",
    "month-day": rf"(?P<m>\d{{2}})[-/](?P<d>\d{{2}})\s+{_HMS}",
}
_TAI = re.compile(r"@([0-9a-f]{16})([0-9a-f]{8})?")
_SECONDS_NANOS = re.compile(r"(\d{9,10}) (\d{1,9})")  # log4j2's instant, protobuf's Timestamp
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_ISO_QUICK = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:[.,]\d{1,9})?(Z|[+-]\d{2}:?\d{2})?")
_COMPILED: dict[str, re.Pattern[str]] = {}
_EPOCH_DAY = date(1970, 1, 1).toordinal()
EARLIEST = int(datetime(1995, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000  # a record older than logs are: its clock was not set


def layout(name: str) -> re.Pattern[str]:
    """The compiled pattern of a layout (compiled when it is first needed)."""
    if name not in _COMPILED:
        _COMPILED[name] = re.compile(LAYOUTS[name], re.IGNORECASE if name in ("java", "rfc2822") else 0)
    return _COMPILED[name]


def epoch_micros(value: float) -> int:
    """Microseconds of an epoch number; its unit (s, ms, µs, ns) is told by its magnitude."""
    size = abs(value)
    if size < 1e11:
        return value * 1_000_000 if isinstance(value, int) else round(value * 1e6)
    if size < 1e14:
        return value * 1000 if isinstance(value, int) else round(value * 1e3)
    if size < 1e17:
        return int(value)
    return value // 1000 if isinstance(value, int) else int(value / 1000)


@dataclass
class Clock:
    """Reads the stamps of one file, in its order.

    Attributes:
        zone: for stamps without an offset.
        year: for stamps without a year: the year of the first one; it goes up when December turns to January.
        day_first: order of ``03/04/2026``; ``None`` until the file has shown it (then: month first, and it says so).
        short_order: order of ``17/06/09``: ``ymd``, ``dmy`` or ``mdy``.
        latest: microseconds; a later record's clock was wrong.
        offsets: offset as written (``naive`` where none) → how often it was seen.
        used: layout → how often.
    """

    zone: tzinfo = UTC
    year: int | None = None
    day_first: bool | None = None
    short_order: str = "ymd"
    latest: int = 0
    offsets: Counter = field(default_factory=Counter)
    used: Counter = field(default_factory=Counter)
    ambiguous: int = 0  # stamps in the hour that a change to winter time repeats
    nonexistent: int = 0  # stamps in the hour that a change to summer time skips
    _last: str = ""
    _month: int = 0
    _previous: int | None = None  # naive µs of the stamp before, for the repeated hour
    _second_pass: bool = False

    def column(self, values: Sequence | pa.Array) -> pa.Array:
        """Stamps of consecutive records → int64 microseconds UTC; what is not understood is null.

        Takes text, or numbers (epochs), ``None`` and "" for no stamp. Complexity: linear; ISO stamps and numbers go through one
        vectorised cast, others are read once per distinct stamp.
        """
        if not isinstance(values, pa.Array):
            try:
                values = pa.array(values, pa.string())
            except (pa.ArrowInvalid, pa.ArrowTypeError):
                try:
                    values = pa.array(values)
                except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
                    return self._one_by_one(values)
        if pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
            return self._numbers(values)
        if not pa.types.is_string(values.type):
            return self._one_by_one(values.to_pylist())
        quick = self._iso(values)
        return quick if quick is not None else self._distinct(values)

    def one(self, value) -> int | None:
        """Microseconds UTC of one stamp, or None."""
        return self.column([value])[0].as_py()

    def _one_by_one(self, values: Sequence) -> pa.Array:
        """Values of mixed kinds, in order."""
        out = []
        for value in values:
            known = None if value is None or value == "" else self._read(value)
            if known is None:
                out.append(None)
                continue
            micros, offset = known
            self.offsets[offset] += 1
            out.append(micros if offset != "naive" else self._place(micros))
        return pa.array(out, pa.int64())

    def _distinct(self, values: pa.Array) -> pa.Array:
        """Text of any layout, each distinct stamp read once, in the order in which they first appear."""
        coded = values.dictionary_encode()
        known = [self._read(v) if v else None for v in coded.dictionary.to_pylist()]
        counts = pc.value_counts(coded.indices.drop_null())
        naive = False
        for index, n in zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True):
            if known[index] is not None:
                self.offsets[known[index][1]] += n
                naive = naive or known[index][1] == "naive"
        micros = pa.array([k and k[0] for k in known], pa.int64()).take(coded.indices)
        if not naive or self.zone is UTC:
            return micros
        is_naive = pa.array([k is not None and k[1] == "naive" for k in known]).take(coded.indices).to_pylist()
        return pa.array([self._place(m) if m is not None and there else m for m, there in zip(micros.to_pylist(), is_naive, strict=True)],
                        pa.int64())

    def _numbers(self, values: pa.Array) -> pa.Array:
        """Epoch numbers; one unit for all where their magnitudes agree."""
        span = pc.min_max(values).as_py()
        low, high = span["min"], span["max"]
        if low is None:
            return pa.nulls(len(values), pa.int64())
        units = {(sum(abs(v) >= edge for edge in (1e11, 1e14, 1e17))) for v in (low, high)}
        if len(units) > 1 or not 1e8 <= low <= high < 1e19:
            return self._one_by_one(values.to_pylist())
        count = len(values) - values.null_count
        self.used["epoch"] += count
        self.offsets["+00:00"] += count
        unit = units.pop()
        if pa.types.is_floating(values.type):
            return pc.cast(pc.round(pc.multiply(values, (1e6, 1e3, 1.0, 1e-3)[unit])), pa.int64(), safe=False)
        values = pc.cast(values, pa.int64())
        return pc.divide(values, 1000) if unit == 3 else pc.multiply(values, (1_000_000, 1000, 1)[unit])

    def _iso(self, text: pa.Array) -> pa.Array | None:
        """ISO 8601 with one shape throughout, in one cast; ``None`` where the stamps are something else."""
        first = next((v for v in text[:20].to_pylist() if v), None)
        if not isinstance(first, str) or not (found := _ISO_QUICK.fullmatch(first)):
            return None
        zoned = found[1] is not None
        if not zoned and self.zone is not UTC:
            return None
        try:
            if "," in first:
                text = pc.replace_substring(text, ",", ".")
            stamps = pc.cast(text, pa.timestamp("ns", "UTC") if zoned else pa.timestamp("ns"))
        except pa.ArrowInvalid:
            return None  # some stamp is of another shape: one by one
        count = len(stamps) - stamps.null_count
        self.used["iso"] += count
        if not zoned:
            self.offsets["naive"] += count
        elif first.endswith("Z") and (pc.sum(pc.ends_with(text, "Z")).as_py() or 0) == count:
            self.offsets["+00:00"] += count
        else:
            ends = pc.value_counts(pc.utf8_slice_codeunits(text.drop_null(), -6))
            for end, n in zip(ends.field("values").to_pylist(), ends.field("counts").to_pylist(), strict=True):
                self.offsets[_spell_offset("Z" if end.endswith("Z") else end if end[-3] == ":" else end[-5:])] += n
        return pc.divide(pc.cast(stamps, pa.int64()), 1000)

    def _read(self, value) -> tuple[int, str] | None:
        """(microseconds, offset): UTC where the stamp has an offset, else naive with offset ``naive``."""
        if isinstance(value, bool):
            return None
        if isinstance(value, int | float):
            return self._number(value)
        if not isinstance(value, str):
            return None
        text = value.strip().strip("[]")
        if len(text) > 64:
            return None
        if self._last and (found := layout(self._last).fullmatch(text)) and (known := self._fields(self._last, found)):
            return known
        if _NUMBER.fullmatch(text) and len(text.split(".")[0].lstrip("+-")) >= 9 and not (len(text) == 14 and text[:2] in ("19", "20")):
            return self._number(float(text) if "." in text or "e" in text.lower() else int(text))
        if found := _SECONDS_NANOS.fullmatch(text):
            self.used["epoch"] += 1
            return int(found[1]) * 1_000_000 + int(found[2]) // 1000, "+00:00"
        if found := _TAI.fullmatch(text):
            seconds = int(found[1], 16) - 2**62 - 37  # TAI is 37 s ahead of UTC since 2017
            self.used["tai64n"] += 1
            return seconds * 1_000_000 + int(found[2] or "0", 16) // 1000, "+00:00"
        for name in LAYOUTS:
            if (found := layout(name).fullmatch(text)) and (known := self._fields(name, found)):
                self._last = name
                return known
        return None

    def _number(self, value: float) -> tuple[int, str] | None:
        if value != value or not 1e8 <= abs(value) < 1e19:
            return (0, "+00:00") if value == 0 else None
        self.used["epoch"] += 1
        return epoch_micros(value), "+00:00"

    def _fields(self, name: str, found: re.Match[str]) -> tuple[int, str] | None:
        part = found.groupdict()
        if "s1" in part:
            part |= {k: part[f"s{i}"] for i, k in enumerate(self.short_order, 1)}
        if "a" in part:
            a, b = int(part["a"]), int(part["b"])
            day_first = a > 12 if self.day_first is None and (a > 12 or b > 12) else bool(self.day_first)
            if a > 12 or b > 12:
                day_first = a > 12
            day, month = (a, b) if day_first else (b, a)
        else:
            day = int(part["d"])
            month = MONTHS[part["mon"][:3].lower()] if part.get("mon") else int(part["m"])
        year = int(part["Y"]) if part.get("Y") else 2000 + int(part["y"]) if part.get("y") else None
        hour, minute, second = int(part["H"]), int(part["M"]), int(part.get("S") or 0)
        if part.get("ap"):
            hour = hour % 12 + (12 if part["ap"].lower() == "pm" else 0)
        if year is None:
            year = self._year_of(month)
        try:
            days = date(year, month, day).toordinal() - _EPOCH_DAY
        except ValueError:
            return None
        if hour > 23 or minute > 59 or second > 60:
            return None
        micros = ((days * 24 + hour) * 60 + minute) * 60_000_000 + second * 1_000_000 + int((part.get("f") or "0").ljust(6, "0")[:6])
        self.used[name] += 1
        written = part.get("z")
        if not written:
            return micros, "naive"
        minutes = offset_minutes(written)
        if minutes is None:
            return micros, "naive"
        return micros - minutes * 60_000_000, _spell_minutes(minutes)

    def _year_of(self, month: int) -> int:
        """The year of a stamp that has none: carried along, up by one where December turns to January."""
        if self.year is None:
            self.year = datetime.now(UTC).year
        if self._month and month - self._month > 6:
            return self.year - 1  # a late line of the year before
        if self._month and month - self._month < -6:
            self.year += 1
        self._month = month
        return self.year

    def _place(self, micros: int) -> int:
        """Naive microseconds of the file's zone → UTC. The repeated hour of autumn is told apart by the order of the lines."""
        if self.zone is UTC:
            return micros
        local = datetime(1970, 1, 1) + timedelta(microseconds=micros)
        early, late = (local.replace(tzinfo=self.zone, fold=f).utcoffset() for f in (0, 1))
        if early == late:
            self._second_pass, self._previous = False, micros
            return micros - early // timedelta(microseconds=1)
        if early > late:  # the hour stands twice
            self.ambiguous += 1
            if self._previous is not None and micros < self._previous - 60_000_000:
                self._second_pass = True
            self._previous = micros
            return micros - (late if self._second_pass else early) // timedelta(microseconds=1)
        self.nonexistent += 1  # the hour was skipped: read with the offset before the change
        self._previous = micros
        return micros - early // timedelta(microseconds=1)

    @property
    def yearless(self) -> bool:
        """Whether stamps without a year were read."""
        return self._month > 0


def plausible(micros: pa.Array, latest: int) -> pa.Array:
    """Which instants can be true: not before 1995 and not after ``latest`` (microseconds); null stays null."""
    return pc.and_(pc.greater_equal(micros, EARLIEST), pc.less_equal(micros, latest))


def offset_minutes(text: str) -> int | None:
    """Minutes east of UTC of ``+0330``, ``-07:00``, ``PDT``, ``Z``; ``None`` where it is no zone."""
    if text[0] in "+-":
        digits = text[1:].replace(":", "").ljust(4, "0")
        minutes = int(digits[:2]) * 60 + int(digits[2:4])
        return -minutes if text[0] == "-" else minutes
    return ABBREVIATIONS.get(text.upper())


def _spell_minutes(minutes: int) -> str:
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def _spell_offset(text: str) -> str:
    return _spell_minutes(offset_minutes(text) or 0)
