rule fit_subspace:
    "Fit a basis of patch space: principal components, random directions, or single pixels."
    input:
        data="<results>/data/train.json",
    output:
        "<results>/subspace/{basis}_p{patch_size}.safetensors",
    log:
        "<results>/subspace/{basis}_p{patch_size}.fit_subspace.log",
    threads: 1
    params:
        config=section("subspace"),
        code=code("fit_subspace"),
    shell:
        "python -m asymflow.stages.fit_subspace --config {params.config:q} --basis {wildcards.basis}"
        " --patch-size {wildcards.patch_size} --data {input.data} --out {output} > {log} 2>&1"


rule subspace_figure:
    "Draw the first directions of each basis and their spectrum."
    input:
        expand("<results>/subspace/{basis}_p{{patch_size}}.safetensors", basis=("pca", "random", "identity")),
    output:
        report("<results>/figures/subspace_p{patch_size}.png", category="Subspace"),
        "<results>/figures/subspace_p{patch_size}.svg",
    log:
        "<results>/figures/subspace_p{patch_size}.subspace_figure.log",
    params:
        code=code("subspace_figure"),
    shell:
        "python -m asymflow.stages.subspace_figure --bases {input} --figure {output} > {log} 2>&1"
