"""The wheel: built, installed into a clean environment outside of the checkout, and at work there. Needs the package registry."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run(*words: object, cwd: Path, **environment: str) -> str:
    """The output of a command that must succeed, in an environment without traces of this one."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV", "JUPYTER", "COVERAGE"))}
    done = subprocess.run([str(word) for word in words], cwd=cwd, env={**clean, **environment}, capture_output=True, text=True,
                          timeout=540, check=False)
    assert done.returncode == 0, f"{words[:4]}: exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", out, ROOT, cwd=out)
    made, = out.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """A new virtual environment with the wheel and what it depends on; nothing of the checkout."""
    home = tmp_path_factory.mktemp("elsewhere")
    run(sys.executable, "-m", "venv", home / "venv", cwd=home)
    run(home / "venv/bin/python", "-m", "pip", "install", "--quiet", "--no-compile", wheel, cwd=home)
    return home


@pytest.fixture(scope="module")
def page(installed) -> Path:
    """The appendix that ``incidentnb demo`` makes there; the last line that it prints."""
    return installed / run(installed / "venv/bin/incidentnb", "demo", cwd=installed).splitlines()[-1]


def test_the_wheel_carries_what_is_no_code(wheel):
    """Notebooks, templates, formats, schemas and the runbook are in the wheel, the nbconvert template where plain nbconvert looks."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    data = [p for folder in ("notebooks", "templates") for p in (ROOT / folder).rglob("*") if p.is_file() and ".ipynb_check" not in str(p)]
    wanted = {f"incidentnb/_data/{path.relative_to(ROOT)}" for path in data}
    wanted |= {str(path.relative_to(ROOT)) for kind in ("*.toml", "*.json", "*.py") for path in (ROOT / "incidentnb").rglob(kind)}
    assert wanted <= names
    shared = {name.split(".data/data/")[1] for name in names if ".data/data/" in name}
    template = {f"share/jupyter/nbconvert/templates/incidentnb/{p.relative_to(ROOT / 'templates/incidentnb')}"
                for p in (ROOT / "templates/incidentnb").rglob("*") if p.is_file()}
    assert template and shared == template
    assert not [name for name in names if name.startswith(("tests/", "docs/"))]


def test_the_demo_runs_where_only_the_wheel_is(installed, page):
    """``incidentnb demo`` in a clean environment ends with the path of an appendix, in a folder that knows no checkout."""
    python = installed / "venv/bin/python"
    where = run(python, "-c", "import incidentnb; print(incidentnb.__file__)", cwd=installed).strip()
    assert Path(where).is_relative_to(installed)
    text = page.read_text(encoding="utf-8")
    assert page.name == "appendix.html" and "<script" not in text.lower() and len(text) > 20_000
    assert str(ROOT) not in text


def test_plain_nbconvert_finds_the_template(installed, page):
    """Plain ``jupyter nbconvert --template incidentnb`` makes a page of an executed notebook, also after an editable installation."""
    python, template = installed / "venv/bin/python", installed / "venv/share/jupyter/nbconvert/templates/incidentnb/conf.json"
    assert template.is_file()
    runs = sorted((page.parents[1] / "runs").glob("*-investigation.ipynb"))
    convert = [python, "-m", "jupyter", "nbconvert", "--to", "html", "--template", "incidentnb", runs[-1], "--output-dir", installed]
    run(*convert, cwd=installed)
    assert "<script" not in (installed / runs[-1].with_suffix(".html").name).read_text(encoding="utf-8").lower()
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", "-e", ROOT, cwd=installed)
    assert template.is_file()
    where = run(python, "-c", "from incidentnb import places; print(places.notebooks())", cwd=installed).strip()
    assert Path(where) == ROOT / "notebooks"
