"""The postmortem: the whole document in Markdown out of the record, worded by ``templates/postmortem.md``, kept with what people wrote.

Every sentence knows the entries that it rests on. The same record and the same file give the same bytes.
"""

from __future__ import annotations

import functools
import html
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from incidentnb import places, sinks, times
from incidentnb.exceptions import InputError
from incidentnb.publish import redaction
from incidentnb.publish.review import parts, postmortem_facts
from incidentnb.publish.review.parts import Merged, Part
from incidentnb.publish.review.reliance import Told
from incidentnb.publish.style import percent
from incidentnb.record.incident import Incident

FILE = "postmortem.md"
BLANKS = "blanks"  # the part that lists what is blank
_METRICS = {"TTD": "To detect (TTD)", "TTA": "To acknowledge (TTA)", "TTM": "To mitigate (TTM)", "TTR": "To resolve (TTR)",
            "impact": "Impact, start to end"}
_NOTHING = Told("")
_FACT = "\x02"  # stands before what a fact prints while a part is being put together; no text has it (``sinks.visible``)
_LINE_START = re.compile(rf"^(\s*){_FACT}(?:([-+=/:.])|(\d{{1,9}})([.)]))", re.MULTILINE)


class _Safe(str):
    """Markdown of our own, which is not made safe once more."""


class _Facts(dict[str, Told]):
    """Facts by name; one that is not there has nothing to say."""

    def __missing__(self, name: str) -> Told:
        return _NOTHING


@dataclass(frozen=True)
class Sentence:
    """A sentence or row: the ``part`` that it stands in, the keys of its facts, its text, the ids of the entries that it rests on."""

    part: str
    facts: tuple[str, ...]
    text: str
    rests_on: tuple[str, ...]


@dataclass(frozen=True)
class Postmortem:
    """A postmortem as it would be written.

    Attributes:
        text: the document.
        parts: what was generated.
        sentences: of the generated parts, in order.
        blanks: what is blank, a line each, as plain text.
        edited, conflicts: keys of parts that people edited, and of those where the record changed as well.
        hidden: kind of secret → how often one was hidden.
    """

    text: str
    parts: tuple[Part, ...]
    sentences: tuple[Sentence, ...]
    blanks: tuple[str, ...]
    edited: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    hidden: dict[str, int] = field(default_factory=dict)


def postmortem(incident: Incident, existing: str = "", *, own: Path | None = None, audience: str = "public",
               rules: Sequence[redaction.Rule] = (), key: bytes | None = None) -> Postmortem:
    """The postmortem of an incident, with what people wrote into an existing one.

    Args:
        incident: as ``record.incident.load`` gives it.
        existing: the text of the file as it is now; what people wrote in it is kept as they wrote it.
        own: a folder with a ``postmortem.md`` of the team's own wording; where it has none, the built-in one holds.
        audience: whose eyes it is for, as ``redaction.redact`` takes it.
        rules: the team's own, as ``redaction.redact`` takes them.
        key: of the incident's pseudonyms (``record.pseudonyms``); by default one that the record gives.

    Raises:
        InputError: the template is wrong (file:line).
    """
    found = postmortem_facts.facts(incident)
    pieces = parts.read(existing)
    sheet = _Sheet(incident, found, audience, rules, own, key)
    made, _ = sheet.render(())
    answered = {key for key, text in parts.answers(pieces, made).items() if text}
    sheet.hidden.clear()
    made, sentences = sheet.render([(part.key, part.text.lstrip("# "), part.question) for part in made
                                    if part.question and part.key not in answered])
    made = [Part(part.key, sheet.hide(part.text), _question(part.question)) for part in made]
    merged: Merged = parts.merge(made, pieces)
    blanks = tuple(html.unescape(one.text.removeprefix("- ")) for one in sentences if one.part == BLANKS and one.text)
    return Postmortem(merged.text, tuple(made), tuple(sentences), blanks, merged.edited, merged.conflicts, dict(sorted(sheet.hidden.items())))


