"""README and command line hold each other: each verb and option is in both, and every command line in the README parses."""

import re
import shlex
from pathlib import Path

import pytest
from runbook_table import table

from incidentnb.cli import parser
from incidentnb.exceptions import InputError
from incidentnb.record import runbook

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
VERBS = parser.verb_parsers(parser.build())
STANDS_FOR = {"[READING]": {"--format", "--zone", "--year", "--formats"},
              "[ENTRY]": {"--at", "--by", "--supersedes", "--incident", "--json"}}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def usage() -> dict[str, set[str]]:
    """Verb → the options that the README's usage lines give it."""
    found: dict[str, set[str]] = {}
    for line in "".join(blocks("usage")).splitlines():
        verb = line.split()[1]
        options = set(re.findall(r"--[a-z][a-z-]*", line))
        for mark, more in STANDS_FOR.items():
            options |= more if mark in line else set()
        found.setdefault(verb, set()).update(options)
    return found


def options_of(verb: str) -> set[str]:
    return {o for action in VERBS[verb]._actions for o in action.option_strings} - {"-h", "--help"}


def commands() -> list[str]:
    """Every line of the README's shell blocks that begins with ``incidentnb``, and those of its terminal sessions."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    lines += [line.removeprefix("$ ") for line in README.splitlines() if line.startswith("$ ")]
    return [line for line in lines if line.startswith("incidentnb ")]


def test_readme_has_every_verb_and_option():
    """Each verb of the command line is in the README with each of its options, and the README has no other."""
    told = usage()
    assert told.keys() == VERBS.keys()
    assert {verb: told[verb] ^ options_of(verb) for verb in VERBS if told[verb] != options_of(verb)} == {}


def test_readme_speaks_of_each_verb_and_option_in_words():
    """Options that usage lines abbreviate stand in a table of their own; no word after ``--`` in the README is unknown."""
    for options in STANDS_FOR.values():
        for option in options:
            assert re.search(rf"^\| `{option}[ `]", README, re.MULTILINE), option
    known = {o for verb in VERBS for o in options_of(verb)} | {"--help", "--version", "--template"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", README)) <= known


def test_help_has_every_verb():
    """``incidentnb --help`` names each verb with what it does."""
    text = parser.build().format_help()
    assert all(re.search(rf"^    {verb}\b", text, re.MULTILINE) for verb in VERBS)


@pytest.mark.parametrize("line", commands())
def test_command_lines_of_the_readme_parse(line):
    """A command that the README tells people to type is one that the real parser takes."""
    words = shlex.split(line, comments=True)
    assert parser.parse(words[1:]).verb == words[1]


def test_the_check_can_fail():
    """A command line that is wrong is noticed."""
    with pytest.raises(InputError):
        parser.parse(["open", "x", "--severty", "SEV-2"])


def test_python_of_the_readme_names_what_exists():
    """Each ``incidentnb.name`` of the README's Python block is part of the vocabulary."""
    import incidentnb

    names = set(re.findall(r"incidentnb\.(\w+)\(", "".join(blocks("python"))))
    assert names and names <= set(incidentnb.__all__)


def test_files_that_the_readme_names_are_there():
    """Links and pictures of the README lead to files of the project."""
    root = Path(__file__).resolve().parents[1]
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (root / target).exists(), target


def test_makefile_has_the_targets_that_the_readme_names():
    """Each ``make …`` of the README is a target."""
    makefile = (Path(__file__).resolve().parents[1] / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)$", "".join(blocks("sh")), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_line_of_the_runbook_has_its_verb_section_and_module():
    """Each line of the runbook is carried out by a verb, shown in a notebook section, computed in a module; the README's table is made of them."""
    root = Path(runbook.__file__).parents[1]
    for duty in runbook.rules().duties:
        assert duty.verb.split()[0] in VERBS and duty.section, duty.id
        assert (root / (duty.module.replace(".", "/") + ".py")).is_file(), duty.id
    assert table() in README
