"""Configuration of the embeddings that arms of prx-tg are conditioned on."""

from pydantic import PositiveInt

from asymflow.config.section import Section


class Embeddings(Section):
    """What reads captions and images: the evaluator that is trained here (None), a folder, or a name in the Hub's cache."""

    text: str | None = None
    """A T5 encoder, such as prx-tg's google-t5/t5-large."""

    image: str | None = None
    """A DINOv3 vision transformer, such as prx-tg's facebook/dinov3-vitl16-pretrain-lvd1689m."""

    text_length: PositiveInt = 512
    """Tokens that the T5 encoder reads of a caption; shorter ones are padded, and the padding is masked."""

    keep_captions: bool = True
    """Whether the tokens of the training captions are kept in files, which saves encoding them in every training; else each
    training encodes those of its batches anew. FLUX.2 klein's take 12.6 MB a caption."""
