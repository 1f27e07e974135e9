rule score:
    "Score the samples of one run by one judge: distribution, captions, suite or memorisation."
    input:
        unpack(plan.score),
    output:
        "<results>/runs/{arm}/seed{seed}/{sampling}/{judge}.json",
    log:
        "<results>/runs/{arm}/seed{seed}/{sampling}/{judge}.log",
    threads: 1
    resources:
        gpu=1,
    params:
        config=lambda wildcards: plan.section("suite"),
        evaluator=plan.evaluator,
        code=plan.score_code,
    shell:
        "python -m asymflow.stages.score --judge {wildcards.judge} --config {params.config:q} --samples {input.samples:q}"
        " --summary {input.summary:q} --evaluator {params.evaluator:q} --reference {input.reference:q}"
        " --prompts {input.prompts:q} --suite {input.suite:q} --train {input.train:q} --heldout {input.heldout:q}"
        " --perceptual {input.perceptual:q} --out {output:q} > {log:q} 2>&1"
