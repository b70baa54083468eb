"""The table of the runbook in the README, made from the data: each line, what to type, the notebook's section, the module."""

from __future__ import annotations

from incidentnb.record import runbook

HEAD = "| the runbook asks | type | notebook section | module |\n|---|---|---|---|"


def table() -> str:
    """The whole table as Markdown: every duty in its order, then the rules that are kept without anybody typing."""
    book = runbook.rules()
    rows = [f"| {duty.what} | {_typed(duty.verb)} | {duty.section} | `{duty.module}` |" for duty in book.duties]
    rows += [f"| {rule['what']} | – | – | `{rule['kept_by']}` |" for rule in book.rules]
    return "\n".join([HEAD, *rows])


def _typed(verb: str) -> str:
    return f"`{verb}`".replace("|", "\\|")


if __name__ == "__main__":
    print(table())  # noqa: T201  to be put into the README