def _at_line_starts(text: str) -> str:
    """Text without the marks of facts, where a fact begins a line inert there too: no list, no rule."""
    inert = _LINE_START.sub(lambda m: f"{m[1]}{m[3] or ''}&#{ord(m[2] or m[4])};", text)
    return inert.replace(_FACT, "")


def _question(text: str) -> str:
    return f"*Blank: {text}*" if text else ""


class _Sheet:
    """One rendering: the template, what it may name, and what it has said so far."""

    def __init__(self, incident: Incident, found: Mapping[str, Told], audience: str, rules: Sequence[redaction.Rule], own: Path | None,
                 key: bytes | None):
        self.incident, self.found, self.audience, self.rules = incident, found, audience, rules
        self.names: dict[str, str] = {}
        self.key = key or f"postmortem {incident.entries[0].sum}".encode()
        self.hidden: Counter[str] = Counter()
        self.sentences: list[Sentence] = []
        self.parts: list[Part] = []
        self.here = ""
        self.folders = [*([own] if own is not None and (own / FILE).is_file() else []), places.templates()]

    def render(self, unanswered: Sequence[tuple[str, str, str]]) -> tuple[list[Part], list[Sentence]]:
        import jinja2

        self.sentences, self.parts = [], []
        name = str(self.folders[0] / FILE) if len(self.folders) > 1 else f"templates/{FILE}"
        try:
            rest = _environment(tuple(self.folders)).get_template(FILE).render(self._context(unanswered))
        except jinja2.TemplateSyntaxError as error:
            raise InputError(f"{name}:{error.lineno}", f"not a template: {error.message}") from None
        except (jinja2.TemplateError, jinja2.exceptions.SecurityError, TypeError, KeyError) as error:
            raise InputError(name, f"cannot be filled: {error}", f"compare it with the built-in templates/{FILE}") from None
        if rest.strip():
            raise InputError(name, f"has text outside of its parts: {rest.strip()[:60]}", 'put it into {% call part("name") %} … {% endcall %}')
        keys = [part.key for part in self.parts]
        if doubled := {key for key in keys if keys.count(key) > 1 or not re.fullmatch(r"[a-z0-9-]{1,60}", key)}:
            raise InputError(name, f"a part's name stands once, in lower case letters, digits and hyphens: {min(doubled)}")
        return self.parts, self.sentences

    def hide(self, text: str) -> str:
        """Markdown with secrets hidden that only show in what stands around them."""
        shown, counts = redaction.redact_markdown(text, audience=self.audience, names=self.names, key=self.key, extra=self.rules)
        self.hidden.update(counts)
        return shown

    def inert(self, value: Any) -> str:
        """What a template prints: Markdown of our own as it is, everything else without secrets and as text."""
        if isinstance(value, _Safe):
            return value
        if value is None:
            return ""
        return _FACT + sinks.markdown(f"x{self.seen(value)}")[1:]  # where it begins a line, ``_at_line_starts`` sees to it

    def seen(self, value: object) -> str:
        """Text as its audience may see it. A pseudonym depends on its value alone: another secret in the record renames none."""
        shown, counts = redaction.redact(str(value), audience=self.audience, names=self.names, key=self.key, extra=self.rules)
        self.hidden.update(counts)
        return shown

    def _context(self, unanswered: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
        single = {key: one for key, one in self.found.items() if "." not in key}
        names = ("opened", "day", "span", "impact", "peak", "grave", "cause", "root_cause", "test_of_cause", "mitigated_by", "stretches", "planned",
                 "appendix", "last")
        groups = {group: _Facts({key.removeprefix(f"{group}."): one for key, one in self.found.items() if key.startswith(f"{group}.")})
                  for group in ("blank", "length", "finding", "metric")}
        zone = self.incident.zone
        local = str(self.incident.sources["zone"] or "") if self.incident.opened_at.astimezone(zone).utcoffset() else ""
        return {**dict.fromkeys(names, _NOTHING), **single, **groups, "incident": {"id": self.incident.id, "channel": self.incident.channel},
                "of": self._of, "timeline": postmortem_facts.events(self.found), "local": local, "unanswered": unanswered,
                "part": self._part, "ask": self._ask, "say": self._say, "silent": self._silent,
                "sheet": self}

    def _of(self, prefix: str) -> list[Told]:
        if prefix.startswith("blank."):  # blank.M: those of the mitigations
            return [one for key, one in self.found.items() if re.fullmatch(rf"{re.escape(prefix)}\d+", key) and one]
        return postmortem_facts.of(self.found, prefix)

    def _part(self, key: str, caller: Callable[[], str] | None = None) -> str:
        self.here = key
        self.parts.append(Part(key, re.sub(r"\n{3,}", "\n\n", _at_line_starts(caller() if caller else "")).strip()))
        return ""

    def _ask(self, key: str, heading: str, caller: Callable[[], str] | None = None) -> str:
        self.here = key
        self.parts.append(Part(key, f"## {sinks.markdown(heading)}", " ".join((caller() if caller else "").split())))
        return ""

    def _say(self, *facts: Told, caller: Callable[[], str]) -> str:
        body = _at_line_starts(caller())
        indent = body[:len(body) - len(body.lstrip(" "))]
        text = " ".join(body.split())
        self.sentences.append(Sentence(self.here, tuple(one.key for one in facts), text,
                                       tuple(dict.fromkeys(entry for one in facts for entry in one.rests_on))))
        return f"{indent}{text}\n" if text else ""

    def _silent(self) -> bool:
        return not any(one.part == self.here and one.text for one in self.sentences)

    def when(self, at: datetime) -> str:
        """An instant in UTC and, where it is another, in the incident's zone."""
        local = at.astimezone(self.incident.zone)
        day = "" if local.date() == at.date() else f"{local:%Y-%m-%d} "
        here = f" ({day}{local:%H:%M:%S} {self.incident.sources['zone']})" if local.utcoffset() else ""
        return f"{at:%Y-%m-%d %H:%M:%S} UTC{here}"

    def code(self, text: object) -> _Safe:
        """A name in a code span."""
        return _Safe(f"`{sinks.visible(self.seen(text)).replace('`', chr(39))}`")


@functools.lru_cache(maxsize=4)
def _environment(folders: tuple[Path, ...]) -> Any:
    """Jinja on these folders; a template is compiled once, and again when its file changes."""
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def of_the_sheet(name: str) -> Callable[..., Any]:
        return jinja2.pass_context(lambda context, value: getattr(context["sheet"], name)(value))

    def sentence(text: str) -> str:
        plain = " ".join(str(text).split())
        return plain if plain.endswith((".", "!", "?", "…")) else f"{plain}."

    made = ImmutableSandboxedEnvironment(loader=jinja2.FileSystemLoader(folders), trim_blocks=True, lstrip_blocks=True,
                                         undefined=jinja2.StrictUndefined, autoescape=False, finalize=of_the_sheet("inert"))
    made.filters |= {
        "when": of_the_sheet("when"), "code": of_the_sheet("code"), "sentence": sentence, "spell": times.spell, "percent": percent,
        "phrase": lambda text: " ".join(str(text).split()).rstrip(" .;,"), "clock": lambda at: f"{at:%Y-%m-%d %H:%M:%S}",
        "local_clock": jinja2.pass_context(lambda context, at: f"{at.astimezone(context['sheet'].incident.zone):%Y-%m-%d %H:%M:%S}"),
        "count": lambda n: f"{n:,}", "metric": lambda key: _METRICS.get(key, key), "link": lambda path: _Safe(quote(str(path))),
        "entries": lambda seqs: f"entr{'y' if len(seqs) == 1 else 'ies'} {', '.join(map(str, seqs))}"}
    return made
