"""The ledger of hypotheses: what might be the cause, what it predicts, how it could be disproved, and how it fared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from incidentnb.exceptions import InputError
from incidentnb.findings import Finding
from incidentnb.record import journal, lines, pointers, words
from incidentnb.record.lines import Entry
from incidentnb.record.moments import Moment

if TYPE_CHECKING:  # a verdict must not pay for pandas
    import pandas as pd

STATES = ("proposed", "testing", "supported", "refuted", "inconclusive")
NOT_ESTABLISHED = "not established"


@dataclass(frozen=True)
class Evidence:
    """One piece of evidence: ``direction`` (for, against), ``text``, ``pointer`` to what bears it, who, when, and its entry's number."""

    direction: str
    text: str
    pointer: dict[str, Any]
    at: datetime
    actor: str
    seq: int

    @property
    def points_at(self) -> str:
        """The pointer in one line."""
        return pointers.spell(self.pointer)


@dataclass(frozen=True)
class Verdict:
    """One state that a hypothesis came to: ``state``, ``why``, when, who, and its entry's number."""

    state: str
    why: str
    at: datetime
    actor: str
    seq: int


@dataclass(frozen=True)
class Hypothesis:
    """One claim about the cause.

    Attributes:
        id: ``H1``, ``H2`` … in the order in which they were proposed; never used twice.
        claim: what might be the cause.
        because: why anyone thinks so.
        prediction: what must be seen if it is true.
        disproof: what would show that it is not.
        rivals: ids of hypotheses that cannot be true together with it, from either side.
        state: proposed, testing, supported, refuted or inconclusive: the last verdict.
        why: the reason of that verdict.
        evidence_for, evidence_against: in the order in which things happened.
        history: every state that it came to, the proposal first.
        at, actor, seq: when, by whom and in which entry it was proposed.
    """

    id: str
    claim: str
    because: str
    prediction: str
    disproof: str
    rivals: tuple[str, ...]
    state: str
    why: str
    evidence_for: tuple[Evidence, ...]
    evidence_against: tuple[Evidence, ...]
    history: tuple[Verdict, ...]
    at: datetime
    actor: str
    seq: int

    @property
    def live(self) -> bool:
        """Whether it may still be the cause: anything but refuted."""
        return self.state != "refuted"


def propose(folder: Path | str, claim: str, *, because: str = "", prediction: str = "", disproof: str = "",
            rivals: Iterable[str] = (), at: Moment | str = None, actor: str | None = None, supersedes: str | int | None = None,
            recorded_at: datetime | None = None) -> Entry:
    """Record a hypothesis; its id is ``entry.body["id"]``.

    Raises:
        InputError: no claim, or a rival that nobody proposed.
    """
    said = {"claim": words.text(claim, "hypothesis"), "because": words.text(because), "prediction": words.text(prediction),
            "disproof": words.text(disproof)}
    named = [rivals] if isinstance(rivals, str) else list(rivals)

    def body(entries: list[Entry]) -> dict[str, Any]:
        return said | {"rivals": [_known(entries, rival) for rival in named]}
    return journal.append(folder, "hypothesis", body, occurred_at=at, actor=actor, supersedes=supersedes, recorded_at=recorded_at)


def add_evidence(folder: Path | str, hypothesis: str, direction: str, text: str, points_at: str | Finding | Path | dict[str, Any], *,
                 at: Moment | str = None, actor: str | None = None, supersedes: str | int | None = None,
                 recorded_at: datetime | None = None) -> Entry:
    """Record evidence ``for`` or ``against`` a hypothesis and what bears it (see ``pointers.point``).

    Raises:
        InputError: an unknown hypothesis (says the nearest), another direction, no text, or something that points at nothing.
    """
    side = words.one_of(direction, ("for", "against"), "evidence")
    said = words.text(text, "evidence")

    def body(entries: list[Entry]) -> dict[str, Any]:
        return {"hypothesis": _known(entries, hypothesis), "direction": side, "text": said,
                "pointer": pointers.point(points_at, Path(folder), entries)}
    return journal.append(folder, "evidence", body, occurred_at=at, actor=actor, supersedes=supersedes, recorded_at=recorded_at)


def set_verdict(folder: Path | str, hypothesis: str, verdict: str, why: str = "", *, at: Moment | str = None,
                actor: str | None = None, supersedes: str | int | None = None, recorded_at: datetime | None = None) -> Entry:
    """Record what a hypothesis came to.

    Raises:
        InputError: an unknown hypothesis or state (says the nearest), a refutation or an open end without a reason, support without
            a piece of evidence for it.
    """
    state = words.one_of(verdict, STATES, "verdict")
    reason = words.text(why, "verdict" if state in ("refuted", "inconclusive") else "")

    def body(entries: list[Entry]) -> dict[str, Any]:
        name = _known(entries, hypothesis)
        if state == "supported" and not any(h.evidence_for for h in hypotheses(entries) if h.id == name):
            raise InputError(name, "has no evidence for it, so it is not supported", f"incidentnb evidence {name} --for … first")
        return {"hypothesis": name, "verdict": state, "why": reason}
    return journal.append(folder, "verdict", body, occurred_at=at, actor=actor, supersedes=supersedes, recorded_at=recorded_at)


