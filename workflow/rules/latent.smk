rule fit_autoencoder:
    "Train the autoencoder whose latents the latent models work in."
    input:
        data="<results>/data/train.json",
        heldout="<results>/data/heldout.json",
        listed=listed(paths.split("train"), paths.split("heldout")),
    output:
        "<results>/latent/autoencoder.safetensors",
    log:
        "<results>/latent/fit_autoencoder.log",
    benchmark:
        "<results>/latent/fit_autoencoder.benchmark.tsv"
    threads: 1
    resources:
        gpu=1,
    params:
        config=lambda wildcards: plan.section("autoencoder"),
        code=plan.code("fit_autoencoder"),
    shell:
        "python -m asymflow.stages.fit_autoencoder --config {params.config:q} --data {input.data:q}"
        " --heldout {input.heldout:q} --out {output:q} > {log:q} 2>&1"


rule fit_lift:
    "Align latent tokens with pixel patches: the orthonormal lift and its scale (Procrustes)."
    input:
        data="<results>/data/train.json",
        latents=own(plan.latent_space),
        listed=listed(paths.split("train")),
    output:
        "<results>/latent/lift_{colour}_p{patch_size}.safetensors",
    log:
        "<results>/latent/lift_{colour}_p{patch_size}.fit_lift.log",
    threads: 1
    params:
        config=lambda wildcards: plan.section("subspace", {"images", "seed"}),
        code=plan.code("fit_lift"),
    shell:
        "python -m asymflow.stages.fit_lift --config {params.config:q} --patch-size {wildcards.patch_size}"
        " --colour {wildcards.colour} --data {input.data:q} --latents {input.latents:q} --out {output:q} > {log:q} 2>&1"


rule encode_latents:
    "Encode the training images as latent tokens."
    input:
        data="<results>/data/train.json",
        latents=own(plan.latent_space),
        listed=listed(paths.split("train")),
    output:
        index="<results>/latent/p{patch_size}/train.json",
        listed=directory(paths.listed("<results>/latent/p{patch_size}/train.json")),
    log:
        "<results>/latent/p{patch_size}/encode_latents.log",
    benchmark:
        "<results>/latent/p{patch_size}/encode_latents.benchmark.tsv"
    threads: 1
    resources:
        gpu=1,
        mem_mb=64000,
        runtime=1440,
    params:
        code=plan.code("encode_latents"),
    shell:
        "python -m asymflow.stages.encode_latents --patch-size {wildcards.patch_size} --data {input.data:q}"
        " --latents {input.latents:q} --out {output.index:q} > {log:q} 2>&1"
