"""The team file: every value with its line, every mistake in one line."""

import json
import re
import tomllib
from datetime import UTC, datetime

import jsonschema
import pytest

from incidentnb import cli, places
from incidentnb.exceptions import InputError
from incidentnb.publish import redaction
from incidentnb.record import incident, runbook, status, team, team_page, toml_lines

WHOLE = """# what incidentnb need not be told again
logs = ["logs/*.log",
  "s3://bucket/logs"]
repos = "../shop"
changes = ["deploys.jsonl"]
zone = "Europe/Berlin"
ic = "Ada"
hosts = ["*.prod.example.com", '/\\bip-[0-9-]+/']

[calendar]
days = ["mon", "tue"]
start = 08:30:00
holidays = ["2026-12-25",
  2026-12-26]

[channels]
chat = "slack"

[[roster]]
name = "Ada"
roles = ["IC", "scribe"]
[[roster]]
name = "Bo"
contact = "@bo"
[[components]]
name = "Checkout"
id = "c1"
[[stakeholders]]
name = "Sales"
mail = "sales@example.com"
severities = [1, "SEV-2"]
[[redaction]]
name = "order"
pattern = 'ORD-\\d+'
action = "personal"
"""


def written(folder, text):
    (folder / team.FILE).write_text(text, encoding="utf-8")
    return team.load(folder)


def complaint(folder, text):
    with pytest.raises(InputError) as error:
        written(folder, text)
    return str(error.value).removeprefix(f"{folder}/")


def test_every_value_and_its_line(tmp_path, monkeypatch):
    """The whole file is read, paths are made absolute, and each value says on which line it stands."""
    monkeypatch.chdir(tmp_path)
    found = written(tmp_path, WHOLE)
    assert found.logs == (str(tmp_path / "logs/*.log"), "s3://bucket/logs")
    assert found.repos == (str(tmp_path.parent / "shop"),)
    assert found.people("ic") == (found.roster[0],) and found.roster[1].contact == "@bo"
    assert [one.name for one in found.told_at("SEV-2")] == ["Sales"] and found.told_at("SEV-3") == ()
    assert str(found.calendar.zone) == "Europe/Berlin" and found.calendar.days == {0, 1} and len(found.calendar.holidays) == 2
    assert found.redaction[0].pattern.search("ORD-12") and found.components[0].id == "c1"
    assert [found.origin[key] for key in ("logs", "zone", "calendar.holidays", "channels.chat", "roster", "runbook")] == [
        "incidentnb.toml:2", "incidentnb.toml:6", "incidentnb.toml:13", "incidentnb.toml:17", "incidentnb.toml:19", "built in"]


def test_found_from_below_and_the_nearest_wins(tmp_path):
    """The file is looked for from the folder upward; a nearer one wins; without one nothing is known."""
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert team.load(below).path is None and set(team.load(below).origin.values()) == {team.BUILT_IN}
    written(tmp_path, 'ic = "Far"')
    assert team.load(below).ic == "Far" and team.load(tmp_path / "not there", below).ic == "Far"
    written(tmp_path / "a", 'ic = "Near"')
    assert team.load(below).ic == "Near"


def test_hosts_are_globs_or_regular_expressions(tmp_path):
    """A glob matches a whole host name, a regular expression between slashes whatever it says."""
    glob, regex = written(tmp_path, WHOLE).host_patterns
    assert glob.search("on WEB-1.prod.example.com, since") and not glob.search("prod.example.com")
    assert regex.search("ip-10-0-0-1 down") and not regex.search("ship-10")


