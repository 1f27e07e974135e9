# The table of contents: what can be made, in the order in which it is made. `snakemake -l` prints it too.
from snakemake.utils import min_version

min_version("9.20")


configfile: "workflow/config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/subspace.smk"
include: "workflow/rules/method.smk"
include: "workflow/rules/evaluator.smk"
include: "workflow/rules/latent.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/prx.smk"
include: "workflow/rules/sample.smk"
include: "workflow/rules/score.smk"
include: "workflow/rules/report.smk"


localrules:
    all,


rule all:
    "Every table and every figure of every study."
    default_target: True
    input:
        "<results>/figures/data.png",
        "<results>/figures/parameterisation.png",
        "<results>/figures/components.png",
        f"<results>/figures/subspace_{patch_space(DEFAULT_ARM)}.png",
        expand("<results>/{study}.csv", study=experiment.studies),
        expand("<results>/{study}_speedup.csv", study=CONVERGENCE),
        expand("<results>/figures/{study}.png", study=experiment.studies),
        expand("<results>/figures/{study}_samples.png", study=experiment.studies),
        expand("<results>/{study}_pairs.csv", study=TEXT),
        expand("<results>/figures/{study}_crops.png", study=TEXT),
        expand("<results>/{study}_paired.csv", study=PRX),
        expand("<results>/figures/{study}_{shows}.png", study=PRX, shows=("curves", "progression", "neighbours")),
