"""Fills the tables of README and pages from docs/tables/*.csv, so that no page can disagree with what was measured.

    python docs/fill_tables.py

A table stands between `<!-- table: NAME -->` and `<!-- end of table -->`; NAME is a function of this module that gives its lines.
"""

import re
from math import ceil, log10
from pathlib import Path
from typing import Any

import code_lines
import numpy as np
import pandas as pd
import yaml
from scipy.optimize import brentq
from scipy.stats import norm

from asymflow.config.loading import load
from asymflow.report import lengths, tables
from asymflow.report.intervals import interval
from asymflow.report.study import number
from asymflow.report.target_figures import network_name, target_name

ROOT = Path(__file__).parents[1]
PAGES = (
    "README.md",
    "docs/index.md",
    "docs/results.md",
    "docs/length.md",
    "docs/mechanism.md",
    "docs/spectrum.md",
    "docs/rivals.md",
    "docs/losses.md",
    "docs/prx.md",
    "docs/latents.md",
    "docs/miniature.md",
    "docs/recipe.md",
)
BLOCK = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end of table -->)", re.DOTALL)
BASES = {"pca": "PCA", "random": "random directions", "identity": "single pixel values"}
LAWS = {"the default's": (0.0, 1.0), "JiT's": (0.8, 0.8)}  # mean and deviation of the logit of t in training
SPECTRA = {"portraits": "spectrum", "CIFAR-10": "spectrum_cifar10"}
KNOWN = {
    "eigenvalue": "nothing (eigenvalue)",
    "unexplained_class": "the class",
    "unexplained_others": "the patches around",
    "unexplained_both": "both",
}
MIDDLING, GROUPS = 0.4, ((33, 128), (9, 32))  # a noise level, and the directions whose errors follow the distance at it
MINIATURES = ("64p16", "64p8", "32p8_wide", "32p8", "32p8_wide_long")
FLOORS = {64: 1.6, 32: 0.8}  # fid_local of held-out portraits, by their size
CHANGES = {
    "training.lr": "rate {:g}",
    "training.batch": "batch {:g}",
    "training.optimiser": "{}",
    "training.images": "{} images",
    "training.time_mean": "noise levels of mean {:g}",
    "training.time_std": "deviation {:g}",
}
RIVALS = {
    "AsymFlow, x_0 and velocity": "asymmetric",
    "one share, given or learnt": "isotropic",
    "shares from a spectrum": "spectral",
    "opening": "opening",
    "EDM's preconditioning": "preconditioned",
    "x_0 behind a low-pass": "forced",
    "long skips": "uvit",
    "decoder": "decoupled",
    "gain on the input": "gained",
}
WIDTHS = {64: "narrow_bypass", 192: "bypass"}
SPANS = {"2": "25 000", "4": "160 000"}  # images
GUIDANCE = ("unguided", "guided")
LENGTHS = (("fid_local", "unguided", 1), ("fid_local", "guided", 1), ("velocity_error", "unguided", 4))
DOCUMENTS = ("Asymmetric Flow Models", "prx-tg")
PRX_ARMS = {
    "prx_d": "D: all remedies",
    "prx_g": "G: D + rank 8 on PCA",
    "prx_d_shared": "D, shared modulation",
    "prx_d_scan": "D, state-space mixer",
}
FINETUNED = {
    "latent_base": "latent_base: the latent model itself",
    "latent_finetune": "latent_finetune",
    "ddt": "ddt: wide decoder head, velocity",
    "lifted": "lifted: the start, untrained",
    "unlifted": "unlifted: from nothing",
    "asymflow": "asymflow",
    "asymflow_vr": "+ variance reduction",
    "asymflow_lpips": "+ perceptual correction, weight 0.01",
    "asymflow_lpips_paper": "the same, weight 0.2 (the paper's)",
}
LOSSES = {
    "": "none",
    "repa_": "alignment (REPA)",
    "masked_": "alignment by a masked adapter (PixelREPA)",
    "spatial_": "alignment by a convolution, normalised teacher (iREPA)",
    "lpips_": "perceptual (LPIPS)",
    "pixelgen_": "perceptual and semantic (P-DINO)",
}
PARTS = {"part1": "13 000 images", "part8": "104 000"}
SHORT = ("rank0", "rank2", "rank8", "rank32", "rank_full", "random8")


