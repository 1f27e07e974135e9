"""The digest that decides what is stale, on a small package made by the test."""

import os
import platform
import shutil
import subprocess
import sys

import pytest

from asymflow import provenance

FILES = {
    "__init__.py": "",
    "stages/__init__.py": "",
    "config/__init__.py": "",
    "stages/fit.py": '"""Fits."""\nfrom asymflow.maths import square\n\nprint(square(2))\n',
    "stages/plot.py": "import asymflow.colours\n",
    "maths.py": 'from asymflow import constants\n\n\ndef square(x):\n    """Squares."""\n    return x * x + constants.ZERO\n',
    "constants.py": "ZERO = 0\n",
    "colours.py": "RED = 1\n",
}
FIT, PLOT = "asymflow.stages.fit", "asymflow.stages.plot"


def _file(name):
    return f"{name if name.startswith('__') else name.replace('__', '/')}.py"


@pytest.fixture
def edit(tmp_path, monkeypatch):
    """Writes files of a package and returns the digests of its two stages."""
    monkeypatch.setattr(provenance, "SOURCE", tmp_path)

    def write(**changes):
        for name, text in (FILES | {_file(f): text for f, text in changes.items()}).items():
            (tmp_path / "asymflow" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "asymflow" / name).write_text(text)
        provenance.imports.cache_clear()
        provenance._tree.cache_clear()
        return tuple(provenance.digest(f"asymflow.stages.{stage}") for stage in ("fit", "plot"))

    yield write
    provenance.imports.cache_clear()
    provenance._tree.cache_clear()


def test_comments_docstrings_and_layout_change_nothing(edit):
    before = edit()
    assert edit(maths=FILES["maths.py"].replace("Squares.", "Multiplies x by itself.") + "# a remark\n\n\n") == before


def test_the_file_of_the_whole_package_is_in_no_digest(edit):
    """It gives the library its names, and what they stand for changes without any stage."""
    before = edit()
    assert edit(__init__="def __getattr__(name):\n    return name\n") == before


def test_the_text_under_a_field_is_a_docstring_too(edit):
    field = "class Options:\n    steps: int = 3\n    '''How many.'''\n"
    before = edit(constants="ZERO = 0\n" + field)
    assert edit(constants="ZERO = 0\n" + field.replace("How many.", "Their number.")) == before


def test_an_expression_two_imports_away_makes_that_stage_stale_and_no_other(edit):
    fit, plot = edit()
    changed, same = edit(constants="ZERO = 0.0\n")
    assert changed != fit and same == plot


def test_a_new_import_makes_the_stage_stale(edit):
    _, plot = edit()
    assert edit(stages__plot="import asymflow.colours\nimport asymflow.constants\n")[1] != plot


KNOWN = '''from asymflow import constants


@property
async def f(x: int = 1, *rest, key=None, **others) -> "é \\u2028":
    """Text."""
    if (y := x) and not rest:
        return [*rest, {**others}, -1.5e-300, 2j, True, None, b"\\xff", f"{x!r:>{y}} %s" "b"]
    with open(key) as a, open(key) as b:
        async for _ in a:
            lambda z, /: z @ constants.ZERO
    match x:
        case {"a": [1, *_], **kept} if kept:
            pass


class Section(dict, metaclass=type):
    field: int = 3
'''
KNOWN_DIGEST = "2376d06e0ef3"


def pythons() -> list[str]:
    """Those that this machine has, one of each version; a name may stand for one that is not installed."""
    found = [path for minor in (11, 12, 13, 14) if (path := shutil.which(f"python3.{minor}"))]
    return [path for path in found if not subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode]


def test_the_digest_of_this_text_is_known(edit):
    """Stored here: another Python, or a careless edit of the digest, would make every result of everybody stale."""
    assert edit(maths=KNOWN)[0] == KNOWN_DIGEST


SCRIPT = """
import importlib.util, pathlib, sys
spec = importlib.util.spec_from_file_location("provenance", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
module.SOURCE = pathlib.Path(sys.argv[2])
print(*(module.digest(f"asymflow.stages.{name}") for name in sys.argv[3:]))
"""


@pytest.mark.parametrize("python", pythons())
def test_every_python_gives_the_same_digests(python, edit, tmp_path, monkeypatch):
    """Of that text, and of all the code there is. The module itself needs nothing that is installed."""

    def digests(source, *stages):
        command = [python, "-c", SCRIPT, provenance.__file__, source, *stages]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    edit(maths=KNOWN)
    assert digests(tmp_path, "fit") == [KNOWN_DIGEST]
    monkeypatch.undo()
    provenance.imports.cache_clear()
    provenance._tree.cache_clear()
    stages = [path.stem for path in sorted((provenance.SOURCE / "asymflow/stages").glob("[a-z]*.py"))]
    assert digests(provenance.SOURCE, *stages) == [provenance.digest(f"asymflow.stages.{name}") for name in stages]


def test_the_locale_of_a_machine_changes_no_digest(edit, tmp_path):
    edit(maths=KNOWN)
    command = [sys.executable, "-c", SCRIPT, provenance.__file__, tmp_path, "fit"]
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    said = subprocess.run(command, env=os.environ | plain, capture_output=True, text=True, check=False)
    assert said.stdout.split() == [KNOWN_DIGEST], said.stderr


@pytest.mark.parametrize("other", ["f('', 1)", "f('')", "f(None)", "f(*[])", "f([])", "f(False)", "f(0.0)", "f(b'')"])
def test_what_is_empty_is_not_the_same_as_nothing(edit, other):
    assert edit(maths="f(1)\n") != edit(maths=f"{other}\n") != edit(maths="f()\n")


