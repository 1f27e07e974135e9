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


rule subspace_figure:
    "Draw the first directions of each basis and their spectrum."
    input:
        expand("<results>/subspace/{basis}_{{colour}}_p{{patch_size}}.safetensors", basis=BASES),
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
