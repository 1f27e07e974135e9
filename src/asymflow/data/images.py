"""One image from any common file: decoded to RGB the way its author meant it, cropped, and stored without loss.

- The orientation that a camera noted in EXIF is applied.
- CMYK becomes RGB without a colour profile. In JPEG its values are taken as inverted, with Adobe's marker or without,
  as browsers do.
- Transparency (alpha, a transparent palette entry or colour key) is laid over white.
- 16-bit grey is scaled to 8 bits; PIL alone would clip it to white. Integers beyond 16 bits and floating point numbers
  have no known range and are refused.
- Colour profiles are ignored, and an animation gives its first frame, as in the usual pipelines.
"""

import contextlib
import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin

from asymflow.config.data import Small

# Decoders of pixels only: PIL would run Ghostscript for PostScript, and has readers for many rarely tested formats.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
SUFFIXES = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".webp",
        ".gif",
        ".bmp",
        ".tif",
        ".tiff",
        ".ppm",
        ".pgm",
        ".pbm",
        ".avif",
    }
)


# of a text or a colour profile in a PNG, unpacked; PIL's own limit of 1 MiB refuses the image, and XMP and profiles of printers
# exceed it. All texts of a file together stay below PIL's 64 MiB
PngImagePlugin.MAX_TEXT_CHUNK = 1 << 24

Shape = tuple[int, int]  # height and width in pixels


class ImageError(ValueError):
    """An image that cannot become a training image; the message is the reason."""


def load(file: io.BufferedIOBase) -> Image.Image:
    """The image, all its pixels read, in its own mode. Truncated and foreign files raise one of PIL's many errors."""
    image = Image.open(file, formats=FORMATS)
    image.load()
    return image


def to_rgb(image: Image.Image) -> Image.Image:
    """The image upright, in 8-bit RGB, on white where it is transparent; turns the given image upright in place.

    Raises ImageError when the range of its pixels is unknown.
    """
    # an EXIF block that is broken costs the turn, not the image
    with contextlib.suppress(Exception):
        ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I"):
        return _grey16(image).convert("RGB")
    if image.mode == "F":
        raise ImageError("its pixels are floating point numbers, whose range is unknown")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image.convert("RGB")


def _grey16(image: Image.Image) -> Image.Image:
    """8-bit grey from integers of 0 to 65535, which PIL has in the modes I;16 and I."""
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise ImageError(f"its pixels are integers from {values.min()} to {values.max()}, beyond 16 bits")
    return Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))


def nearest(image: Image.Image, shapes: Sequence[Shape]) -> Shape:
    """The shape whose aspect ratio is nearest to the image's on a logarithmic scale; the first of several such.

    |log r| and max(r, 1 / r) have the same order, and the quotients are the same numbers on every machine.
    """

    def apart(shape: Shape) -> float:
        one, other = image.width * shape[0], image.height * shape[1]
        return max(one / other, other / one)

    return min(shapes, key=apart)


def crop(image: Image.Image, shape: Shape, small: Small = "reject") -> Image.Image:
    """The largest central part of an RGB image that has the shape, scaled as for guided diffusion on ImageNet ("ADM").

    Halved with a box filter while both sides are at least twice the shape's, then scaled with a bicubic filter until it
    just covers the shape, then cropped at the centre. An image of exactly this shape is unchanged. Raises ImageError when
    one of its sides is smaller, unless small ones are enlarged by the same filter, as ADM does.
    """
    height, width = shape
    if small == "reject" and (image.height < height or image.width < width):
        key = "data.image_size" if height == width else "data.shapes"
        raise ImageError(f"it has {image.width} x {image.height} pixels, fewer than {width} x {height} ({key})")
    if image.size == (width, height):
        return image
    while image.height >= 2 * height and image.width >= 2 * width:
        image = image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
    scale = max(height / image.height, width / image.width)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def to_png(image: Image.Image, compression: int) -> bytes:
    """An RGB image as a PNG file; compression is zlib's level, 0 to 9.

    At level 0 the file is put together here, with no filter and nothing left to a library: several times as fast as
    PIL, and the same bytes whatever versions are installed.
    """
    if compression == 0:
        return _stored_png(np.asarray(image))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=compression)
    return buffer.getvalue()


def _stored_png(pixels: np.ndarray) -> bytes:
    """A PNG file [PNG specification, 5 and 11] whose zlib stream has only stored blocks [RFC 1951, 3.2.4]."""
    height, width, _ = pixels.shape
    rows = np.zeros((height, 1 + 3 * width), np.uint8)  # each row starts with its filter: 0, none
    rows[:, 1:] = pixels.reshape(height, -1)
    data = rows.tobytes()
    blocks = [data[start : start + 65535] for start in range(0, len(data), 65535)]
    stored = b"".join(
        struct.pack("<?HH", block is blocks[-1], len(block), len(block) ^ 0xFFFF) + block for block in blocks
    )
    stream = b"\x78\x01" + stored + struct.pack(">I", zlib.adler32(data))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits, RGB, not interlaced
    chunks = ((b"IHDR", header), (b"IDAT", stream), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def png_shape(png: bytes) -> Shape:
    """The shape of the image in a PNG file, which its first chunk tells."""
    width, height = struct.unpack_from(">II", png, 16)
    return height, width


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