def main() -> None:
    for page in PAGES:
        path = ROOT / page
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")


def filled(page: str) -> str:
    """A page with each of its tables made anew from the CSV. Raises KeyError for a table that nobody makes."""
    tables_of_pages = (
        rank_sweep, overnight, rank_sweep_short, claims, claims_of_documents, length, length_by_noise,
        error_by_noise, spectrum, linear_denoiser, cifar10, rivals, rivals_overnight, rivals_once, rival_lines,
        published_rivals, agreement, bypass, auxiliary, auxiliary_leads, prx, finetuning, miniatures, recipe,
        averages,
    )  # fmt: skip
    makers = {maker.__name__: maker for maker in tables_of_pages}
    return BLOCK.sub(lambda match: "\n".join([match[1], *makers[match[2]](), "", match[3]]), page)


def rank_sweep() -> list[str]:
    """Every arm of the rank sweep; crops, recall and seams unguided."""
    return _sweep("rank_sweep")


def overnight() -> list[str]:
    """The same with eight times the training."""
    return _sweep("overnight_rank_sweep")


def rank_sweep_short() -> list[str]:
    """Six arms of the rank sweep, and what three seeds say of the same arms."""
    lines = _head(
        "the network predicts", "unguided", "guided", "three seeds, unguided: difference to data prediction, 95 %"
    )
    guided, seeds = _by_arm("guided"), _summary("fid_local")
    for arm, row in _by_arm("unguided").loc[list(SHORT)].iterrows():
        difference = _difference(seeds.loc[arm]) if arm in seeds.index else "not in this study"
        lines.append(f"| {_predicts(row)} | {_distance(row)} | {_distance(guided.loc[arm])} | {difference} |")
    return lines


def claims() -> list[str]:
    """What was decided by the rule of workflow/claims.yaml: the claim in that file's words, the numbers of the table."""
    said, rows = _claims()
    lines = _head("claim", "published", "compared", "difference", "seeds", "verdict")
    for name, row in rows.iterrows():
        shown = (
            said[name]["says"],
            said[name].get("published", ""),
            f"`{row['holds_if']}`",
            _claimed(row),
            str(row["seeds"]),
        )
        lines.append(f"| {' | '.join(shown)} | {row['verdict']} |")
    return lines


def claims_of_documents() -> list[str]:
    """Every claim of the two documents, also those that nobody has looked at."""
    said, rows = _claims()
    lines = _head("claim", "published", "here", "seeds", "verdict")
    for name, claim in said.items():
        if not claim["source"].startswith(DOCUMENTS):
            continue
        here, seeds, verdict = "", "", "not looked at yet"
        if name in rows.index:
            row = rows.loc[name]
            here, seeds, verdict = f"{row['metric']} {_claimed(row)}", str(row["seeds"]), row["verdict"]
            verdict = verdict if verdict == "undecided" else f"**{verdict}**"
        lines.append(f"| {' | '.join((claim['says'], claim.get('published', ''), here, seeds))} | {verdict} |")
    return lines


