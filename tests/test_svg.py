"""SVG pictures: what is drawn stays, what could run, load or lead out is gone, whatever it is hidden in."""

import base64
import io
import json
import re
from collections import Counter
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from publish_samples import png

from incidentnb.publish import safe, svg

NS = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
TRICKS = [
    "<script>alert(1)</script>", "<script href='https://evil.example/x.js'/>", "<script xlink:href='data:text/javascript,alert(1)'/>",
    "<g onload='alert(1)'><path d='M0 0'/></g>", "<rect width='9' height='9' onclick='alert(1)' onmouseover='alert(1)'/>",
    "<a href='javascript:alert(1)'><text>x</text></a>", "<a xlink:href='https://evil.example'><circle r='1'/></a>",
    "<foreignObject><body xmlns='http://www.w3.org/1999/xhtml'><script>alert(1)</script></body></foreignObject>",
    "<foreignObject><iframe xmlns='http://www.w3.org/1999/xhtml' src='javascript:alert(1)'/></foreignObject>",
    "<iframe xmlns='http://www.w3.org/1999/xhtml' src='https://evil.example'/>",
    "<html:script xmlns:html='http://www.w3.org/1999/xhtml'>alert(1)</html:script>",
    "<x:script xmlns:x='http://www.w3.org/2000/svg'>alert(1)</x:script>", "<handler type='application/ecmascript'>alert(1)</handler>",
    "<set attributeName='onload' to='alert(1)'/>", "<animate attributeName='href' values='javascript:alert(1)'/>",
    "<animate onbegin='alert(1)' attributeName='x' dur='1s'/>", "<animateTransform onend='alert(1)' attributeName='transform'/>",
    "<animateMotion path='M0 0'/>", "<discard begin='0s'/>", "<image href='https://evil.example/x.png'/>",
    "<image xlink:href='//evil.example/x.png'/>",
    "<image xlink:href='javascript:alert(1)'/>", "<image xlink:href='data:image/svg+xml;base64,PHN2Zy8+'/>", "<image xlink:href='file:///etc/passwd'/>",
    "<image xlink:href='data:image/png;base64,AAAA'/>", "<feImage href='https://evil.example/x.png'/>",
    "<filter id='f'><feImage xlink:href='https://evil.example'/></filter>", "<use href='https://evil.example/x.svg#a'/>",
    "<use xlink:href='data:image/svg+xml,<svg/>#a'/>".replace("<svg/>", "&lt;svg/&gt;"), "<use xlink:href='javascript:alert(1)'/>",
    "<linearGradient id='g' xlink:href='https://evil.example/x.svg#g'/>", "<rect fill='url(https://evil.example/x.svg#p)'/>",
    "<rect fill='url(\"https://evil.example\")' stroke='url(//evil.example)'/>",
    "<rect clip-path='url(x.svg#c)' mask='url( https://evil.example )'/>",
    "<rect style='fill:url(https://evil.example)'/>", "<rect style='background:url(javascript:alert(1))'/>", "<rect style='behavior:url(#x)'/>",
    "<rect style='width:expression(alert(1))'/>", "<rect style='-moz-binding:url(https://evil.example#x)'/>",
    "<rect style='fill:\\75rl(https://evil.example)'/>", "<rect style='fill:u/**/rl(https://evil.example)'/>",
    "<rect style='cursor:image-set(\"https://evil.example/x.png\" 1x)'/>", "<style>@import 'https://evil.example/x.css';</style>",
    "<style>@font-face{font-family:x;src:url(https://evil.example)}</style>", "<style>*{fill:url(https://evil.example)}</style>",
    "<style>rect{background:\\75rl(https://evil.example)}</style>", "<style><![CDATA[</style><script>alert(1)</script>]]></style>",
    "<style>a{}</style><style>*{-moz-binding:url(x)}</style>", "<text><tspan onfocus='alert(1)' tabindex='0'>x</tspan></text>",
    "<title>&lt;script&gt;alert(1)&lt;/script&gt;</title>", "<desc><script>alert(1)</script></desc>",
    "<metadata><script>alert(1)</script></metadata>",
    "<!-- <script>alert(1)</script> -->", "<?xml-stylesheet href='https://evil.example/x.css'?>", "<switch><script>alert(1)</script><g/></switch>",
    "<a><a><script>alert(1)</script></a></a>", "<embed src='https://evil.example'/>", "<object data='https://evil.example'/>", "<video src='x'/>",
    "<audio onerror='alert(1)' src='x'/>", "<cursor xlink:href='https://evil.example'/>", "<mpath xlink:href='https://evil.example'/>",
    "<tref xlink:href='https://evil.example'/>", "<color-profile xlink:href='https://evil.example'/>",
    "<font-face-uri xlink:href='https://evil.example'/>",
    "<path d='M0 0' id='x\" onload=\"alert(1)'/>".replace('"', "&quot;"), "<g xml:base='https://evil.example/'><use xlink:href='#a'/></g>",
    "<svg onload='alert(1)'><script>alert(1)</script></svg>", "<text font-family='x&quot; onload=&quot;alert(1)'>y</text>"]


