"""The service at fault on whole incidents (Nezha's TrainTicket, PetShop), and whether one is invented in a quiet time; simple rivals beside it."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from incidentnb.analysis import service_logs
from incidentnb.analysis.services import CANDIDATES, Told, services
from incidentnb.evidence import metrics as metric_room
from incidentnb.evidence import telemetry
from incidentnb.evidence.pods import fold
from incidentnb.evidence.table import table_of
from incidentnb.workflow.analyses import reading
from scoring import Figure, share

if TYPE_CHECKING:
    import pandas as pd

NEZHA, PETSHOP = "rca/nezha_trainticket", "rca/petshop"
PUBLISHED = "11 root-cause methods re-evaluated on harder cases: mean top-1 0.21"
HALVES = 20


def score(data: Path, every: int = 1) -> list[Figure]:
    """The figures of this room on a folder laid out like ``../shared/data``; of the cases each ``every``-th."""
    with ExitStack() as tables:
        return [*nezha(Path(data) / NEZHA, every, tables), *petshop(Path(data) / PETSHOP, every)]


def nezha(folder: Path, every: int, tables: ExitStack) -> list[Figure]:
    """AC@1 and AC@3, no onset given, and false candidates between halves of each baseline."""
    baselines: dict[str, Told] = {}
    ranks: dict[str, list[int]] = defaultdict(list)
    for case in json.loads((folder / "labels.json").read_text(encoding="utf-8"))[::every]:
        truth = case["root_cause_service"]
        if case["baseline"] not in baselines:
            baselines[case["baseline"]] = told(folder / case["baseline"], tables)
        before, now = baselines[case["baseline"]], told(folder / case["case"], tables)
        finding = services(now, None, before)
        ranks["ours"].append(place(truth, [e["service"] for e in finding.numbers["services"]]))
        ranks["said"].append(ranks["ours"][-1] if finding.verdict == CANDIDATES else 0)
        for name, order in rivals(now, before):
            ranks[name].append(place(truth, order))
    false = [services(one, None, other).verdict == CANDIDATES
             for before in baselines.values() for one, other in halves(before, tables, max(2, HALVES // every))]
    return [*_ac("service at fault", NEZHA, ranks, {1: 0.5, 3: 4 / 6}),
            Figure("service at fault, first and said to stand out", NEZHA, share(r == 1 for r in ranks["said"]), len(ranks["said"])),
            Figure("a service named between halves of a quiet time", NEZHA, share(false), len(false), reach=0.1, at_most=True)]


def petshop(folder: Path, every: int) -> list[Figure]:
    """AC@1 and AC@3 on metrics alone, two quiet values before the alarm, the call graph given."""
    ranks: dict[str, list[int]] = defaultdict(list)
    for case in sorted(folder.glob("*/target.json"))[::every]:
        target = json.loads(case.read_text(encoding="utf-8"))
        truth = target["root_cause"]["node"]
        metrics = wide(case.parent / "metrics.csv")
        since = _moment(target["target"]["timestamp"])
        finding = services(Told(metrics=metrics), since, None, graph(folder, case.parent.name))
        ranks["ours"].append(place(truth, [e["service"] for e in finding.numbers["services"]]))
        ranks["largest metric shift"].append(place(truth, shift(metrics[metrics["time"] < since], metrics[metrics["time"] >= since])))
    return _ac("root-cause node, two values before the alarm", PETSHOP, ranks, {})


def _ac(question: str, data: str, ranks: dict[str, list[int]], reach: dict[int, float]) -> list[Figure]:
    others = [name for name in ranks if name not in ("ours", "said")]
    ours = ranks["ours"]
    return [Figure(f"{question}: {'first' if k == 1 else f'among the first {k}'}", data, share(0 < r <= k for r in ours), len(ours),
                   reach=reach.get(k), published=PUBLISHED if k == 1 else "",
                   rivals={name: share(0 < r <= k for r in ranks[name]) for name in others}) for k in (1, 3)]


def place(truth: str, order: list[str]) -> int:
    """The rank of the true service, 0 for not named."""
    return order.index(truth) + 1 if truth in order else 0


def told(folder: Path, tables: ExitStack) -> Told:
    """Logs, spans and metrics of a folder; the label beside them is not read."""
    found = telemetry.sort_out(sorted(folder.glob("*.csv.gz")))
    return Told(tables.enter_context(reading(found.logs)), found.spans, found.metrics)


def halves(before: Told, tables: ExitStack, many: int) -> Iterator[tuple[Told, Told]]:
    """A quiet time cut in two: by time, the later half against the earlier, and by request in many ways."""
    frame = before.table.frame("SELECT * FROM log")
    trace = service_logs.column(before.table, service_logs.TRACE).strip('"')
    began = before.spans.groupby("trace")["start_ns"].min().sort_values(kind="stable")
    order = list(began.index)
    cuts = [set(order[len(order) // 2:])]
    cuts += [{t for i, t in enumerate(sorted(order)) if (i * (2 * k + 1) // (k + 1) + i * k) % 2} for k in range(many - 1)]
    for late in cuts:
        if not 0.25 < len(late) / len(order) < 0.75:
            continue
        parts = []
        for inside in (True, False):
            table = table_of(frame[frame[trace].isin(late) == inside].drop(columns=["failed"]))
            tables.callback(table.close)
            parts.append(Told(table, before.spans[before.spans["trace"].isin(late) == inside].reset_index(drop=True)))
        yield parts[0], parts[1]


def rivals(now: Told, before: Told) -> Iterator[tuple[str, list[str]]]:
    """What one would try first: the most lines of errors, the largest shift of any metric, the longest growth of mean span durations."""
    events = service_logs.traced(now.table)
    events = service_logs.events([events], fold(events["service"].unique()))[0][0]
    loud = events[events["event"].str.startswith(("ERROR", "FATAL"))]["service"].value_counts()
    yield "most error lines", list(loud.index)
    start = before_start(now)
    pods = fold(now.metrics["service"].unique())
    yield "largest metric shift", list(dict.fromkeys(
        pods[s] for s in shift(now.metrics[now.metrics["time"] < start], now.metrics[now.metrics["time"] >= start])))
    named = [t.spans.assign(service=t.spans["service"].map(fold(t.spans["service"].unique()))) for t in (before, now)]
    means = [spans.groupby("service")["duration_ns"].mean() for spans in named]
    yield "slowest growth of spans", list((means[1] / means[0]).dropna().sort_values(ascending=False).index)


def before_start(now: Told) -> Any:
    return _moment(int(now.spans["start_ns"].min()) / 1e9)


def shift(before: pd.DataFrame, since: pd.DataFrame) -> list[str]:
    """Services by the largest |z| of any metric: mean since against mean and deviation before."""
    old = before.groupby(["service", "metric"])["value"].agg(["mean", "std"])
    z = ((since.groupby(["service", "metric"])["value"].mean() - old["mean"]).abs() / old["std"].where(old["std"] > 0)).dropna()
    return list(z.groupby("service").max().sort_values(ascending=False).index)


def wide(path: Path) -> pd.DataFrame:
    """PetShop's metrics (three header rows: microservice, metric, statistic; a row a time) in long form."""
    import pandas as pd

    frame = pd.read_csv(path, header=[0, 1, 2], index_col=0)
    rows = [{"time": t, "service": service, "metric": f"{metric} {statistic}", "value": v}
            for (service, metric, statistic), column in frame.items() for t, v in column.items() if not math.isnan(v)]
    return metric_room.of_frame(pd.DataFrame(rows))


def graph(folder: Path, case: str) -> dict[str, set[str]]:
    """Caller → callees of the graph that belongs to a case."""
    import pandas as pd

    path = next(g for g in folder.glob("*_graph.csv") if case.startswith(g.name.removesuffix("_graph.csv")))
    frame = pd.read_csv(path, index_col=0)
    return {str(caller): {str(c) for c in frame.columns if row[c] == 1} for caller, row in frame.iterrows()}


def _moment(seconds: float) -> Any:
    from incidentnb import times

    return times.epoch(float(seconds))
