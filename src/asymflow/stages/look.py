"""Looks at a claim after some seeds: the paired differences, their intervals, the verdict.

python -m asymflow.stages.look --claim JSON --decision JSON --study JSON --out results/claims/low_rank/look0.json
"""

from pathlib import Path

from asymflow import documents, provenance
from asymflow.command import run
from asymflow.config.claim import Claim, Decision
from asymflow.report import claims, metrics
from asymflow.report.study import Study, study_arguments


def main() -> None:
    parser = study_arguments(__doc__)  # of the study that the claim's arms, settings and seeds make
    parser.add_argument("--claim", required=True, help="the claim as JSON")
    parser.add_argument("--decision", required=True, help="the rule of decision as JSON")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    claim, decision = (
        Claim.model_validate_json(arguments.claim),
        Decision.model_validate_json(arguments.decision),
    )
    study, comparisons = Study.parse(arguments.study, arguments.root), claim.comparisons
    measured = {
        (arm, setting, seed): _measured(study, claim, arm, setting, seed)
        for arm, setting in claim.runs
        for seed in study.seeds
    }
    differences = [
        [sum(weight * measured[run][0] for run, weight in _seeded(weights, seed)) for seed in study.seeds]
        for weights, _ in comparisons
    ]
    confidence = claims.share(decision.confidence, len(decision.looks), len(comparisons))
    result = claims.decide(differences, comparisons[0].relation, claim.smallest, confidence)
    result |= {
        "claim": claim.model_dump(mode="json"),
        "name": study.name,
        "metric": next(iter(measured.values()))[1],
        "seeds": study.seeds,
        "differences": differences,
        "interval_confidence": confidence,
        "values": {
            f"{arm}@{setting}": [measured[arm, setting, seed][0] for seed in study.seeds] for arm, setting in claim.runs
        },
        **provenance.record("asymflow.stages.look"),
    }
    documents.write(arguments.out, "look", result)
    print(f"{study.name}: {result['verdict']} after {len(study.seeds)} seeds", flush=True)


def _seeded(weights: dict, seed: int) -> list[tuple[tuple, int]]:
    return [((arm, setting, seed), weight) for (arm, setting), weight in weights.items()]


def _measured(study: Study, claim: Claim, arm: str, setting: str, seed: int) -> tuple[float, str]:
    """The metric of one run, and its whole name. Raises ValueError when its judge does not measure it."""
    trained = study.trained(arm, seed)
    sampled = study.sampled(arm, seed, setting, trained)
    if claim.judge == "cost":
        measured: dict[str, float] = {"seconds_per_image": sampled["seconds_per_image"]}
    else:
        measured = study.score(claim.judge, arm, seed, setting, sampled)["metrics"]
    named = [name for name in measured if metrics.base(name) == claim.metric]
    if len(named) != 1:
        raise ValueError(
            f"claim {study.name!r} compares {claim.metric!r}, but judge {claim.judge} measured {', '.join(measured)}"
        )
    return measured[named[0]], named[0]


if __name__ == "__main__":
    run(main)
