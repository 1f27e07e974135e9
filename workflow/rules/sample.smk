rule sample:
    "Draw the samples of one run under one sampling setting."
    input:
        model=sampled_model,
        guidance=searched_guidance,
    output:
        samples="<results>/runs/{arm}/seed{seed}/{sampling}/samples.npy",
        summary="<results>/runs/{arm}/seed{seed}/{sampling}/samples.json",
    log:
        "<results>/runs/{arm}/seed{seed}/{sampling}/sample.log",
    benchmark:
        "<results>/runs/{arm}/seed{seed}/{sampling}/sample.benchmark.tsv"
    wildcard_constraints:
        arm=named(experiment.arms),
    threads: 1
    params:
        sampling=sampling_config,
        launcher=launcher,
        code=code("sample"),
    shell:
        "{params.launcher} -m asymflow.stages.sample --sampling {params.sampling:q} --model {input.model}"
        " --guidance {input.guidance} --samples {output.samples} --summary {output.summary} > {log} 2>&1"


rule sample_text:
    "Draw an image for each caption with one text-to-image run."
    input:
        model="<results>/runs/{arm}/seed{seed}/model.safetensors",
        start=arm_start,
        latents=latent_space,
        prompts="<results>/latent/prompts.safetensors",
    output:
        samples="<results>/runs/{arm}/seed{seed}/{sampling}/samples.npy",
        summary="<results>/runs/{arm}/seed{seed}/{sampling}/samples.json",
    log:
        "<results>/runs/{arm}/seed{seed}/{sampling}/sample_text.log",
    benchmark:
        "<results>/runs/{arm}/seed{seed}/{sampling}/sample_text.benchmark.tsv"
    wildcard_constraints:
        arm=named(experiment.text_arms),
    threads: 1
    params:
        sampling=sampling_config,
        folder=latent_folder,
        launcher=launcher,
        code=code("sample_text"),
    shell:
        "{params.launcher} -m asymflow.stages.sample_text --sampling {params.sampling:q} --model {input.model}"
        " --start {input.start} --folder {params.folder} --latents {input.latents} --prompts {input.prompts}"
        " --samples {output.samples} --summary {output.summary} > {log} 2>&1"


rule picture:
    "Show the first samples of one run as a picture, one column for each class."
    input:
        samples="<results>/runs/{arm}/seed{seed}/{sampling}/samples.npy",
        data="<results>/data/train.json",
    output:
        "<results>/runs/{arm}/seed{seed}/{sampling}/samples.png",
    log:
        "<results>/runs/{arm}/seed{seed}/{sampling}/picture.log",
    params:
        code=code("picture"),
    shell:
        "python -m asymflow.stages.picture --samples {input.samples} --data {input.data} --picture {output} > {log} 2>&1"


rule search_guidance:
    "Search the guidance scale and interval that give one run's samples the smallest distance."
    input:
        model="<results>/runs/{arm}/seed{seed}/model.safetensors",
        evaluator=evaluator_file,
        reference="<results>/evaluator/reference.safetensors",
    output:
        "<results>/runs/{arm}/seed{seed}/{sampling}/guidance.json",
    log:
        "<results>/runs/{arm}/seed{seed}/{sampling}/search_guidance.log",
    benchmark:
        "<results>/runs/{arm}/seed{seed}/{sampling}/search_guidance.benchmark.tsv"
    threads: 1
    params:
        config=section("search"),
        sampling=sampling_config,
        evaluator=evaluator_name,
        code=code("search_guidance"),
    shell:
        "python -m asymflow.stages.search_guidance --config {params.config:q} --sampling {params.sampling:q}"
        " --model {input.model} --reference {input.reference} --evaluator {params.evaluator} --out {output} > {log} 2>&1"