def drawn(markup: str) -> bytes | None:
    return svg.clean(f"<svg {NS} width='9' height='9'>{markup}</svg>")


def harmful(picture: bytes) -> list:
    """What in a picture could run, load or lead out of it."""
    found: list = [word for word in (b"<!", b"<?") if word in picture]
    for element in ElementTree.fromstring(picture).iter():
        name = element.tag.removeprefix(f"{{{svg.SVG}}}")
        found += [name] if name not in svg.DRAWN else []
        for key, value in element.attrib.items():
            local = key.rpartition("}")[2]
            if local not in svg.ATTRIBUTES | {"type", "space"} or local.startswith("on"):
                found.append((name, key))
            if local == "href" and not re.match(r"#|data:image/png;base64,iVBOR", value):
                found.append((name, key, value))
            if re.search(r"url\((?!['\"]?#)|javascript|expression|[\\@]", value, re.IGNORECASE):
                found.append((name, key, value))
        if name == "style" and re.search(r"url|@|\\|<|expression", element.text or ""):
            found.append(("style", element.text))
    return found


def figure() -> str:
    """What matplotlib writes of lines, areas, hatches, a raster, markers, text and a link."""
    with mpl.rc_context({"svg.hashsalt": "x", "svg.fonttype": "none"}):
        fig = Figure()
        ax = fig.subplots()
        ax.plot([1, 2, 3], marker="o", label="a & b", url="https://evil.example")
        ax.fill_between([0, 1], [1, 2], hatch="//")
        ax.imshow([[1, 2], [3, 4]], extent=(0, 1, 0, 1))
        ax.set_title("π <x>")
        ax.legend()
        out = io.StringIO()
        fig.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def test_what_matplotlib_draws_stays():
    """Each drawn element of a figure is there with each of its attributes and its text, at the same size; metadata, doctype and links are gone."""
    source = figure()
    kept = svg.clean(source)

    def parts(picture) -> tuple[Counter, list[str], dict]:
        root = ElementTree.fromstring(picture)
        elements = [e for e in root.iter() if isinstance(e.tag, str) and e.tag.removeprefix(f"{{{svg.SVG}}}") in svg.DRAWN]
        attributes = Counter((e.tag, *sorted(e.attrib)) for e in elements)
        return attributes, ["".join(e.itertext()) for e in elements if e.tag.endswith("}text")], dict(root.attrib)

    assert parts(kept) == parts(source) and harmful(kept) == []
    assert b"metadata" not in kept and b"evil" not in kept and b"DOCTYPE" not in kept and "π &#60;x&#62;".encode() in kept


def test_the_same_picture_gives_the_same_bytes():
    """Cleaned twice is cleaned once."""
    kept = svg.clean(figure())
    assert svg.clean(kept.decode()) == kept == svg.clean(figure())


@pytest.mark.parametrize("trick", TRICKS)
def test_tricks_leave_nothing(trick):
    """Nothing that runs, loads or leads out is left of a trick, and the picture around it is still drawn."""
    kept = drawn(f"<circle r='2'/>{trick}<circle r='3'/>")
    assert kept is not None and harmful(kept) == [] and kept.count(b"<circle r=") >= 2
    assert b"evil.example" not in kept or b"<text" in kept


