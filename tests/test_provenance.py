"""The digest that decides what is stale, on a small package made by the test."""

import pytest

from asymflow import provenance

FILES = {
    "__init__.py": "",
    "stages/__init__.py": "",
    "stages/fit.py": '"""Fits."""\nfrom asymflow.maths import square\n\nprint(square(2))\n',
    "stages/plot.py": "import asymflow.colours\n",
    "maths.py": 'from asymflow import constants\n\n\ndef square(x):\n    """Squares."""\n    return x * x + constants.ZERO\n',
    "constants.py": "ZERO = 0\n",
    "colours.py": "RED = 1\n",
}


@pytest.fixture
def edit(tmp_path, monkeypatch):
    """Writes files of a package and returns the digests of its two stages."""
    monkeypatch.setattr(provenance, "SOURCE", tmp_path)

    def write(**changes):
        for name, text in (FILES | {f.replace("__", "/") + ".py": text for f, text in changes.items()}).items():
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


def test_relative_imports_are_refused(edit):
    with pytest.raises(ValueError, match=r"maths.py, line 1: relative import"):
        edit(maths="from .constants import ZERO\n")


def test_the_closure_names_every_module_that_runs(edit):
    edit()
    assert provenance.closure("asymflow.stages.fit") == {
        "asymflow",
        "asymflow.stages",
        "asymflow.stages.fit",
        "asymflow.maths",
        "asymflow.constants",
    }
