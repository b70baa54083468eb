"""Metrics in long form as one small table: a row for each time, service (or pod) and metric."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from incidentnb.evidence.spans import plain

if TYPE_CHECKING:
    import pandas as pd

_TIME = ("time", "timestamp", "timestampunix", "unixtimestamp", "ts", "datetime", "date", "timeunixnano", "epoch")
_METRIC = ("metric", "metricname", "name", "kpi", "kpiname", "measure", "field")
_VALUE = ("value", "metricvalue", "val", "v")
_SERVICE = ("service", "servicename", "pod", "podname", "k8spodname", "source", "cmdbid", "instance", "host", "component", "container", "node",
            "microservice")


def is_metrics(names: Iterable[str]) -> bool:
    """Whether a table with these columns holds metrics in long form: time, whose, which, value."""
    have = {plain(n) for n in names}
    return bool(have & set(_TIME) and have & set(_METRIC) and have & set(_VALUE) and have & set(_SERVICE))


def of_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """The metrics of a table in long form.

    Returns:
        ``time`` (aware UTC), ``service`` (as named there), ``metric`` (text), ``value`` (a float), in order of service, metric and time; rows
        without a time or a number are left out.
    """
    import pandas as pd

    from incidentnb.evidence.spans import _instants

    by: dict[str, Any] = {}
    for name in frame.columns:
        by.setdefault(plain(str(name)), name)

    def pick(names: tuple[str, ...]) -> pd.Series:
        return frame[next(by[n] for n in names if n in by)]

    made = pd.DataFrame({"time": pd.to_datetime(_instants(pick(_TIME)), unit="ns", utc=True), "service": pick(_SERVICE).astype(object),
                         "metric": pick(_METRIC).astype(object), "value": pd.to_numeric(pick(_VALUE), errors="coerce")})
    made = made[made["time"].notna() & made["value"].notna() & made["service"].notna() & made["metric"].notna()]
    made = made.assign(service=made["service"].map(str), metric=made["metric"].map(str))
    return made.sort_values(["service", "metric", "time", "value"]).reset_index(drop=True)