def length() -> list[str]:
    """Every rank at every length: data prediction's mean over seeds, and the others' differences from it."""
    rows = tables.read(ROOT / "docs/tables/length.csv")
    rows = rows.assign(rank=rows["target.rank"].map(number))
    ranks = sorted(set(rows["rank"]) - {0.0, float("inf")})
    lines = _head("", "images", "rank 0", *(f"rank {rank:g}, difference" for rank in ranks))
    for metric, sampling, digits in LENGTHS:
        compared = lengths.compared(rows[rows["sampling"] == sampling], metric)
        for images, block in compared.groupby("images"):
            by_rank = block.set_index("rank")
            shown = [_between(*by_rank.loc[rank, ["difference", "low", "high"]], digits) for rank in ranks]
            lowest = f"{by_rank['mean'][0.0]:.{digits}f}"
            name = metric if metric == "velocity_error" else f"{metric}, {sampling}"
            lines.append(f"| {' | '.join([name, _thousands(images), lowest, *shown])} |")
    return lines


def length_by_noise() -> list[str]:
    """The error of the velocity over that of data prediction, means of three seeds, at two noise levels and two lengths."""
    rows = tables.read(ROOT / "docs/tables/length_velocity.csv")
    named = rows["arm"].str.extract(r"length(?P<length>\d)_rank_?(?P<rank>\w+)")
    keys = [rows["t"], rows["first"], rows["last"], named["rank"], named["length"]]
    errors = rows["error"].groupby(keys).mean()
    columns = [(rank, length) for rank in ("4", "8", "32") for length in ("2", "4")]
    lines = _head("t", "directions", *(f"rank {rank}, {SPANS[length]}" for rank, length in columns))
    for t in (0.05, 0.4):
        for first, last in ((1, 8), (9, 32), (33, 128)):
            at = errors[t, first, last]
            shown = [f"{at[rank, length] / at['0', length]:.2f}" for rank, length in columns]
            lines.append(f"| {t:g} | {first} to {last} | {' | '.join(shown)} |")
    return lines


def error_by_noise() -> list[str]:
    """Seven ranks with three seeds each, and their differences from data prediction."""
    lines = _head(
        "arm", "fid_local, mean of 3", "difference to rank0", "recall_local", "seams", "difference of velocity_error"
    )
    recall, seams, error = (_summary(name) for name in ("recall_local", "seams", "velocity_error"))
    for arm, row in _summary("fid_local").iterrows():
        others = f"{recall['mean'][arm]:.2f} | {seams['mean'][arm]:.1f} | {_difference(error.loc[arm], digits=4)}"
        lines.append(f"| {arm} | {row['mean']:.1f} | {_difference(row)} | {others} |")
    return lines


def spectrum() -> list[str]:
    """Variance that is left in some directions, and in how many directions velocity prediction pays, by law of noise levels."""
    bounds = {law: _bound(*numbers) for law, numbers in LAWS.items()}
    counted = [f"directions above {bound:.2f} ({law} law)" for law, bound in bounds.items()]
    lines = _head("images", "what is known", *(f"direction {k}" for k in (1, 2, 4, 8, 16, 32)), *counted)
    for images, name in SPECTRA.items():
        rows = tables.read(ROOT / f"docs/tables/{name}.csv").set_index("direction")
        for column, known in KNOWN.items():
            shown = [f"{rows[column][k]:#.2g}".rstrip(".") for k in (1, 2, 4, 8, 16, 32)]
            lines.append(
                f"| {' | '.join([images, known, *shown, *(str((rows[column] > b).sum()) for b in bounds.values())])} |"
            )
    return lines


def linear_denoiser() -> list[str]:
    """The mean square error of the velocity: of linear denoisers, and of networks at the default's length."""
    lines = _head("t", "directions", "linear, each direction alone", "linear, patches around", "rank0", "rank8")
    rows = tables.read(ROOT / "docs/tables/spectrum.csv")
    runs = tables.read(ROOT / "docs/tables/error_by_noise_velocity.csv")
    for t in (0.8, 0.4, 0.2):
        for first, last in ((1, 8), (9, len(rows))):
            part = rows[rows.direction.between(first, last)]
            linear = [
                part[f"{known}_{t:g}"].sum() / len(rows) / t**2 for known in ("alone", "noisy")
            ]  # x_0's error over t^2
            groups = runs[(runs.t == t) & (runs["first"] >= first) & (runs["last"] <= last)]
            trained = groups.groupby(["arm", "seed"]).error.sum().groupby("arm").mean()
            shown = [f"{value:.3f}" for value in (*linear, trained["rank0"], trained["rank8"])]
            lines.append(f"| {t:g} | {first} to {last} | {' | '.join(shown)} |")
    return lines


