"""The JSON schema for editors is that of the configuration, and the project's own files obey it."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from asymflow.config.schema import schema

WORKFLOW = Path(__file__).parents[2] / "workflow"
FILES = [
    WORKFLOW / "config.yaml",
    WORKFLOW / "studies.yaml",
    WORKFLOW / "claims.yaml",
    *sorted((WORKFLOW / "scales").glob("*.yaml")),
]


def complaints(content):
    return [error.message for error in jsonschema.Draft202012Validator(schema()).iter_errors(content)]


def test_the_schema_in_the_repository_is_up_to_date():
    """`python -m asymflow.config.schema > workflow/config.schema.json` writes it."""
    assert json.loads((WORKFLOW / "config.schema.json").read_text()) == schema()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_file_of_the_project_obeys_it_and_names_it(file):
    assert complaints(yaml.safe_load(file.read_text())) == []
    first = file.read_text().splitlines()[0]
    assert (
        file.parent / first.removeprefix("# yaml-language-server: $schema=")
    ).resolve() == WORKFLOW / "config.schema.json"


@pytest.mark.parametrize(
    "wrong",
    [
        {"arms": {"mine": {"base": "scratch", "targte": {}}}},
        {"arms": {"mine": {"base": "scratch", "network": {"kind": "jti"}}}},
        {"bases": {"scratch": {"training": {"lr": -1}}}},
        {"samplings": {"mine": {"solver": "rk4"}}},
        {"studies": {"mine": {"judges": ["taste"]}}},
        {"seed": 3},
    ],
)
def test_an_editor_would_underline_a_mistake(wrong):
    assert complaints(wrong)
