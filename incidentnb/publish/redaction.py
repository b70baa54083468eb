"""Redaction: secrets and personal data out of text before anyone else sees it, each value under one pseudonym.

The face of the room ``hiding``: the rules are a table (``hiding.rules``), asked quickly (``hiding.quick``); what the name of a field says is
secret is hidden as well (``hiding.tables``), and what stands for itself wherever it stands (``hiding.values``); before an export is written a
last scan looks for all of it once more (``hiding.scan``). Trace ids, UUIDs, commit hashes and digests are no secrets: the reader needs them.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from incidentnb import sinks
from incidentnb.publish.hiding import accept, quick, tables, values
from incidentnb.publish.hiding.rules import PERSONAL, RULES, Rule, rules_of
from incidentnb.publish.hiding.values import Known, Names

__all__ = ["AUDIENCES", "PERSONAL", "RULES", "Eyes", "Known", "Names", "Rule", "hide_known", "known_values", "redact", "redact_html",
           "redact_markdown", "rules_for", "rules_of"]
AUDIENCES = ("internal", "customer", "public")  # internal: secrets only; the others: personal data too
Told = Callable[[Rule, str, str, int], None]


def rules_for(audience: str, extra: Sequence[Rule] = ()) -> tuple[Rule, ...]:
    """The rules that hold for an audience, the team's own first.

    Raises:
        ValueError: no such audience.
    """
    if audience not in AUDIENCES:
        raise ValueError(f"no such audience: {audience}")
    return tuple(rule for rule in (*extra, *RULES) if not rule.keep and not (rule.personal and audience == "internal"))


def redact(text: str, *, audience: str = "public", names: MutableMapping[str, str] | None = None, key: bytes | None = None,
           extra: Sequence[Rule] = (), told: Told | None = None) -> tuple[str, Counter[str]]:
    """Text as an audience may see it, and how many values of each kind were hidden.

    Args:
        text: any text; what is already a pseudonym stays.
        audience: ``internal`` hides secrets, ``customer`` and ``public`` personal data too.
        names: value → pseudonym so far; give the same mapping to every text of one export, so that counts and joins survive.
        key: makes the pseudonyms (HMAC-SHA-256), so that they agree between exports of one incident; without it they are numbered.
        extra: rules beside ``RULES``, asked before them; ``rules_of`` makes them of a team file.
        told: is told of each value that is hidden: rule, value, pseudonym, and where in the text as it is by then.

    Raises:
        ValueError: no such audience.
    """
    names, counts = Names() if names is None else names, Counter()
    return quick.redacted(text, rules_for(audience, extra), _hider(names, key, extra, counts, told)), counts


def _hider(names: MutableMapping[str, str], key: bytes | None, extra: Sequence[Rule], counts: Counter[str], told: Told | None = None) -> quick.Hide:
    kept = [rule.pattern for rule in extra if rule.keep]
    got, pseudonym = names.get, values.pseudonym

    def hide(rule: Rule, value: str, at: int) -> str:
        if kept and any(pattern.fullmatch(value) for pattern in kept):
            return value
        if not value or ("⟦" in value and accept.MARK.search(value)):
            return value
        name = got(value) or pseudonym(names, rule.kind, value, key)
        counts[rule.kind] += 1
        if told is not None:
            told(rule, value, name, at)
        return name

    return hide


_PIECES = re.compile(r"(?P<tag><[^>]*>)|[^<]+")
_ATTRIBUTE = re.compile(r'((?:alt|title|content|href|aria-label|datetime)=)"([^"]*)"')
_BETWEEN = "\n\x1e\n"  # stands between pieces that are looked at together; no rule of the table goes over it


def redact_html(page: str, *, audience: str = "public", names: MutableMapping[str, str] | None = None, key: bytes | None = None,
                extra: Sequence[Rule] = (), known: Known | None = None) -> tuple[str, Counter[str]]:
    """A finished HTML page with what its readers see redacted: text between tags and attribute values, never image data.

    What an earlier text showed to be a secret (``names``, ``known``) is hidden wherever it stands, also without its context; cells below a telling
    header are hidden whatever they say.
    """
    names, counts = Names() if names is None else names, Counter()
    known = values.known_of(names, audience) if known is None else known
    rules_for(audience)
    kept = [rule.pattern for rule in extra if rule.keep]

    def cell(kind: str, value: str) -> str:
        if any(pattern.fullmatch(value) for pattern in kept):
            return html.escape(value)
        counts[kind] += 1
        return values.pseudonym(names, kind, value, key)

    page = tables.replaced(page, tables.html_cells(page, audience), cell)
    head, style, rest = page.partition("</style>")
    head, rest = (head + style, rest) if style else ("", page)
    spans = list(_seen(rest))
    shown, found = _together([html.unescape(rest[start:end]) for start, end in spans], audience, names, key, extra, known)
    counts.update(found)
    out, done = [head], 0
    for (start, end), text in zip(spans, shown, strict=True):
        if text is not None:
            out += (rest[done:start], html.escape(text))
            done = end
    return "".join([*out, rest[done:]]), counts


def _seen(page: str) -> Iterator[tuple[int, int]]:
    """Where in a page something stands that its readers see: text between tags, and words in attributes."""
    for piece in _PIECES.finditer(page):
        start, end = piece.span()
        if piece["tag"] is None:
            if end - start >= 4 and not piece[0].isspace():
                yield start, end
        elif "=" in piece[0] and not ("data:image" in piece[0] and 'alt="' not in piece[0]):
            for one in _ATTRIBUTE.finditer(piece[0]):
                if len(one[2]) >= 4 and not one[2].startswith("data:image/"):
                    yield start + one.start(2), start + one.end(2)


def _together(texts: list[str], audience: str, names: MutableMapping[str, str], key: bytes | None, extra: Sequence[Rule], known: Known
              ) -> tuple[list[str | None], Counter[str]]:
    """Each of several texts as it may be seen, ``None`` where it may be seen as it is; they are looked at in one go."""
    def seen(text: str) -> tuple[str, Counter[str]]:
        shown, counts = redact(text, audience=audience, names=names, key=key, extra=extra)
        shown, more = hide_known(shown, known, names, key)
        return shown, counts + more

    whole = _BETWEEN.join(texts)
    shown, counts = seen(whole)
    if shown == whole:
        return [None] * len(texts), counts
    parts = shown.split(_BETWEEN)
    if len(parts) != len(texts) or whole.count("\x1e") >= len(texts):  # a rule of the team went over the borders, or a text has our mark
        alone = [seen(text) for text in texts]
        parts, counts = [text for text, _ in alone], sum((found for _, found in alone), Counter())
    return [part if part != text else None for part, text in zip(parts, texts, strict=True)], counts


def redact_markdown(document: str, *, audience: str = "public", names: MutableMapping[str, str] | None = None, key: bytes | None = None,
                    extra: Sequence[Rule] = (), known: Known | None = None) -> tuple[str, Counter[str]]:
    """Markdown with what its readers see redacted, also where marks are written as character references (``sinks.markdown``)."""
    names = Names() if names is None else names
    counts: Counter[str] = Counter()

    def cell(kind: str, value: str) -> str:
        counts[kind] += 1
        return values.pseudonym(names, kind, value, key)

    document = tables.replaced(document, tables.markdown_cells(document, audience), cell)
    before = set(names)
    _, found = redact(html.unescape(document), audience=audience, names=names, key=key, extra=extra)
    counts.update(found)
    known = values.known_of(names, audience) if known is None else known
    for value in [value for value in names if "\n" in value and value not in before] + [value for value in before if "\n" in value]:
        document = document.replace(value, names[value])
    lines = document.split("\n")
    plain = [html.unescape(line).replace("\n", " ") if "&" in line else line for line in lines]
    shown, _ = redact("\n".join(plain), audience=audience, names=names, key=key, extra=extra)
    shown, again = hide_known(shown, known, names, key)
    counts.update(again)
    seen = shown.split("\n")
    if len(seen) != len(lines):  # a rule of the team went over lines
        seen = [hide_known(redact(line, audience=audience, names=names, key=key, extra=extra)[0], known, names, key)[0] for line in plain]
    for number, (line, was, now) in enumerate(zip(lines, plain, seen, strict=True)):
        if now != was:
            lines[number] = _in_place(line, was, now)
    return "\n".join(lines), counts


def _in_place(line: str, was: str, now: str) -> str:
    """A line of Markdown, of which the plain text ``was`` became ``now``: everything but what was hidden stays as it is written."""
    pieces, at, values_ = accept.MARK.split(now), 0, []
    for mark, before, after in zip(accept.MARK.findall(now), pieces, pieces[1:], strict=False):
        if was.startswith(before + mark, at):
            at += len(before) + len(mark)
            continue
        start = at + len(before)
        end = was.find(after[:40], start + 1) if after else len(was)
        if not was.startswith(before, at) or end < 0:
            return sinks.markdown(now, len(now))
        values_.append((was[start:end], mark))
        at = end
    for value, mark in values_:
        line = line.replace(sinks.markdown(value), mark).replace(value, mark)
    return line if html.unescape(line) == now else sinks.markdown(now, len(now))


def known_values(names: Mapping[str, str], audience: str = "public") -> Known:
    """What was hidden so far and stands for itself, to be found by its value alone."""
    return values.known_of(names, audience)


def hide_known(text: str, known: Known | None, names: MutableMapping[str, str], key: bytes | None = None) -> tuple[str, Counter[str]]:
    """Text with every value that is known to be a secret under its pseudonym."""
    if not known:
        return text, Counter()
    return known.hidden(text, lambda kind, value: values.pseudonym(names, kind, value, key))


_PICTURES = ("image/png", "image/jpeg", "image/gif")
_HOW = {"text/html": redact_html, "image/svg+xml": redact_html, "text/markdown": redact_markdown}


@dataclass
class Eyes:
    """One export's way of seeing text: its audience, its pseudonyms, and the count of what it hid.

    Attributes:
        known: value → kind of what the evidence says is a secret or personal, by the names of its fields.
        names: value → pseudonym of what was hidden so far.
        hidden: kind → how often one was hidden.
        everywhere: the values that are hidden wherever they stand; ``learn`` and ``over`` bring it up to date.
    """

    audience: str
    key: bytes | None = None
    extra: Sequence[Rule] = ()
    known: Mapping[str, str] = field(default_factory=dict)
    names: MutableMapping[str, str] = field(default_factory=Names)
    hidden: Counter[str] = field(default_factory=Counter)
    everywhere: Known = field(default_factory=lambda: Known({}))
    _known_by: int = -1  # how many names ``everywhere`` is made of

    def learn(self, notebook: Mapping[str, Any]) -> None:
        """Learn which values are secret before anything is shown: from the fields of tables and values, and from the context of every text."""
        first = Eyes(self.audience, self.key, self.extra, {}, self.names)
        first.redacted(notebook)
        self._update()

    def _update(self) -> None:
        if self._known_by != len(self.names):
            self.everywhere, self._known_by = values.known_of(self.names, self.audience, self.known), len(self.names)

    def see(self, text: str, how: Callable[..., tuple[str, Counter[str]]] = redact) -> str:
        """A text as these eyes may see it."""
        if how is redact:
            text = tables.replaced(text, tables.plain_cells(text, self.audience), self._cell) if "\n" in text else text
            text = tables.replaced(text, tables.markdown_cells(text, self.audience), self._cell)
            shown, found = redact(text, audience=self.audience, names=self.names, key=self.key, extra=self.extra)
            shown, more = hide_known(shown, self.everywhere, self.names, self.key)
            self.hidden.update(more)
        else:
            shown, found = how(text, audience=self.audience, names=self.names, key=self.key, extra=self.extra, known=self.everywhere)
        self.hidden.update(found)
        return shown

    def _cell(self, kind: str, value: str) -> str:
        if any(rule.keep and rule.pattern.fullmatch(value) for rule in self.extra):
            return value
        self.hidden[kind] += 1
        return values.pseudonym(self.names, kind, value, self.key)

    def over(self, data: bytes, name: str) -> bytes:
        """A finished page or document seen once more, by the kind that its name tells."""
        if not name.endswith((".html", ".md")):
            return data
        self._update()
        how = redact_html if name.endswith(".html") else redact_markdown
        return self.see(data.decode("utf-8"), how).encode("utf-8", "replace")

    def check(self, artefacts: Mapping[str, bytes]) -> None:
        """Refuse the export where a value that is known to be a secret is still in any byte of it.

        Raises:
            Refused: naming the kind and the place, never the value.
        """
        from incidentnb.publish.hiding import scan

        self._update()
        scan.check(artefacts, self.everywhere, rules_for(self.audience, self.extra), [rule.pattern for rule in self.extra if rule.keep])

    def told(self) -> list[dict[str, Any]]:
        """Kinds and counts of what was hidden so far, by kind."""
        return [{"kind": kind, "count": count} for kind, count in sorted(self.hidden.items())]

    def redacted(self, value: Any, mime: str = "") -> Any:
        """Nested plain values with every text mended (nothing in it is invisible) and redacted; pictures stay as they are."""
        if isinstance(value, str):
            if mime in _PICTURES or len(value) < 4:
                return value
            return self.see(sinks.visible(value, keep="\n\t\r\x1b"), _HOW.get(mime, redact))
        if isinstance(value, Mapping):
            return {(self._label(k) if isinstance(k, str) else k): self._field(str(k), v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            if value and (mime in ("source", "text") or "/" in mime) and all(isinstance(line, str) for line in value):
                return self.redacted("".join(value), mime)  # a secret may run over its lines
            return [self.redacted(part, mime) for part in value]
        return value

    def _label(self, name: str) -> str:
        shown = sinks.visible(name)
        return hide_known(shown, self.everywhere, self.names, self.key)[0] if len(shown) > 5 else shown

    def _field(self, name: str, value: Any) -> Any:
        """The value of a field, hidden as a whole where the name of the field tells that it is secret or personal."""
        plain = isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool))
        kind = tables.kind_under(name, self.audience) if plain else ""
        if kind and tables.hideable(str(value)) and not accept.placeholder(str(value)) and not accept.MARK.search(str(value)):
            return self._cell(kind, str(value))
        return self.redacted(value, name)
