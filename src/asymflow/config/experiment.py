"""The whole configuration: read from YAML, arms and sampling settings resolved, every mistake found before any job starts.

An arm is `base` plus its differences, a sampling setting is `sampling` plus its differences, a study is a list of both.
Only the workflow imports this module; a stage imports the sections that it reads.
"""

import difflib
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import PositiveInt, ValidationError
from pydantic_core import ErrorDetails

from asymflow.config.arm import Arm
from asymflow.config.autoencoder import Autoencoder
from asymflow.config.captions import Captions
from asymflow.config.data import Data
from asymflow.config.embeddings import Embeddings
from asymflow.config.evaluator import Evaluator
from asymflow.config.latent import Latent
from asymflow.config.perceptual import Perceptual
from asymflow.config.prompts import Prompts
from asymflow.config.prx_arm import PrxArm
from asymflow.config.prx_sampling import PrxSampling
from asymflow.config.sampling import Sampling
from asymflow.config.scoring import Scoring
from asymflow.config.search import Search
from asymflow.config.section import Section
from asymflow.config.study import Study
from asymflow.config.subspace import Subspace
from asymflow.config.suite import Suite
from asymflow.config.target import Target
from asymflow.config.text_arm import TextArm
from asymflow.config.text_sampling import TextSampling

CHANNELS = 3  # RGB
NAME = "a name of lower-case letters, digits and underscores"


class ConfigurationError(ValueError):
    """All mistakes of a configuration, one line each: file, place, what was found, what was expected."""


class Experiment(Section):
    """The configuration with every arm and sampling setting resolved."""

    results: str
    """The folder that everything is made in: results, or results/<scale>."""

    seeds: PositiveInt
    """Seeds that each study runs over, unless it says its own number."""

    data: Data
    evaluators: Literal["local", "pretrained"]
    """Networks that judge samples: trained here on a split of their own, or published."""

    evaluator: Evaluator
    scoring: Scoring
    search: Search
    subspace: Subspace
    autoencoder: Autoencoder
    latent: Latent
    perceptual: Perceptual
    prompts: Prompts
    captions: Captions
    embeddings: Embeddings
    suite: Suite
    arms: dict[str, Arm]
    samplings: dict[str, Sampling]
    text_arms: dict[str, TextArm]
    text_samplings: dict[str, TextSampling]
    prx_arms: dict[str, PrxArm]
    prx_samplings: dict[str, PrxSampling]
    studies: dict[str, Study]

    def group(self, study: str) -> str:
        """Which group of arms a study compares; `arms` where its first arm is in none."""
        first = self.studies[study].arms[0]
        return next((group for group in SAMPLED_BY if first in getattr(self, group)), "arms")

    def study_seeds(self, study: str) -> range:
        """The seeds of one study."""
        return range(self.studies[study].seeds or self.seeds)


SECTIONS = {
    "data": Data,
    "evaluator": Evaluator,
    "scoring": Scoring,
    "search": Search,
    "subspace": Subspace,
    "autoencoder": Autoencoder,
    "latent": Latent,
    "perceptual": Perceptual,
    "prompts": Prompts,
    "captions": Captions,
    "embeddings": Embeddings,
    "suite": Suite,
}
MIXTURES = {  # named differences from a base
    "arms": ("base", Arm),
    "samplings": ("sampling", Sampling),
    "text_arms": ("text_base", TextArm),
    "text_samplings": ("text_sampling", TextSampling),
    "prx_arms": ("prx_base", PrxArm),
    "prx_samplings": ("prx_sampling", PrxSampling),
}
SAMPLED_BY = {"arms": "samplings", "text_arms": "text_samplings", "prx_arms": "prx_samplings"}
PLAIN = ("seeds", "evaluators")
GROUPS = ("pathvars", "studies")


def load(config: dict[str, Any], files: list[Path]) -> Experiment:
    """The experiment that a merged configuration describes.

    `files` are the YAML files it was merged from, in order; an error names the last one that mentions its key. Raises
    ConfigurationError with all mistakes that could be found.
    """
    mistakes = list(_unknown_top_level(config, files))
    values: dict[str, Any] = {name: config[name] for name in PLAIN if name in config}
    values["results"] = (config.get("pathvars") or {}).get("results")  # Snakemake's own key for the folder of results
    for name, section in SECTIONS.items():
        values[name] = _build(section, config.get(name) or {}, [(name,)], files, mistakes)
    for name, (base, section) in MIXTURES.items():
        common = config.get(base) or {}
        values[name] = {
            key: _build(section, merge(common, own or {}), [(name, key), (base,)], files, mistakes)
            for key, own in (config.get(name) or {}).items()
        }
    values["studies"] = {
        key: _build(Study, own or {}, [("studies", key)], files, mistakes)
        for key, own in (config.get("studies") or {}).items()
    }
    if not mistakes:
        experiment = _build(Experiment, values, [()], files, mistakes)
    if not mistakes:
        mistakes += _contradictions(experiment, files)
    if mistakes:
        raise ConfigurationError(
            "the configuration has mistakes; nothing was run\n" + "\n".join(f"  {m}" for m in mistakes)
        )
    return experiment


def merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` with `changes` laid over it: dictionaries merge key by key, everything else is replaced."""
    merged = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both else value
    return merged


def _build(section: type[Section], values: Any, places: list[tuple[str, ...]], files: list[Path], mistakes: list[str]):
    """The validated section, or None after its mistakes were added. `places` are the paths its values may come from."""
    try:
        return section.model_validate(values)
    except ValidationError as error:
        mistakes += [_explain(section, detail, places, files) for detail in error.errors()]
        return None


def _explain(section: type[Section], detail: ErrorDetails, places: list[tuple[str, ...]], files: list[Path]) -> str:
    """One mistake as one sentence."""
    keys = tuple(str(key) for key in detail["loc"])
    file, place = _origin([place + keys for place in places], files)
    where = f"{file}: {_called(places[0], keys, place)}"
    if detail["type"] == "extra_forbidden":
        return f"{where}: unknown key {keys[-1]!r}; {_suggest(keys[-1], list(_section_at(section, keys[:-1]).model_fields))}"
    if detail["type"] == "missing":
        return f"{where}: missing; expected {_section_at(section, keys[:-1]).model_fields[keys[-1]].annotation}"
    message = detail["msg"].removeprefix("Value error, ")
    if isinstance(detail["input"], dict):  # the section contradicts itself, and its own validator says how
        return f"{where}: {message}"
    return f"{where}: found {detail['input']!r}; expected: {message}"


def _called(first: tuple[str, ...], keys: tuple[str, ...], place: tuple[str, ...]) -> str:
    """How an error names the place: the arm (or other named thing) and the dotted key."""
    singular = {"studies": "study"}
    for arms, samplings in SAMPLED_BY.items():
        singular |= {arms: "arm", samplings: "sampling setting"}
    if first and first[0] in singular:
        inherited = f" (from {place[0]})" if place and place[0] != first[0] else ""
        return f"{singular[first[0]]} {first[1]!r}, key {'.'.join(keys) or '(whole)'}{inherited}"
    return f"key {'.'.join(first + keys) or '(whole)'}"


def _section_at(section: type[Section], keys: tuple[str, ...]) -> type[Section]:
    """The section that a path of keys leads to."""
    for key in keys:
        section = section.model_fields[key].annotation
    return section


def _suggest(found: str, valid: list[str]) -> str:
    nearest = difflib.get_close_matches(found, valid, n=1, cutoff=0.5)
    return (f"did you mean {nearest[0]!r}? " if nearest else "") + f"valid here: {', '.join(sorted(valid))}"


def _origin(paths: list[tuple[str, ...]], files: list[Path]) -> tuple[str, tuple[str, ...]]:
    """The file that sets one of the paths (the last to do so wins) and that path; else the first path's nearest ancestor."""
    contents = [(file, yaml.safe_load(Path(file).read_text()) or {}) for file in reversed(files)]
    for path in paths:
        for file, content in contents:
            if _mentions(content, path):
                return str(file), path
    return (str(files[-1]) if files else "configuration"), paths[0]


def _mentions(content: Any, path: tuple[str, ...]) -> bool:
    for key in path:
        if not isinstance(content, dict) or key not in {str(name) for name in content}:
            return False
        content = content[key]
    return True


def _unknown_top_level(config: dict[str, Any], files: list[Path]) -> Iterator[str]:
    valid = [*PLAIN, *GROUPS, *SECTIONS, *MIXTURES, *(base for base, _ in MIXTURES.values())]
    for key in config:
        if key not in valid:
            yield f"{_origin([(key,)], files)[0]}: unknown key {key!r}; {_suggest(key, valid)}"
    for group in (*MIXTURES, "studies"):
        for name in config.get(group) or {}:
            if not str(name).replace("_", "").isalnum() or str(name) != str(name).lower():
                yield f"{_origin([(group, name)], files)[0]}: {group} has an entry {name!r}; expected {NAME}"


def _contradictions(experiment: Experiment, files: list[Path]) -> Iterator[str]:
    """Mistakes between sections that are valid each on its own."""
    for group, contradictions in (
        ("arms", _arm_contradictions),
        ("text_arms", _text_arm_contradictions),
        ("prx_arms", _prx_arm_contradictions),
    ):
        base, _ = MIXTURES[group]
        for name, arm in getattr(experiment, group).items():
            for key, text in contradictions(name, arm, experiment):
                keys = key.split(".")
                file, _ = _origin([(group, name, *keys), (base, *keys)], files)
                yield f"{file}: arm {name!r}, key {key}: {text}"
    for group, other in (*combinations(SAMPLED_BY, 2), *combinations(SAMPLED_BY.values(), 2)):
        for name in set(getattr(experiment, group)) & set(getattr(experiment, other)):
            where = _origin([(other, name)], files)[0]
            yield f"{where}: {name!r} is among {group} too, and runs lie in folders of that name: rename one"
    for name, study in experiment.studies.items():
        file, _ = _origin([("studies", name)], files)
        yield from (f"{file}: study {name!r} {text}" for text in _study_contradictions(experiment, name, study))


def _study_contradictions(experiment: Experiment, name: str, study: Study) -> Iterator[str]:
    group = experiment.group(name)
    arms, samplings = getattr(experiment, group), getattr(experiment, SAMPLED_BY[group])
    elsewhere = {arm for other in SAMPLED_BY if other != group for arm in getattr(experiment, other)}
    if others := [arm for arm in study.arms if arm in elsewhere]:
        yield (
            f"mixes {group} ({', '.join(arm for arm in study.arms if arm not in others)}) with others ({', '.join(others)});"
            " they are not measured alike: make it two studies"
        )
        return
    for kind, listed, known in (("arm", study.arms, arms), ("sampling setting", study.samplings, samplings)):
        for item in listed:
            if item not in known:
                yield f"lists the {kind} {item!r}, which is not defined; {_suggest(item, list(known))}"
    for arm in set(study.arms) & set(arms):
        for setting in set(study.samplings) & set(samplings):
            yield from _unfit(group, arm, arms[arm], setting, samplings[setting])


def _unfit(group: str, name: str, arm: Any, setting: str, sampling: Any) -> Iterator[str]:
    """Why an arm cannot be sampled under a setting."""
    if group == "text_arms":
        return
    kept, wanted = arm.training.snapshots, sampling.snapshot
    if wanted and wanted > kept:
        yield (
            f"samples arm {name!r} with setting {setting!r}, which takes snapshot {wanted}, but the arm keeps {kept};"
            " raise its training.snapshots"
        )
    if group == "arms" and sampling.ema_images not in arm.training.ema_images:
        yield (
            f"samples arm {name!r} with setting {setting!r}, whose ema_images is {sampling.ema_images};"
            f" the arm is trained with the horizons {', '.join(map(str, arm.training.ema_images))}: use one of these"
        )
    if group == "prx_arms" and sampling.guidance == "self" and arm.tread.share == 0:
        yield (
            f"samples arm {name!r} with setting {setting!r}, whose guidance is self, but the arm is trained without TREAD;"
            " take another guidance, or give it a tread.share"
        )


def _text_arm_contradictions(name: str, arm: TextArm, experiment: Experiment) -> Iterator[tuple[str, str]]:
    size, arms = experiment.data.image_size, experiment.text_arms
    if size % arm.patch_size:
        yield "patch_size", f"found {arm.patch_size}; expected a divisor of the image size, {size} (data.image_size)"
    for height, width in experiment.data.shapes:
        if height % arm.patch_size or width % arm.patch_size:
            yield (
                "patch_size",
                f"found {arm.patch_size}; expected a divisor of both sides of {height} x {width} (data.shapes)",
            )
    if arm.start is None:
        return
    if arm.start not in arms:
        yield "start", f"found {arm.start!r}, which is no arm; {_suggest(arm.start, [a for a in arms if a != name])}"
    elif arms[arm.start].space != "latent" or arms[arm.start].adapter is not None or arms[arm.start].start is not None:
        yield "start", f"found {arm.start!r}; expected an arm of latents that is trained whole and starts from no other"
    elif arms[arm.start].transformer != arm.transformer or arms[arm.start].patch_size != arm.patch_size:
        yield "start", f"{arm.start!r} has another transformer or patch_size than this arm"


def _prx_arm_contradictions(name: str, arm: PrxArm, experiment: Experiment) -> Iterator[tuple[str, str]]:
    patch, size = arm.network.patch_size, experiment.data.image_size
    if size % patch:
        yield "network.patch_size", f"found {patch}; expected a divisor of the image size, {size} (data.image_size)"
    yield from _rank_contradictions(arm.target, patch)


def _arm_contradictions(name: str, arm: Arm, experiment: Experiment) -> Iterator[tuple[str, str]]:
    patch, image_size = arm.model.patch_size, experiment.data.image_size
    if image_size % patch:
        yield "model.patch_size", f"found {patch}; expected a divisor of the image size, {image_size} (data.image_size)"
    depth = arm.model.dimensions.depth
    if arm.repa.weight and arm.repa.block > depth:
        yield (
            "repa.block",
            f"found {arm.repa.block}; expected at most the network's blocks, {depth} at size {arm.model.size}",
        )
    yield from _rank_contradictions(arm.target, patch)


def _rank_contradictions(target: Target, patch: int) -> Iterator[tuple[str, str]]:
    dimension = patch * patch * CHANNELS
    rank = target.columns(dimension)
    if rank > dimension:
        yield (
            "target.rank",
            f"found {rank}; expected at most the patch dimension, {patch} x {patch} x {CHANNELS} = {dimension}, or 'full'",
        )
