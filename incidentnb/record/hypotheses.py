"""The ledger of hypotheses: what might be the cause, what it predicts, how it could be disproved, and how it fared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from incidentnb import times
from incidentnb.exceptions import InputError
from incidentnb.findings import Finding
from incidentnb.record import journal, lines, pointers, predictions, words
from incidentnb.record.lines import Entry
from incidentnb.record.moments import Moment
from incidentnb.record.predictions import Check, Result

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
class Flip:
    """A check that came to another result: ``result`` (passed, failed, cannot tell), ``value``, ``why``, by what data, when, its entry.

    ``check`` is the check in one line as it then was, ``finding`` the id of the answer that it was held against (empty for a query),
    ``evidence`` the digest of the data, ``until`` the last instant in them, as text.
    """

    result: str
    value: str
    why: str
    check: str
    finding: str
    evidence: str
    until: str
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
        evidence_for, evidence_against: in the order in which things happened; a check that fails is evidence against, while it does.
        history: every state that it came to, the proposal first.
        at, actor, seq: when, by whom and in which entry it was proposed.
        check: what it predicts, as something that can be run; ``None`` where it is in words alone.
        flips: each result that the check came to, in order of time.
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
    check: Check | None = None
    flips: tuple[Flip, ...] = ()

    @property
    def live(self) -> bool:
        """Whether it may still be the cause: anything but refuted."""
        return self.state != "refuted"

    @property
    def checked(self) -> Flip | None:
        """What its check says now; ``None`` where there is none, or it has not been run as it now is."""
        return next((flip for flip in reversed(self.flips) if self.check and flip.check == self.check.text), None)


def propose(folder: Path | str, claim: str, *, because: str = "", prediction: str = "", disproof: str = "",
            rivals: Iterable[str] = (), check: str = "", expect: str = "", at: Moment | str = None, actor: str | None = None,
            supersedes: str | int | None = None, recorded_at: datetime | None = None) -> Entry:
    """Record a hypothesis; its id is ``entry.body["id"]``. With ``check`` and ``expect`` (``predictions``) its prediction can be run.

    Raises:
        InputError: no claim, a rival that nobody proposed, or a check that is none.
    """
    recorded = recorded_at or times.now()
    said = {"claim": words.text(claim, "hypothesis"), "because": words.text(because), "prediction": words.text(prediction),
            "disproof": words.text(disproof)}
    named = [rivals] if isinstance(rivals, str) else list(rivals)

    def body(entries: list[Entry]) -> dict[str, Any]:
        asked = predictions.parse(check, expect, lines.zone_of(entries), recorded)
        return said | {"rivals": [_known(entries, rival) for rival in named]} | (
            {"check": {"ask": asked.ask, "expect": asked.expect}} if asked else {})
    return journal.append(folder, "hypothesis", body, occurred_at=at, actor=actor, supersedes=supersedes, recorded_at=recorded_at)


def record_check(folder: Path | str, hypothesis: str, result: Result, *, evidence: str = "", until: datetime | None = None,
                 actor: str | None = None, recorded_at: datetime | None = None) -> Entry | None:
    """Record what a hypothesis' check came to, where that is another result than before; ``None`` where it is not. It sets no verdict.

    Args:
        folder, hypothesis: whose check was run.
        result: what came of it.
        evidence: digest of the data that it was run on.
        until: the last instant in them.
        actor, recorded_at: as in ``journal.append``.

    Raises:
        InputError: an unknown hypothesis, or one without a check.
    """
    entries = journal.read(folder)
    name = _known(entries, hypothesis)
    one = next(h for h in hypotheses(entries) if h.id == name)
    if one.check is None:
        raise InputError(name, "has no check", "incidentnb hypothesis … --check … --expect … --supersedes NUMBER")
    if one.checked is not None and one.checked.result == result.result:
        return None
    body = {"hypothesis": name, "result": result.result, "value": result.value, "why": result.why, "ask": one.check.ask,
            "expect": one.check.expect, "finding": result.finding, "evidence": evidence, "until": times.iso(until)}
    return journal.append(folder, "check", body, actor=actor, recorded_at=recorded_at)


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
    flips: dict[str, list[Flip]] = {name: [] for name in proposed}
    for e in lines.in_time(standing):
        name, b = str(e.body.get("hypothesis")), e.body
        if e.kind == "verdict" and name in proposed:
            verdicts[name].append(Verdict(str(b.get("verdict")), str(b.get("why", "")), e.at, e.actor, e.seq))
        elif e.kind == "evidence" and name in proposed:
            evidence[name].append(Evidence(str(b.get("direction")), str(b.get("text", "")), b.get("pointer") or {}, e.at, e.actor, e.seq))
        elif e.kind == "check" and name in proposed:
            flips[name].append(Flip(str(b.get("result")), str(b.get("value", "")), str(b.get("why", "")),
                                    Check(str(b.get("ask")), str(b.get("expect"))).text, str(b.get("finding", "")), str(b.get("evidence", "")),
                                    str(b.get("until") or ""), e.at, e.actor, e.seq))
    found = []
    for name in sorted(proposed, key=_number):
        b, origin = proposed[name].body, first[name]
        history = (Verdict("proposed", str(b.get("because", "")), origin.at, origin.actor, origin.seq), *verdicts[name])
        asked = b.get("check")
        one = Hypothesis(
            name, str(b.get("claim", "")), str(b.get("because", "")), str(b.get("prediction", "")), str(b.get("disproof", "")),
            tuple(sorted(rivals[name], key=_number)), history[-1].state, history[-1].why if verdicts[name] else "",
            tuple(e for e in evidence[name] if e.direction == "for"), tuple(e for e in evidence[name] if e.direction == "against"),
            history, origin.at, origin.actor, origin.seq, Check(str(asked["ask"]), str(asked["expect"])) if asked else None, tuple(flips[name]))
        found.append(_with_failing_check(one))
    return tuple(found)


def _with_failing_check(one: Hypothesis) -> Hypothesis:
    """A prediction that fails speaks against its hypothesis, for as long as it does."""
    flip = one.checked
    if flip is None or flip.result != predictions.FAILED:
        return one
    pointer = {"type": "check", "check": flip.check, "finding": flip.finding, "evidence": flip.evidence}
    against = Evidence("against", f"its check fails: {flip.why}", pointer, flip.at, flip.actor, flip.seq)
    return replace(one, evidence_against=tuple(sorted((*one.evidence_against, against), key=lambda e: (e.at, e.seq))))


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
    ``rivals``, ``check`` (what it asks, expects, and came to), ``why`` (of the last verdict); all text.
    """
    import pandas as pd

    def pieces(evidence: tuple[Evidence, ...]) -> str:
        return "; ".join(f"{piece.text} [{piece.points_at}]" for piece in evidence)
    columns = ["id", "claim", "state", "for", "against", "prediction", "disproof", "rivals", "check", "why"]
    return pd.DataFrame([[h.id, h.claim, h.state, pieces(h.evidence_for), pieces(h.evidence_against), h.prediction, h.disproof,
                          ", ".join(h.rivals), check_text(h), h.why] for h in ledger], columns=columns)


def check_text(one: Hypothesis) -> str:
    """What a hypothesis' check asks and what came of it, in one line; empty where it has none."""
    if one.check is None:
        return ""
    if one.checked is None:
        return f"{one.check.text} (not run yet)"
    value = f", {one.checked.value}" if one.checked.value and one.checked.value != one.checked.result else ""
    return f"{one.check.text} → {one.checked.result} since {times.at(one.checked.at)}{value}"


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