def cifar10() -> list[str]:
    """Six ranks on CIFAR-10: three seeds, and the differences from data prediction and from the rank of the rule."""
    rows = tables.read(ROOT / "docs/tables/cifar10_ranks.csv")
    lines = _head(
        "arm",
        "fid_local, mean of 3",
        "difference to rank0",
        "difference to rank20",
        "difference of velocity_error to rank0",
    )
    summaries = {
        reference: tables.summarise(rows, reference).set_index(["metric", "arm"]) for reference in ("rank0", "rank20")
    }
    for arm in dict.fromkeys(rows["arm"]):
        first, second = (summaries[reference].loc["fid_local", arm] for reference in ("rank0", "rank20"))
        error = summaries["rank0"].loc["velocity_error", arm]
        shown = [_difference(first, of=arm), _difference(second, of=arm), _difference(error, digits=4, of=arm)]
        lines.append(f"| {arm} | {first['mean']:.1f} | {' | '.join(shown)} |")
    return lines


def rivals() -> list[str]:
    """Every target, the best on JiT first: three seeds on each network, and the differences from data prediction there."""
    here = ("JiT: fid_local", "difference to x_0, 95 %", "recall_local", "velocity_error")
    lines = _head("the network predicts", "arm", *here, "NanoDiT: fid_local", "difference to x_0, 95 %", "recall_local")
    summaries = _over_targets("rivals").values()
    jit, other = ({name: part.set_index("target") for name, part in table.groupby("metric")} for table in summaries)
    for target, row in jit["fid_local"].sort_values("mean").iterrows():
        errors, recall = (jit[name]["mean"][target] for name in ("velocity_error", "recall_local"))
        shown = [f"{row['mean']:.1f}", _difference(row, of=row.arm), f"{recall:.2f}", f"{errors:.4f}"]
        found = ["", "", ""]
        if target in other["fid_local"].index:
            there = other["fid_local"].loc[target]
            recall = other["recall_local"]["mean"][target]
            found = [f"{there['mean']:.1f}", _difference(there, of=there.arm), f"{recall:.2f}"]
        lines.append(f"| {' | '.join([target, f'`{row.arm}`', *shown, *found])} |")
    return lines


def rivals_overnight() -> list[str]:
    """Four targets after eight times the training, as they are ordered guided: means over seeds, and the differences from x_0."""
    both = [name for sampling in GUIDANCE for name in (f"fid_local, {sampling}", "difference to x_0, 95 %")]
    lines = _head("the network predicts", "arm", *both, "velocity_error")
    for summary in _over_targets("overnight_rivals").values():
        at = {name: part.set_index("arm") for name, part in summary.groupby(["metric", "sampling"])}
        for arm in at["fid_local", "guided"].sort_values("mean").index:
            rows = [at["fid_local", sampling].loc[arm] for sampling in GUIDANCE]
            shown = [cell for row in rows for cell in (f"{row['mean']:.1f}", _difference(row))]
            error = at["velocity_error", "unguided"]["mean"][arm]
            lines.append(f"| {' | '.join([rows[0].target, f'`{arm}`', *shown, f'{error:.4f}'])} |")
    return lines


def rivals_once() -> list[str]:
    """Targets that fail, after eight times the training: both distances with the samples' standard errors, one seed."""
    lines = _head("the network predicts", "arm", *(f"fid_local, {sampling}" for sampling in GUIDANCE), "velocity_error")
    unguided, guided = (_by_arm(sampling, "overnight_rivals_once") for sampling in GUIDANCE)
    for arm, row in unguided.iterrows():
        distances = f"{_distance(row)} | {_distance(guided.loc[arm])}"
        lines.append(f"| {_target(row.to_dict())} | `{arm}` | {distances} | {row.velocity_error:.4f} |")
    return lines


