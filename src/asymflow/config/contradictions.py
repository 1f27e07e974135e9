"""What sections of the configuration cannot be together, each valid on its own: one sentence that says what to change."""

import difflib
from collections.abc import Iterable, Iterator
from itertools import product
from operator import itemgetter
from typing import get_args

from asymflow.config.arm import Arm
from asymflow.config.claim import Run
from asymflow.config.data import Data
from asymflow.config.experiment import Experiment, asked
from asymflow.config.figures import undrawable
from asymflow.config.release import Release
from asymflow.config.requested import Requested
from asymflow.config.sampling import ClassifierFree, Sampling
from asymflow.config.study import Judge
from asymflow.measured import METRICS

SMALLEST_SEEN = {"squeeze": 17, "alex": 31, "vgg": 16}  # pixels on a side of what each backbone of LPIPS can take
COST = "seconds_per_image"  # what a claim on the cost of sampling compares
FEWEST_SNAPSHOTS = 4  # from which averages of other lengths are put together

# one mistake: the keys that lead to it, and the sentence
Mistake = tuple[tuple[str, ...], str]


def contradictions(experiment: Experiment, used: Requested) -> Iterator[Mistake]:
    """Mistakes between sections each of which is valid on its own, in what is used."""
    missing = [key for key in ("text", "image") if getattr(experiment.embeddings, key) is None]
    if len(missing) == 1:
        yield (
            ("embeddings", *missing),
            "text and image are published networks both, or neither: give both, or leave both out",
        )
    for name in experiment.supplemented:
        if name not in experiment.studies:
            yield (
                ("supplement", "studies"),
                f"found {name!r}, which is not a study; {suggest(name, experiment.studies)}",
            )
    for name in sorted(used.arms):
        for key, text in _of_arm(name, experiment.arms[name], experiment):
            yield ("arms", name, *key.split(".")), text
        images = experiment.arms[name].training.set_images or 0
        yield from _too_few([("train", images, "training.set_images of an arm")], experiment.data)
    for name in sorted(used.studies):
        study = experiment.studies[name]
        yield from _named("lists", study.arms, study.samplings, ("studies", name), experiment)
        yield from _of_runs(product(study.arms, study.samplings), study.judges, ("studies", name), experiment)
        arms = {arm: experiment.arms[arm] for arm in study.arms if arm in experiment.arms}
        settings = {one: experiment.samplings[one] for one in study.samplings if one in experiment.samplings}
        yield from ((("studies", name), text) for text in undrawable(study, arms, settings))
    for name in sorted(used.claims):
        claim = experiment.claims[name]
        yield from _named("compares", *zip(*claim.runs, strict=True), ("claims", name), experiment)
        yield from _of_runs(claim.runs, claim.files, ("claims", name), experiment)
        measured = [metric for metric in METRICS if claim.judge in METRICS[metric].judges]
        measured += [COST] if claim.judge == "cost" else []
        if claim.metric not in measured:
            yield (
                ("claims", name),
                f"compares {claim.metric!r}, which the judge {claim.judge!r} does not measure; {suggest(claim.metric, measured)}",
            )
    for name in sorted(used.releases):
        release = experiment.releases[name]
        yield from _named("names", (release.arm,), (release.sampling,), ("releases", name), experiment)
        yield from _of_runs([(release.arm, release.sampling)], (release.protocol,), ("releases", name), experiment)
        yield from ((("releases", name), text) for text in _of_release(release, experiment))
    for arm, sampling, made in sorted(used.runs):
        yield from _of_runs([(arm, sampling)], (made,), ("arms", arm), experiment)


def suggest(wanted: str, valid: Iterable[str]) -> str:
    """A hint at what may have been meant, and the valid names."""
    names = sorted(valid)
    nearest = difflib.get_close_matches(wanted, names, n=1, cutoff=0.5)
    return (f"did you mean {nearest[0]!r}? " if nearest else "") + f"valid here: {', '.join(names)}"


