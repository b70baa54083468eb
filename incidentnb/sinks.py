"""Hostile text on its way out: one function per sink, and no other way to reach it.

Log lines, titles, names and parameters are written by strangers. Each function makes text inert for one sink and keeps
it readable as it was written: control characters are shown as symbols, direction marks and zero-width characters as their code
point, nothing is dropped in silence.
"""

from __future__ import annotations

import html as _html
import re
import unicodedata
from urllib.parse import quote

_CONTROL = {code: chr(0x2400 + code) for code in range(32)} | {0x7F: "\u2421"}
_INVISIBLE = re.compile("[\u0080-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
                        "\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff0-\uffff\ud800-\udfff\U000e0000-\U000e0fff]")
# Marks that are syntax anywhere; those that are syntax only at the beginning of a line; what renderers make links, mentions,
# emoji or references of (GitHub, GitLab). All others stay readable.
_MARKDOWN = re.compile(r"[\\`*_\[\]#<>~$&@|{}^]|(?<=-)-|-(?=-)|:(?=//)|:(?=[a-z+_-][a-z0-9+_-]{0,40}:)|(?<=[wW]{3})\.|!(?=[\[\d])|%(?=\w)|"
                       r"(?<=mailto):|(?<=xmpp):", re.IGNORECASE)
_LINE_START = re.compile(r"(\s*)([-+=/:.])|(\s*\d{1,9})([.)])")
_WINDOWS_DEVICES = {"con", "prn", "aux", "nul", *(f"com{n}" for n in range(10)), *(f"lpt{n}" for n in range(10))}


def visible(text: object, keep: str = "") -> str:
    """Text with every control, direction and zero-width character made visible; those in ``keep`` stay."""
    table = {code: mark for code, mark in _CONTROL.items() if chr(code) not in keep}
    return _INVISIBLE.sub(lambda m: f"‹U+{ord(m[0]):04X}›", str(text).translate(table))


def clip(text: str, limit: int) -> str:
    """Text of at most ``limit`` characters; what was cut is told by its size."""
    return text if len(text) <= limit else f"{text[:limit]}… [{len(text) - limit:,} more characters]"


def html(text: object, limit: int = 4000) -> str:
    """Text for HTML, as element content or attribute value."""
    return _html.escape(clip(visible(text, keep="\n\t"), limit), quote=True)


def xml(text: object, limit: int = 20_000) -> str:
    """Text for XML, as element content or attribute value: every mark that is syntax a numeric character reference, so no entity is needed."""
    return re.sub("[&<>\"']", lambda m: f"&#{ord(m[0])};", clip(visible(text, keep="\n\t"), limit))


def cdata(text: object, limit: int = 20_000) -> str:
    """Text for XML as a CDATA section; what would end the section is split over two."""
    return f"<![CDATA[{clip(visible(text, keep=chr(10) + chr(9)), limit).replace(']]>', ']]]]><![CDATA[>')}]]>"


def link(url: object) -> str:
    """An ``http`` or ``https`` address as it may stand in a link; empty for any other. What could end the link is percent-encoded."""
    plain = str(url).strip()
    if not re.match(r"https?://[^\s/]", plain, re.IGNORECASE) or len(plain) > 2000:
        return ""
    return quote(visible(plain), safe="%/:?#@!$&*+,=~-._")


def markdown(text: object, limit: int = 4000, *, starts: bool = True) -> str:
    """Text for Markdown prose or a table cell: one line, every mark that could be syntax where it stands a character reference.

    Links, mentions, images, raw HTML, mathematics, lists and headings in the text stay text in CommonMark, GitHub, GitLab and Jupyter.

    Args:
        text: anything.
        limit: characters; beyond, the rest is told by its size.
        starts: whether it may stand at the beginning of a line, where more marks are syntax.
    """
    flat = clip(visible(text, keep="\n").replace("\n", " ⏎ "), limit)
    begin = ""
    if starts and (found := _LINE_START.match(flat)):
        begin = (found[1] or found[3] or "") + f"&#{ord(found[2] or found[4])};"
        flat = flat[found.end():]
    return begin + _MARKDOWN.sub(lambda m: f"&#{ord(m[0])};", flat)


def markdown_code(text: object, limit: int = 4000) -> str:
    """Text as a code span of Markdown: one line, its backticks outnumbered; in a table cell it must hold no ``|``."""
    flat = clip(" ".join(visible(text, keep="\n\t").split()), limit)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", flat)), default=0))
    room = " " if flat[:1] == "`" or flat[-1:] == "`" else ""
    return f"{fence}{room}{flat}{room}{fence}" if flat else ""