def rival_lines() -> list[str]:
    """Lines of code of each target and of each network with a way around, by where they are."""
    rows = _head("rival", "config/", "flow/", "models/")
    for name, kind in RIVALS.items():
        found = code_lines.of_target(kind) if kind in code_lines.TARGETS else code_lines.of_network(kind)
        rows.append(f"| {name} | {found['config']} | {found.get('flow', '')} | {found['models']} |")
    return rows


def published_rivals() -> list[str]:
    """What others published, as the table of the study has it."""
    columns = {
        "published_prediction": "predicts", "published_losses": "losses beside", "published_fid": "FID",
        "published_fid_unguided": "FID, unguided", "published_epochs": "epochs", "published_protocol": "protocol",
        "cost": "hours", "published_source": "source", "published_read_in_source": "read there",
    }  # fmt: skip
    rows = pd.read_csv(ROOT / "workflow/published/rivals.csv", dtype=str).fillna("")
    rows["cost"] = (rows["published_hours"] + " " + rows["published_hardware"]).str.strip()
    return [
        *_head("ImageNet at 256 pixels", *columns.values()),
        *(f"| {' | '.join(row)} |" for row in rows[["arm", *columns]].itertuples(index=False)),
    ]


def agreement() -> list[str]:
    """Spearman's correlations over arms: of the distance with the velocity's error in two groups of directions, and in all."""
    lines = _head(
        "arms",
        "seeds",
        *(f"directions {first} to {last} at t = {MIDDLING:g}" for first, last in GROUPS),
        "all directions and levels",
    )
    rows = tables.read(ROOT / "docs/tables/rivals.csv").dropna(subset="seed")
    errors = tables.read(ROOT / "docs/tables/rivals_velocity.csv")
    for kind, name in (("jit", "JiT"), ("nanodit", "NanoDiT")):
        means = rows[rows["network.kind"] == kind].groupby("arm")[["fid_local", "velocity_error"]].mean()
        lines.append(_agreement(f"every [target](rivals.md) on {name}", means, errors))
    means = pd.DataFrame({metric: _summary(metric)["mean"] for metric in ("fid_local", "velocity_error")})
    ranks = tables.read(ROOT / "docs/tables/error_by_noise_velocity.csv")
    return [*lines, _agreement("the ranks above on JiT", means, ranks)]


def bypass() -> list[str]:
    """Networks of 64 and 192 channels: data prediction's mean over three seeds, the others' and their differences from it.

    Beside rank 8's, by how much less it gains than in the first network, of the same seeds.
    """
    lines = _head(
        "channels",
        "network",
        "x_0",
        "AsymFlow, rank 8",
        "difference",
        "gains less than in JiT",
        "velocity",
        "difference",
    )
    for channels, name in WIDTHS.items():
        rows = tables.read(ROOT / f"docs/tables/{name}.csv")
        rows = rows.assign(network=[network_name(row) for row in rows.to_dict("records")])
        plain = None
        for network, block in rows.groupby("network", sort=False):
            rank = block.drop_duplicates("arm").set_index("arm")["target.rank"].astype(str)
            summary = tables.summarise(block, rank.index[rank == "0"][0]).query("metric == 'fid_local'")
            by_rank = summary.set_index(summary["arm"].map(rank))
            values = block.assign(rank=block["arm"].map(rank)).pivot(index="seed", columns="rank", values="fid_local")
            lead = values["0"] - values["8"]
            plain = lead if plain is None else plain
            less = "" if plain is lead else _between((plain - lead).mean(), *interval(plain - lead), 1)
            low, full = by_rank.loc["8"], by_rank.loc["full"]
            shown = [f"{by_rank['mean']['0']:.1f}", f"{low['mean']:.1f}", _difference(low), less]
            shown += [f"{full['mean']:.1f}", _difference(full)]
            lines.append(f"| {' | '.join([str(channels), network, *shown])} |")
    return lines


