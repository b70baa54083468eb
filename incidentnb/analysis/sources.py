"""Is a rise one of the sources' own, or of their mix? And did a spike end, or its source's log? A log table's services and files compared."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from incidentnb.analysis import scan, silence
from incidentnb.analysis.exposure import believed
from incidentnb.analysis.rates import percent
from incidentnb.analysis.resampling import two_rates
from incidentnb.times import at

if TYPE_CHECKING:
    import pandas as pd

    from incidentnb.evidence.table import LogTable

COLUMNS, MOST_VALUES, MOST_PAIRS = ("service", "source"), 50, 400
LEAST_OUTSIDE, LEAST_FAILED = 30, 5  # requests outside of a rise that a source's usual rate rests on; with fewer failures it is believed less
BEYOND = 6.0  # nats by which a source's own rate must have risen
MATTERS = 0.25  # the share of the failures above the usual that a changed mix must explain to be reckoned with
MOST_OF = 0.5  # of them, by sources that are new, or that ended
LEAST_TO_COME = 5.0  # failures that an ended source would have had to log after the end of a spike to prove that it ended
_NUMBER = "SELECT " + ", ".join(f"approx_count_distinct({c}) AS {c}" for c in COLUMNS) + " FROM outcomes WHERE time >= $start AND time <= $stop"
_QUERY = """SELECT {columns}, CAST(epoch_us(time) // ({width} * 1000000::BIGINT) AS INTEGER) AS slot,
sum(total) AS total, sum(failing) AS failing, max(time) AS last FROM outcomes WHERE time >= $start AND time <= $stop GROUP BY {columns}, slot"""


@dataclass(frozen=True)
class Sources:
    """Requests by the values of one column, a row each, and bucket.

    Attributes:
        column, values: the column and its values; total, failing: value × bucket; last: the last record of each.
        ended: numbers of the values that ended before the others; stop: the last record of all.
    """

    column: str
    values: list[str]
    total: np.ndarray
    failing: np.ndarray
    last: list[datetime]
    ended: list[int]
    stop: datetime


@dataclass(frozen=True)
class Mix:
    """What the usual rates of the sources say about a rise.

    Attributes:
        explained: share of the failures above the usual that the changed mix explains.
        exposure: requests per bucket, times the usual rate of their sources over that of all; note: what changed.
        own: what each source failed above its usual rate in the rise; new: those that were not seen outside of it; risen: the number of the
            source whose own rate rose most, by twice and beyond chance; ``None`` where no one's did.
    """

    explained: float
    exposure: np.ndarray
    note: str
    own: np.ndarray
    new: np.ndarray
    risen: int | None


def read(table: LogTable, start: datetime, stop: datetime, first: datetime, places: int, width: int) -> list[Sources]:
    """The sources of a table by bucket, counted in one pass; empty where no column has 2 to 50 values."""
    number = table.row(_NUMBER, {"start": start, "stop": stop})
    columns = [c for c in COLUMNS if 2 <= (number[c] or 0) <= MOST_VALUES]
    if len(columns) > 1 and number[columns[0]] * number[columns[1]] > MOST_PAIRS:
        columns = columns[:1]
    if not columns:
        return []
    got = table.frame(_QUERY.format(columns=", ".join(columns), width=width), {"start": start, "stop": stop})
    got["slot"] -= int(first.timestamp()) // width
    return [_by(got.dropna(subset=[column]), column, places) for column in columns]


def _by(got: pd.DataFrame, column: str, places: int) -> Sources:
    codes, values = got[column].factorize(sort=True)
    total, failing = np.zeros((len(values), places)), np.zeros((len(values), places))
    np.add.at(total, (codes, got["slot"].to_numpy(np.int64)), got["total"].to_numpy(float))
    np.add.at(failing, (codes, got["slot"].to_numpy(np.int64)), got["failing"].to_numpy(float))
    last = [moment.to_pydatetime().astimezone(UTC) for moment in got.groupby(codes)["last"].max()]
    counts = got.assign(value=codes).groupby(["value", "slot"], as_index=False)["total"].sum().rename(columns={"total": "n"})
    return Sources(column, [str(v) for v in values], total, failing, last, [row["value"] for row in silence.ended(counts)], max(last))


def mix(sources: Sources, factor: np.ndarray, use: np.ndarray, inside: np.ndarray) -> Mix | None:
    """How far a changed mix of the sources explains a rise; ``None`` where nothing lies outside of it to compare with.

    Method: indirect standardisation (Mantel & Haenszel 1959; Keiding 1987): the failures to expect in a bucket are the sum over the
    sources of its requests times the source's rate outside of the rise; one of fewer than five failures is believed less one standard error,
    toward that of all. A source's own rise is a likelihood ratio of its two rates.
    Complexity: values × buckets.

    Args:
        factor: the usual rate at the time of each bucket over the quiet rate; use: buckets that are complete; inside: those of the rises.
    """
    out, inside = use & ~inside, use & inside
    requests, failed = sources.total * factor, sources.failing
    whole, level = requests[:, out].sum(), 0.0
    if whole <= 0 or not inside.any():
        return None
    level = (failed[:, out].sum() + 0.5) / (whole + 1.0)
    before, now = requests[:, out].sum(axis=1), requests[:, inside].sum(axis=1)
    known = (sources.total[:, out].sum(axis=1) >= LEAST_OUTSIDE) & ((sources.total[:, out] > 0).sum(axis=1) >= 2)
    f_before, f_now = failed[:, out].sum(axis=1), failed[:, inside].sum(axis=1)
    rate = np.where(f_before >= LEAST_FAILED, (f_before + 0.5) / (before + 1), level * believed(f_before, level * before))
    rate = np.where(known, rate, level)
    exposure = (requests * rate[:, None]).sum(axis=0) / level
    above = failed[:, inside].sum() - level * now.sum()
    explained = float((now * (rate - level)).sum() / above) if above > 0 else 0.0
    shares = now / max(1e-12, now.sum()), before / whole
    main = int(np.argmax((shares[0] - shares[1]) * (rate - level)))
    own = f_now - now * rate
    beyond = two_rates(f_now, now, f_before, np.maximum(before, 1e-9)) - np.log(len(rate))
    risen = np.flatnonzero(known & (f_now >= scan.AT_LEAST_RATIO * now * rate) & (own >= scan.AT_LEAST_EXCESS) & (beyond >= BEYOND))
    usual = percent(float(failed[main, out].sum() / max(1.0, sources.total[main, out].sum())))
    note = (f"The mix of the {sources.column}s changed: {sources.column} {sources.values[main]}, of whose requests {usual} fail otherwise too, "
            f"holds {percent(float(shares[0][main]))} of the requests in the rise and {percent(float(shares[1][main]))} of those outside of it.")
    return Mix(explained, exposure, note, own, ~known & (now > 0) & ~_replacing(sources),
               int(risen[np.argmax(own[risen])]) if len(risen) else None)


def _replacing(sources: Sources) -> np.ndarray:
    """Values that began where another one ended: a log that was rotated, a service that was renamed."""
    places = sources.total.shape[1]
    first = (sources.total > 0).argmax(axis=1)
    last = places - 1 - (sources.total[:, ::-1] > 0).argmax(axis=1)
    near = (np.abs(first[:, None] - last[None, :]) <= 3) & (last[None, :] < places - 3) & (first[:, None] > 2)
    return near.any(axis=1)


def new_note(sources: Sources, found: Mix) -> str:
    """That most of the failures above the usual came from sources which were not seen before, where it is so."""
    above = np.maximum(found.own, 0.0)
    if above.sum() <= 0 or above[found.new].sum() < MOST_OF * above.sum():
        return ""
    names = [sources.values[i] for i in np.flatnonzero(found.new) if above[i] > 0]
    return (f"Most of these failures come from {_named(sources.column, names)}, logged only in the spike, so that no usual rate is known: "
            "what is new and fails is an incident; the log of what always fails, and merely starts later than the others, looks the same.")


def ended_notes(sources: Sources) -> list[str]:
    """A sentence for each source that ended before the others."""
    return [f"{sources.column.capitalize()} {sources.values[i]} ends at {at(sources.last[i])} while others go on to {at(sources.stop)}: it is "
            "silent, or its logs are late." for i in sources.ended[:3]]


def unproved_end(sources: Sources, found: Mix, inside: np.ndarray, end: int) -> str:
    """That a spike's end is not proved by requests, but by the end of its source's log; empty where it is proved.

    Args:
        inside: the buckets of the spike; end: the first bucket after it.
    """
    gone, above = sources.ended, np.maximum(found.own, 0.0)
    if not gone or above.sum() <= 0 or above[gone].sum() < MOST_OF * above.sum():
        return ""
    failing, total = sources.failing[gone][:, inside].sum(), sources.total[gone][:, inside].sum()
    if sources.total[gone][:, end:].sum() * failing / max(1.0, total) >= LEAST_TO_COME:
        return ""
    who = _named(sources.column, [sources.values[i] for i in gone])
    return f"The failures came from {who}, whose log ends with them: that they stopped is not known."


def _named(column: str, names: list[str]) -> str:
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"{column}{'s' * (len(names) > 1)} {shown}"


def compare(found: list[Sources], factor: np.ndarray, use: np.ndarray, inside: np.ndarray) -> list[tuple[Sources, Mix]]:
    """Each column's sources with what they say about a rise, the one that explains most of it first."""
    judged: list[tuple[Sources, Any]] = [(one, mix(one, factor, use, inside)) for one in found]
    return sorted(((one, got) for one, got in judged if got is not None), key=lambda pair: -pair[1].explained)
