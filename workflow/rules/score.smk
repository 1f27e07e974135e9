rule score:
    "Score the samples of one run by one judge: distribution, captions, suite, memorisation or second."
    input:
        unpack(read(plan.score)),
    output:
        "<results>/runs/{arm}/seed{seed}/{sampling}/{judge}.json",
    log:
        "<results>/runs/{arm}/seed{seed}/{sampling}/{judge}.log",
    priority: 1  # before the next training, so that there is something to look at
    threads: 1
    resources:
        gpu=1,
    params:
        config=plan.suite_of,
        evaluator=evaluator,
        code=plan.score_code,
    shell:
        "python -m asymflow.stages.score --judge {wildcards.judge} --config {params.config:q} --samples {input.samples:q}"
        " --summary {input.summary:q} --evaluator {params.evaluator:q} --reference {input.reference:q}"
        " --prompts {input.prompts:q} --suite {input.suite:q} --train {input.train:q} --heldout {input.heldout:q}"
        " --perceptual {input.perceptual:q} --out {output:q} > {log:q} 2>&1"


rule velocity:
    "Compare the velocity of one run with the true one on held-out images, by noise level and principal directions."
    input:
        unpack(read(plan.velocity)),
    output:
        "<results>/runs/{arm}/seed{seed}/{sampling}/velocity.json",
    log:
        "<results>/runs/{arm}/seed{seed}/{sampling}/velocity.log",
    threads: 1
    resources:
        gpu=1,
    params:
        config=lambda wildcards: plan.section("velocity"),
        sampling=plan.sampling,
        folder=plan.folder_of,
        code=plan.velocity_code,
    shell:
        "python -m asymflow.stages.velocity --config {params.config:q} --sampling {params.sampling:q} --model {input.model:q}"
        " --start {input.start:q} --folder {params.folder:q} --summary {input.summary:q} --heldout {input.heldout:q}"
        " --captions {input.captions:q} --images {input.images:q} --basis {input.basis:q} --out {output:q} > {log:q} 2>&1"


rule coupling:
    "Compare the samples of a lifted arm with the lift of those of the latent model that it began with."
    input:
        unpack(read(plan.coupling)),
    output:
        "<results>/runs/{arm}/seed{seed}/{sampling}/coupling.json",
    log:
        "<results>/runs/{arm}/seed{seed}/{sampling}/coupling.log",
    threads: 1
    resources:
        gpu=1,
    params:
        sampling=plan.sampling,
        asks=plan.asks,
        folder=plan.folder_of,
        code=plan.coupling_code,
    shell:
        "python -m asymflow.stages.coupling --sampling {params.sampling:q} --asks {params.asks} --asked {input.asked:q}"
        " --model {input.model:q} --start {input.start:q} --folder {params.folder:q} --latents {input.latents:q}"
        " --summary {input.summary:q} --out {output:q} > {log:q} 2>&1"


rule protocol_reference:
    "What a published protocol compares samples with, of the training images; only where no published file is named."
    input:
        data="<results>/data/train.json",
        listed=listed(paths.split("train")),
    output:
        "<results>/protocols/{protocol}.npz",
    log:
        "<results>/protocols/{protocol}.log",
    threads: 1
    resources:
        gpu=1,
        mem_mb=16000,
    params:
        folder=experiment.protocols.folder,
        code=plan.protocol_reference_code,
    shell:
        "python -m asymflow.stages.protocol_reference --protocol {wildcards.protocol} --folder {params.folder:q}"
        " --data {input.data:q} --out {output:q} > {log:q} 2>&1"


rule protocol:
    "Score the samples of one run by a published protocol: adm, torch_fidelity, clean or t2i."
    input:
        samples="<results>/runs/{arm}/seed{seed}/{sampling}/samples.npy",
        summary="<results>/runs/{arm}/seed{seed}/{sampling}/samples.json",
        reference=there(plan.protocol_reference),
    output:
        "<results>/runs/{arm}/seed{seed}/{sampling}/{protocol}.json",
    log:
        "<results>/runs/{arm}/seed{seed}/{sampling}/{protocol}.log",
    threads: 1
    resources:
        gpu=1,
        mem_mb=16000,
    params:
        folder=experiment.protocols.folder,
        code=plan.protocol_code,
    shell:
        "python -m asymflow.stages.protocol --protocol {wildcards.protocol} --folder {params.folder:q}"
        " --reference {input.reference:q} --samples {input.samples:q} --summary {input.summary:q} --out {output:q}"
        " > {log:q} 2>&1"


rule give_samples:
    "Give samples as other evaluators read them: one file for ADM's, a folder of pictures for most."
    input:
        samples="<results>/runs/{arm}/seed{seed}/{sampling}/samples.npy",
        summary="<results>/runs/{arm}/seed{seed}/{sampling}/samples.json",
    output:
        "<results>/runs/{arm}/seed{seed}/{sampling}/samples.npz",
    log:
        "<results>/runs/{arm}/seed{seed}/{sampling}/give_samples.log",
    params:
        code=plan.code("give_samples"),
    shell:
        "python -m asymflow.stages.give_samples --samples {input.samples:q} --summary {input.summary:q} --out {output:q}"
        " > {log:q} 2>&1"


use rule give_samples as give_pictures with:
    output:
        directory("<results>/runs/{arm}/seed{seed}/{sampling}/png"),
    log:
        "<results>/runs/{arm}/seed{seed}/{sampling}/give_pictures.log",
