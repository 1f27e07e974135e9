rule method_figures:
    "Show the method on one image: target and recovery at several ranks, and the family from x_0- to u-prediction."
    input:
        data="<results>/data/heldout.json",
        listed=listed(paths.split("heldout")),
        subspace=f"<results>/subspace/pca_rgb_p{PATCH_SIZE}.safetensors",
    output:
        parameterisation=report(
            "<results>/figures/parameterisation.png",
            caption="../report/parameterisation.rst",
            category="Method",
            labels={"shows": "target and recovery at several ranks"},
        ),
        parameterisation_svg="<results>/figures/parameterisation.svg",
        components=report(
            "<results>/figures/components.png",
            caption="../report/components.rst",
            category="Method",
            labels={"shows": "the family from x_0- to u-prediction"},
        ),
        components_svg="<results>/figures/components.svg",
    log:
        "<results>/figures/method_figures.log",
    localrule: True
    params:
        patch_size=PATCH_SIZE,
        code=plan.code("method_figures"),
    shell:
        "python -m asymflow.stages.method_figures --data {input.data:q} --subspace {input.subspace:q}"
        " --patch-size {params.patch_size} --parameterisation {output.parameterisation:q} {output.parameterisation_svg:q}"
        " --components {output.components:q} {output.components_svg:q} > {log:q} 2>&1"
