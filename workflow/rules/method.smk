rule parameterisation_figure:
    "Show on one image what a network predicts at several ranks, and how the velocity is recovered from it."
    input:
        data="<results>/data/heldout.json",
        listed=listed(paths.split("heldout")),
        subspace=f"<results>/subspace/pca_rgb_p{PATCH_SIZE}.safetensors",
    output:
        report(
            "<results>/figures/parameterisation.png",
            caption="../report/parameterisation_figure.rst",
            category="Method",
            labels={"shows": "target and recovery at several ranks"},
        ),
        "<results>/figures/parameterisation.svg",
    log:
        "<results>/figures/parameterisation_figure.log",
    localrule: True
    params:
        patch_size=PATCH_SIZE,
        code=plan.code("parameterisation_figure"),
    shell:
        "python -m asymflow.stages.parameterisation_figure --data {input.data:q} --subspace {input.subspace:q}"
        " --patch-size {params.patch_size} --figure {output:q} > {log:q} 2>&1"


rule component_figure:
    "Show the family from x_0-prediction to u-prediction: the target's two orthogonal parts, and their energies."
    input:
        data="<results>/data/heldout.json",
        listed=listed(paths.split("heldout")),
        subspace=f"<results>/subspace/pca_rgb_p{PATCH_SIZE}.safetensors",
    output:
        report(
            "<results>/figures/components.png",
            caption="../report/component_figure.rst",
            category="Method",
            labels={"shows": "the family from x_0- to u-prediction"},
        ),
        "<results>/figures/components.svg",
    log:
        "<results>/figures/component_figure.log",
    localrule: True
    params:
        patch_size=PATCH_SIZE,
        code=plan.code("component_figure"),
    shell:
        "python -m asymflow.stages.component_figure --data {input.data:q} --subspace {input.subspace:q}"
        " --patch-size {params.patch_size} --figure {output:q} > {log:q} 2>&1"
