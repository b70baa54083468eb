"""Stack traces folded to what tells one cause from another: the type of the innermost exception and its first frame in the application's own code.

Java and Kotlin, .NET, Python, Node and browsers, Go, Ruby, PHP and Rust. A trace goes through two steps: the engine keeps of it the
frames and the words that may name an exception (``key_sql``), so that traces that differ in their texts alone are one; Python then
reads the few distinct keys (``fold``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

LONGEST = 16_384  # characters of a trace that are looked at
# a column of a structured log that holds a trace, by the last part of its name
COLUMN = re.compile(r"(?i)(?:^|[._@])(?:x|(?:\w+_)?stack(?:_?trace)?s?|\w*stacktrace|\w*traceback|backtrace|exception|exc|exc_info|exc_text"
                    r"|err|error|thrown)$")
_TYPE = r"(?:Exception|Error|Throwable|Fault|Failure)"
# a line like this is in every trace that can be folded; RE2, as all of the next three
FRAME = (r"(?m)^[ \t]*at [^\n]*[(:/]|File \"[^\"\n]+\", line \d+|\.go:\d+|\.rs:\d+|\.rb:\d+:in |^#\d+ [^\n]*\(\d+\)|^[^\s@]*@\w+://")
TYPED = rf"(?:^|[\s(\[\\])[A-Za-z_][\w.$:\\]*{_TYPE}\b|(?m)^(?:Caused by|panic|fatal error): |panicked at|^Traceback "
_KEPT = "|".join([
    r"^[ \t]*at [^\n]*", r"^[ \t|]*File \"[^\n]*", r"^[ \t]+\S+\.(?:go|s):\d+", r"\S+\.rb:\d+:in [`'][^'\n]*'", r"\S+\.rs:\d+",
    r"^#\d+ [^\n]*?\(\d+\): [\w\\>:{}\-]+", r"^#\d+ \[internal function\]: [\w\\>:{}\-]+", r"(?: in |at )\S+\.php(?::| on line )\d+", r"^[^\s@]*@\w+://\S+",
    r"^[ \t]+\.\.\. \d+ [^\n]*", r"^[ \t]*--- End of[^\n]*", r"^(?:During handling of|The above exception)[^\n]*", r"---> [\w.+`]+", r"panicked at",
    r"^(?:panic|fatal error): [^\d\[\n]*", r"^[ \t]*(?:Caused by|Wrapped by|Suppressed|\[cause\]): [^\s:(]+", r"^Next [\w\\]+", r"^[ \t]+\d+: [^\n]*",
    r"^[\w./\-]*\(\*[\w\[\].]+\)[\w.]*", r"^[^\s(]+", r"\([A-Z][\w:]+\)[ \t]*$", rf"[ (\[][A-Za-z_][\w.$:\\]*{_TYPE}\b"])
_LIBRARY_PATH = re.compile(r"site-packages|dist-packages|/lib/python|\\Lib\\|<frozen|<string>|node_modules|^node:|^internal/|<anonymous>|native code"
                           r"|/go/pkg/mod/|/go/src/(?:runtime|net|internal|sync|reflect)/|/vendor/|/gems/|/lib/ruby/|<internal:|^/rustc/|\.cargo/|\[internal")
_LIBRARY_NAME = re.compile(
    r"(?:javax?|jdk|sun|com\.sun|jakarta|kotlinx?|scala|groovy|clojure|akka|reactor|rx|io\.(?:netty|reactivex|grpc|micrometer|vertx|lettuce|undertow)"
    r"|org\.(?:spring|apache|hibernate|eclipse|jboss|postgresql|aspectj|junit|slf4j|reactivestreams)\w*|com\.(?:fasterxml|google|zaxxer|mysql|netflix)"
    r"|okhttp3|okio|retrofit2|feign|redis\.clients|ch\.qos|net\.sf\.cglib|System|Microsoft|Npgsql|Newtonsoft|MySql|Dapper|Grpc|Serilog|Polly"
    r"|StackExchange|MongoDB|RabbitMQ|lambda_method|Illuminate|Symfony|Doctrine|Psr|Twig|std|core|alloc|rust_begin_unwind|tokio)(?:[.:\\]|$)|runtime[./]|panic$|debug\.|net/http\.|log\."
    r"|.*\$\$(?!Lambda)")
_AT = re.compile(r"\s*at (?:async )?(?:new )?(.*)")
_JVM = re.compile(r"(?:[\w.\-@]*/)*([\w.$<>\-]+)\(([\w$.\-]+\.\w+:\d+|[\w$.\-]+\.(?:java|kt|scala|groovy|clj)|Native Method"
                  r"|Unknown Source|<generated>)\)")
_NET = re.compile(r"([\w.`<>\[\]+$|,]+)\([^()]*\)(?: in (.+):line (\d+))?\s*$")
_JS = re.compile(r"(?:(.*) )?\(?((?:\w+:|/|\.{1,2}/|\w+/|\w+\.)[^()\s]*?):(\d+)(?::\d+)?\)?\s*$")
_PYTHON = re.compile(r"[ \t|]*File \"([^\"]+)\", line (\d+)(?:, in (.+))?")
_PLACE = re.compile(r"\s*(?:at )?(\S+\.(?:go|s|rs)):(\d+)")
_RUBY = re.compile(r"(\S+\.rb):(\d+):in [`'](?:block .*?in |rescue in |ensure in )?([^']*)'")
_PHP = re.compile(r"#(\d+) (?:(.+?)\((\d+)\)|\[internal function\]): ([\w\\>:{}\-]+)")
_PHP_AT = re.compile(r"(?: in |at )(\S+\.php)(?::| on line )(\d+)")
_BROWSER = re.compile(r"([^\s@]*)@(\w+://\S+?):(\d+)(?::\d+)?$")
_NAMELESS = re.compile(r"|.*<(?:anonymous|lambda|listcomp|genexpr|dictcomp)>|.*\{closure\}|.*\.func\d+(?:\.\d+)*")
_SCRIPT = re.compile(r"\.(?:[cm]?[jt]s|[jt]sx|vue|svelte)$")
_HEAD = re.compile(rf"[A-Za-z_$][\w.$:\\+`]*?{_TYPE}|[A-Za-z_$][\w$]*(?:(?:\.|::|\\)[A-Za-z_$][\w$]*)+")


@dataclass(frozen=True)
class Frame:
    """One call: ``name`` of the function, ``file`` (no folders), ``line``, and whether it is the application's ``own``."""

    name: str
    file: str
    line: str
    own: bool

    @property
    def where(self) -> str:
        """``name (file:line)``."""
        place = f"{self.file}:{self.line}" if self.file and self.line else self.file
        return f"{self.name} ({place})" if self.name and place else self.name or place

    @property
    def shape(self) -> str:
        """The same without the line, which another version moves; a function without a name is known by its line alone."""
        if _NAMELESS.fullmatch(self.name):
            return self.where
        name = self.name.rpartition(".")[2] if _SCRIPT.search(self.file) else self.name  # V8 puts the type of the receiver before it
        name = re.sub(r"lambda\$(\w+)\$\d+", r"\1", re.sub(r"\$\$Lambda[^.]*|\$\d+", "", name))
        return f"{name} ({self.file})" if self.file else name


