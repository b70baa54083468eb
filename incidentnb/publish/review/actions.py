"""Action items for where work is planned: a CSV that a spreadsheet does not run, and one Markdown file an item for GitHub issues."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable

from incidentnb import sinks
from incidentnb.record.folds import Action
from incidentnb.record.incident import Incident

COLUMNS = ("incident", "id", "action", "owner", "due", "kind", "state", "done_at", "severity", "entry")
Hide = Callable[[str], str]


def as_csv(incident: Incident, hide: Hide = str) -> str:
    """The action items as CSV, one row each in order of their number, under ``COLUMNS``; what is not recorded is empty.

    Args:
        incident: as ``record.incident.load`` gives it.
        hide: takes secrets out of a text.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for item in incident.actions:
        cells = (incident.id, item.id, hide(item.text), hide(item.owner), item.due, item.type, _state(item), _done(item), incident.peak_severity,
                 item.seq)
        writer.writerow([sinks.csv_cell(cell) for cell in cells])
    return out.getvalue()


def as_issues(incident: Incident, hide: Hide = str, postmortem: str = "../postmortem.md") -> dict[str, str]:
    """The action items as GitHub issues in Markdown, file name → text: a head that issue templates have, then what is to be done and why.

    Args:
        incident: as ``record.incident.load`` gives it.
        hide: takes secrets out of a text.
        postmortem: where the postmortem is, seen from these files.
    """
    return {f"{item.id}.md": _issue(incident, item, hide, postmortem) for item in incident.actions}


def _issue(incident: Incident, item: Action, hide: Hide, postmortem: str) -> str:
    text, owner = hide(item.text), hide(item.owner)
    labels = ["incident", "action-item", *([item.type] if item.type else []), incident.peak_severity.lower()]
    head = [f"title: {_yaml(f'{item.id}: {text}')}", f"labels: {_yaml(labels)}", f"owner: {_yaml(owner)}", f"due: {_yaml(item.due)}",
            f"kind: {_yaml(item.type)}", f"incident: {_yaml(incident.id)}"]
    facts = [("Owner", owner), ("Due", item.due), ("Kind", item.type), ("State", f"{_state(item)} {_done(item)}".strip())]
    rows = [f"- {name}: {sinks.markdown(value) if value else 'not recorded'}" for name, value in facts]
    where = (f"From the incident {sinks.markdown(incident.id)}, {sinks.markdown(hide(incident.title))} ({incident.peak_severity}), "
             f"entry {item.seq} of its record: [postmortem]({postmortem}).")
    return "\n".join(["---", *head, "---", "", sinks.markdown(text), "", *rows, "", where]) + "\n"


def _yaml(value: str | list[str]) -> str:
    """A value as YAML reads it: JSON is YAML. Control characters are shown."""
    return json.dumps([sinks.visible(one) for one in value] if isinstance(value, list) else sinks.visible(value), ensure_ascii=False)


def _state(item: Action) -> str:
    return "done" if item.done_at else "open"


def _done(item: Action) -> str:
    return f"{item.done_at:%Y-%m-%d}" if item.done_at else ""
