"""Shows the middle of the same images drawn by each arm of a study, enlarged: where detail is won or lost.

python -m asymflow.stages.crops --study JSON --prompts results/data/prompts.json --picture OUT.png
"""

from pathlib import Path

from asymflow import documents
from asymflow.command import run
from asymflow.data import drawn
from asymflow.report import image_figures, style
from asymflow.report.study import Study, study_arguments

IMAGES = 4


def main() -> None:
    parser = study_arguments(__doc__)
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--picture", type=Path, required=True)
    arguments = parser.parse_args()
    study, prompts = (
        Study.parse(arguments.study, arguments.root),
        documents.read(arguments.prompts, "prompts")["prompts"],
    )
    samples = study.first_seed("samples", study.last_sampling)
    columns = {arm: drawn.load(path)[:IMAGES] for arm, path in samples.items()}
    captions = [prompt["caption"] for prompt in prompts[:IMAGES]]
    style.save(image_figures.crops(columns, captions), [arguments.picture])


if __name__ == "__main__":
    run(main)
