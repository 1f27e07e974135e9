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
        latents=latent_space,
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
        " --colour {wildcards.colour} --data {input.data} --latents {input.latents} --out {output} > {log} 2>&1"


rule encode:
    "Encode the training images and their captions as text-to-image models see them."
    input:
        data="<results>/data/train.json",
        latents=latent_space,
        reader=text_reader,
        captions=made_captions("train"),
    output:
        "<results>/latent/p{patch_size}/train.json",
    log:
        "<results>/latent/p{patch_size}/encode.log",
    benchmark:
        "<results>/latent/p{patch_size}/encode.benchmark.tsv"
    threads: 1
    params:
        code=code("encode"),
    shell:
        "python -m asymflow.stages.encode --patch-size {wildcards.patch_size} --data {input.data} --latents {input.latents}"
        " --reader {input.reader} --captions {input.captions} --out {output} > {log} 2>&1"


rule encode_prompts:
    "Encode the captions that text-to-image arms are judged by."
    input:
        heldout="<results>/data/heldout.json",
        reader=text_reader,
        captions=made_captions("heldout"),
        path=[experiment.prompts.path] if experiment.prompts.path else [],
    output:
        prompts="<results>/latent/prompts.json",
        tokens="<results>/latent/prompts.safetensors",
    log:
        "<results>/latent/encode_prompts.log",
    threads: 1
    params:
        config=section("prompts"),
        code=code("encode_prompts"),
    shell:
        "python -m asymflow.stages.encode_prompts --config {params.config:q} --heldout {input.heldout}"
        " --captions {input.captions} --reader {input.reader} --prompts {output.prompts} --tokens {output.tokens} > {log} 2>&1"