def auxiliary() -> list[str]:
    """Each loss with either target, early and late: the second judge's mean over seeds, and the difference from no loss."""
    rows = tables.read(ROOT / "docs/tables/auxiliary.csv")
    lines = _head("loss", *(f"{target}: {span}" for target in ("x_0", "rank 8") for span in PARTS.values()))
    found = {}
    for rank in ("rank0", "rank8"):
        summary = tables.summarise(rows, f"aux_{rank}").query("metric == 'fid_second'")
        found[rank] = summary.set_index(["arm", "sampling"])
    for loss, said in LOSSES.items():
        at = [(found[rank], f"aux_{loss}{rank}", part) for rank in found for part in PARTS]
        shown = [_with_difference(runs.loc[arm, part], of=arm) if arm in runs.index else "" for runs, arm, part in at]
        lines.append(f"| {' | '.join([said, *shown])} |")
    return lines


def auxiliary_leads() -> list[str]:
    """How far rank 8 is from data prediction with each loss, and by how much more than without one, late."""
    rows = tables.read(ROOT / "docs/tables/auxiliary.csv")
    values = rows.pivot(index="seed", columns=["arm", "sampling"], values="fid_second")
    with_both = [loss for loss in LOSSES if {f"aux_{loss}rank0", f"aux_{loss}rank8"} <= set(rows["arm"])]
    leads = {
        (loss, part): values[f"aux_{loss}rank8", part] - values[f"aux_{loss}rank0", part]
        for loss in with_both
        for part in PARTS
    }
    spans = [f"rank 8 against x_0, {span}" for span in PARTS.values()]
    lines = _head("loss", *spans, "beyond that without a loss, 104 000")
    for loss in with_both:
        late = leads[loss, "part8"]
        shown = [
            _between(lead.mean(), *interval(lead), 1)
            for lead in (leads[loss, "part1"], late, late - leads["", "part8"])
        ]
        if not loss:
            shown[-1] = ""  # it is what the others are compared with
        lines.append(f"| {' | '.join([LOSSES[loss], *shown])} |")
    return lines


def prx() -> list[str]:
    """prx-tg's arms over seeds, and their differences from D."""
    digits = {"fid_local": 1, "seams": 1, "recon_lpips_local": 3, "text_lpips_local": 3, "kept_accuracy_local": 3}
    return _over_seeds("prx_arms", "prx_d", PRX_ARMS, digits)


def finetuning() -> list[str]:
    """The paper's second half: what pixel models of a latent one come to, and their differences from plain AsymFlow."""
    digits = {"fid_local": 1, "patch_fid_local": 1, "seams": 1, "clip_local": 3, "attribute_accuracy_local": 3}
    return _over_seeds("finetune_ablation", "asymflow", FINETUNED, digits)


def miniatures() -> list[str]:
    """Three ranks in each miniature, whose sizes its overlay says; the last is trained four times as long."""
    columns = (
        "pixels",
        "patch",
        "tokens",
        "channels (for each number)",
        "images",
        "floor",
        "rank 0",
        "rank 8",
        "rank 32",
    )
    lines = _head("", *columns, "seams, rank 8", "recall, rank 8")
    default = [ROOT / f"workflow/{name}.yaml" for name in ("config", "studies", "claims")]
    for name in MINIATURES:
        scale = f"miniature_{name.removesuffix('_long')}"
        chosen = load([*default, ROOT / f"workflow/scales/{scale}.yaml"])
        pixels, arm = chosen.data.image_size, chosen.arms["rank8"]
        patch, width = arm.representation.patch_size, arm.network.width
        rows = tables.read(ROOT / f"docs/tables/miniature_{name}.csv").set_index("arm")
        sizes = f"{pixels} | {patch} | {(pixels // patch) ** 2} | {width} ({width / (3 * patch**2):.3g})"
        found = " | ".join(_distance(rows.loc[rank]) for rank in ("rank0", "rank8", "rank32"))
        rank8 = rows.loc["rank8"]
        images = f"{_thousands(rank8.images_seen)} | {FLOORS[pixels]}"
        lines.append(f"| `{scale}` | {sizes} | {images} | {found} | {rank8.seams:.1f} | {rank8.recall_local:.2f} |")
    return lines


