"""What each rule that makes a run takes: files, parameters and code digests, by arm, seed, sampling setting and judge.

The Snakefile asks; everything here is plain Python that tests can ask too. A function that gives a rule's inputs takes what
Snakemake calls wildcards: anything with the attributes arm, seed, sampling or judge. What the rules of studies, claims and
releases gather from runs is in `asymflow.studies`, what their stages are told in `asymflow.descriptions`.

    plan.velocity           the files that a stage reads, by name
    plan.velocity_code      the digest of its code
    plan.suite_of           what it reads of a section of the configuration
    plan.evaluator_file     a single file, or [] where the published one is used
"""

from functools import cached_property
from typing import Any, Literal

import xxhash

from asymflow import parts
from asymflow.config.arm import Arm
from asymflow.config.experiment import Experiment, asked
from asymflow.config.sampling import Sampling
from asymflow.config.section import Section
from asymflow.paths import Paths
from asymflow.provenance import SOURCE, digest

Inputs = dict[str, str | list[str]]  # files by the name that the rule gives them; none: []
TEMPLATES = SOURCE / "asymflow/report/templates"  # of web pages


class Plan:
    """The plan of one experiment."""

    def __init__(self, experiment: Experiment):
        self.experiment, self.paths = experiment, Paths(experiment.results)

    # Names, as patterns of what a wildcard may be.

    def names(self, kind: Literal["arms", "samplings", "studies", "claims"]) -> str:
        """A pattern that matches the names of arms, sampling settings, studies or claims."""
        return _pattern(getattr(self.experiment, kind))

    @property
    def released(self) -> str:
        """A pattern of the arms whose weights others published."""
        return _pattern(name for name, arm in self.experiment.arms.items() if arm.start.released)

    @property
    def trained(self) -> str:
        """A pattern of the arms that are trained here."""
        return _pattern(name for name, arm in self.experiment.arms.items() if not arm.start.released)

    @cached_property
    def starts(self) -> set[str]:
        """The arms that others begin with."""
        return {arm.start.run for arm in self.experiment.arms.values() if arm.start.run}

    # Parameters.

    def section(self, name: str, only: set[str] | None = None) -> str:
        """One section of the configuration as JSON, which compares by value; whole, or the keys that a stage reads of it."""
        return getattr(self.experiment, name).model_dump_json(include=only)

    @property
    def suite_cases(self) -> str:
        """What the suite's own stage reads of its section: which cases there are."""
        return self.section("suite", {"edits", "memories", "reconstructions", "seed", "swaps", "texts"})

    def suite_of(self, wildcards: Any) -> str:
        """What a judge reads of the suite's section; most read nothing."""
        intervals = {"resamples", "seed"}
        only = {"suite": intervals, "memorisation": intervals | {"memories"}}
        return self.section("suite", only.get(wildcards.judge, set()))

    def arm(self, wildcards: Any) -> str:
        """An arm as JSON. What is not given is left out, so that an option that is new changes no arm without it."""
        return _json(self._arm(wildcards))

    def sampling(self, wildcards: Any) -> str:
        """A sampling setting as JSON."""
        return _json(self._sampling(wildcards))

    def embeddings_of(self, wildcards: Any) -> str:
        """What stage embed_captions reads of the embeddings' section, for a reader and a split or the prompts."""
        kept = {"keep_captions"} if wildcards.split == "train" else set()
        return self.section("embeddings", kept | self._of_reader(wildcards.reader))

    @property
    def suite_embeddings(self) -> str:
        """What stage suite reads of that section."""
        return self.section("embeddings", self._of_reader(self.reader))

    def asks(self, wildcards: Any) -> str:
        """What an arm is asked for under a sampling setting."""
        return asked(self._arm(wildcards), self._sampling(wildcards))

    def code(self, stage: str) -> str:
        """The digest of the code of a stage that is the same for all that it makes."""
        return digest(f"asymflow.stages.{stage}")

    def templates(self, page: str) -> str:
        """The checksum of the templates that a page is made from, which are no code and so in no digest."""
        hasher = xxhash.xxh3_64()
        for path in sorted(path for path in TEMPLATES.iterdir() if path.stem in ("base", page)):
            hasher.update(path.read_bytes())
        return hasher.hexdigest()

    def train_code(self, wildcards: Any) -> str:
        """The digest of the code that trains an arm."""
        arm = self._arm(wildcards)
        return parts.of_training(arm).digest()

    def import_code(self, wildcards: Any) -> str:
        """The digest of the code that imports an arm's released weights."""
        arm = self._arm(wildcards)
        return parts.of_import(arm).digest()

    def sample_code(self, wildcards: Any) -> str:
        """The digest of the code that samples an arm under a setting."""
        arm, sampling = self._arm(wildcards), self._sampling(wildcards)
        return parts.of_sampling(arm, sampling.solver, asked(arm, sampling)).digest()

    def search_code(self, wildcards: Any) -> str:
        """The digest of the code that searches an arm's guidance."""
        arm, sampling = self._arm(wildcards), self._sampling(wildcards)
        return parts.of_search(arm, sampling.solver, asked(arm, sampling)).digest()

    def velocity_code(self, wildcards: Any) -> str:
        """The digest of the code that compares an arm's velocity with the true one."""
        arm = self._arm(wildcards)
        return parts.of_velocity(arm).digest()

    def coupling_code(self, wildcards: Any) -> str:
        """The digest of the code that compares a lifted arm with the latent model that it began with."""
        arm = self._arm(wildcards)
        return parts.of_coupling(arm, self.asks(wildcards)).digest()

    def export_code(self, wildcards: Any) -> str:
        """The digest of the code that writes an arm's run in the format of diffusers."""
        arm = self._arm(wildcards)
        return parts.of_export(arm).digest()

    def cost_code(self, wildcards: Any) -> str:
        """The digest of the code that reckons what the studies cost."""
        studies = self.experiment.studies.values()
        arms = [self.experiment.arms[name] for study in studies for name in study.arms]
        solvers = {self.experiment.samplings[name].solver for study in studies for name in study.samplings}
        return parts.of_cost(arms, solvers).digest()

    def score_code(self, wildcards: Any) -> str:
        """The digest of the code of a judge."""
        return parts.of_score(wildcards.judge).digest()

    def protocol_code(self, wildcards: Any) -> str:
        """The digest of the code of a published protocol."""
        return parts.of_protocol(wildcards.protocol).digest()

    def protocol_reference_code(self, wildcards: Any) -> str:
        """The digest of the code that gathers what a published protocol compares with."""
        return parts.of_protocol_reference(wildcards.protocol).digest()

    def train_threads(self, wildcards: Any) -> int:
        """Processor cores of a training: two for an arm that others begin with, because nothing can train beside it."""
        return 2 if wildcards.arm in self.starts else 1

    def evaluator_of(self, wildcards: Any) -> str:
        """The section of the evaluator; the second one has the next seed, and nothing else that differs."""
        section = self.experiment.evaluator
        return section.model_copy(update={"seed": section.seed + bool(wildcards.second)}).model_dump_json()

    @property
    def folder(self) -> str:
        """The folder of the FLUX.2 that the latent model is, or nothing where it is trained here."""
        return self.experiment.latent.model or ""

    def folder_of(self, wildcards: Any) -> str:
        """The folder of the FLUX.2 that an arm begins with, or nothing."""
        arm = self._arm(wildcards)
        return self.folder if arm.network.kind == "flux" and arm.start.run is None else ""

    # Inputs.

    @property
    def evaluator_file(self) -> str | list[str]:
        """The evaluator that is trained here; the published one has its weights elsewhere."""
        return self.paths.evaluator if self._local else []

    def evaluator_file_of(self, wildcards: Any) -> str | list[str]:
        """The same, or the second one, which is always trained here."""
        return self.paths.second_evaluator if wildcards.second else self.evaluator_file

    @property
    def perceptual_file(self) -> str | list[str]:
        """The perceptual network that is trained here; the published one has its weights elsewhere."""
        return self.paths.perceptual if self._local else []

    @property
    def latent_space(self) -> str:
        """What encodes images as latents: the autoencoder that is trained here, or a folder."""
        return self.experiment.latent.model or self.paths.autoencoder

    def embed_captions(self, wildcards: Any) -> Inputs:
        """What the tokens of captions are made from, for a reader and a split or the prompts."""
        reader, split = wildcards.reader, wildcards.split
        made = self.experiment.captions.model and split != "prompts"
        return {
            "data": self.paths.split(split),
            "captions": self.paths.made_captions(split) if made else [],
            "evaluator": self.paths.evaluator if reader == "local" else [],
        }

    def prompts(self, wildcards: Any) -> Inputs:
        """Where the prompts come from."""
        path = self.experiment.prompts.path
        made = self.experiment.captions.model and not path
        return {
            "heldout": self.paths.split("heldout"),
            "captions": self.paths.made_captions("heldout") if made else [],
            "path": path or [],
        }

    @property
    def viewer_file(self) -> str | list[str]:
        """The evaluator that embeds images, where it is trained here."""
        return [] if self.experiment.embeddings.image else self.paths.evaluator

    def suite(self, wildcards: Any) -> Inputs:
        """What the validation suite is made from."""
        paths, split, patch = self.paths, self.experiment.suite.split, int(wildcards.patch_size)
        return {
            "data": paths.split(split),
            "captions": paths.captions(self.reader, split),
            "images": paths.images(patch, split),
            "train": paths.split("train"),
            "train_captions": paths.captions(self.reader, "train"),
            "train_images": paths.images(patch, "train"),
            "evaluator": paths.evaluator if self.reader == "local" else [],
        }

    @property
    def reader(self) -> str:
        """What reads captions for networks that are not FLUX.2."""
        return "t5" if self.experiment.embeddings.text else "local"

    def train(self, wildcards: Any) -> Inputs:
        """What an arm is trained from, beside the images."""
        arm, paths = self._arm(wildcards), self.paths
        colour, patch = arm.representation.colour, arm.representation.patch_size
        losses = arm.losses
        latent = arm.representation.space == "latent"
        taught = (losses.alignment, losses.masked_alignment, losses.spatial_alignment, losses.semantic)
        looks = losses.perceptual or (losses.variance_reduction and losses.variance_reduction.perceptual)
        return {
            "data": paths.split("train"),
            "subspace": [] if latent or arm.lifted else paths.subspace(arm.target.basis, colour, patch),
            "pca": paths.subspace("pca", colour, patch) if arm.start.pca else [],
            "lift": paths.lift(colour, patch) if latent or arm.lifted else [],
            "captions": paths.captions(self.reader_of(arm), "train") if "caption" in arm.conditions.modalities else [],
            "images": paths.images(patch, "train") if arm.needs_embedded_images else [],
            "latents": paths.latents(patch, "train") if arm.needs_latents else [],
            "start": paths.run("model", arm.start.run, wildcards.seed) if arm.start.run else [],
            "evaluator": paths.evaluator if any(term and term.teacher == "local" for term in taught) else [],
            "perceptual": self.perceptual_file if looks else [],
        }

    def released_file(self, wildcards: Any) -> str:
        """The file that an arm's weights come in."""
        return self._arm(wildcards).start.released.file

    def reader_of(self, arm: Arm) -> str:
        """What reads captions for an arm: for FLUX.2 its own encoder, or the local evaluator where it is trained here."""
        if arm.network.kind == "flux":
            return "flux2" if self.experiment.latent.model else "local"
        return self.reader

    def model(self, wildcards: Any) -> Inputs:
        """What a finished run is loaded from."""
        arm = self._arm(wildcards)
        adapted = arm.start.run and arm.start.adapter
        return {
            "model": self.paths.run("model", wildcards.arm, wildcards.seed),
            "start": self.paths.run("model", arm.start.run, wildcards.seed) if adapted else [],
            "latents": self.latent_space if arm.representation.space == "latent" else [],
        }

    def publish(self, wildcards: Any) -> Inputs:
        """What a run is published from: its model and records, and what the first study that has it says of it."""
        run = wildcards.arm, wildcards.seed
        trained_here = not self._arm(wildcards).start.released
        studies, samplings = self.experiment.studies, self.experiment.samplings
        study = next((name for name, one in studies.items() if wildcards.arm in one.arms), None)
        shown = study is not None and int(wildcards.seed) in self.experiment.study_seeds(study)
        settings = studies[study].samplings if shown else ()
        settings = [name for name in settings if not samplings[name].of_snapshots]  # snapshots are other models
        cards = [self.paths.run("distribution", *run, setting) for setting in settings]
        return {
            "model": self.paths.run("model", *run),
            "summary": self.paths.run("summary", *run),
            "data": self.paths.split("train") if trained_here else [],
            "cards": cards,
            "sampled": [self.paths.run("sampled", *run, setting) for setting in settings],
        }

    def sample(self, wildcards: Any) -> Inputs:
        """What a run is sampled from under a setting."""
        arm, sampling = self._arm(wildcards), self._sampling(wildcards)
        searched = sampling.guidance.kind == "searched"
        return self.model(wildcards) | {
            "model": self._weights(wildcards),
            "asked": self._asked(arm, sampling),
            "guidance": self.paths.run("guidance", wildcards.arm, wildcards.seed, wildcards.sampling)
            if searched
            else [],
        }

    def search(self, wildcards: Any) -> Inputs:
        """What a run's guidance, and the average of its weights, is searched from."""
        asks = self._asked(self._arm(wildcards), self._sampling(wildcards))
        judged = {"evaluator": self.evaluator_file, "reference": self.paths.reference}
        return self.model(wildcards) | {"model": self._weights(wildcards), "asked": asks} | judged

    def _weights(self, wildcards: Any) -> str:
        """The file or folder that a setting's weights are in."""
        file = "snapshots" if self._sampling(wildcards).of_snapshots else "model"
        return self.paths.run(file, wildcards.arm, wildcards.seed)

    def _asked(self, arm: Arm, sampling: Sampling) -> str | list[str]:
        """The file of what is asked for; classes need none."""
        what, patch = asked(arm, sampling), arm.representation.patch_size
        files = {"captions": self.paths.captions(self.reader_of(arm), "prompts"), "cases": self.paths.suite(patch)}
        return files.get(what, [])

    def score(self, wildcards: Any) -> Inputs:
        """What a judge looks at."""
        arm, paths = self._arm(wildcards), self.paths
        cases = self.asks(wildcards) == "cases"
        inputs: Inputs = {
            "samples": paths.run("samples", wildcards.arm, wildcards.seed, wildcards.sampling),
            "summary": paths.run("sampled", wildcards.arm, wildcards.seed, wildcards.sampling),
            "evaluator": self.evaluator_file,
            "reference": paths.reference,
        }
        suite = paths.suite(arm.representation.patch_size)
        more: dict[str, Inputs] = {
            "distribution": {},
            "second": {"evaluator": paths.second_evaluator, "reference": paths.second_reference},
            "captions": {"prompts": paths.split("prompts")},
            "suite": {"suite": suite, "perceptual": self.perceptual_file},
            "memorisation": {
                "suite": suite if cases else [],
                "train": paths.split("train"),
                "heldout": paths.split("heldout"),
                "perceptual": self.perceptual_file,
            },
        }
        nothing: Inputs = {"prompts": [], "suite": [], "train": [], "heldout": [], "perceptual": []}
        return inputs | nothing | more[wildcards.judge]

    def protocol_reference(self, wildcards: Any) -> str:
        """What a published protocol compares with: a published file, or what is gathered here."""
        given = getattr(self.experiment.protocols, wildcards.protocol)
        return given or self.paths.protocol(wildcards.protocol)

    def velocity(self, wildcards: Any) -> Inputs:
        """What a run's velocity is compared on."""
        arm, paths = self._arm(wildcards), self.paths
        space, modalities = arm.representation, arm.conditions.modalities
        seen = {"embedding", "patches"} & set(modalities)
        return {name: file for name, file in self.model(wildcards).items() if name != "latents"} | {
            "model": self._weights(wildcards),
            "summary": paths.run("sampled", wildcards.arm, wildcards.seed, wildcards.sampling),
            "heldout": paths.split("heldout"),
            "captions": paths.captions(self.reader_of(arm), "heldout") if "caption" in modalities else [],
            "images": paths.images(space.patch_size, "heldout") if seen else [],
            "basis": paths.subspace("pca", space.colour, space.patch_size),
        }

    def coupling(self, wildcards: Any) -> Inputs:
        """What a lifted arm is compared with the latent model that it began with by."""
        arm, sampling = self._arm(wildcards), self._sampling(wildcards)
        return {
            "model": self._weights(wildcards),
            "start": self.paths.run("model", arm.start.run or "", wildcards.seed),
            "latents": self.latent_space,
            "asked": self._asked(arm, sampling),
            "summary": self.paths.run("sampled", wildcards.arm, wildcards.seed, wildcards.sampling),
        }

    # Helpers.

    def _of_reader(self, reader: str) -> set[str]:
        """The keys of the embeddings' section that say what a reader is."""
        return {"text", "text_length"} if reader == "t5" else set()

    @property
    def _local(self) -> bool:
        return self.experiment.evaluators == "local"

    def _arm(self, wildcards: Any) -> Arm:
        return self.experiment.arms[wildcards.arm]

    def _sampling(self, wildcards: Any) -> Sampling:
        return self.experiment.samplings[wildcards.sampling]


def _pattern(names) -> str:
    return "|".join(names) or "(?!)"


def _json(section: Section) -> str:
    return section.model_dump_json(exclude_none=True)