@dataclass(frozen=True)
class Trace:
    """A folded trace: the innermost ``exception`` (empty where none is named) and its root ``frame``."""

    exception: str
    frame: Frame

    def shape(self, head: str = "") -> str:
        """``exception at function (file)``; ``head`` stands for an exception that is not named."""
        return f"{self.exception or head or 'trace'} at {self.frame.shape}"


def columns(names: Iterable[str]) -> list[str]:
    """The columns that may hold a trace, those named after stacks first."""
    return sorted((n for n in names if COLUMN.search(n)), key=lambda n: (not re.search("(?i)stack|trace", n), n))


def text_sql(message: str, others: Iterable[str]) -> str:
    """The text of a record's trace in the engine's SQL: of the first column that holds a frame, else of the message; else NULL."""
    tries = [f"CASE WHEN regexp_matches({c}, '{_quoted(FRAME)}') THEN {c} END" for c in ('"' + n.replace('"', '""') + '"' for n in others)]
    unescaped = f"replace(replace({message}, '\\n', chr(10)), '\\t', chr(9))"  # line ends stand in a one-line message as they are escaped in JSON
    tries.append(f"CASE WHEN (contains({message}, chr(10)) OR contains({message}, '\\n')) AND regexp_matches({unescaped}, '{_quoted(FRAME)}') "
                 f"THEN {unescaped} END")
    return f"coalesce({', '.join(tries)})" if len(tries) > 1 else tries[0]


