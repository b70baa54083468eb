"""The appendix as data: it keeps its contract, blanks are null, and it says no more and no less than the page."""

import copy
import json

import jsonschema
import pytest
from form_samples import header, investigation, model
from publish_samples import ONSET, code, markdown, minute, notebook, stream
from test_appendix import HEADER

from incidentnb import places
from incidentnb.publish import page
from incidentnb.publish.forms import data

CONTRACT = json.loads((places.schemas() / "appendix.schema.json").read_text(encoding="utf-8"))


def told(made: dict) -> dict:
    return json.loads(data.make({"hidden": [], "audience": "public", **made}).data)


def check(found: dict) -> None:
    jsonschema.Draft202012Validator(CONTRACT).validate(found)


def test_it_keeps_its_contract():
    """The appendix of an incident, of one without a record and of an empty notebook are as the schema says."""
    check(told(model()))
    check(told(page.page(notebook([markdown("## A"), code("x", [stream("y")])]), HEADER)))
    check(told(page.page(notebook([]), None)))


def test_the_contract_says_what_everything_is():
    """Every key of every object of the schema is described, and no object takes keys that it does not name."""
    def look(part: dict, where: str) -> None:
        if "$ref" in part:
            return
        assert part.get("description"), where
        if "properties" in part:
            assert part["additionalProperties"] is False and part["required"] == list(part["properties"]), where
        for key, inner in part.get("properties", {}).items():
            look(inner, f"{where}.{key}")
        if isinstance(part.get("items"), dict):
            look(part["items"], f"{where}[]")

    look(CONTRACT, "appendix")
    for name, part in CONTRACT["$defs"].items():
        look(part, name)


@pytest.mark.parametrize("change", [lambda d: d.pop("timeline"), lambda d: d.update(more=1), lambda d: d["timeline"][0].pop("at"),
                                    lambda d: d["timeline"][0].update(at="yesterday"), lambda d: d["metrics"]["TTD"].update(seconds="160"),
                                    lambda d: d["hypotheses"][0].update(state="maybe"), lambda d: d["run"]["cells"][0].pop("state")])
def test_the_contract_can_be_broken(change):
    """What lacks a key, has one more, or holds another kind of value is not taken."""
    found = copy.deepcopy(told(model()))
    change(found)
    with pytest.raises(jsonschema.ValidationError):
        check(found)


def test_blanks_are_null():
    """What is not recorded is null and never 0 or empty, and says why."""
    found = told(model())
    assert found["metrics"]["TTR"] == {"seconds": None, "from": "2026-11-23T14:06:00Z", "to": None, "provenance": "detected → resolved",
                                       "problem": "resolved missing"}
    assert found["milestones"]["resolved_at"]["at"] is None and found["scope"] is None and found["as_of"] is None
    assert found["timeline"][-1]["at"] is None and found["timeline"][-1]["recorded_at"] is None
    assert found["hypotheses"][0]["check"] == {"ask": "recovery", "expect": "recovered", **dict.fromkeys(("result", "value", "why", "finding", "at"))}
    alone = told(page.page(investigation(), {"title": "x"}))
    assert alone["timeline"] is None and alone["findings"] is None and alone["metrics"] == {} and alone["ic"] is None


def test_a_header_by_hand_gives_what_it_has():
    """Without an account the milestones and metrics are those of the header, whatever a person wrote them as."""
    found = told(page.page(notebook([]), HEADER))
    assert found["milestones"]["started_at"] == {"at": "2026-11-23T14:03:20Z", "earliest": "2026-11-23T14:03:05Z", "latest": "2026-11-23T14:03:40Z",
                                                 "provenance": None, "seq": None}
    assert found["metrics"]["TTD"] == {"seconds": 160.0, "from": "2026-11-23T14:03:20Z", "to": "2026-11-23T14:06:00Z", "provenance": "alert",
                                       "problem": None}
    assert found["metrics"]["TTR"]["seconds"] is None
    strange = {**HEADER, "milestones": {"started_at": "about noon", "detected_at": "2026-11-23T14:06:00+01:00", "mitigated_at": ONSET.as_json(),
                                        "resolved_at": minute(80).replace(tzinfo=None)}, "metrics": {"TTD": 5, "TTR": "long"}, "inputs": ["x", {}]}
    found = told(page.page(notebook([]), strange))
    check(found)
    assert [m["at"] for m in found["milestones"].values()] == [None, "2026-11-23T13:06:00Z", None, "2026-11-23T14:03:20Z", "2026-11-23T14:20:00Z"]


def test_it_tells_how_the_run_went():
    """Each code cell has its section, its state and its reason."""
    cells = told(model())["run"]["cells"]
    assert [cell["state"] for cell in cells] == ["completed", "completed", "completed", "failed", "completed"]
    assert cells[3]["why"] == "KeyError: trying again does not help" and told(model())["run"]["outcome"] == "completed"


def test_the_ledger_is_whole():
    """Hypotheses come with their evidence, their history and what bears them; mitigations with the effect that was seen."""
    found = told(model())
    one = found["hypotheses"][0]
    assert (one["id"], one["state"]) == ("H1", "supported")
    assert one["evidence_for"][0]["points_at"] == "app.log:88121" and [v["state"] for v in one["history"]] == ["proposed", "supported"]
    assert found["mitigations"][0]["effects"][0]["at"] == "2026-11-23T14:26:00Z" and found["mitigations"][0]["expected"] is None
    assert [found[key][0]["id"] for key in ("decisions", "actions")] == ["D1", "A1"]
    assert found["findings"][0]["query"].startswith("SELECT") and found["inputs"][0]["rejected"] == 23
    assert header()["account"]["timeline"] == found["timeline"]


def test_a_replay_tells_of_no_later_record():
    """As of an instant it is not said when the last record of a file is from, where that is later."""
    then, after = (told(model(as_of=at))["inputs"][0]["last"] for at in ("2026-11-23T14:00:00Z", "2026-11-23T15:00:00Z"))
    assert then is None and after == "2026-11-23T14:31:00Z"