def recipe() -> list[str]:
    """One change at a time from the recipe of the first row."""
    lines = _head("", "fid_local", "patch_fid_local", "recall_local", "seams", "velocity_error")
    rows = tables.read(ROOT / "docs/tables/recipe_first_round.csv")
    rows["training.images"] = rows["training.images"].map(_thousands)
    for _, row in rows.iterrows():
        changed = [said.format(row[name]) for name, said in CHANGES.items() if row[name] != rows[name][0]]
        others = f"{row.patch_fid_local:.1f} | {row.recall_local:.2f} | {row.seams:.1f} | {row.velocity_error:.3f}"
        lines.append(f"| {', '.join(changed) or 'as it was'} | {_distance(row)} | {others} |")
    return lines


def averages() -> list[str]:
    """One training, by the average of its weights that is sampled."""
    lines = _head("sampling setting", "fid_local", "patch_fid_local", "recall_local", "seams")
    for row in tables.read(ROOT / "docs/tables/averages.csv").itertuples():
        others = f"{row.patch_fid_local:.1f} | {row.recall_local:.2f} | {row.seams:.1f}"
        lines.append(f"| `{row.sampling}` | {_distance(row)} | {others} |")
    return lines


def _bound(mean: float, deviation: float, clamp: float = 0.05, points: int = 20_000) -> float:
    """The variance at which predicting the velocity of a direction copies as much through the network as predicting its data.

        W = (s t - (1 - t) l) / ((1 - t)^2 l + t^2)

    is what a linear network makes of x_t for the target s eps - x_0, s = 0 or 1. It copies W^2 ((1 - t)^2 l + t^2), counted in
    the velocity that is recovered: for s = 0 over t^2, not below the clamp.
    """
    t = 1 / (1 + np.exp(-(mean + deviation * norm.ppf((np.arange(points) + 0.5) / points))))

    def copied(s: int, variance: float) -> float:
        units = np.maximum(t, clamp) ** 2 if s == 0 else 1.0
        return ((s * t - (1 - t) * variance) ** 2 / ((1 - t) ** 2 * variance + t**2) / units).mean()

    return brentq(lambda variance: copied(0, variance) - copied(1, variance), 1e-3, 5)


def _agreement(name: str, means: pd.DataFrame, errors: pd.DataFrame) -> str:
    """A line of `agreement`: the distances and mean errors of arms, and the errors of their runs by level and directions."""
    errors = errors[errors.arm.isin(means.index)]
    seeds = errors.groupby("arm").seed.nunique().min()
    at = errors[np.isclose(errors.t, MIDDLING)].groupby(["arm", "first"]).error.mean().unstack()
    compared = [*(at[first] for first, _ in GROUPS), means.velocity_error]
    shown = [f"{one.corr(means.fid_local, method='spearman'):.2f}" for one in compared]
    return f"| {len(means)}: {name} | {seeds} | {' | '.join(shown)} |"


def _claims() -> tuple[dict[str, Any], pd.DataFrame]:
    """What workflow/claims.yaml says of each claim, in its order, and what was found of those that were looked at."""
    said = yaml.safe_load((ROOT / "workflow/claims.yaml").read_text(encoding="utf-8"))["claims"]
    return said, tables.read(ROOT / "docs/tables/claims.csv").set_index("claim")


