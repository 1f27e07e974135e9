"""A JSON document says what it is, and no damage to it passes."""

import json
import random

import pytest

from asymflow import documents

GIVEN = {"metrics": {"fid_local": 12.5, "kid_local": None}, "names": ["a", "ß"], "count": 3}


@pytest.fixture
def path(tmp_path):
    documents.write(tmp_path / "card.json", "score", GIVEN)
    return tmp_path / "card.json"


def test_what_is_read_is_what_was_written(path):
    read = documents.read(path, "score")
    assert {key: read[key] for key in GIVEN} == GIVEN
    assert json.loads(path.read_text()).keys() == {*GIVEN, "kind", "format", "checksum"}


def test_any_bit_that_turns_is_noticed_or_harmless(path):
    whole, draw = path.read_bytes(), random.Random(0)
    for place in draw.sample(range(8 * len(whole)), 400):
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            read = documents.read(path, "score")
        except ValueError as error:
            assert str(path) in str(error) and "give the same command again" in str(error)
        else:  # white space
            assert {key: read[key] for key in GIVEN} == GIVEN


@pytest.mark.parametrize("length", [0, 1, 40, -3])
def test_a_document_that_is_cut_is_noticed(path, length):
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"card.json is cut or damaged .*delete it and give the same command again"):
        documents.read(path, "score")


def test_an_edited_number_is_noticed(path):
    path.write_text(path.read_text().replace("12.5", "1.25"))
    with pytest.raises(ValueError, match="is damaged or was edited"):
        documents.read(path, "score")


@pytest.mark.parametrize("text", ["[]", "3", '{"kind": "split"}', "null"])
def test_another_kind_is_refused(path, text):
    path.write_text(text)
    with pytest.raises(ValueError, match=r"card.json holds .*; expected 'score'"):
        documents.read(path, "score")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_not_finite_stays_out(tmp_path, value):
    with pytest.raises(
        ValueError, match=r"bad.json would hold metrics.fid_local = -?(nan|inf), which is not a finite number"
    ):
        documents.write(tmp_path / "bad.json", "score", {"metrics": {"kid_local": 1.0, "fid_local": value}})
    assert not list(tmp_path.iterdir())
