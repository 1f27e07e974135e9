"""The whole configuration: read from YAML, arms and sampling settings resolved, every mistake found before any job starts.

An arm is `base` plus its differences, a sampling setting is `sampling` plus its differences, a study is a list of both.
Only the workflow imports this module; a stage imports the sections that it reads.
"""

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import PositiveInt, ValidationError
from pydantic_core import ErrorDetails

from asymflow.config.arm import Arm
from asymflow.config.autoencoder import Autoencoder
from asymflow.config.captions import Captions
from asymflow.config.data import Data
from asymflow.config.evaluator import Evaluator
from asymflow.config.latent import Latent
from asymflow.config.perceptual import Perceptual
from asymflow.config.prompts import Prompts
from asymflow.config.sampling import Sampling
from asymflow.config.scoring import Scoring
from asymflow.config.search import Search
from asymflow.config.section import Section
from asymflow.config.study import Study
from asymflow.config.subspace import Subspace
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
    arms: dict[str, Arm]
    samplings: dict[str, Sampling]
    text_arms: dict[str, TextArm]
    text_samplings: dict[str, TextSampling]
    studies: dict[str, Study]

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
}
MIXTURES = {  # named differences from a base
    "arms": ("base", Arm),
    "samplings": ("sampling", Sampling),
    "text_arms": ("text_base", TextArm),
    "text_samplings": ("text_sampling", TextSampling),
}
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
    singular = {
        "arms": "arm",
        "samplings": "sampling setting",
        "text_arms": "arm",
        "text_samplings": "sampling setting",
        "studies": "study",
    }
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
    for name, arm in experiment.arms.items():
        yield from (
            f"{_origin([('arms', name, *key.split('.')), ('base', *key.split('.'))], files)[0]}: arm {name!r}, key {key}: {text}"
            for key, text in _arm_contradictions(arm, experiment.data.image_size)
        )
    for name, arm in experiment.text_arms.items():
        yield from (
            f"{_origin([('text_arms', name, key), ('text_base', key)], files)[0]}: arm {name!r}, key {key}: {text}"
            for key, text in _text_arm_contradictions(name, arm, experiment)
        )
    for group, other in (("arms", "text_arms"), ("samplings", "text_samplings")):
        for name in set(getattr(experiment, group)) & set(getattr(experiment, other)):
            where = _origin([(other, name)], files)[0]
            yield f"{where}: {name!r} is among {group} too, and runs lie in folders of that name: rename one"
    for name, study in experiment.studies.items():
        file, _ = _origin([("studies", name)], files)
        yield from (f"{file}: study {name!r} {text}" for text in _study_contradictions(experiment, study))


def _study_contradictions(experiment: Experiment, study: Study) -> Iterator[str]:
    texts = [arm for arm in study.arms if arm in experiment.text_arms]
    if texts and len(texts) < len(study.arms):
        others = [arm for arm in study.arms if arm not in texts]
        yield f"mixes arms that draw from captions ({', '.join(texts)}) with others ({', '.join(others)}); make it two studies"
        return
    arms, samplings = (
        (experiment.text_arms, experiment.text_samplings) if texts else (experiment.arms, experiment.samplings)
    )
    for kind, listed, known in (("arm", study.arms, arms), ("sampling setting", study.samplings, samplings)):
        for item in listed:
            if item not in known:
                yield f"lists the {kind} {item!r}, which is not defined; {_suggest(item, list(known))}"
    if texts:
        return
    yield from _missing_snapshots(experiment, study)
    for arm in set(study.arms) & set(experiment.arms):
        horizons = experiment.arms[arm].training.ema_images
        for setting in set(study.samplings) & set(experiment.samplings):
            wanted = experiment.samplings[setting].ema_images
            if wanted not in horizons:
                yield (
                    f"samples arm {arm!r} with setting {setting!r}, whose ema_images is {wanted};"
                    f" the arm is trained with the horizons {', '.join(map(str, horizons))}: use one of these"
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


def _missing_snapshots(experiment: Experiment, study: Study) -> Iterator[str]:
    for arm in set(study.arms) & set(experiment.arms):
        kept = experiment.arms[arm].training.snapshots
        for setting in set(study.samplings) & set(experiment.samplings):
            wanted = experiment.samplings[setting].snapshot
            if wanted and wanted > kept:
                yield (
                    f"samples arm {arm!r} with setting {setting!r}, which takes snapshot {wanted}, but the arm keeps {kept};"
                    " raise its training.snapshots"
                )


def _arm_contradictions(arm: Arm, image_size: int) -> Iterator[tuple[str, str]]:
    patch = arm.model.patch_size
    if image_size % patch:
        yield "model.patch_size", f"found {patch}; expected a divisor of the image size, {image_size} (data.image_size)"
    depth = arm.model.dimensions.depth
    if arm.repa.weight and arm.repa.block > depth:
        yield (
            "repa.block",
            f"found {arm.repa.block}; expected at most the network's blocks, {depth} at size {arm.model.size}",
        )
    dimension = patch * patch * CHANNELS
    rank = arm.target.columns(dimension)
    if rank > dimension:
        yield (
            "target.rank",
            f"found {rank}; expected at most the patch dimension, {patch} x {patch} x {CHANNELS} = {dimension}, or 'full'",
        )
