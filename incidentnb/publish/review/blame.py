"""What a blameless postmortem does not say: blame, what might have been, vagueness, and a cause that the record does not bear.

Only people's words are read: text outside of generated parts, what was edited inside of them, the action items, and the claim of the cause.
Quotes, code and the timeline are not. The rules are data, ``blame.toml``; each says why it flags and how the thing might be said.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from incidentnb.publish import redaction
from incidentnb.publish.review import parts
from incidentnb.publish.review.parts import Piece
from incidentnb.record.incident import Incident
from incidentnb.record.statements import ACTION_TYPES


@dataclass(frozen=True)
class Flag:
    """One thing that might be said otherwise: its ``line``, ``kind``, the ``words``, ``why``, and how it might be said (``instead``).

    Kinds: ``blame``, ``counterfactual``, ``vague``, ``cause``, ``action``, ``secret``, ``conflict``.
    """

    line: int
    kind: str
    words: str
    why: str
    instead: str


@dataclass(frozen=True)
class Context:
    """What a sentence is judged by: names of ``people``, the claims and evidence that the record ``bears``, the claims that it refuted.

    ``established`` says whether there is a root cause; ``None`` where there is no record to ask.
    """

    people: tuple[str, ...] = ()
    bears: str = ""
    refuted: str = ""
    established: bool | None = None


FILE = Path(__file__).with_name("blame.toml")
_WORD = re.compile(r"\{([a-z]+)\}")
_LOOKBEHIND = re.compile(r"\(\?<[!=][^)]*\)| ")  # where a blank is one character, for a look-behind has a length
_FENCE = re.compile(r"^(```|~~~).{0,20000}?^\1[^\n]*$|`[^`\n]+`|<!--.{0,500}?-->|^\s*>[^\n]*$|\"[^\"\n]{1,200}\"|“[^”\n]{1,200}”|\]\([^)\s]{0,500}\)|https?://\S{1,500}",
                    re.MULTILINE | re.DOTALL)
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"“(*])|\n\s*\n|\n(?=\s*(?:[-*+|#]|\d+[.)])\s?)")


def context_of(incident: Incident, roster: Iterable[str] = ()) -> Context:
    """What the record of an incident knows: its people, with those of a roster, and what it holds for the cause."""
    people = {*roster, *(e.actor for e in incident.standing), *(role.person for role in incident.roles), *(a.owner for a in incident.actions)}
    bears, refuted = [], []
    for h in incident.hypotheses:
        (bears if h.state == "supported" else refuted if h.state == "refuted" else []).extend(
            [h.claim, *(h.because, h.why, *(piece.text for piece in h.evidence_for)) * (h.state == "supported")])
    return Context(tuple(sorted(name for name in people if re.search(r"[A-Z]", name))), " ".join(bears), " ".join(refuted),
                   incident.root_cause != "not established")


def lint(text: str, context: Context | None = None, *, generated: Sequence[parts.Part] = (), today: date | None = None) -> list[Flag]:
    """What a document should say otherwise, by line.

    Args:
        text: the file.
        context: what the record knows; without it nobody is known by name.
        generated: the parts as they would be made now: their lines are not read in parts that people edited.
        today: action items due before it, and not done, are flagged.
    """
    context, ours = context or Context(), {line.strip() for part in generated for line in f"{part.text}\n{part.question}".split("\n")}
    found: list[Flag] = []
    for piece in parts.read(text):
        if piece.kind == "record":
            found.append(Flag(piece.line, "conflict", piece.key, "a person edited this section, and the record changed as well",
                              "keep one of the two, delete the other with its markers"))
        elif piece.kind == "free":
            found += judge(piece.text, context, piece.line)
            _, secrets = redaction.redact(piece.text, audience="internal")
            found += [Flag(piece.line, "secret", kind, "looks like a secret", "take it out of the file") for kind in sorted(secrets)]
        else:
            spoken = "\n".join("" if line.strip() in ours or not piece.edited else line for line in piece.text.split("\n"))
            if piece.key == "root-cause" and not piece.edited:
                spoken = "\n".join(line if line.startswith(("**", "- **H")) else "" for line in piece.text.split("\n"))
                found += [flag for flag in judge(spoken, context, piece.line) if flag.kind == "blame"]
            elif piece.key != "actions":
                found += judge(spoken, context, piece.line)
        found += _actions(piece, context, today)
    return sorted(dict.fromkeys(found), key=lambda flag: (flag.line, flag.kind, flag.words))


def judge(text: str, context: Context | None = None, line: int = 1) -> list[Flag]:
    """The flags of a text whose first line has this number."""
    context = context or Context()
    masked = _FENCE.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)
    masked = re.sub(r"(?im)^#+ *what could have gone better *$", lambda m: " " * len(m[0]), masked)
    found, taken, rules = [], [], _rules(context.people)
    for kind, pattern, why, instead in rules.rules:
        for hit in pattern.finditer(masked):
            if not any(start < hit.end() and hit.start() < end and before == kind for start, end, before in taken):
                taken.append((hit.start(), hit.end(), kind))
                found.append(Flag(line + masked.count("\n", 0, hit.start()), kind, " ".join(text[hit.start():hit.end()].split()), why, instead))
    for start, sentence in _sentences(masked):
        if (hit := rules.cause.search(sentence)) and (why := _unborne(sentence, context)):
            found.append(Flag(line + masked.count("\n", 0, start + hit.start()), "cause", " ".join(sentence.split())[:100], *why))
    return sorted(found, key=lambda flag: flag.line)


@dataclass(frozen=True)
class _Rules:
    """The data file, made ready for the names of one record: ``(kind, pattern, why, instead)``, what names a cause, what leaves it open."""

    rules: tuple[tuple[str, re.Pattern[str], str, str], ...]
    cause: re.Pattern[str]
    open: re.Pattern[str]
    empty: frozenset[str]
    verbs: frozenset[str]


@functools.lru_cache(maxsize=8)
def _rules(people: tuple[str, ...]) -> _Rules:
    """The rules with the names of the people in them: whole names, and first names of three letters or more."""
    data = tomllib.loads(FILE.read_text(encoding="utf-8"))
    names = {form for name in people for form in (name, name.split()[0]) if len(form) > 2}
    known = "|".join(re.escape(one).replace(r"\ ", " ") for one in sorted(names, key=lambda n: (-len(n), n)))
    words = data["words"] | {"name": f"(?-i:{known})" if names else "(?!)"}

    def ready(patterns: Sequence[str]) -> re.Pattern[str]:
        text = re.sub(r"\n\s*", "", "|".join(f"(?:{pattern})" for pattern in patterns))
        while found := _WORD.search(text):
            text = text[:found.start()] + re.sub(r"\n\s*", "", words[found[1]]) + text[found.end():]
        return re.compile(_LOOKBEHIND.sub(lambda m: m[0].replace(" ", r"\s") if m[0].startswith("(?<") else r"\s+", text), re.IGNORECASE)

    return _Rules(tuple((rule["kind"], ready(rule["patterns"]), rule["why"], rule["instead"]) for rule in data["rule"]),
                  ready(data["cause"]["names"]), ready(data["cause"]["open"]), frozenset(data["cause"]["empty"].split()),
                  frozenset(data["action"]["verbs"].split()))


def _sentences(text: str) -> Iterator[tuple[int, str]]:
    at = 0
    for gap in [*_SENTENCE.finditer(text), None]:
        end = gap.start() if gap else len(text)
        if text[at:end].strip():
            yield at, text[at:end]
        at = gap.end() if gap else end


def _unborne(sentence: str, context: Context) -> tuple[str, str] | None:
    """Why the record does not bear the cause that a sentence names, and what to do; ``None`` where it does, or where none is named."""
    rules = _rules(context.people)
    if context.established is None or rules.open.search(sentence):
        return None
    words = _content(sentence)
    if not context.established:
        return "names a cause, and the record has none: it is not established", "say what is known, or record evidence and a verdict first"
    if words & _content(context.refuted) - _content(context.bears) and not words & _content(context.bears) - _content(context.refuted):
        return "names a cause that the record refuted", "name the one that is supported, or record what speaks for this one"
    if words and not words & _content(context.bears):
        return "names a cause that the record does not know", "name the one that is supported, or record this one as a hypothesis"
    return None


def _content(text: str) -> set[str]:
    """The words that say something, cut to their stems."""
    return {word[:6] for word in re.findall(r"[a-z][a-z0-9-]{2,}|\d+(?:\.\d+)+", text.lower()) if word not in _rules(()).empty and len(word) > 2}


def _actions(piece: Piece, context: Context, today: date | None) -> list[Flag]:
    """What is wrong with the action items of tables that have columns for action and owner."""
    found: list[Flag] = []
    head: list[str] = []
    for n, row in enumerate(piece.text.split("\n")):
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", row.strip().strip("|"))] if row.strip().startswith("|") else []
        if not cells:
            head = []
        elif {"action", "owner"} <= {cell.lower() for cell in cells}:
            head = [cell.lower() for cell in cells]
        elif head and not re.fullmatch(r"[\s|:-]+", row):
            item = dict(zip(head, cells, strict=False))
            found += [Flag(piece.line + n, "action", item.get("action", "")[:60] or "(empty)", why, instead) for why, instead in action_flaws(
                item.get("action", ""), item.get("owner", ""), item.get("due", ""), item.get("kind", item.get("type", "")),
                done="done" in item.get("state", "").lower(), today=today)]
            if piece.key == "actions":
                found += judge(item.get("action", ""), context, piece.line + n)
    return found


def action_flaws(text: str, owner: str, due: str, kind: str, *, done: bool = False, today: date | None = None) -> list[tuple[str, str]]:
    """What keeps an action item from being specific, each with how to mend it; nothing where it is."""
    found = []
    words = re.findall(r"[a-z]+", text.lower())
    if not any(word in _rules(()).verbs for word in words):
        found.append(("has no verb: nobody can tell when it is done", "begin with what is to be done: Page on …, Remove …, Test …"))
    elif len(words) < 3:
        found.append(("says too little to be done by anybody else", "say what is changed, where, and how one sees that it works"))
    if not owner:
        found.append(("has no owner", "name one person"))
    if not due:
        found.append(("has no due date", "give the day: 2026-12-04"))
    else:
        try:
            if not re.fullmatch(r"\d{4}-\d\d-\d\d", due):
                raise ValueError
            if date.fromisoformat(due) < (today or date.min) and not done:
                found.append((f"was due on {due} and is not done", "do it, or give a new day and why"))
        except ValueError:
            found.append((f"has a due date that is none: {due[:20]}", "give the day: 2026-12-04"))
    if kind.lower() not in ACTION_TYPES:
        found.append(("has no kind", f"one of {', '.join(ACTION_TYPES)}"))
    return found
