rule score:
    "Compare the samples of one run with the training images: Frechet distance, kernel distance, precision, recall."
    input:
        samples="<results>/runs/{arm}/seed{seed}/{sampling}/samples.npy",
        evaluator=evaluator_file,
        reference="<results>/evaluator/reference.safetensors",
    output:
        "<results>/runs/{arm}/seed{seed}/{sampling}/scores.json",
    log:
        "<results>/runs/{arm}/seed{seed}/{sampling}/score.log",
    wildcard_constraints:
        arm=named(experiment.arms, experiment.text_arms),
    threads: 1
    params:
        evaluator=evaluator_name,
        code=code("score"),
    shell:
        "python -m asymflow.stages.score --samples {input.samples} --reference {input.reference}"
        " --evaluator {params.evaluator} --out {output} > {log} 2>&1"


rule score_text:
    "Ask of each image whether it shows its caption: CLIP score, named attributes, and preference where its networks are."
    input:
        samples="<results>/runs/{arm}/seed{seed}/{sampling}/samples.npy",
        prompts="<results>/latent/prompts.json",
        evaluator=evaluator_file,
    output:
        "<results>/runs/{arm}/seed{seed}/{sampling}/text_scores.json",
    log:
        "<results>/runs/{arm}/seed{seed}/{sampling}/score_text.log",
    wildcard_constraints:
        arm=named(experiment.text_arms),
    threads: 1
    params:
        evaluator=evaluator_name,
        code=code("score_text"),
    shell:
        "python -m asymflow.stages.score_text --samples {input.samples} --prompts {input.prompts}"
        " --evaluator {params.evaluator} --out {output} > {log} 2>&1"
