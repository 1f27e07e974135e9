import random
import subprocess
import sys

from hypothesis import given, settings
from hypothesis import strategies as st

from asymflow.data.records import Record, class_list, dealt, printable, unique
from asymflow.data.sources import PortraitPicture

PICTURE = PortraitPicture(0, 0, 32)
KEYS = st.lists(st.text(min_size=1), unique=True, max_size=12)


def record(key: str, source: str = "") -> Record:
    return Record(key, PICTURE, "class", "caption", {}, source or key)


@settings(max_examples=40, deadline=None)
@given(keys=KEYS, seed=st.integers(0, 10), shuffle=st.randoms(use_true_random=False))
def test_dealing_does_not_depend_on_the_order_of_records(keys: list[str], seed: int, shuffle: random.Random):
    records = [record(key) for key in keys]
    shuffled = shuffle.sample(records, len(records))
    assert dealt(records, seed) == dealt(shuffled, seed)
    assert sorted(keys) == sorted(r.key for r in dealt(records, seed))


@settings(max_examples=40, deadline=None)
@given(keys=KEYS, extra=st.text(min_size=1), seed=st.integers(0, 10))
def test_one_more_record_leaves_the_order_of_the_others(keys: list[str], extra: str, seed: int):
    records = [record(key) for key in keys if key != extra]
    assert [r for r in dealt([record(extra), *records], seed) if r.key != extra] == dealt(records, seed)


def test_another_seed_deals_otherwise():
    records = [record(str(i)) for i in range(50)]
    assert dealt(records, 0) != dealt(records, 1)


def test_dealing_does_not_depend_on_the_hash_seed_of_python():
    code = (
        "from asymflow.data.records import Record, dealt;"
        "print([r.key for r in dealt([Record(str(i), None, '', '', {}, '') for i in range(30)], 3)])"
    )
    results = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert results == {f"{[r.key for r in dealt([record(str(i)) for i in range(30)], 3)]}\n".encode()}


@settings(max_examples=20, deadline=None)
@given(shuffle=st.randoms(use_true_random=False))
def test_of_records_with_one_key_the_first_by_source_is_kept_and_each_other_names_it(shuffle: random.Random):
    records = [record("k", "b.png"), record("k", "a.jpg"), record("l", "c.png"), record("k", "d.webp")]
    kept, rejects = unique(shuffle.sample(records, 4))
    assert [r.source for r in kept] == ["a.jpg", "c.png"]
    assert [reject.path for reject in rejects] == ["b.png", "d.webp"]
    assert all("a.jpg" in reject.reason for reject in rejects)


def test_classes_that_are_numbers_are_ordered_by_value():
    assert class_list(["10", "9", "10", "1"]) == ["1", "9", "10"]
    assert class_list(["10", "9", "cat"]) == ["10", "9", "cat"]


def test_a_file_name_that_is_no_text_can_be_printed():
    assert printable(b"\xff.png".decode("utf-8", "surrogateescape")) == "\\xff.png"
    assert printable("ü.png") == "ü.png"
