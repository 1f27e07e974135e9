"""Wrong settings: each ends in one sentence with the file, the key, what was found and what was expected. None is a traceback."""

import re
import tempfile
from pathlib import Path
from typing import get_args

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from project import DEFAULT

from asymflow.config.arm import Arm
from asymflow.config.experiment import Experiment
from asymflow.config.loading import ConfigurationError, load
from asymflow.config.place import Place
from asymflow.config.protocols import Protocol
from asymflow.config.sampling import Sampling
from asymflow.config.section import Section

NOT_FINITE = (float("nan"), float("inf"), -float("inf"))
NUMBERS = (*NOT_FINITE, -1e13, 1e13, True, False, "many", [1, 2, 3, 4], {"a": 1})
TEXTS = (3.5, [1.5], {"a": {"b": 1}})


def sections():
    """Every section below the three kinds of entries and of the experiment, with the keys that lead to it."""
    for name, field in Experiment.model_fields.items():
        if isinstance(field.default, Section):
            yield (name,), type(field.default)
    yield from _below(("bases", "scratch"), Arm)
    yield from _below(("samplings", "guided"), Sampling)


def _below(path, section):
    yield path, section
    for name, field in section.model_fields.items():
        inner = field.default
        if isinstance(inner, Section):
            yield from _below((*path, name), type(inner))


def cases():
    """(keys, wrong value) for every number and every text of every section."""
    for path, section in sections():
        for name, field in section.model_fields.items():
            types = {str if a == Place else a for a in (field.annotation, *get_args(field.annotation))}
            if types & {int, float} or any("Gt" in str(t) or "Ge" in str(t) for t in types):
                wrong = NUMBERS
            elif str in types:
                wrong = TEXTS
            else:
                continue
            if name != "multiples":  # a table of numbers
                yield from (((*path, name), value) for value in wrong)


CASES = list(cases())
# where four numbers are a list of the right kind, its section complains of what it says
AS_LISTS = {
    "velocity.levels": "velocity: levels",
    "velocity.groups": "velocity: principal",
    "decision.looks": "decision: looks",
}

SMALL = """
pathvars: {results: results}
seeds: 1
evaluators: local
bases: {scratch: {target: {kind: asymmetric}, network: {kind: jit}}}
arms: {rank8: {base: scratch}}
samplings: {guided: {}}
studies: {one: {title: a title, arms: [rank8], reference: rank8, samplings: [guided]}}
"""


