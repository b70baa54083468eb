"""From fields to columns."""

import pytest

from incidentnb.evidence.values import duration_ms, level_of, route_of, text_of


@pytest.mark.parametrize(("path", "route"), [
    ("/orders/123", "/orders/{id}"), ("/orders/123/items/9?x=1", "/orders/{id}/items/{id}"), ("/", "/"), ("", "/"),
    ("/users/3f2504e0-4f89-11d3-9a0c-0305e82c3301", "/users/{id}"), ("/c/9b2d1f0a77", "/c/{id}"), ("/orders/ord-12345", "/orders/{id}"),
    ("/api/v2/items", "/api/v2/items"), ("/static/app.js", "/static/app.js"), ("https://shop.example/a/5", "/a/{id}"),
    ("/u/ann@example.com/mail", "/u/{id}/mail"), ("/reports/2026-11-23", "/reports/{id}"), ("/s/ABCdef0123456789xyz_", "/s/{id}"),
    ("/cafebabe", "/cafebabe"), ("/deadbeef01", "/{id}"), ("/search;jsessionid=1", "/search"),
    ("/img/be1e08230013.webp", "/img/{id}.webp"), ("/reports/42.json", "/reports/{id}.json"),
    ("/js/jquery-3-6-0-bundle.js", "/js/jquery-3-6-0-bundle.js")])
def test_ids_in_paths_fold_into_a_route(path, route):
    """Numbers, UUIDs, hexadecimal and long tokens become {id}; words, versions and file names stay."""
    assert route_of(path) == route


@pytest.mark.parametrize(("written", "level"), [("INFO", "INFO"), ("warning", "WARN"), ("E", "ERROR"), ("CRITICAL", "FATAL"), ("[error]", "ERROR"),
                                                ("DEBUG4", "TRACE"), ("Note", "NOTICE"), ("verbose", "TRACE"), ("hello", None), ("", None)])
def test_levels_as_written_become_the_seven(written, level):
    """Words and letters of all loggers map to seven levels; what is none stays unknown."""
    assert level_of(written, {}) == level


@pytest.mark.parametrize(("value", "scale", "ms"), [("0.25", 1000.0, 250.0), ("1.5ms", 0.0, 1.5), ("1m2.5s", 0.0, 62500.0), (3, 1.0, 3.0),
                                                    ("68 micros", 0.0, 0.068), ("-", 1.0, None), (None, 1.0, None), ("nan", 1.0, None)])
def test_durations_come_in_milliseconds(value, scale, ms):
    """A duration is read with its unit; what is none is missing, not 0."""
    assert duration_ms(value, scale) == (pytest.approx(ms) if ms is not None else None)


@pytest.mark.parametrize(("value", "text"), [("", None), (None, None), (3, "3"), (3.0, "3"), (1.5, "1.5"), (True, "true"), (float("nan"), None),
                                             ("00123e5", "00123e5"), ([1], None)])
def test_extra_fields_are_kept_as_text(value, text):
    """Missing is NULL, never "" or 0; an id that looks like a number stays as it was written."""
    assert text_of(value) == text
