"""Lines that are objects: JSON and logfmt as flat dicts of scalars, nested keys joined by dots."""

from __future__ import annotations

import json
import re

import orjson

from incidentnb.evidence.formats import Format
from incidentnb.evidence.values import PAIR

_ESCAPED = re.compile(r"\\(.)")


def read_json(line: str):
    """A dict, or the reason why there is none."""
    start = line.lstrip()[:1]
    if start != "{":
        if start == "[" or line.strip() in ("null", "true", "false"):
            try:
                orjson.loads(line)
                return "JSON, but not an object"
            except orjson.JSONDecodeError:
                return "broken JSON" if start == "[" and '"' in line else ""
        return ""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        if "depth limit" in str(error) or "recursion" in str(error):
            return "JSON nested too deeply"
        try:
            value = json.loads(line, parse_constant=lambda name: None, parse_int=lambda digits: int(digits) if len(digits) < 20 else digits)
        except RecursionError:
            return "JSON nested too deeply"
        except ValueError as error:
            return f"broken JSON: {str(error).partition(':')[0].lower()}"
    return value if isinstance(value, dict) else "JSON, but not an object"


def read_logfmt(line: str):
    pairs = PAIR.findall(line) if PAIR.match(line.lstrip()) else ()
    if len(pairs) < 2:
        return ""
    return {k: _ESCAPED.sub(lambda m: {"n": "\n", "t": "\t"}.get(m[1], m[1]), v[1:-1]) if v[:1] == '"' else v for k, v in pairs}


def flatten(value: dict) -> dict:
    """Nested keys joined by dots; lists of ``{key, value}`` pairs (OpenTelemetry) by their keys; other lists are left out."""
    for v in value.values():
        if type(v) is dict or type(v) is list:
            break
    else:
        return value
    out: dict = {}
    stack = [(iter(value.items()), "")]
    while stack:
        items, prefix = stack[-1]
        for k, v in items:
            name = f"{prefix}{k}"
            if type(v) is dict:
                if len(stack) < 12:
                    stack.append((iter(v.items()), name + "."))
                    break
            elif type(v) is list:
                if v and type(v[0]) is dict and "key" in v[0] and "value" in v[0]:
                    for pair in v:
                        if isinstance(pair, dict) and "key" in pair:
                            out[f"{name}.{pair['key']}"] = any_value(pair.get("value"))
            elif name not in out:
                out[name] = v
        else:
            stack.pop()
    return out


def any_value(value):
    """The scalar in an OpenTelemetry ``AnyValue`` (``{"stringValue": "x"}``), or the value itself."""
    if isinstance(value, dict) and len(value) == 1:
        return any_value(next(iter(value.values())))
    return None if isinstance(value, dict | list) else value


def expand(value: dict, path: list[str], around: dict | None = None) -> list[dict]:
    """The records at a path of lists (``resourceLogs.scopeLogs.logRecords``), each with what is around it."""
    here = {k: v for k, v in value.items() if k != path[0]}
    around = {**(around or {}), **flatten(here)}
    items = value.get(path[0])
    rows = []
    for item in items if isinstance(items, list) else []:
        if not isinstance(item, dict):
            continue
        rows += [{**around, **flatten(item)}] if len(path) == 1 else expand(item, path[1:], around)
    return rows


def recognises(fmt: Format, flat: dict) -> bool:
    """Whether an object has the keys and values that a format requires."""
    keys = flat.keys()
    if not keys >= fmt.needed or (fmt.refused and not fmt.refused.isdisjoint(keys)):
        return False
    for group in fmt.either:
        if keys.isdisjoint(group):
            return False
    return not fmt.where or all(has_value(flat, test) for test in fmt.where_tests)


def has_value(flat: dict, test: tuple) -> bool:
    """Whether a field of an object has one of the values that a test of ``where`` or ``signs`` names."""
    key, values, begins = test
    if key not in flat:
        return False
    value = str(flat[key])
    return value in values or "*" in values or (begins is not None and begins.match(value) is not None)


def transposed(rows: list[dict]) -> dict[str, list]:
    columns: dict[str, list] = {}
    n = len(rows)
    for i, row in enumerate(rows):
        for key, value in row.items():
            column = columns.get(key)
            if column is None:
                column = columns[key] = [None] * n
            column[i] = value
    return columns
