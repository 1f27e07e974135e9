rule fit_autoencoder:
    "Train the autoencoder whose latents the text-to-image models begin in."
    input:
        data="<results>/data/train.json",
        heldout="<results>/data/heldout.json",
    output:
        "<results>/latent/autoencoder.safetensors",
    log:
        "<results>/latent/fit_autoencoder.log",
    benchmark:
        "<results>/latent/fit_autoencoder.benchmark.tsv"
    threads: 1
    params:
        config=section("autoencoder"),
        code=code("fit_autoencoder"),
    shell:
        "python -m asymflow.stages.fit_autoencoder --config {params.config:q} --data {input.data}"
        " --heldout {input.heldout} --out {output} > {log} 2>&1"


rule fit_lift:
    "Align latent tokens with pixel patches: the orthonormal lift and its scale (Procrustes)."
    input:
        data="<results>/data/train.json",
        autoencoder="<results>/latent/autoencoder.safetensors",
    output:
        "<results>/latent/lift_{colour}_p{patch_size}.safetensors",
    log:
        "<results>/latent/lift_{colour}_p{patch_size}.fit_lift.log",
    threads: 1
    params:
        config=section("subspace"),
        code=code("fit_lift"),
    shell:
        "python -m asymflow.stages.fit_lift --config {params.config:q} --patch-size {wildcards.patch_size}"
        " --colour {wildcards.colour} --data {input.data} --autoencoder {input.autoencoder} --out {output} > {log} 2>&1"