def complaint(tmp_path, text, beneath=DEFAULT, words=()):
    overlay = tmp_path / "mine.yaml"
    overlay.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load([*beneath, overlay], words=words)
    return str(caught.value)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A valid configuration of one arm: the default takes twenty times as long to read."""
    path = tmp_path_factory.mktemp("small") / "small.yaml"
    path.write_text(SMALL)
    load([path])
    return path


def test_there_are_many():
    assert len(CASES) > 500


@pytest.mark.parametrize(
    ("keys", "value"), CASES, ids=lambda entry: ".".join(entry) if isinstance(entry, tuple) else repr(entry)
)
def test_a_wrong_value_is_named_with_its_file_and_key(tmp_path, small, keys, value):
    changes = value
    for key in reversed(keys):
        changes = {key: changes}
    said = complaint(tmp_path, yaml.safe_dump(changes), [small])
    first = said.splitlines()[1]
    assert "mine.yaml: " in first and "expected" in first, said
    own = keys[2:] if keys[0] in ("bases", "samplings") else keys
    named = ".".join(own)
    expected = AS_LISTS[named] if named in AS_LISTS and value == [1, 2, 3, 4] else named
    assert re.search(rf"key {re.escape(expected)}\b", first), said


STRUCTURES = {
    "arms as a list": ("arms: [rank8]", "key arms: found ['rank8']; expected keys"),
    "arms as a number": ("arms: 3", "key arms: found 3; expected keys"),
    "arms as text": ("arms: rank8", "key arms: found 'rank8'; expected keys"),
    "an arm as text": ("arms: {mine: rank8}", "arm 'mine': found 'rank8'; expected keys"),
    "an arm as a list": ("arms: {mine: [rank8]}", "arm 'mine': found ['rank8']; expected keys"),
    "an arm as a number": ("arms: {mine: 8}", "arm 'mine': found 8; expected keys"),
    "an arm called by a number": ("arms: {8: {base: scratch}}", "arms has the entry 8; expected a name"),
    "an arm called yes": ("arms: {yes: {base: scratch}}", "arms has the entry True; expected a name"),
    "an arm called by a date": ("arms: {2026-11-25: {base: scratch}}", "expected a name"),
    "a base as a list": ("arms: {mine: {base: [scratch]}}", "arm 'mine', key base: found ['scratch']; expected the name"),
    "a base as a number": ("arms: {mine: {base: 3}}", "arm 'mine', key base: found 3; expected the name"),
    "a base as a section": ("arms: {mine: {base: {target: {rank: 0}}}}", "expected the name of another"),
    "bases as a list": ("bases: [scratch]", "key bases: found ['scratch']; expected keys"),
    "samplings as text": ("samplings: guided", "key samplings: found 'guided'; expected keys"),
    "a sampling as a list": ("samplings: {guided: [1]}", "sampling setting 'guided': found [1]; expected keys"),
    "studies as a list": ("studies: [rank_sweep]", "key studies: found ['rank_sweep']; expected keys"),
    "a study as text": ("studies: {rank_sweep: rank0}", "study 'rank_sweep': found 'rank0'; expected keys"),
    "pathvars as text": ("pathvars: results", "key pathvars: found 'results'; expected keys"),
    "a misspelt pathvar": ("pathvars: {result: out}", "key pathvars: unknown key 'result'; did you mean 'results'?"),
    "data as text": ("data: photos", "key data: found 'photos'; expected keys"),
    "data as a list": ("data: [1]", "key data: found [1]; expected keys"),
    "the whole as a list": ("- seeds: 3", "found [{'seeds': 3}]; expected keys"),
    "the whole as text": ("seeds", "found 'seeds'; expected keys"),
    "no YAML": ("arms: {", "line 1: is not YAML"),
    "tabs": ("data:\n\ttrain: 3", "line 2: is not YAML"),
    "a key said twice": ("seeds: 1\nseeds: 2", "line 2: is not YAML: the key 'seeds' is said twice"),
    "a key said twice, deep": ("data: {train: 64, heldout: 3, train: 65}", "the key 'train' is said twice"),
    "a tag": ("data: !!python/object:os.system {}", "is not YAML: could not determine a constructor"),
    "an unknown section": ("dat: {train: 3}", "unknown key 'dat'; did you mean 'data'?"),
    "an unknown key": ("data: {trian: 3}", "unknown key 'trian'; did you mean 'train'?"),
    "an unknown key of an arm": ("arms: {rank8: {targets: {}}}", "unknown key 'targets'; did you mean 'target'?"),
    "an unknown key of a network": ("arms: {rank8: {network: {kind: jit, siz: b}}}", "unknown key 'siz'"),
    "a network of no kind": ("bases: {mine: {network: {width: 64}}}", "key network: says no kind; expected one of 'jit', 'uvit'"),
    "guidance of no kind": ("samplings: {mine: {guidance: {scale: 2}}}", "key guidance: says no kind; expected one of 'none', "),
    "an unknown kind of network": ("arms: {rank8: {network: {kind: unet}}}", "found the kind 'unet'; expected one of"),
    "seeds of zero": ("seeds: 0", "key seeds: found 0; expected"),
    "seeds of yes": ("seeds: yes", "key seeds: found True; expected something else than a truth value"),
    "too many seeds": ("seeds: 100000", "key seeds: found 100000; expected"),
    "train of yes": ("data: {train: yes}", "key data.train: found True; expected something else than a truth value"),
    "batch of no": ("bases: {scratch: {training: {batch: no}}}", "key training.batch: found False; expected something else"),
    "a shape of one number": ("data: {source: folder, path: x, shapes: [[64]]}", "key data.shapes.0"),
    "a shape of three numbers": ("data: {source: folder, path: x, shapes: [[64, 32, 3]]}", "key data.shapes.0"),
    "one beta": ("bases: {scratch: {training: {betas: [0.9]}}}", "key training.betas"),
    "betas beyond one": ("bases: {scratch: {training: {betas: [1.5, 2]}}}", "key training.betas.0: found 1.5; expected"),
    "a beta of one": ("bases: {scratch: {training: {betas: [0.9, 1.0]}}}", "key training.betas.1: found 1.0; expected"),
    "a large learning rate": ("bases: {scratch: {training: {lr: 1000}}}", "key training.lr: found 1000; expected"),
    "a scale beyond sense": ("samplings: {guided: {guidance: {kind: classifier_free, scale: 1.0e+9}}}", "found 1000000000.0"),
    "a search without end": ("search: {scale_step: 1.0e-9}", "make a grid of"),
    "a search without samples to begin with": ("search: {count: 32}", "the first of 3 rounds has 8 samples and expected are 10"),
    "a low scale above the high one": ("search: {scale_low: 5}", "scale_low (5.0) exceeds scale_high (4.0)"),
    "results with a command": ("pathvars: {results: 'results/$(touch x)'}", "key pathvars.results: found 'results/$(touch x)'"),
    "results with a space": ("pathvars: {results: results/a b}", "key pathvars.results: found 'results/a b'; expected a folder"),
    "results with a quote": ('pathvars: {results: "results/a\'b"}', "key pathvars.results: found"),
    "results with a semicolon": ("pathvars: {results: results/a;b}", "key pathvars.results: found 'results/a;b'"),
    "results with an ampersand": ("pathvars: {results: results/a&b}", "key pathvars.results: found"),
    "results with a parenthesis": ("pathvars: {results: results/(a)}", "key pathvars.results: found"),
    "results with a brace": ("pathvars: {results: 'results/{a}'}", "key pathvars.results: found"),
    "results elsewhere": ("pathvars: {results: /elsewhere/x}", "found '/elsewhere/x'; expected a folder below"),
    "results above": ("pathvars: {results: ../x}", "key pathvars.results: found '../x'"),
    "results with an end": ("pathvars: {results: results/x/}", "key pathvars.results: found 'results/x/'"),
    "results with a beginning": ("pathvars: {results: ./results/x}", "key pathvars.results: found './results/x'"),
    "results with accents": ("pathvars: {results: résultats}", "key pathvars.results: found 'résultats'"),
    "results of nothing": ("pathvars: {results: ''}", "key pathvars.results: found ''"),
    "results as a number": ("pathvars: {results: 3}", "key pathvars.results: found 3"),
    "a name with a space": ("arms: {my arm: {base: scratch}}", "arms has an entry 'my arm'; expected a name"),
    "a name with a slash": ("arms: {a/b: {base: scratch}}", "arms has an entry 'a/b'; expected a name"),
    "a name with capitals": ("arms: {Mine: {base: scratch}}", "arms has an entry 'Mine'; expected a name"),
    "a name with accents": ("arms: {é: {base: scratch}}", "arms has an entry 'é'; expected a name"),
    "an empty name": ("arms: {'': {base: scratch}}", "arms has an entry ''; expected a name"),
    "a study in another's files": (
        "studies: {rank_sweep_summary: {title: a, arms: [rank0], reference: rank0, samplings: [guided]}}",
        "study 'rank_sweep_summary' would have the files of study 'rank_sweep'",
    ),
    "a study of nothing": (
        "studies: {mine: {title: a, arms: [], reference: rank0, samplings: [guided]}}", "study 'mine', key arms: found []"
    ),
    "a study of an arm that is not there": (
        "studies: {mine: {title: a, arms: [rnk0], reference: rnk0, samplings: [guided]}}",
        "lists the arm 'rnk0', which is not defined; did you mean 'rank0'?",
    ),
    "a study of a setting that is not there": (
        "studies: {mine: {title: a, arms: [rank0], reference: rank0, samplings: [guide]}}",
        "lists the sampling setting 'guide', which is not defined; did you mean 'guided'?",
    ),
    "an arm without a base": ("arms: {mine: {target: {rank: 8}}}", "arm 'mine' names no base; valid here"),
    "a base that is not there": ("arms: {mine: {base: scrtch}}", "found 'scrtch', which does not exist; did you mean 'scratch'?"),
    "fewer samples than a score needs": ("samplings: {guided: {count: 10}}", "key count: found 10; expected at least"),
    "fewer held-out images than a score needs": ("data: {heldout: 5}", "key data.heldout: found 5; expected at least"),
    "more prompts than held-out images": ("prompts: {count: 5000}", "expected at least 5000 (prompts.count"),
    "an evaluator of one image": ("data: {evaluator: 1}", "key data.evaluator: found 1; expected at least 2"),
    "more of a set than there is": (
        "arms: {rank8: {training: {set_images: 99999}}}", "expected at least 99999 (training.set_images"
    ),
    "a suite larger than its split": ("suite: {texts: 99999}", "expected at least 99999 (suite.texts"),
    "memorisation without held-out captions": ("suite: {split: train}", "found train, but memorisation compares captions"),
    "fewer held-out captions than of training images": ("suite: {texts: 50}", "found 50; expected at least 60 (suite.memories)"),
    "a search of more cases than there are": (
        "search: {count: 500}\nsamplings: {bare: {guidance: {kind: searched}}}",
        "key suite.texts: found 300; expected at least 500 (search.count",
    ),
    "something else to ask for": (
        "samplings: {guided: {asks: captoins}}",
        "found 'captoins'; expected: Input should be 'own', 'classes', 'captions' or 'cases'",
    ),
    "fewer cases than a score needs": ("suite: {texts: 15}", "key suite.texts: found 15; expected at least 20 (a score needs"),
    "latents of several shapes for one grid": (
        "data: {source: folder, path: x, shapes: [[16, 64]]}\narms: {rank8: {base: scratch, representation: {space: latent},"
        " target: {rank: full, basis: identity}, start: {pca: 0}}}",
        "key representation.space: trains a network of one grid (jit) on latents of images of several shapes",
    ),
    "a perceptual network that sees no batch": ("perceptual: {images: 10}", "one batch (64 images) exceeds the whole training"),
    "a kernel distance in one block": ("scoring: {kernel_blocks: 1}", "key scoring.kernel_blocks: found 1; expected"),
    "a searched average of few snapshots": (
        "samplings: {searched_average: {snapshot: 2}}", "and 2 snapshots until then; expected two averages"
    ),
    "an average of few snapshots": ("samplings: {average_003: {snapshot: 1}}", "and 1 snapshots until then; expected"),
    "one patch an image": (
        "arms: {rank8: {base: scratch, representation: {patch_size: 32}, target: {rank: 8}}}",
        "patches of 32 pixels in images of 32 have only one of them",
    ),
    "a search of more than is drawn": ("search: {count: 99999}", "key count: found 1000; expected at least 99999 (search.count"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), STRUCTURES.values(), ids=STRUCTURES)
def test_a_wrong_structure_is_one_sentence(tmp_path, text, expected):
    said = complaint(tmp_path, text)
    assert expected in said, said


STUDY = "studies: {one: {title: a title, arms: [rank8], reference: rank8, samplings: [guided], "
PLACES = {
    "prompts.path": "prompts: {path: 'a{b}'}",
    "protocols.folder": "protocols: {folder: 'a{b}'}",
    **{f"protocols.{name}": f"protocols: {{{name}: 'a{{b}}'}}" for name in get_args(Protocol)},
    "latent.model": "latent: {model: 'a{b}'}",
    "start.released.file": "bases: {scratch: {start: {released: {layout: jit, file: 'a{b}'}}}}",
    "published": STUDY + "published: 'a{b}'}}",
    "systems": STUDY + "systems: 'a{b}'}}",
}


@pytest.mark.parametrize(("key", "text"), PLACES.items(), ids=PLACES)
def test_braces_in_a_path_that_a_rule_names_are_refused(tmp_path, small, key, text):
    said = complaint(tmp_path, text, [small])
    assert f"key {key}: found 'a{{b}}'; expected: a path without {{ and }}" in said, said


CLAIMS, CLAMP, GUIDED = (
    "results/claims.csv",
    "results/claims/clamp.json",
    "results/runs/rank8/seed0/guided/distribution.json",
)
WANTED = {
    "a setting of a claim": ("samplings: {settled: {count: 10}}", CLAIMS, "setting 'settled', key count: found 10; expected at"),
    "a setting of one claim": ("samplings: {fine: {count: 10}}", CLAMP, "setting 'fine', key count: found 10; expected at"),
    "a setting of a run": ("samplings: {guided: {count: 10}}", GUIDED, "setting 'guided', key count: found 10; expected at"),
    "a search of a run": (
        "samplings: {searched: {count: 100}}", GUIDED.replace("guided", "searched"), "expected at least 200 (search.count"
    ),
    "a metric that nobody measures": (
        "claims: {clamp: {metric: fdi}}", CLAMP, "'fdi', which the judge 'distribution' does not measure; did you mean 'fid'?"
    ),
    "a metric with its suffix": ("claims: {clamp: {metric: fid_local}}", CLAMP, "did you mean 'fid'?"),
    "a metric of another judge": (
        "claims: {clamp: {metric: recon_lpips}}", CLAMP, "compares 'recon_lpips', which the judge 'distribution' does not measure"
    ),
    "a cost that is none": ("claims: {clamp: {judge: cost}}", CLAMP, "compares 'fid', which the judge 'cost' does not measure"),
    "a claim by the name of its rule": ("claims: {clamp: {metric: fdi}}", "claims", "'fdi', which the judge"),
    "a velocity of an average that is searched": (
        "bases: {scratch: {training: {snapshots: 2, averages: [power_7]}}}\n"
        "samplings: {searched: {guidance: {average: true}}}",
        "results/runs/rank8/seed0/searched/velocity.json",
        "searches the average of the weights, but the judge 'velocity' looks at weights that the run keeps",
    ),
    "held-out images of claims": ("data: {heldout: 3}", CLAIMS, "key data.heldout: found 3; expected at least"),
    "held-out images of a run": ("data: {heldout: 3}", GUIDED, "key data.heldout: found 3; expected at least"),
    "held-out images of a velocity": (
        "data: {heldout: 100}", GUIDED.replace("distribution", "velocity"), "found 100; expected at least 500 (velocity.images)"
    ),
    "what an arm is trained on": (
        "arms: {rank8: {training: {set_images: 99999}}}", "results/runs/rank8/seed0/model.safetensors", "(training.set_images"
    ),
    "what a run is asked for": (
        "", "results/runs/rank8/seed0/captions/samples.npy", "with setting 'captions', which asks for captions, but the arm"
    ),
    "what judges a run": (
        "", "results/runs/rank8/seed0/guided/suite.json", "which asks for classes, but the judge 'suite' looks at cases"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "target", "expected"), WANTED.values(), ids=WANTED)
def test_what_a_target_asks_for_is_there_whatever_asks(tmp_path, text, target, expected):
    said = complaint(tmp_path, text, words=[target])
    assert expected in said, said


def test_few_samples_are_drawn_where_nobody_scores_them(tmp_path):
    (tmp_path / "mine.yaml").write_text("samplings: {guided: {count: 10}}")
    for file in ("samples.npy", "samples.png", "png"):
        load([*DEFAULT, tmp_path / "mine.yaml"], words=[f"results/runs/rank8/seed0/guided/{file}"])


def test_the_command_line_is_blamed_for_what_it_says():
    for said, expected in (({"seeds": 0}, "key seeds: found 0"), ({"arms": [1]}, "key arms: found [1]")):
        with pytest.raises(ConfigurationError, match="the command line: ") as caught:
            load(DEFAULT, said)
        assert expected in str(caught.value)


@pytest.mark.parametrize(("value", "meant"), [(True, "on"), ("on", "on"), (False, "off")])
def test_on_without_quotes_is_what_it_says(tmp_path, value, meant):
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"bases": {"scratch": {"training": {"compile": value}}}}))
    assert load([*DEFAULT, tmp_path / "mine.yaml"]).arms["rank8"].training.compile == meant


def test_a_byte_order_mark_is_not_part_of_the_first_key(tmp_path):
    (tmp_path / "mine.yaml").write_text("seeds: 2\n", encoding="utf-8-sig")
    assert load([*DEFAULT, tmp_path / "mine.yaml"]).seeds == 2


def test_a_file_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(ConfigurationError, match=r"none.yaml: cannot be read: No such file"):
        load([*DEFAULT, tmp_path / "none.yaml"])


@settings(max_examples=30, deadline=None)
@given(name=st.text(st.characters(blacklist_categories=("Cs",)), max_size=8) | st.from_regex(r"\A[a-z0-9_]{1,8}\Z"))
def test_any_name_is_taken_as_it_is_or_refused_in_a_sentence(name):
    overlay = yaml.safe_dump({"arms": {name: {"base": "scratch", "target": {"rank": 3}}}}, allow_unicode=True)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "mine.yaml")
        file.write_text(overlay, encoding="utf-8")
        try:
            assert name in load([*DEFAULT, file]).arms and re.fullmatch("[a-z0-9_]+", name)
        except ConfigurationError as error:
            assert str(file) in str(error) and "name of lower-case letters" in str(error)