@pytest.mark.parametrize(("text", "said"), [
    ('\nzone = "Europe/Berln"', "incidentnb.toml:2: zone: no such zone Europe/Berln (did you mean Europe/Berlin?)"),
    ('lgos = ["x"]', "incidentnb.toml:1: lgos: no such setting (did you mean logs?)"),
    ("logs = 3", 'incidentnb.toml:1: logs: must be text, not a number (put it in quotes: "…")'),
    ('logs = [\n"a",\n3]', 'incidentnb.toml:3: logs: must be text, not a number (put it in quotes: "…")'),
    ('ic = ""', 'incidentnb.toml:1: ic: must be text, not empty text (put it in quotes: "…")'),
    ('ic = "Ada"\nic = "Bo"', "incidentnb.toml:2: not TOML: Cannot overwrite a value"),
    ("[calendar]\nhollidays = []", "incidentnb.toml:2: calendar.hollidays: no such setting (did you mean holidays?)"),
    ('[calendar]\nholidays = [\n"2026-12-25",\n"2026-02-30"]', 'incidentnb.toml:4: calendar.holidays: '),
    ('[calendar]\nstart = "25:00"', "incidentnb.toml:2: calendar.start: "),
    ('[calendar]\ndays = ["mon", "xyz"]', "incidentnb.toml:2: calendar.days: "),
    ('calendar = "x"', "incidentnb.toml:1: calendar: must be a table, not "),
    ('roster = "Ada"', "incidentnb.toml:1: roster: must be tables, not "),
    ("[[roster]]\nname = 'A'\n[[roster]]\ncontact = 'x'", "incidentnb.toml:3: roster: name is missing"),
    ("[[roster]]\nname = 'A'\nrole = 'ic'", "incidentnb.toml:3: roster.role: no such setting (did you mean roles?)"),
    ("[[stakeholders]]\nname = 'A'\nseverities = [7]", "incidentnb.toml:3: stakeholders.severities: severity 7: no such severity"),
    ("[[stakeholders]]\nname = 'A'\nmail = 'x y'", "incidentnb.toml:3: stakeholders.mail: not an address: x y"),
    ("[[redaction]]\nname = 'a'\npattern = '('", "incidentnb.toml:3: redaction.pattern: not a regular expression: "),
    ("[[redaction]]\nname = 'a'\npattern = 'x*'", "incidentnb.toml:3: redaction.pattern: matches the empty text"),
    ("[[redaction]]\nname = 'a'\npattern = 'x'\naction = 'hide'", "incidentnb.toml:4: redaction.action: no such action: hide"),
    ("hosts = ['a', '/(/']", "incidentnb.toml:1: hosts: not a regular expression: /(/"),
    ("runbook = 'mine.toml'", "incidentnb.toml:1: runbook: no such file: mine.toml"),
    ("templates = 'mine'", "incidentnb.toml:1: templates: no such folder: mine"),
    ("ic = [", "incidentnb.toml:1: not TOML: "),
])
def test_a_mistake_is_one_line_with_its_place(tmp_path, monkeypatch, text, said):
    """Every kind of mistake is one line that begins with file:line and the setting."""
    monkeypatch.chdir(tmp_path)
    line = complaint(tmp_path, text)
    assert line.startswith(said) and "\n" not in line


def test_every_leaf_of_any_toml_has_its_line():
    """The line of each value is that on which it was written, in inline tables, multi-line texts and dotted keys too."""
    text = 'a.b = """x\n#y [z]\n"""\nc = [ # note ]\n  {k = 1, "l m" = [2,\n 3]},\n  \'}\',\n]\n'
    text += '[d]\n[d.e]\nf = 1979-05-27 07:32:00\n[[g]]\n[[g.h]]\ni=1\n[[g.h]]\ni=2\n'
    at = toml_lines.where(text)

    def leaves(value, path):
        several = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        return [path, *[leaf for key, one in several for leaf in leaves(one, (*path, key))]]
    assert all(path in at for path in leaves(tomllib.loads(text), ()) if path)
    assert [at[path] for path in (("a", "b"), ("c", 0, "k"), ("c", 0, "l m", 1), ("c", 1), ("d", "e", "f"), ("g", 0, "h", 1, "i"))] == [
        1, 5, 6, 7, 11, 16]


def test_the_example_changes_nothing_and_every_line_of_it_is_right(tmp_path):
    """Copied as it is, the example sets nothing; with its comment marks taken away it sets every field, and its schema agrees."""
    assert written(tmp_path, team_page.example()).origin == dict.fromkeys(team.FIELDS, team.BUILT_IN)
    (tmp_path / "templates").mkdir()
    (tmp_path / "runbook.toml").write_text(runbook.FILE.read_text(encoding="utf-8"), encoding="utf-8")
    used = re.sub(r"^# (?=[a-z_]+ *=|\[)", "", team_page.example(), flags=re.MULTILINE)
    found = written(tmp_path, used)
    assert team.BUILT_IN not in found.origin.values()
    schema = json.loads((places.schemas() / "config.schema.json").read_text(encoding="utf-8"))
    assert schema["properties"].keys() == set(team.FIELDS)
    jsonschema.validate(tomllib.loads(used), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"lgos": []}, schema)


