rule fit_subspace:
    "Fit a basis of patch space: principal components, cosines, random directions, or single pixels."
    input:
        data="<results>/data/train.json",
        listed=listed(paths.split("train")),
    output:
        "<results>/subspace/{basis}_{colour}_p{patch_size}.safetensors",
    log:
        "<results>/subspace/{basis}_{colour}_p{patch_size}.fit_subspace.log",
    threads: 1
    params:
        config=lambda wildcards: plan.section("subspace"),
        code=plan.code("fit_subspace"),
    shell:
        "python -m asymflow.stages.fit_subspace --config {params.config:q} --basis {wildcards.basis}"
        " --patch-size {wildcards.patch_size} --colour {wildcards.colour} --data {input.data:q} --out {output:q} > {log:q} 2>&1"


DRAWN = [basis for basis in BASES if basis != "pca_unexplained"]  # it has the directions of pca


rule subspace_figure:
    "Draw the first directions of each basis and their spectrum."
    input:
        expand("<results>/subspace/{basis}_{{colour}}_p{{patch_size}}.safetensors", basis=DRAWN),
    output:
        report(
            "<results>/figures/subspace_{colour}_p{patch_size}.png",
            caption="../report/subspace_figure.rst",
            category="Subspace",
            labels={"shows": "bases of {patch_size}-pixel patches, {colour}"},
        ),
        "<results>/figures/subspace_{colour}_p{patch_size}.svg",
    log:
        "<results>/figures/subspace_{colour}_p{patch_size}.subspace_figure.log",
    localrule: True
    params:
        code=plan.code("subspace_figure"),
    shell:
        "python -m asymflow.stages.subspace_figure --bases {input:q} --figure {output:q} > {log:q} 2>&1"


rule spectrum:
    "Compare the variance along each principal direction with what class and surrounding patches leave, and with the noise."
    input:
        data="<results>/data/train.json",
        listed=listed(paths.split("train")),
        basis=f"<results>/subspace/pca_{COLOUR}_p{PATCH_SIZE}.safetensors",
    output:
        table=report(
            "<results>/spectrum.csv",
            caption="../report/spectrum.rst",
            category="Subspace",
            labels={"shows": "variance and unexplained variance of each direction"},
        ),
        png=report(
            "<results>/figures/spectrum.png",
            caption="../report/spectrum.rst",
            category="Subspace",
            labels={"shows": "variance and unexplained variance of each direction"},
        ),
        svg="<results>/figures/spectrum.svg",
    log:
        "<results>/spectrum.log",
    threads: 1
    params:
        config=lambda wildcards: plan.section("subspace"),
        colour=COLOUR,
        patch_size=PATCH_SIZE,
        code=plan.code("spectrum"),
    shell:
        "python -m asymflow.stages.spectrum --config {params.config:q} --patch-size {params.patch_size} --colour {params.colour}"
        " --data {input.data:q} --basis {input.basis:q} --table {output.table:q} --figure {output.png:q} {output.svg:q}"
        " > {log:q} 2>&1"