def key_sql(trace: str) -> str:
    """What is kept of a trace in the engine's SQL: its frames and the words that may name an exception, a line each."""
    return f"array_to_string(regexp_extract_all(left({trace}, {LONGEST}), '(?m){_quoted(_KEPT)}'), chr(10))"


def key(text: str) -> str:
    """The same in Python."""
    return "\n".join(re.findall(_KEPT, text[:LONGEST], re.MULTILINE | re.ASCII))


def _quoted(pattern: str) -> str:
    return pattern.replace("'", "''")


def fold(kept: str) -> Trace | None:
    """The cause and root frame of a trace of which ``key`` was kept; ``None`` where no frame can be read.

    Method: the frames are parted into the blocks of a chain of causes; the innermost is the last one (Java, Node, Ruby), the first
    (Python, PHP, Go's first panic), or the first block of .NET. Of it the frame nearest to the fault that is no library's by its name or
    folder is the root; where a cause holds library frames alone, those that it has in common with the block around it follow.
    Complexity: linear in the lines.
    """
    lines = kept.split("\n")
    for read in (_python, _php, _rust, _go, _ruby, _at):
        found = read(lines)
        if found is not None:
            return found
    return None


def _root(frames: list[Frame]) -> Frame:
    return next((f for f in frames if f.own), frames[0])


def _made(name: str, path: str, line: str) -> Frame:
    own = not _LIBRARY_PATH.search(path) and not _LIBRARY_NAME.match(name)
    return Frame(name.strip()[:200], re.split(r"[/\\]", path.split("?")[0])[-1][:100], line, own)


def _exception(heads: list[str]) -> str:
    """The type that the lines before a block of frames name: at the beginning of a line, or after "Caused by", or else anywhere in one."""
    begun = [m[0] for h in heads if h[:1] not in " (\t[" and (m := _HEAD.match(h))]
    caused = [h.split(": ", 1)[1] for h in heads if re.match(r"[ \t]*(?:Caused by|\[cause\]): ", h)]
    inside = [m[0] for h in heads if h[:1] in " ([" and (m := _HEAD.match(h[1:]))]
    named = caused[-1:] or [b for b in begun if re.search(_TYPE + "$", b)][:1] or inside[:1] or begun[-1:]
    return named[0].strip().rstrip(":")[:200] if named else ""


def _python(lines: list[str]) -> Trace | None:
    found = [i for i, line in enumerate(lines) if _PYTHON.match(line)]
    if not found:
        return None
    frames, after = [], []
    for line in lines[found[0]:]:
        if at := _PYTHON.match(line):
            if after:
                break
            frames.append(_made(at[3] or "", at[1], at[2]))
        elif line[:1] not in " \t(" and not line.startswith(("Traceback", "During handling", "The above", "File")):
            after.append(line)
    named = next((a for a in after if not re.fullmatch(r"[\^~|+\-]*", a)), "")
    return Trace(named.rstrip(":")[:200], _root(frames[::-1]))


def _php(lines: list[str]) -> Trace | None:
    calls: list[re.Match] = []
    for line in lines:
        if at := _PHP.match(line):
            if at[1] == "0" and calls:
                break
            calls.append(at)
    if not calls:
        return None
    thrown = next((m for line in lines if (m := _PHP_AT.match(line))), None)
    places = [(thrown[1], thrown[2]) if thrown else ("", ""), *((c[2] or "[internal", c[3] or "") for c in calls)]
    frames = [_made(call[4], *place) for call, place in zip(calls, places, strict=False)]
    frames.append(_made("{main}", *places[-1]))
    before = [line for line in lines if not line.startswith("#")]
    return Trace(_exception(before), _root([f for f in frames if f.file or len(frames) == 1]))