def test_payloads_leave_nothing(shared):
    """Each hostile text of the shared set, as markup, as text, as an attribute and as a style, leaves nothing; as text it can be read."""
    from incidentnb import sinks

    for case in json.loads((shared / "bad" / "xss.json").read_text(encoding="utf-8")):
        payload = case["payload"]
        escaped = sinks.xml(payload)
        for markup in (payload, f"<text>{escaped}</text>", f"<rect fill='{escaped}' style='fill:{escaped}' id='{escaped}'/>",
                       f"<style>{escaped}</style>"):
            kept = drawn(markup)
            assert kept is None or harmful(kept) == [], (payload, markup)
        shown = "".join(ElementTree.fromstring(drawn(f"<text>{escaped}</text>")).itertext())
        assert shown.strip() == sinks.visible(sinks.visible(payload, keep="\n\t"), keep="\n\t").strip()


@pytest.mark.parametrize("source", ["", "<svg", "plain", "<html><svg/></html>", '<!DOCTYPE svg [<!ENTITY x "y">]><svg>&x;</svg>',
                                    '<!DOCTYPE svg [<!entity % x SYSTEM "file:///etc/passwd">]><svg/>', "<svg>&nbsp;</svg>", "<svg" + ">" * 3000,
                                    "<svg xmlns='urn:other'/>", "\x00<svg/>"])
def test_what_is_no_picture_is_refused(source):
    """What is no SVG, is damaged, or declares entities is no picture, and no error."""
    assert svg.clean(source) is None


def test_deep_and_large_pictures_cost_no_export():
    """A picture nested beyond reason is cut there, one beyond the limit is refused."""
    assert svg.clean(f"<svg {NS}>{'<g>' * 900}<path d='M0 0'/>{'</g>' * 900}</svg>").count(b"<g>") <= 201
    assert svg.clean("<svg>" + " " * 4_000_001 + "</svg>") is None


def test_references_into_the_picture_stay():
    """Gradients, clips, markers and uses of the picture's own parts stay, and so does a raster of PNG, without its text."""
    raster = png(text=b"secret")
    kept = drawn("<defs><clipPath id='c'><rect/></clipPath></defs><g clip-path='url(#c)' style='fill: url(\"#g\"); stroke: rgb(1, 2, 3)'>"
                 f"<use href='#c' x='1'/></g><image xlink:href='data:image/png;base64,{raster}' width='3'/>").decode()
    assert 'clip-path="url(#c)"' in kept and "url(&#34;#g&#34;); stroke: rgb(1, 2, 3)" in kept and '<use xlink:href="#c" x="1">' in kept
    assert f"base64,{base64.b64encode(safe.picture_bytes('image/png', raster)).decode()}" in kept and harmful(kept.encode()) == []


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(svg.DRAWN | {"script", "a", "foreignObject", "set"})), st.dictionaries(
    st.sampled_from(["href", "xlink:href", "style", "fill", "onload", "id", "d", "clip-path", "transform", "class"]),
    st.text("url(#a)javscript:/\\@;*<'\"expn. 1", max_size=25), max_size=4), st.text("<>&\"' a", max_size=9))
def test_nothing_harmful_is_ever_left(name, attributes, text):
    """Whatever an element and its attributes are made of, what is left is a picture that does nothing."""
    from incidentnb import sinks

    given_attributes = "".join(f' {key}="{sinks.xml(value)}"' for key, value in attributes.items())
    kept = drawn(f"<{name}{given_attributes}>{sinks.xml(text)}</{name}>")
    assert kept is not None and harmful(kept) == []


def test_a_picture_that_nobody_could_draw_is_refused():
    """Parts that are used again and again, each time by more, and a part that uses itself cost nobody's machine anything."""
    layers = "".join(f"<g id='a{n}'>" + f"<use href='#a{n - 1}'/>" * 10 + "</g>" for n in range(1, 12))
    assert svg.clean(f"<svg {NS}><g id='a0'><path d='M0 0'/></g>{layers}<use href='#a11'/></svg>") is None
    assert svg.clean(f"<svg {NS}><g id='x'><use href='#x'/></g></svg>") is None
    assert svg.clean(f"<svg {NS}><g id='x'><path d='M0 0'/></g><use href='#x'/></svg>") is not None