def _claimed(row: pd.Series) -> str:
    digits = 1 + max(0, ceil(-log10(row["smallest"])))
    return _between(row["mean"], row["low"], row["high"], digits)


def _over_seeds(name: str, reference: str, words: dict[str, str], digits: dict[str, int]) -> list[str]:
    """Arms in the order and the words given: the mean of each metric over seeds and its difference from the reference."""
    lines = _head("arm", *digits)
    summary = tables.summarise(tables.read(ROOT / f"docs/tables/{name}.csv"), reference).set_index(["metric", "arm"])
    for arm, said in words.items():
        cells = [_with_difference(summary.loc[metric, arm], places, of=arm) for metric, places in digits.items()]
        lines.append(f"| {' | '.join([said, *cells])} |")
    return lines


def _over_targets(name: str) -> dict[str, pd.DataFrame]:
    """The summary of each network's arms against data prediction there, with the words for what an arm predicts."""
    rows = tables.read(ROOT / f"docs/tables/{name}.csv").dropna(subset="seed")
    found = {}
    for kind, reference in (("jit", "rank0"), ("nanodit", "nanodit_rank0")):
        block = rows[rows["network.kind"] == kind]
        named = {row["arm"]: _target(row) for row in block.to_dict("records")}
        summary = tables.summarise(block, reference)
        found[kind] = summary.assign(target=summary["arm"].map(named))
    return found


def _sweep(name: str) -> list[str]:
    lines = _head("arm", "predicts", "fid_local, unguided", "guided", "patch_fid_local", "recall_local", "seams")
    guided = _by_arm("guided", name)
    for arm, row in _by_arm("unguided", name).iterrows():
        others = f"{row.patch_fid_local:.1f} | {row.recall_local:.2f} | {row.seams:.1f}"
        lines.append(f"| {arm} | {_predicts(row)} | {_distance(row)} | {_distance(guided.loc[arm])} | {others} |")
    return lines


def _by_arm(sampling: str, name: str = "rank_sweep") -> pd.DataFrame:
    rows = tables.read(ROOT / f"docs/tables/{name}.csv")
    return rows[rows.sampling == sampling].set_index("arm")


def _summary(metric: str) -> pd.DataFrame:
    rows = tables.read(ROOT / "docs/tables/error_by_noise_summary.csv")
    return rows[rows.metric == metric].set_index("arm")


def _predicts(row: pd.Series) -> str:
    named = {"0": "data (rank 0, JiT)", "full": "velocity (all 192)"}
    return named.get(rank := str(row["target.rank"]), f"rank {rank}, {BASES[row['target.basis']]}")


def _target(fields: dict[str, Any]) -> str:
    rank = str(fields["target.rank"]).removesuffix(".0")  # a column with "full" is of text, one with gaps of fractions
    return target_name(fields | {"target.rank": int(rank) if rank.isdigit() else rank}).replace("$", "")


def _distance(row: pd.Series) -> str:
    return f"{row.fid_local:.1f} ± {row.fid_local_error:.1f}"


def _difference(row: pd.Series, digits: int = 1, of: str | None = None) -> str:
    """A paired difference with its interval; nothing for the reference itself. `of`: the arm, where the row has another name."""
    if (of or row.name) == row.reference:
        return ""
    return _between(row.difference, row.difference_low, row.difference_high, digits)


def _with_difference(row: pd.Series, digits: int = 1, of: str | None = None) -> str:
    """A mean over seeds, and behind it the paired difference."""
    return "; ".join(filter(None, (f"{row['mean']:.{digits}f}", _difference(row, digits, of))))


def _between(mean: float, low: float, high: float, digits: int) -> str:
    return f"{mean:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def _thousands(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _head(*names: str) -> list[str]:
    return ["| " + " | ".join(names) + " |", "|---" * len(names) + "|"]


if __name__ == "__main__":
    main()
