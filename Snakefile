# The table of contents: what can be made, in the order in which it is made. `snakemake -l` prints it too.
from snakemake.utils import min_version

min_version("9.20")


configfile: f"{workflow.basedir}/workflow/config.yaml"
configfile: f"{workflow.basedir}/workflow/studies.yaml"
configfile: f"{workflow.basedir}/workflow/claims.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/storage.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/subspace.smk"
include: "workflow/rules/method.smk"
include: "workflow/rules/evaluator.smk"
include: "workflow/rules/latent.smk"
include: "workflow/rules/conditions.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/sample.smk"
include: "workflow/rules/score.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/claims.smk"
include: "workflow/rules/released.smk"


localrules:
    all,


rule all:
    "Every table and every figure of every study."
    default_target: True
    input:
        "<results>/figures/data.png",
        "<results>/figures/parameterisation.png",
        "<results>/figures/components.png",
        f"<results>/figures/subspace_{COLOUR}_p{PATCH_SIZE}.png",
        "<results>/spectrum.csv",
        "<results>/figures/spectrum.png",
        [studies.shown_files(study) for study in experiment.studies],
