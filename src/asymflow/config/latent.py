"""Configuration of the latent model that text-to-image arms begin with."""

from asymflow.config.section import Section


class Latent(Section):
    """Where autoencoder, text encoder and transformer come from."""

    model: str | None = None
    """A folder with a FLUX.2 klein in the format of diffusers (vae, text_encoder, tokenizer, transformer). None: they are trained
    here, and the evaluator's text tower reads captions."""