def _rust(lines: list[str]) -> Trace | None:
    if not any("panicked at" in line for line in lines):
        return None
    frames, name = [], ""
    for line in lines:
        if numbered := re.match(r"\s+\d+: (?:0x[0-9a-f]+ - )?(.*)", line):
            name = re.sub(r"::h[0-9a-f]{16}$", "", numbered[1])
        elif (at := _PLACE.match(line)) and at[1].endswith(".rs"):
            frames.append(_made(name, at[1], at[2]))
            name = ""
    if not frames:
        return None
    root = _root(frames)
    named = next((f for f in frames if f.name and f.file == root.file and f.own), root)
    return Trace("panic", named)


def _go(lines: list[str]) -> Trace | None:
    frames, name = [], ""
    for line in lines:
        at = _PLACE.match(line) if line[:1] in " \t" else None
        if at and at[1].endswith((".go", ".s")):
            frames.append(_made(name.rpartition("/")[2] if "/go/src/" not in at[1] else name, at[1], at[2]))
        else:
            name = line
    if not frames:
        return None
    panics = [i for i, f in enumerate(frames) if f.name == "panic"]
    said = next((line for line in lines if line.startswith(("panic: ", "fatal error: "))), "")
    return Trace(said.strip().rstrip(":")[:120], _root(frames[panics[-1] + 1:] or frames if panics else frames))


def _ruby(lines: list[str]) -> Trace | None:
    frames = [_made(at[3], at[1], at[2]) for line in lines if (at := _RUBY.match(line))]
    heads = [line for line in lines if not _RUBY.match(line)]
    named = [h.strip()[1:-1] for h in heads if re.fullmatch(r"\([A-Z][\w:]+\)\s*", h)]
    return Trace(named[-1] if named else _exception(heads), _root(frames)) if frames else None


def _at(lines: list[str]) -> Trace | None:
    """Traces whose frames begin with "at", innermost first: Java, .NET, Node; and those of browsers."""
    blocks: list[tuple[list[str], list[Frame]]] = []
    heads: list[str] = []
    common = 0
    for line in lines:
        frame = _called(line)
        if frame is not None:
            if heads or not blocks:
                blocks.append((heads, []))
                heads = []
            blocks[-1][1].append(frame)
        elif more := re.match(r"\s+\.\.\. (\d+) ", line):
            common = int(more[1])
            if len(blocks) > 1:
                around = blocks[-2][1]
                blocks[-1][1].extend(around[-common:] if common else [])
        elif re.match(r"\s*--- End of (?:inner|the inner)", line):
            if blocks:  # .NET tells the innermost first
                chain = [h[5:] for h in blocks[0][0] if h.startswith("---> ")]
                return Trace((chain[-1] if chain else _exception(blocks[0][0])).rstrip(":"), _root(blocks[0][1]))
        elif not re.match(r"\s*(?:at |--- End)", line):
            heads.append(line)
    blocks = [b for b in blocks if b[1] and not any(re.match(r"\s+Suppressed: |\t+Caused by: ", h) for h in b[0])] or blocks[:1]
    named = [b for b in blocks if _exception(b[0])] or blocks
    root_first = any(h.startswith("Wrapped by: ") for heads, _ in blocks for h in heads)  # a setting of logback
    chosen = named[:1] if root_first else named[-1:]
    return Trace(_exception(chosen[0][0]), _root(chosen[0][1])) if chosen else None


def _called(line: str) -> Frame | None:
    begun = _AT.match(line)
    if not begun:
        seen = _BROWSER.match(line)
        return _made(seen[1], seen[2], seen[3]) if seen else None
    call = begun[1]
    if jvm := _JVM.match(call):
        file, _, number = jvm[2].partition(":")
        return _made(jvm[1], file if "." in file else "", number)
    if net := _NET.match(call):
        return _made(net[1], net[2] or "", net[3] or "")
    if js := _JS.match(call):
        return _made((js[1] or "").split(" [as ")[0], js[2], js[3])
    return None