def _of_arm(name: str, arm: Arm, experiment: Experiment) -> Iterator[tuple[str, str]]:
    patch, size, key = arm.representation.patch_size, experiment.data.image_size, "representation.patch_size"
    if size % patch:
        yield key, f"found {patch}; expected a divisor of the image size, {size} (data.image_size)"
    for height, width in experiment.data.shapes if arm.network.any_grid else ():
        if height % patch or width % patch:
            yield key, f"found {patch}; expected a divisor of both sides of {height} x {width} (data.shapes)"
    if arm.needs_latents and experiment.data.shapes and not arm.network.any_grid:
        yield (
            "representation.space",
            f"trains a network of one grid ({arm.network.kind}) on latents of images of several shapes (data.shapes), and"
            " latents are not cut to squares as pixels are; take network.kind flux, or leave data.shapes out",
        )
    if arm.losses.perceptual:
        seen = size // 2 if arm.losses.perceptual.half else size
        backbone = experiment.perceptual.backbone if experiment.evaluators == "local" else "vgg"
        if seen < SMALLEST_SEEN[backbone]:
            yield (
                "losses.perceptual",
                f"shows {seen} x {seen} pixels to a network ({backbone}) that needs {SMALLEST_SEEN[backbone]} or more: set half"
                " to false, or perceptual.backbone to vgg where it is trained here",
            )
    if arm.start.run is not None:
        yield from _of_start(name, arm, experiment)


def _of_start(name: str, arm: Arm, experiment: Experiment) -> Iterator[tuple[str, str]]:
    begun, arms, key = arm.start.run, experiment.arms, "start.run"
    if begun not in arms or begun == name:
        yield key, f"found {begun!r}, which is not an arm; {suggest(begun, [a for a in arms if a != name])}"
        return
    other = arms[begun]
    if other.start.run is not None or other.start.adapter or other.lifted:
        yield (
            key,
            f"found {begun!r}; expected an arm that is trained whole, in its own space, and begins as no other arm",
        )
    elif arm.lifted and other.representation.space != "latent":
        yield key, f"found {begun!r}, an arm of pixels; expected one of latents, which this arm lifts"
    elif not arm.lifted and other.representation != arm.representation:
        yield key, f"{begun!r} has another representation than this arm"
    elif other.network != arm.network or other.representation.patch_size != arm.representation.patch_size:
        yield key, f"{begun!r} has another network or patch_size than this arm"
    elif other.conditions.modalities != arm.conditions.modalities:
        yield key, f"{begun!r} has other conditions than this arm"


def _named(
    verb: str, arms: Iterable[str], samplings: Iterable[str], place: tuple[str, str], experiment: Experiment
) -> Iterator[Mistake]:
    """Names of arms and sampling settings that nothing has."""
    for kind, listed, known in (
        ("arm", arms, experiment.arms),
        ("sampling setting", samplings, experiment.samplings),
    ):
        for item in dict.fromkeys(listed):
            if item not in known:
                yield place, f"{verb} the {kind} {item!r}, which is not defined; {suggest(item, known)}"


def _of_runs(
    runs: Iterable[Run], made: tuple[str, ...], place: tuple[str, str], experiment: Experiment
) -> Iterator[Mistake]:
    """Why arms cannot be sampled under settings, or the files that are made of these (`paths.RUN_FILES`), which judges are called
    by, cannot be had."""
    known = [(name, setting) for name, setting in runs if name in experiment.arms and setting in experiment.samplings]
    for name, setting in known:
        arm, sampling = experiment.arms[name], experiment.samplings[setting]
        for text in (*_unfit(arm, sampling, experiment), *_unanswered(arm, sampling, made, experiment)):
            yield place, f"samples arm {name!r} with setting {setting!r}, {text}"
    yield from _of_counts(known, made, experiment)


