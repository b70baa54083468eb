"""Nothing but the sinks formats text of strangers: the source is read for markup that is put together in any other way."""

import ast
import re
from pathlib import Path

import pandas as pd
import pytest
from publish_samples import CHANGES, END, ONSET, minute, series
from test_figures import levels_frame

from incidentnb import sinks, times
from incidentnb.publish import figures, levels, style

PACKAGE = Path(__file__).resolve().parents[1] / "incidentnb"
MARKUP = re.compile(r"(?<![?P])<[a-zA-Z/!]")
PATTERNS = ("publish/hiding", "publish/drafting", "publish/svg.py", "record/team.py", "evidence", "analysis", "drill")  # they write no pages
INERT = {  # what stands in markup and is no call of a sink, with why it may
    "findings.py": {"head", "body", "more", "len(frame) - limit", "_NUM * n"},  # put together of sinks.html in the same function; numbers
    "publish/answers.py": {"unsure", "why", "query", "digest", "table", "rows"},  # the same
    "publish/safe.py": {"folded", "marked", "text(trace)", "text(joined(output.get('text')))", "mime", "alt", "size",  # the same; one of three types
                        "tall", "more",  # words of ours; a number
                        "base64.b64encode(content).decode('ascii')", "highlight(shown, PythonLexer(), HtmlFormatter(nowrap=True)).rstrip()"},
    "publish/drafts.py": {"_name(one.name)", "one.mail"},  # a line of addresses of a mail, from the team file
    "publish/forms/paper.py": {"node.tag", "names", "''.join(map(written, node.children))"},  # what the sanitiser let through
    "publish/forms/storage.py": {"name", "given", "inner", "words"},  # names of its own list; sinks.xml
    "publish/review/parts.py": {"kind", "key", "said", "_trim(text)"},  # marks of the postmortem's parts, and Markdown that a template made
}


def modules():
    return {str(path.relative_to(PACKAGE)): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}


def test_markup_is_put_together_of_sinks_alone():
    """In every text with a tag in it, what is filled in is a call of a sink or is named above with its reason."""
    found = {}
    for name, tree in modules().items():
        if name.startswith(PATTERNS) or name == "sinks.py":
            continue
        for text in (node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)):
            if not MARKUP.search("".join(part.value if isinstance(part, ast.Constant) else "x" for part in text.values)):
                continue
            filled = [ast.unparse(part.value) for part in text.values if isinstance(part, ast.FormattedValue)]
            found.setdefault(name, set()).update(each for each in filled if not re.match(r"sinks\.\w+\(", each))
    assert {name: each for name, each in found.items() if each} == INERT


def test_nobody_else_escapes():
    """Escaping for HTML, XML, CSV or a shell stands in one module, and in the one that looks for secrets in what is finished."""
    own, others = {"sinks.py", "publish/redaction.py"}, {"html.escape", "escape", "saxutils.escape", "quoteattr", "markupsafe.escape", "Markup"}
    for name, tree in modules().items():
        calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        assert name in own or not calls & others, name


def test_what_a_template_says_is_safe_was_made_safe():
    """The template of the page marks as safe only values named html, which safe.py makes; everything else is escaped by itself."""
    template = (PACKAGE.parent / "templates" / "incidentnb" / "index.html.j2").read_text(encoding="utf-8")
    marked = set(re.findall(r"\{\{([^{}]*)\|\s*safe\s*\}\}", template))
    assert {one.strip().rpartition(".")[2] for one in marked} == {"html"} and template.count("autoescape true") == 1
    tree = modules()["publish/page.py"]
    given = [ast.unparse(value) for node in ast.walk(tree) if isinstance(node, ast.Dict)
             for key, value in zip(node.keys, node.values, strict=True) if isinstance(key, ast.Constant) and key.value == "html"]
    assert given and all(one.startswith("safe.") for one in given), given


@pytest.mark.parametrize("draw", ["rate", "volume", "scope", "routes", "patterns", "timeline", "changes"])
def test_every_word_of_a_figure_passes_its_sink(draw, monkeypatch):
    """With the sink of figures replaced by a word, no text of a stranger is left in any figure."""
    text = "$evil$ _{x}"
    monkeypatch.setattr(sinks, "figure", lambda *_: "inert")
    change = {**CHANGES[0], "summary": text, "version": text, "service": text, "kind": text}
    axes = {
        "rate": lambda: figures.rate_figure(series(), onset=ONSET, end=END, changes=pd.DataFrame([change]), milestones={text: minute(66)},
                                            zone=times.zone("Asia/Kolkata")),
        "volume": lambda: levels.volume_figure(levels_frame(), onset=ONSET, ended=[(minute(80), text)]),
        "scope": lambda: figures.scope_figure([{"where": {text: text}, "rate_inside": 0.4, "rate_outside": 0.1}]),
        "routes": lambda: figures.routes_figure([{"method": text, "route": text, "rate_before": 0.1, "rate_during": 0.4}]),
        "patterns": lambda: figures.patterns_figure([{"pattern": text, "count_before": 1, "count_during": 9, "new": True}]),
        "timeline": lambda: figures.timeline_figure(pd.DataFrame([{"at": minute(n), "what": text, "kind": text} for n in (1, 2)]), onset=ONSET),
        "changes": lambda: figures.changes_figure([change], ONSET),
    }[draw]()
    style.png(axes)
    words = [one.get_text() for each in axes.figure.axes for one in each.findobj(lambda artist: hasattr(artist, "get_text"))]
    assert any("inert" in word for word in words) and not [word for word in words if "evil" in word]
