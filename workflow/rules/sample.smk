rule sample:
    "Draw the images that a sampling setting asks of one run."
    input:
        unpack(read(plan.sample)),
    output:
        samples="<results>/runs/{arm}/seed{seed}/{sampling}/samples.npy",
        summary="<results>/runs/{arm}/seed{seed}/{sampling}/samples.json",
    log:
        "<results>/runs/{arm}/seed{seed}/{sampling}/sample.log",
    benchmark:
        "<results>/runs/{arm}/seed{seed}/{sampling}/sample.benchmark.tsv"
    priority: 1  # before the next training, so that there is something to look at
    threads: 1
    resources:
        gpu=1,
        mem_mb=16000,
        runtime=480,
    params:
        sampling=plan.sampling,
        asks=plan.asks,
        folder=plan.folder_of,
        launcher=launcher,
        code=plan.sample_code,
    shell:
        "{params.launcher} -m asymflow.stages.sample --sampling {params.sampling:q} --asks {params.asks}"
        " --asked {input.asked:q} --model {input.model:q} --start {input.start:q} --folder {params.folder:q}"
        " --latents {input.latents:q} --guidance {input.guidance:q} --samples {output.samples:q}"
        " --summary {output.summary:q} > {log:q} 2>&1"


rule search_guidance:
    "Search the guidance scale and interval that give one run's samples the smallest distance."
    input:
        unpack(read(plan.search)),
    output:
        "<results>/runs/{arm}/seed{seed}/{sampling}/guidance.json",
    log:
        "<results>/runs/{arm}/seed{seed}/{sampling}/search_guidance.log",
    benchmark:
        "<results>/runs/{arm}/seed{seed}/{sampling}/search_guidance.benchmark.tsv"
    threads: 1
    resources:
        gpu=1,
        mem_mb=16000,
        runtime=480,
    params:
        config=lambda wildcards: plan.section("search"),
        sampling=plan.sampling,
        asks=plan.asks,
        folder=plan.folder_of,
        evaluator=evaluator,
        code=plan.search_code,
    shell:
        "python -m asymflow.stages.search_guidance --config {params.config:q} --sampling {params.sampling:q}"
        " --asks {params.asks} --asked {input.asked:q} --model {input.model:q} --start {input.start:q}"
        " --folder {params.folder:q} --latents {input.latents:q} --reference {input.reference:q}"
        " --evaluator {params.evaluator:q} --out {output:q} > {log:q} 2>&1"


rule picture:
    "Show the first samples of one run as a picture, one column for each class."
    input:
        samples="<results>/runs/{arm}/seed{seed}/{sampling}/samples.npy",
        summary="<results>/runs/{arm}/seed{seed}/{sampling}/samples.json",
        data="<results>/data/train.json",
    output:
        "<results>/runs/{arm}/seed{seed}/{sampling}/samples.png",
    log:
        "<results>/runs/{arm}/seed{seed}/{sampling}/picture.log",
    priority: 1  # before the next training, so that there is something to look at
    localrule: True
    params:
        code=plan.code("picture"),
    shell:
        "python -m asymflow.stages.picture --samples {input.samples:q} --data {input.data:q} --picture {output:q}"
        " > {log:q} 2>&1"