def test_relative_imports_are_refused(edit):
    with pytest.raises(ValueError, match=r"maths.py, line 1: relative import"):
        edit(maths="from .constants import ZERO\n")


def test_the_closure_names_every_module_that_runs(edit):
    edit()
    maths = {"asymflow.stages", FIT, "asymflow.maths", "asymflow.constants"}
    assert provenance.closure(FIT) == maths
    assert provenance.closure(FIT, PLOT) == maths | {PLOT, "asymflow.colours"}


# ----- several modules, and some left out -----


def test_parts_that_run_together_have_one_digest_in_any_order(edit):
    fit, plot = edit()
    both = provenance.digest(FIT, PLOT)
    assert both == provenance.digest(PLOT, FIT) == provenance.digest(FIT, PLOT, FIT) and both not in (fit, plot)
    edit(colours="RED = 2\n")
    assert provenance.digest(FIT, PLOT) != both
    edit(constants="ZERO = 0.0\n")
    assert provenance.digest(FIT, PLOT) != both


def test_a_module_that_decides_nothing_is_left_out_with_what_it_alone_imports(edit):
    def without(**changes):
        whole, _ = edit(**changes)
        return provenance.digest(FIT, without=["asymflow.maths"]), whole

    before, whole = without()
    assert before != whole
    assert provenance.closure(FIT, without=["asymflow.maths"]) == {"asymflow.stages", FIT}
    assert without(maths="def square(x):\n    return x\n")[0] == without(constants="ZERO = 1\n")[0] == before
    assert without(stages__fit=FILES["stages/fit.py"].replace("square(2)", "square(3)"))[0] != before


def test_what_is_left_out_counts_nothing_where_it_is_not_imported(edit):
    _, plot = edit()
    assert provenance.digest(PLOT, without=["asymflow.maths", "asymflow.nowhere"]) == plot


def test_what_is_left_out_still_counts_for_what_another_imports(edit):
    """The constants are not left out with the module that imports them, if the stage does so itself."""
    edit(stages__fit=FILES["stages/fit.py"] + "import asymflow.constants\n")
    assert "asymflow.constants" in provenance.closure(FIT, without=["asymflow.maths"])


# ----- sections of the configuration -----

SECTION = '''
from typing import Literal, NamedTuple

from pydantic import Field, model_validator

LARGEST = 9


class Size(NamedTuple):
    width: int


SIZES = {"small": Size(3)}


class Options(Section):
    """How it is fitted."""

    steps: int = 3
    """How many."""

    size: Literal["small"] = "small"

    @model_validator(mode="after")
    def _consistent(self):
        if self.steps > LARGEST:
            raise ValueError("too many")
        return self

    @property
    def doubled(self):
        """Twice as many."""
        return 2 * self.steps
'''
READS = {"stages__fit": "from asymflow.config.options import Options\n\nprint(Options().doubled)\n"}


@pytest.fixture
def section(edit):
    """Whether a change of the section makes the stage stale that reads it."""
    before, plot = edit(**READS, config__options=SECTION)

    def stale(old, new):
        assert old in SECTION
        fit, other = edit(**READS, config__options=SECTION.replace(old, new))
        assert other == plot
        return fit != before

    return stale


@pytest.mark.parametrize(
    "old, new",
    [
        ("steps: int = 3", "steps: int = 4"),
        ("steps: int = 3", "steps: PositiveInt = Field(3, le=7)"),
        ("    size:", "    colour: str = 'red'\n    '''Which.'''\n\n    size:"),
        ('Literal["small"]', 'Literal["small", "large"]'),
        ("self.steps > LARGEST", "self.steps >= LARGEST"),
        ("import Field, model_validator", "import Field, PositiveInt, model_validator"),
        ("How it is fitted.", "How it is fitted, and why."),
        ("class Options", "class More(Section):\n    speed: float = 1.0\n\n\nclass Options"),
    ],
    ids=["default", "type", "field", "choice", "check", "import", "docstring", "section"],
)
def test_fields_and_their_checks_make_nothing_stale(section, old, new):
    assert not section(old, new)


@pytest.mark.parametrize(
    "old, new",
    [
        ("2 * self.steps", "3 * self.steps"),
        ("@property", "@staticmethod"),
        ("def doubled", "def twice"),
        ("LARGEST = 9", "LARGEST = 8"),
        ("Size(3)", "Size(5)"),
        ("width: int", "width: int = 7"),
    ],
    ids=["method", "decorator", "name", "constant", "table", "tuple"],
)
def test_methods_and_constants_of_a_section_make_its_readers_stale(section, old, new):
    assert section(old, new)


def test_what_a_section_imports_counts_as_ever(edit):
    with_import = "from asymflow.constants import ZERO\n" + SECTION
    before, _ = edit(**READS, config__options=with_import)
    changed, _ = edit(**READS, config__options=with_import, constants="ZERO = 1\n")
    assert changed != before


def test_fields_of_other_classes_count(edit):
    fields = "class Options:\n    steps: int = 3\n"
    before, _ = edit(constants="ZERO = 0\n" + fields)
    assert edit(constants="ZERO = 0\n" + fields.replace("3", "4"))[0] != before


# ----- the record beside a result -----


def test_a_record_says_what_made_a_result(edit):
    """Outside a checkout, as this package is, there is no commit."""
    edit()
    record = provenance.record(FIT, PLOT, without=["asymflow.constants"])
    assert record["code"] == provenance.digest(FIT, PLOT, without=["asymflow.constants"])
    assert record["commit"] == "unknown" and record["python"] == platform.python_version()
    assert set(provenance.LIBRARIES) <= record.keys() and all(isinstance(value, str) for value in record.values())