def _of_release(release: Release, experiment: Experiment) -> Iterator[str]:
    if release.arm in experiment.arms and not experiment.arms[release.arm].start.released:
        yield f"names the arm {release.arm!r}, which is trained here; give it start.released"
    for metric in release.published:
        if not metric.endswith(f"_{release.protocol}"):
            yield f"publishes {metric!r}, but its protocol is {release.protocol}, whose numbers end in _{release.protocol}"


def _unfit(arm: Arm, sampling: Sampling, experiment: Experiment) -> Iterator[str]:
    """Why an arm cannot be sampled under a setting."""
    modalities, training = arm.conditions.modalities, arm.training
    if sampling.snapshot and sampling.snapshot > training.snapshots:
        yield (
            f"which takes snapshot {sampling.snapshot}, but the arm keeps {training.snapshots}; raise its training.snapshots"
        )
    if sampling.length or sampling.searches_average:
        powers = sum(name.startswith("power_") for name in training.averages)
        taken = sampling.snapshot or training.snapshots
        if powers < 2 or taken < FEWEST_SNAPSHOTS:
            yield (
                f"which puts an average of the weights together, but the arm keeps {', '.join(training.averages)} and"
                f" {taken} snapshots until then; expected two averages power_<gamma> and at least {FEWEST_SNAPSHOTS} snapshots:"
                " change its training, or the setting's snapshot"
            )
    elif sampling.weights and sampling.weights not in training.averages:
        yield f"whose weights are {sampling.weights}; the arm keeps {', '.join(training.averages)}: use one of these"
    wanted = {"classes": "class", "captions": "caption", "cases": "caption"}[asked(arm, sampling)]
    if wanted not in modalities:
        yield (
            f"which asks for {asked(arm, sampling)}, but the arm is conditioned on {', '.join(modalities) or 'nothing'}; ask for"
            " something else, or show it in the arm's conditions"
        )
    kind = sampling.guidance.kind
    off = isinstance(sampling.guidance, ClassifierFree) and sampling.guidance.scale == 1
    if kind in ("classifier_free", "searched", "dual") and not off and not _knows_nothing(arm, experiment):
        yield (
            f"whose guidance ({kind}) leads away from what is drawn under no condition, but the arm never learns that: give its"
            " conditions.shown a share that shows nothing, or take another guidance"
        )
    if kind == "routing" and not arm.network.bypass:
        yield (
            "whose guidance is by routing, but the arm is trained without TREAD; take another guidance, or give it a"
            " network.tread"
        )
    if kind == "dual" and not ("caption" in modalities and {"embedding", "patches"} & set(modalities)):
        yield (
            "whose guidance is dual, but the arm is not conditioned on both a caption and an image's embedding or patches; take"
            " another guidance"
        )


def _knows_nothing(arm: Arm, experiment: Experiment) -> bool:
    """Whether an arm, or what it begins with, is trained without any condition too; a published FLUX.2 counts as trained so."""
    if not all(way.what for way in arm.conditions.shown):
        return True
    begun = experiment.arms.get(arm.start.run or "")
    if begun:
        return begun.start.run is None and _knows_nothing(begun, experiment)
    return arm.network.kind == "flux" and experiment.latent.model is not None


