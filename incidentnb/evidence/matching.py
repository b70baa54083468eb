"""Which lines are of a format, and their fields: by expression, by header, by keys."""

from __future__ import annotations

import csv

from incidentnb.evidence.formats import Format
from incidentnb.evidence.objects import expand, flatten, read_json, read_logfmt, recognises, transposed

HEADER = "\0header"  # the "reason" of a line that names the columns: it is no record, and nothing is wrong with it


def match(fmt: Format, lines: list[str], names: list[str]) -> tuple[dict, list[int], dict[int, str]]:
    """Fields of the lines that a format matches, which lines those are, and why others do not (where it can say)."""
    if fmt.kind == "text":
        rows = fmt.block_regex.findall("\n".join(lines))
        matched = [i for i, row in enumerate(rows) if not row[-1] and any(row)
                   and not (fmt.comment and lines[i].startswith(fmt.comment))]
        columns = list(zip(*(rows[i] for i in matched), strict=True)) or [()] * (len(fmt.groups) + 1)
        return dict(zip(fmt.groups, columns[:-1], strict=True)), matched, {}
    if fmt.kind == "columns":
        return _columns(fmt, lines, names)
    matched, flats, bad = [], [], {}
    read = read_json if fmt.kind == "json" else read_logfmt
    for i, line in enumerate(lines):
        if not line or line.isspace():
            continue
        value = read(line)
        if type(value) is not dict:
            bad[i] = value
            continue
        flat = value if fmt.records else flatten(value)
        if recognises(fmt, flat):
            matched.append(i)
            flats.append(flat)
        else:
            bad[i] = ""
    if fmt.records:
        rows, repeats = [], []
        for j, value in enumerate(flats):
            for row in expand(value, fmt.records.split(".")):
                rows.append(row)
                repeats.append(j)
        return {"\0rows": transposed(rows), "\0line": repeats} if rows else {}, matched if rows else [], bad
    return transposed(flats), matched, bad

def _columns(fmt: Format, lines: list[str], header: list[str]) -> tuple[dict, list[int], dict[int, str]]:
    groups: list[tuple[list[str], list[list[str]]]] = []
    matched, bad = [], {}

    def split(text: str) -> list[str]:
        if fmt.separator == "," and '"' in text:
            return next(csv.reader([text]))
        return text.split(fmt.separator)

    for i, line in enumerate(lines):
        if found := fmt.header_regex.match(line):
            named = found["names"]
            header[:] = _unique([n for n in (split(named) if fmt.separator in named else named.split()) if n])
            bad[i] = HEADER
            continue
        if not line or (fmt.comment and line.startswith(fmt.comment)):
            continue
        if not header:
            bad[i] = "no header before it that names its columns"
            continue
        row = split(line)
        if len(row) != len(header):
            bad[i] = f"{len(row)} fields where the header names {len(header)}"
            continue
        if not groups or groups[-1][0] != header:
            groups.append((list(header), []))
        groups[-1][1].append(row)
        matched.append(i)
    if len(groups) == 1:
        return dict(zip(groups[0][0], zip(*groups[0][1], strict=True), strict=True)), matched, bad
    return transposed([dict(zip(names, row, strict=True)) for names, rows in groups for row in rows]), matched, bad


def _unique(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    out = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return out
