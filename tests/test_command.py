"""A stage that something stops ends in one sentence, without a traceback; a mistake of the program keeps its traceback."""

import errno
import os

import pytest
import torch

from asymflow import lineage
from asymflow.command import run
from asymflow.files import writing


def ends(capsys, main) -> tuple[str, str]:
    with pytest.raises(SystemExit) as caught:
        run(main)
    return str(caught.value), capsys.readouterr().err


def test_our_own_sentence_stands_alone(capsys):
    said, trace = ends(capsys, lambda: lineage.check("pca.safetensors", "a" * 32, "train.json", "b" * 32))
    assert said == (
        "error: pca.safetensors was made from other images (data set aaaaaaaa) than train.json (bbbbbbbb); delete pca.safetensors"
        " and give the same command again"
    )
    assert not trace


def test_a_library_s_sentence_comes_with_its_traceback(capsys):
    said, trace = ends(capsys, lambda: int("many"))
    assert said.startswith("error: invalid literal") and not trace.startswith("error")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EMFILE])
def test_an_error_of_the_system_says_file_and_remedy(capsys, tmp_path, number):
    def main():
        with writing(tmp_path / "a.txt"):
            raise OSError(number, os.strerror(number))

    said, trace = ends(capsys, main)
    assert said.startswith(f"error: {tmp_path / 'a.txt'}: ") and said.endswith("then give the same command again")
    assert not trace


def out_of_memory():
    raise MemoryError


def torch_out_of_memory():
    torch.empty(1 << 60)


@pytest.mark.parametrize("main", [out_of_memory, torch_out_of_memory])
def test_a_full_memory_says_what_to_lower(capsys, main):
    said, trace = ends(capsys, main)
    assert "the memory is full" in said and "training.batch" in said and not trace


def test_a_mistake_of_the_program_is_not_dressed_up():
    with pytest.raises(ZeroDivisionError):
        run(lambda: 1 / 0)


def test_what_is_of_the_same_data_goes_together():
    lineage.check("a", "set", "b", "set")
