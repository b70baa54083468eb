"""The house has one arrow: ground ← evidence ← analysis, ground ← record ← publish, both wings ← the joining rooms."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "incidentnb"
GROUND = {"exceptions", "places", "times", "sinks", "findings", "atomic"}
MAY_IMPORT = {
    **dict.fromkeys(GROUND, GROUND),
    "evidence": GROUND,
    "analysis": GROUND | {"evidence"},
    "record": GROUND,
    "publish": GROUND | {"record"},
    "drill": GROUND | {"evidence", "analysis", "record", "publish"},
    "case": GROUND | {"evidence", "analysis", "record", "publish"},
    "notebook": GROUND | {"evidence", "analysis", "record", "publish", "case"},
    "workflow": GROUND | {"evidence", "analysis", "record", "publish", "case", "notebook", "drill"},
    "__main__": {"cli"},
    "cli": GROUND | {"evidence", "analysis", "record", "publish", "workflow"},
}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def rooms_imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import hides its room"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("incidentnb.")}
    return found


def test_imports_follow_the_arrow():
    """No module imports a room that stands above or beside its own; the wings never meet."""
    wrong = [f"{path.relative_to(PACKAGE)} imports {room}"
             for path in PACKAGE.rglob("*.py") if path.name != "__init__.py" or path.parent != PACKAGE
             for room in rooms_imported(path) - {room_of(path)} - MAY_IMPORT[room_of(path)]]
    assert wrong == []


def test_every_room_is_in_the_plan():
    """A new top-level module is given its place in the plan above before it is used."""
    rooms = {room_of(path) for path in PACKAGE.rglob("*.py")} - {"__init__", "__main__"}
    assert rooms <= MAY_IMPORT.keys()