def test_config_shows_what_holds_and_from_where(tmp_path, monkeypatch, capsys):
    """``incidentnb config`` shows each value with its line; without a file it says so and shows one to begin with."""
    monkeypatch.chdir(tmp_path)
    assert cli.main(["config"]) == 0
    out = capsys.readouterr().out
    assert "no incidentnb.toml here or above" in out and team_page.example() in out
    written(tmp_path, WHOLE)
    assert cli.main(["config"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(re.fullmatch(r"zone +Europe/Berlin +incidentnb.toml:6", line) for line in lines)
    assert any(line.startswith("warning: incidentnb.toml:2: logs: nothing is there: ") for line in lines)
    assert cli.main(["config", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)["values"]
    assert values["calendar.start"] == {"value": "08:30", "from": "incidentnb.toml:12"}
    assert values["calendar.zone"]["from"] == "incidentnb.toml:6" and values["calendar.end"]["from"] == "built in"
    assert cli.main(["config", "--example"]) == 0
    assert capsys.readouterr().out == team_page.example()


def test_open_needs_a_title_and_a_severity(tmp_path, monkeypatch, capsys):
    """The incident reads what the team file names, has its commander, zone and channel; an option takes the place of a setting."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INCIDENTNB_ACTOR", "zoe")
    (tmp_path / "shop").mkdir()
    (tmp_path / "other").mkdir()
    written(tmp_path, 'repos = "shop"\nzone = "Europe/Berlin"\nic = "Ada"\n[channels]\nprefix = "inc-"\n')
    assert cli.main(["open", "Checkout 5xx", "--severity", "SEV-2", "--at", "2026-11-23T15:00"]) == 0
    known = incident.load(incident.locate(None, tmp_path))
    assert (known.ic, known.sources["zone"], known.channel) == ("Ada", "Europe/Berlin", "#inc-2026-11-23-checkout-5xx")
    assert known.sources["repos"] == [str(tmp_path / "shop")]
    assert known.opened_at == datetime(2026, 11, 23, 14, tzinfo=UTC)
    assert cli.main(["open", "Other", "--severity", "SEV-2", "--at", "2026-11-24T15:00", "--repo", "other", "--ic", "Bo", "--zone", "UTC"]) == 0
    known = incident.load(incident.locate("2026-11-24-other", tmp_path))
    assert (known.ic, known.sources["zone"], known.sources["repos"]) == ("Bo", "UTC", [str(tmp_path / "other")])
    written(tmp_path, 'repos = "gone"')
    capsys.readouterr()
    assert cli.main(["open", "Third", "--severity", "SEV-2"]) == 2
    assert capsys.readouterr().err.startswith("incidentnb: incidentnb.toml:1: repos: no such file or directory: ")


def test_calendar_and_runbook_of_the_team_are_what_duties_use(tmp_path, monkeypatch):
    """Working hours, clocks and duties of an incident are those of the team file above it, wherever one stands."""
    monkeypatch.chdir("/")
    folder = incident.create(tmp_path, "Slow search", "SEV-3", at="2026-11-23T10:00:00Z", recorded_at=datetime(2026, 11, 23, 10, tzinfo=UTC))
    now = datetime(2026, 11, 23, 11, tzinfo=UTC)
    assert status.status(incident.load(folder), now)["clocks"][0]["due"] == "2026-11-24T10:00:00Z"
    written(tmp_path, '[calendar]\nholidays = ["2026-11-24"]')
    assert status.status(incident.load(folder), now)["clocks"][0]["due"] == "2026-11-25T10:00:00Z"
    (tmp_path / "mine.toml").write_text('[response]\nSEV-3 = { within = "1h" }\n[[duty]]\nid = "call"\nphase = "detection"\nwhat = "Call."\n'
                                        "gate = true\n", encoding="utf-8")
    written(tmp_path, 'runbook = "mine.toml"')
    found = status.status(incident.load(folder), now)
    assert [duty["id"] for duty in found["duties"]] == ["call"] and found["clocks"][0]["due"] == "2026-11-23T11:00:00Z"
    assert [duty.id for duty in runbook.blockers(incident.load(folder), now)] == ["call"]


def test_rules_of_the_team_redact_and_keep(tmp_path, monkeypatch, capsys):
    """A rule of the team hides what the built-in ones do not know, for its audiences; another keeps what they would hide."""
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "[[redaction]]\nname = 'order'\npattern = 'ORD-[0-9]+'\naction = 'personal'\n"
                      "[[redaction]]\nname = 'office'\npattern = '10\\.1\\.[0-9.]+'\naction = 'keep'\n")
    text = "ORD-77 from 10.1.2.3 and 10.2.2.3, ORD-77 again"
    (tmp_path / "a.log").write_text(text, encoding="utf-8")
    assert cli.main(["redact", "a.log"]) == 0
    assert capsys.readouterr().out == "⟦order:1⟧ from 10.1.2.3 and ⟦ipv4:2⟧, ⟦order:1⟧ again"
    assert cli.main(["redact", "a.log", "--audience", "internal"]) == 0
    assert capsys.readouterr().out == text
    extra = redaction.rules_of(team.load(tmp_path).redaction)
    assert redaction.redact_html(f"<p>{text}</p>", extra=extra)[0] == "<p>⟦order:1⟧ from 10.1.2.3 and ⟦ipv4:2⟧, ⟦order:1⟧ again</p>"
    assert "ORD" not in redaction.redact_markdown(text, extra=extra)[0]
