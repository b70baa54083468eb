"""What happened in which order, and how long it took, is the same wherever it is read: status, appendix, notebook, postmortem."""

import re
from datetime import timedelta

import ledgers
import pytest

from incidentnb import times
from incidentnb.case import standing
from incidentnb.publish import heading, postmortem, timeline
from incidentnb.record import incident, status

NAMES = {"To detect (TTD)": "TTD", "To acknowledge (TTA)": "TTA", "To mitigate (TTM)": "TTM", "To resolve (TTR)": "TTR",
         "Impact, start to end": "impact"}
SEEDS = range(0, 120, 3)


def known(seed: int):
    made = ledgers.make(seed)
    return incident.fold("ledger", ledgers.entries(made))


def rows(text: str, part: str) -> list[list[str]]:
    """The cells of a table of the postmortem, without its head."""
    body = re.search(rf"<!-- incidentnb:begin {part} \w+ -->\n(.*?)<!-- incidentnb:end {part} -->", text, re.DOTALL)
    lines = [line for line in (body[1] if body else "").splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


@pytest.mark.parametrize("seed", SEEDS)
def test_durations_are_the_same_everywhere(seed):
    """TTD, TTA, TTM, TTR and the impact are one value in the fold, in ``status``, at the head of the appendix, in the notebook and the postmortem."""
    one = known(seed)
    truth = {name: metric.value for name, metric in one.metrics.items()}
    head = heading.heading(one)["metrics"]
    assert {name: None if m["value"] is None else timedelta(seconds=m["value"]) for name, m in head.items()} == truth
    shown = standing.milestones(one.entries).frame
    notebook = {row["what"]: row["value"] for row in shown.to_dict("records") if row["what"] in truth}
    assert notebook == {name: times.spell(value) for name, value in truth.items()}
    said = status.status(one)["metrics"]
    assert all(times.spell(value) in said[name]["text"] for name, value in truth.items() if value is not None)
    document = {NAMES[row[0]]: row[1].split(" (between")[0] for row in rows(postmortem.postmortem(one).text, "metrics")}
    assert document == {name: times.spell(value) for name, value in truth.items()}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_is_the_same_everywhere(seed):
    """Events stand in one order, that of when they happened, in the timeline of the notebook and the appendix and in that of the postmortem."""
    one = known(seed)
    frame = timeline.timeline(one.entries)
    order = [int(m[1]) for evidence in frame["evidence"] if (m := re.match(r"journal #(\d+)", evidence))]
    told = [int(m[1]) for row in rows(postmortem.postmortem(one).text, "timeline") if (m := re.search(r"entry (\d+)", row[-1]))]
    assert told == [seq for seq in order if seq in set(told)] and len(told) >= min(3, len(order))
    dated = frame["at"].dropna()
    assert dated.is_monotonic_increasing
