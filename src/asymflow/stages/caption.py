"""Describes images that have no captions, by a Qwen2.5-VL; one line for each image.

python -m asymflow.stages.caption --config JSON --data results/data/train.json --out results/data/train.captions.txt
"""

import argparse
from pathlib import Path

import torch
from PIL import Image

from asymflow import machine
from asymflow.command import run
from asymflow.config.captions import Captions
from asymflow.data.reader import ShardReader, parts
from asymflow.files import atomic
from asymflow.progress import Progress


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="the captions section as JSON")
    parser.add_argument("--data", type=Path, required=True, help="index of the split")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    config, reader = Captions.model_validate_json(arguments.config), ShardReader(arguments.data)
    describe = Describer(config, machine.device())
    lines: list[str] = []
    with Progress("caption", len(reader), "images") as progress:
        for bucket in reader.buckets:
            for indices in parts(bucket.numbers, config.batch):
                images = reader.whole(indices)
                lines += describe([Image.fromarray(image.permute(1, 2, 0).numpy()) for image in images])
                progress.advance(len(images))
    with atomic(arguments.out) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


class Describer:
    """Images to sentences, each on one line; greedy, so the same image has the same caption."""

    def __init__(self, config: Captions, device: torch.device):
        from transformers import (
            AutoProcessor,
            Qwen2_5_VLForConditionalGeneration,
        )  # loads slowly; only this stage needs it

        self.config, self.device = config, device
        try:
            self.processor = AutoProcessor.from_pretrained(config.model, local_files_only=True)
            self.network = Qwen2_5_VLForConditionalGeneration.from_pretrained(
                config.model,
                local_files_only=True,
                use_safetensors=True,
                torch_dtype=torch.bfloat16 if device.type == "cuda" else torch.float32,
            )
        except OSError as error:
            raise ValueError(
                f"the captioner {config.model} (captions.model) is neither a folder nor in the Hugging Face cache; fetch it once"
                f" with `hf download {config.model}`, or put a .txt file beside each image"
            ) from error
        self.network = self.network.to(device).eval()
        self.processor.tokenizer.padding_side = "left"  # answers are generated at the right end

    @torch.no_grad()
    def __call__(self, images: list[Image.Image]) -> list[str]:
        content = [{"type": "image"}, {"type": "text", "text": self.config.prompt}]
        asked = self.processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
        inputs = self.processor(text=[asked] * len(images), images=images, padding=True, return_tensors="pt")
        inputs = inputs.to(self.device)
        generated = self.network.generate(**inputs, max_new_tokens=self.config.tokens, do_sample=False)
        answers = self.processor.batch_decode(generated[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        return [" ".join(answer.split()) for answer in answers]


if __name__ == "__main__":
    run(main)
