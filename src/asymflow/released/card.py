"""The model card of a published run: what its own records say, and nothing else."""

from typing import Any

LIMITS = (
    "Numbers with the suffix `_local` or `_second` come from a small network that was trained beside this model; they compare"
    " runs of this project with each other and are no published metric. One seed has no spread: a difference to another model"
    " that is of the size of the standard error says nothing."
)


def card(
    *,
    name: str,
    description: dict[str, Any],
    trained: dict[str, Any],
    data: dict[str, Any] | None,
    scores: list[tuple[str, dict[str, Any], dict[str, Any]]],
    licence: str,
) -> str:
    """A page in Markdown with the head that model hubs read.

    `description` is of the model's file, `trained` what training says, `data` the index of the training images (None: trained by
    others), `scores` a setting's name, what sampling says and what a judge says, for each.
    """
    arm = description["arm"]
    network, space = arm["network"], arm["representation"]
    lines = [
        "---",
        f"license: {'other' if licence else 'unknown'}",
        "library_name: asymflow",
        "tags: [flow-matching, pixel-space]",
        "---",
        "",
        f"# {name}",
        "",
        f"A {network['kind']} of {trained['parameters'] / 1e6:.1f} million parameters that draws images of"
        f" {description['image_size']} pixels by flow matching in {_space(space)}; its output is {_target(arm['target'])}."
        f" {_conditions(arm)}",
        "",
        "## Files",
        "",
        "- `model.safetensors`: the averaged weights by the names of asymflow's network; as `A` the subspace, or what the"
        " target has in its place.",
        "- `config.json`: the arm, sizes of the conditions, names of the classes.",
        "- `asymjit.safetensors`, where there is one: the same under the names of LakonLab's AsymJiT.",
        "",
        "## Training",
        "",
        f"- Data: {_data(data, trained)}",
        f"- Images seen: {trained['images']:,}; seed {trained['seed']}; {trained['machine']}.",
        f"- Weights: {description['weights'][0]}; recipe: `{_recipe(arm['training'])}`.",
        f"- Code: {trained['code']} at commit {trained['commit']}, Python {trained['python']}, torch {trained['torch']}.",
        "",
        "## Measured",
        "",
        *(line for score in scores for line in _measured(*score)),
        *([] if scores else ["Nothing was measured of these weights.", ""]),
        "## Limits",
        "",
        LIMITS,
        "",
        "## Licence",
        "",
        licence or "None was named: ask whoever published this.",
        "",
    ]
    return "\n".join(lines)


def _measured(setting: str, sampled: dict[str, Any], score: dict[str, Any]) -> list[str]:
    """What one judge says of the samples of one setting."""
    errors = score.get("errors", {})
    return [
        f"Setting `{setting}` ({_setting(sampled)}), {score['samples']} samples, {_judge(score)}:",
        "",
        "| metric | value | standard error |",
        "|---|---|---|",
        *(f"| {m} | {v:.4g} | {f'{errors[m]:.2g} |' if m in errors else '|'}" for m, v in score["metrics"].items()),
        "",
    ]


def _space(space: dict[str, Any]) -> str:
    what = "latents" if space["space"] == "latent" else f"pixels ({space['colour']})"
    return f"{what}, in patches of {space['patch_size']}"


def _target(target: dict[str, Any]) -> str:
    """What the network predicts, as it is: an asymmetric target that is dead stays unread."""
    match target["kind"]:
        case "asymmetric" if target["dead"] or target["rank"] == 0:
            unread = f"; the target of rank {target['rank']} in `config.json` stayed unread" if target["dead"] else ""
            return f"-x_0, the data{unread}"
        case "asymmetric" if target["basis"] == "lift":
            return "u_A = P eps - x_0 with P onto what latents are lifted to"
        case "asymmetric" if target["rank"] == "full":
            return "the velocity u = eps - x_0"
        case "asymmetric":
            return f"u_A = P eps - x_0 with P of rank {target['rank']} ({target['basis']} directions)"
        case "opening":
            return f"min(1, (1 - t) / t) P eps - x_0 with P of rank {target['rank']} ({target['basis']} directions)"
        case "isotropic":
            learnt = ", which was learnt from there on" if target["learnt"] else ""
            return f"s eps - x_0 with the share s = {target['share']:g} of the noise{learnt}"
        case "spectral":
            order = " in a random order" if target["shuffled"] else ""
            return (
                f"S eps - x_0 with a share of the noise for each direction ({target['basis']}), by its variance{order}"
            )
        case "preconditioned":
            return "that of EDM's preconditioning, of unit variance at every noise level"
        case "forced":
            return "-x_0, the data, from an input behind a low-pass that opens with time"
    raise ValueError(f"a target of the kind {target['kind']!r} has no words here; add them to released/card.py")


def _conditions(arm: dict[str, Any]) -> str:
    shown = sorted({what for way in arm["conditions"]["shown"] for what in way["what"]})
    return f"It is told {', '.join(shown)}." if shown else "It is told nothing."


def _data(data: dict[str, Any] | None, trained: dict[str, Any]) -> str:
    if data is None:
        return "trained by others; see where the weights come from."
    return f"{trained['set_images']:,} images of {data['source']} (set {data['set'][:12]}), of {data['image_size']} pixels."


def _recipe(training: dict[str, Any]) -> str:
    shown = ("optimiser", "lr", "batch", "warmup_images", "decay", "time_mean", "time_std", "shift")
    return ", ".join(f"{key} {training[key]}" for key in shown if key in training)


def _setting(sampled: dict[str, Any]) -> str:
    guidance = {key: value for key, value in sampled["guidance"].items() if key != "kind"}
    told = ", ".join(f"{key} {value}" for key, value in guidance.items())
    return f"guidance {sampled['guidance']['kind']}{f': {told}' if told else ''}; weights {sampled['weights']}"


def _judge(score: dict[str, Any]) -> str:
    return f"by {score['evaluator']}" + (f" against {score['reference']}" if "reference" in score else "")
