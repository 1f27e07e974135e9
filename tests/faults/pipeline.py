"""A whole pipeline in small: nearly every stage from the shards to a figure, in the order in which they run, and its call."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from asymflow.config.arm import Arm
from asymflow.config.autoencoder import Autoencoder
from asymflow.config.data import Data
from asymflow.config.embeddings import Embeddings
from asymflow.config.evaluator import Evaluator
from asymflow.config.perceptual import Perceptual
from asymflow.config.prompts import Prompts
from asymflow.config.sampling import Sampling
from asymflow.config.scoring import Scoring
from asymflow.config.search import Search
from asymflow.config.subspace import Subspace
from asymflow.config.suite import Suite
from asymflow.config.velocity import Velocity
from asymflow.report.study import Study, configuration_checksum

HERE = Path(__file__).parent
TRAINING = {
    "images": 48, "batch": 8, "warmup_images": 8, "checkpoint_images": 16, "log_images": 8, "snapshots": 2,
    "averages": ["ema_16"], "precision": "float32", "compile": "off",
}  # fmt: skip
BASE = {"target": {"rank": 4}, "network": {"kind": "jit", "width": 64}, "start": {"pca": 4}, "training": TRAINING}
ARM = Arm.model_validate(BASE)
CAPTIONS = {"shown": [{"share": 0.1}, {"share": 0.9, "what": ["caption"]}]}
TEXT_ARM = Arm.model_validate(
    BASE | {"conditions": CAPTIONS, "losses": {"alignment": {"block": 1}}, "training": TRAINING | {"images": 16, "snapshots": 0}}
)  # fmt: skip
DATA = Data(image_size=32, train=24, evaluator=24, heldout=24, shard_size=10)
EVALUATOR = Evaluator(
    image_size=16, patch_size=8, stem_width=8, width=16, depth=1, heads=2, images=48, batch=8, precision="float32"
)
PERCEPTUAL = Perceptual(images=16, batch=8)
AUTOENCODER = Autoencoder(channels=4, width=8, images=16, batch=8, precision="float32")
SUITE = Suite(texts=6, reconstructions=2, swaps=2, edits=2, memories=2, resamples=5)
SCORING = Scoring(kernel_blocks=2, splits=2, kept=12, batch=8)
SAMPLING = Sampling(count=12, steps=2, batch=5, precision="float32", compile="off")
VELOCITY = Velocity(images=12, batch=6, levels=(0.5, 0.9))
SEARCH = Search(count=12, rounds=1, scale_step=3.0, interval_step=1.0)


@dataclass(frozen=True)
class Step:
    """One call of a stage: its words, those of them that are files, and what it makes."""

    stage: str
    words: dict[str, str]
    files: dict[str, str]
    made: tuple[str, ...]

    def command(self, folder: Path) -> list[str]:
        """Its command line, with the files below a folder."""
        words = {name: value.replace("FOLDER", str(folder)) for name, value in self.words.items()}
        words |= {name: str(folder / file) for name, file in self.files.items()}
        return [word for name, value in words.items() for word in (f"--{name}", value)]


def steps(data_seed: int = 0, seed: int = 1) -> dict[str, Step]:
    """All of them by name, for one data set and one seed of the training."""

    def of(config) -> str:
        return config.model_dump_json(exclude_none=True)

    study = Study(
        name="small", title="Small", reference="rank4", figure="bars", judges=["distribution"], seeds=[seed],
        arms={"rank4": {"target.rank": 4}}, samplings={"bare": {"guidance.kind": "none"}},
        files={"summary": "FOLDER/run/train.json", "sampled": "FOLDER/drawn/samples.json", "distribution": "FOLDER/scores.json"},
        bases={}, configurations={"rank4": configuration_checksum(of(ARM))},
    )  # fmt: skip
    data = of(DATA.model_copy(update={"seed": data_seed}))
    told = json.dumps({name: value for name, value in vars(study).items() if name != "root"})  # --root says that
    local, pca, lift = (f"{name}.safetensors" for name in ("local", "pca", "lift"))
    auto, perceptual, reference = (f"{name}.safetensors" for name in ("autoencoder", "perceptual", "reference"))
    train, evaluator, heldout = (f"data/{name}.json" for name in ("train", "evaluator", "heldout"))
    tokens = {split: f"captions_{split}/{split}.json" for split in ("train", "heldout", "prompts")}
    seen = {split: f"images_{split}/{split}.json" for split in ("train", "heldout")}

    def captions(split: str, index: str) -> Step:
        words = {"config": of(Embeddings()), "reader": "local"}
        files = {"data": index, "evaluator": local, "out": tokens[split]}
        return Step("embed_captions", words, files, (f"captions_{split}",))

    def images(split: str, index: str) -> Step:
        words = {"config": of(Embeddings()), "patch-size": "16"}
        files = {"data": index, "evaluator": local, "out": seen[split]}
        return Step("embed_images", words, files, (f"images_{split}",))

    def training(arm: Arm, folder: str, inputs: dict[str, str]) -> Step:
        names = {"state": "state", "model": "model.safetensors", "snapshots": "snapshots", "curve": "curve.jsonl"}
        names |= {"summary": "train.json"}
        files = {"data": train} | inputs | {name: f"{folder}/{file}" for name, file in names.items()}
        return Step("train", {"arm": of(arm), "seed": str(seed)}, files, (folder,))

    patches = {"patch-size": "16"}
    subspace = {"config": of(Subspace()), "colour": "rgb"} | patches
    return {
        "shard": Step("shard", {"config": data, "processes": "1"}, {"out-dir": "data"}, ("data",)),
        "fit_subspace": Step("fit_subspace", subspace | {"basis": "pca"}, {"data": train, "out": pca}, (pca,)),
        "spectrum": Step(
            "spectrum", subspace, {"data": train, "basis": pca, "table": "spectrum.csv", "figure": "spectrum.svg"},
            ("spectrum.csv", "spectrum.svg"),
        ),
        "fit_evaluator": Step("fit_evaluator", {"config": of(EVALUATOR)}, {"data": evaluator, "out": local}, (local,)),
        "fit_perceptual": Step(
            "fit_perceptual", {"config": of(PERCEPTUAL)}, {"data": evaluator, "out": perceptual}, (perceptual,)
        ),
        "fit_autoencoder": Step(
            "fit_autoencoder", {"config": of(AUTOENCODER)}, {"data": train, "heldout": heldout, "out": auto}, (auto,)
        ),
        "fit_lift": Step("fit_lift", subspace, {"data": train, "latents": auto, "out": lift}, (lift,)),
        "encode_latents": Step(
            "encode_latents", patches, {"data": train, "latents": auto, "out": "latents/train.json"}, ("latents",)
        ),
        "reference": Step(
            "reference", {"config": of(SCORING)},
            {"evaluator": local, "data": train, "heldout": heldout, "out": reference, "floor": "floor.json"},
            (reference, "floor.json"),
        ),
        "prompts": Step(
            "prompts", {"config": of(Prompts(count=12))}, {"heldout": heldout, "out": "prompts.json"}, ("prompts.json",)
        ),
        "embed_captions": captions("prompts", "prompts.json"),
        "embed_captions_train": captions("train", train),
        "embed_captions_heldout": captions("heldout", heldout),
        "embed_images": images("heldout", heldout),
        "embed_images_train": images("train", train),
        "suite": Step(
            "suite", {"config": of(SUITE), "embeddings": of(Embeddings()), "reader": "local"},
            {"data": heldout, "captions": tokens["heldout"], "images": seen["heldout"], "train": train,
             "train-captions": tokens["train"], "train-images": seen["train"], "evaluator": local, "out": "suite.safetensors"},
            ("suite.safetensors",),
        ),
        "floors": Step(
            "floors", {},
            {"suite": "suite.safetensors", "perceptual": perceptual, "evaluator": local, "out": "floors.csv"}, ("floors.csv",),
        ),
        "train": training(ARM, "run", {"subspace": pca, "pca": pca}),
        "train_text": training(
            TEXT_ARM, "text", {"subspace": pca, "pca": pca, "captions": tokens["train"], "evaluator": local}
        ),
        "search_guidance": Step(
            "search_guidance", {"config": of(SEARCH), "sampling": of(SAMPLING), "asks": "classes"},
            {"model": "run/model.safetensors", "reference": reference, "evaluator": local, "out": "guidance.json"},
            ("guidance.json",),
        ),
        "sample": Step(
            "sample", {"sampling": of(SAMPLING), "asks": "classes"},
            {"model": "run/model.safetensors", "samples": "drawn/samples.npy", "summary": "drawn/samples.json"}, ("drawn",),
        ),
        "score": Step(
            "score", {"judge": "distribution", "config": of(SUITE)},
            {"samples": "drawn/samples.npy", "summary": "drawn/samples.json", "evaluator": local, "reference": reference,
             "out": "scores.json"},
            ("scores.json",),
        ),
        "velocity": Step(
            "velocity", {"config": of(VELOCITY), "sampling": of(SAMPLING)},
            {"model": "run/model.safetensors", "summary": "drawn/samples.json", "heldout": heldout, "basis": pca,
             "out": "velocity.json"},
            ("velocity.json",),
        ),
        "give_samples": Step(
            "give_samples", {}, {"samples": "drawn/samples.npy", "summary": "drawn/samples.json", "out": "samples.npz"},
            ("samples.npz",),
        ),
        "table": Step("table", {"study": told}, {"table": "table.csv", "summary": "summary.csv"}, ("table.csv", "summary.csv")),
        "figure": Step("figure", {"study": told}, {"table": "table.csv", "figure": "figure.svg"}, ("figure.svg",)),
    }  # fmt: skip


STEPS = steps()
LEFT_OUT = {  # what has to be there beside this pipeline, or is of several runs
    "a captioner, weights or a network that others published": {
        "caption", "export", "import_weights", "protocol", "protocol_reference", "publish", "released",
    },
    "a latent arm and one that is lifted from it": {"coupling"},
    "what claims, costs and differences gather of several runs": {
        "claim", "claims", "cost", "error_by_noise", "look", "paired", "pairs", "speedup",
    },
    "figures and pages, which nothing reads": {
        "compare", "crops", "curves", "data_grid", "method_figures", "nearest_images", "picture", "progression", "sample_grid",
        "subspace_figure", "supplement",
    },
}  # fmt: skip
# what time decides, or a checksum of it
VARYING = {
    "seconds", "images_per_second", "peak_memory_mib", "seconds_per_image", "checksum", "curve", "statistics",
}  # fmt: skip


def made(folder: Path, step: Step) -> dict[str, bytes | str]:
    """What a step has made, file by file, without what time decides."""
    contents = {}
    for name in step.made:
        top = folder / name
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            if path.is_file() and "tensorboard" not in path.parts:
                contents[str(path.relative_to(folder))] = _timeless(path)
    return contents


def _timeless(path: Path) -> bytes | str:
    if path.suffix == ".jsonl":
        points = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return json.dumps([{key: value for key, value in point.items() if key not in VARYING} for point in points])
    if path.suffix == ".json":
        return json.dumps(
            {key: value for key, value in json.loads(path.read_text(encoding="utf-8")).items() if key not in VARYING}
        )
    return path.read_bytes()


class Server:
    """Talks to the process that runs stages."""

    def __init__(self):
        command = [sys.executable, str(HERE / "server.py")]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._say(sorted({f"asymflow.stages.{step.stage}" for step in STEPS.values()}))

    def _say(self, value):
        self._process.stdin.write(json.dumps(value) + "\n")
        self._process.stdin.flush()

    def run(self, folder: Path, step: Step, fault: dict | None = None) -> dict:
        """Runs a step in a folder; gives its status, what it said, its calls of each kind, and whether the fault was reached."""
        stage, words = f"asymflow.stages.{step.stage}", step.command(folder)
        self._say({"stage": stage, "words": words, "folder": str(folder), "fault": fault})
        return json.loads(self._process.stdout.readline())

    def close(self):
        self._process.stdin.close()
        self._process.wait()