def hypotheses(entries: Sequence[Entry]) -> tuple[Hypothesis, ...]:
    """The ledger, a fold over entries: every hypothesis that was not retracted, in the order of its number; refuted ones stay."""
    standing = lines.standing(entries)
    proposed = {str(e.body.get("id")): e for e in standing if e.kind == "hypothesis"}
    first = {str(e.body.get("id")): e for e in reversed(entries) if e.kind == "hypothesis"}
    rivals: dict[str, set[str]] = {name: set() for name in proposed}
    for name, entry in proposed.items():
        for rival in entry.body.get("rivals", ()):
            if rival in proposed and rival != name:
                rivals[name].add(rival)
                rivals[rival].add(name)
    verdicts: dict[str, list[Verdict]] = {name: [] for name in proposed}
    evidence: dict[str, list[Evidence]] = {name: [] for name in proposed}
    for e in lines.in_time(standing):
        name, b = str(e.body.get("hypothesis")), e.body
        if e.kind == "verdict" and name in proposed:
            verdicts[name].append(Verdict(str(b.get("verdict")), str(b.get("why", "")), e.at, e.actor, e.seq))
        elif e.kind == "evidence" and name in proposed:
            evidence[name].append(Evidence(str(b.get("direction")), str(b.get("text", "")), b.get("pointer") or {}, e.at, e.actor, e.seq))
    found = []
    for name in sorted(proposed, key=_number):
        b, origin = proposed[name].body, first[name]
        history = (Verdict("proposed", str(b.get("because", "")), origin.at, origin.actor, origin.seq), *verdicts[name])
        found.append(Hypothesis(
            name, str(b.get("claim", "")), str(b.get("because", "")), str(b.get("prediction", "")), str(b.get("disproof", "")),
            tuple(sorted(rivals[name], key=_number)), history[-1].state, history[-1].why if verdicts[name] else "",
            tuple(e for e in evidence[name] if e.direction == "for"), tuple(e for e in evidence[name] if e.direction == "against"),
            history, origin.at, origin.actor, origin.seq))
    return tuple(found)


def root_cause(ledger: Sequence[Hypothesis]) -> str:
    """The claim of the one supported hypothesis that has no live rival; else ``not established``. ``why_not`` says what is missing."""
    supported = [h for h in ledger if h.state == "supported"]
    return supported[0].claim if not why_not(ledger) else NOT_ESTABLISHED


def why_not(ledger: Sequence[Hypothesis]) -> str:
    """Why the root cause is not established, in a few words; empty where it is."""
    supported = [h for h in ledger if h.state == "supported"]
    if not supported:
        return "no hypothesis is supported" if ledger else "no hypothesis was recorded"
    if len(supported) > 1:
        return f"{len(supported)} hypotheses are supported: {', '.join(h.id for h in supported)}"
    rivals = [h.id for h in ledger if h.id in supported[0].rivals and h.live]
    return f"{', '.join(rivals)}, a rival of {supported[0].id}, is not refuted" if rivals else ""


def ledger_frame(ledger: Sequence[Hypothesis]) -> pd.DataFrame:
    """The ledger as a small table, one row a hypothesis, in order of its number.

    Columns: ``id``, ``claim``, ``state``, ``for`` and ``against`` (each piece with what it points at), ``prediction``, ``disproof``,
    ``rivals``, ``why`` (of the last verdict); all text.
    """
    import pandas as pd

    def pieces(evidence: tuple[Evidence, ...]) -> str:
        return "; ".join(f"{piece.text} [{piece.points_at}]" for piece in evidence)
    columns = ["id", "claim", "state", "for", "against", "prediction", "disproof", "rivals", "why"]
    return pd.DataFrame([[h.id, h.claim, h.state, pieces(h.evidence_for), pieces(h.evidence_against), h.prediction, h.disproof,
                          ", ".join(h.rivals), h.why] for h in ledger], columns=columns)


def _known(entries: Sequence[Entry], reference: str) -> str:
    """The id of a hypothesis that stands: ``H1``, ``h1`` or ``1``."""
    names = [str(e.body.get("id")) for e in lines.standing(entries) if e.kind == "hypothesis"]
    text = str(reference).strip()
    for name in names:
        if text.upper() in (name, name[1:]):
            return name
    raise InputError(f"hypothesis {text[:80]}", "nobody proposed it" if names else "none was proposed yet", lines.nearest(text, names))


def _number(name: str) -> int:
    return int(name[1:]) if name[1:].isascii() and name[1:].isdigit() else 0