def _unanswered(arm: Arm, sampling: Sampling, judges: tuple[str, ...], experiment: Experiment) -> Iterator[str]:
    """Why a judge has nothing to judge."""
    what, patch = asked(arm, sampling), arm.representation.patch_size
    if "distribution" in judges and not 1 < patch < experiment.data.image_size:
        yield (
            f"but the judge 'distribution' compares steps across the borders of patches with those within, and patches of {patch}"
            f" pixels in images of {experiment.data.image_size} have only one of them; take another representation.patch_size"
        )
    if "velocity" in judges and arm.representation.space == "latent":
        yield "but the judge 'velocity' looks at patches of pixels, and the arm works on latents; leave one of them out"
    if "coupling" in judges and not (arm.target.basis == "lift" and arm.start.run):
        yield "but the judge 'coupling' looks at lifted arms, which begin with a latent one; leave one of them out"
    for judge in ("velocity", "coupling"):
        if judge in judges and sampling.searches_average:
            yield (
                f"which searches the average of the weights, but the judge {judge!r} looks at weights that the run keeps; set"
                " guidance.average to false"
            )
    for judge, needed in (("captions", "captions"), ("suite", "cases")):
        if judge in judges and what != needed:
            yield f"which asks for {what}, but the judge {judge!r} looks at {needed}; set its asks to {needed}"
    if what == "captions" and sampling.count > experiment.prompts.count:
        yield (
            f"which draws {sampling.count} captions, but prompts.count is {experiment.prompts.count}; raise it, or lower the"
            " setting's count"
        )
    if what == "cases" and arm.network.kind == "flux" and experiment.latent.model:
        yield "which asks for cases, whose captions another encoder reads than that of latent.model; ask for captions"


def _of_counts(runs: list[Run], judges: tuple[str, ...], experiment: Experiment) -> Iterator[Mistake]:
    """Where runs and their judges ask for more than the data or another section gives."""
    data, scoring, suite = experiment.data, experiment.scoring, experiment.suite
    pairs = [(experiment.arms[name], experiment.samplings[setting]) for name, setting in runs]
    scored = not set(judges).isdisjoint(get_args(Judge))
    needed = []
    if scored or any(setting.guidance.kind == "searched" for _, setting in pairs):
        needed += [(split, scoring.smallest, "a score needs as many") for split in ("heldout", "train")]
        if experiment.evaluators == "local" or "second" in judges:
            needed.append(("evaluator", 2, "the evaluator learns to tell them apart"))
    if not experiment.prompts.path and any(asked(*pair) == "captions" for pair in pairs):
        needed.append(("heldout", experiment.prompts.count, "prompts.count takes their captions"))
    if "velocity" in judges:
        needed.append(("heldout", experiment.velocity.images, "velocity.images"))
    if "suite" in judges:
        needed += [(suite.split, getattr(suite, key), f"suite.{key}") for key in ("reconstructions", "texts", "edits")]
        needed += [
            (suite.split, suite.swaps + 1, "suite.swaps, and one more"),
            ("train", suite.memories, "suite.memories"),
        ]
    yield from _too_few(needed, data)
    if "memorisation" in judges and any(asked(*pair) == "cases" for pair in pairs):
        if suite.split != "heldout":
            text = "memorisation compares captions of training images with held-out ones; judge it under split: heldout"
            yield ("suite", "split"), f"found {suite.split}, but {text}"
        elif suite.texts < suite.memories:
            yield ("suite", "texts"), f"found {suite.texts}; expected at least {suite.memories} (suite.memories)"
    for (_, name), (arm, setting) in zip(runs, pairs, strict=True):
        of_cases = asked(arm, setting) == "cases"  # whose distribution is that of their texts
        there, place = (suite.texts, ("suite", "texts")) if of_cases else (setting.count, ("samplings", name, "count"))
        for count, what in (
            (scoring.smallest if scored else 0, "a score needs as many, see scoring"),
            (experiment.search.count if setting.guidance.kind == "searched" else 0, "search.count judges by as many"),
        ):
            if there < count:
                yield place, f"found {there}; expected at least {count} ({what})"


def _too_few(needed: list[tuple[str, int, str]], data: Data) -> Iterator[Mistake]:
    """Splits that have fewer images than needed, the largest need of each; those whose size only the images know are skipped."""
    for split, count, why in {entry[0]: entry for entry in sorted(needed, key=itemgetter(1))}.values():
        there = getattr(data, split)
        if there is not None and there < count:
            yield ("data", split), f"found {there}; expected at least {count} ({why}): raise it, or lower that"