def markdown_fence(text: object, language: str = "", limit: int = 20_000) -> str:
    """Text as a code block of Markdown whose fence is longer than any in it; terminal colours are dropped."""
    shown = clip(visible(re.sub(r"\x1b\[[0-9;]{0,40}m", "", str(text)), keep="\n\t"), limit).rstrip()
    fence = "`" * (1 + max((len(run) for run in re.findall(r"`{3,}", shown)), default=2))
    return f"{fence}{language}\n{shown}\n{fence}"


def csv_cell(text: object) -> str:
    """Text for one CSV field that a spreadsheet will not run: a leading formula mark is quoted with an apostrophe."""
    value = visible(text, keep="\n\t")
    if re.match(r"\s*[=+\-@\t\r|%]", value) and not re.fullmatch(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", value):
        return "'" + value
    return value


def figure(text: object, limit: int = 120) -> str:
    """Text for a matplotlib title, label or tick: one line, no mathematics, control characters by their code point.

    matplotlib reads a backslash before a dollar as a dollar, and nothing else in a text without an unescaped one; its font has no
    pictures for control characters.
    """
    flat = re.sub("[\x00-\x1f\x7f]", lambda m: " " if m[0] in "\n\t" else f"‹U+{ord(m[0]):04X}›", str(text))
    shown = clip(visible(flat), limit).replace("$", r"\$")
    return "\u200a" + shown if shown.startswith("_") else shown  # a legend leaves out what begins with an underscore


def terminal(text: object, limit: int = 4000) -> str:
    """Text for a terminal: one line, no escape sequences."""
    return clip(visible(text, keep="\t").replace("\t", " "), limit)


def file_name(text: object, limit: int = 80) -> str:
    """A safe file or folder name out of any text: lower case letters, digits, dot and hyphen; never empty."""
    plain = unicodedata.normalize("NFKD", str(text)).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9.]+", "-", plain)
    name = re.sub(r"\.{2,}", ".", name).strip("-.")[:limit].strip("-.")
    return f"{name or 'untitled'}-x" if not name or name.split(".")[0] in _WINDOWS_DEVICES else name


def chat(text: object, limit: int = 3000) -> str:
    """Text for a chat message: mentions and links in it stay text (Slack's three escapes, and a split ``@``)."""
    flat = clip(visible(text, keep="\n"), limit)
    return flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "@\u2060")


_TAG = re.compile(r"<(?=[A-Za-z/!?@#])")
_MENTION = re.compile(r"@(?=\w)")


def message(text: object, limit: int = 300) -> str:
    """Text for a plain message that people paste into chat, mail or a status page: one line, readable as it was written.

    No tag opens in it, nobody is mentioned, and nothing turns into a link: ``<`` before a name is ``‹``, ``@`` and ``://`` are split by a mark
    that takes no room. What a place itself makes of asterisks and backticks is the business of its payload (``slack``, ``status_page``).
    """
    flat = " ".join(visible(str(text).replace("\r\n", "\n").replace("\t", " "), keep="\n").split())
    cut = flat[:limit - 1]
    shown = flat if len(flat) <= limit else (cut[:cut.rindex(" ")] if " " in cut[limit // 2:] else cut).rstrip(" ,;:(") + "…"
    return _MENTION.sub("@\u2060", _TAG.sub("‹", shown)).replace("://", ":\u2060//").replace("](", "]\u2060(")


def slack(text: object, limit: int = 3000) -> str:
    """Text for a Slack message, of at most ``limit`` characters after escaping: no mention, no link, no formatting comes out of it.

    The three escapes, a split ``@`` and ``://``; marks of formatting (``* _ ~ `` and the backtick) are look-alikes where they could format.
    """
    flat = visible(str(text).replace("\u2060", ""), keep="\n")
    plain = re.sub(r"(?<![^\W_])[*_~]|[*_~](?![^\W_])|`", lambda m: _LOOKALIKE[m[0]], flat).replace("://", ":\u2060//").replace("@", "@\u2060")
    shown = plain.translate(_SLACK)
    if len(shown) > limit:
        while len(plain.translate(_SLACK)) > limit - 1:
            plain = plain[:len(plain) - max(1, (len(plain.translate(_SLACK)) - limit) // 5)]
        shown = plain.rstrip().translate(_SLACK) + "…"
    return shown


_LOOKALIKE = {"*": "\u2217", "_": "\u02cd", "~": "\u223c", "`": "\u02cb"}
_SLACK = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"}


def status_page(text: object) -> str:
    """Text for a status page that renders HTML and Markdown: every mark that could be syntax is a character reference, no link comes of it."""
    plain = visible(str(text).replace("\u2060", ""), keep="\n").translate(_SLACK)
    plain = re.sub(r"!?\[(?=[^\]\n]{0,500}\]\()", lambda m: m[0].replace("[", "&#91;"), plain)
    marks = re.compile(r"[*`~]|(?<![^\W_])_|_(?![^\W_])|(?m:^#)(?!\d)")
    return marks.sub(lambda m: f"&#{ord(m[0])};", plain).replace("://", ":&#47;/")
