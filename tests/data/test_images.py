import hashlib
import io
import struct

import numpy as np
import pytest
from pictures import noise
from PIL import Image, ImageFilter
from PIL.PngImagePlugin import PngInfo

from asymflow.data.images import ImageError, crop, load, to_png, to_rgb


def saved(image: Image.Image, format: str, **options) -> io.BytesIO:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return io.BytesIO(buffer.getvalue())


def decoded(image: Image.Image, format: str, **options) -> np.ndarray:
    return np.asarray(to_rgb(load(saved(image, format, **options)))).astype(int)


# ----- decoding -----


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "PPM"])
def test_rgb_survives_lossless_formats(format):
    assert np.array_equal(decoded(noise(7, 5), format), np.asarray(noise(7, 5)))


@pytest.mark.parametrize("compression", range(10))
def test_png_is_lossless_at_every_compression(compression):
    for width, height in ((9, 7), (200, 150)):  # the second needs two stored blocks
        png = to_png(noise(width, height), compression)
        image = Image.open(io.BytesIO(png))
        image.verify()  # checksums
        assert np.array_equal(np.asarray(load(io.BytesIO(png))), np.asarray(noise(width, height)))


def test_uncompressed_png_files_are_the_same_bytes_on_every_machine():
    digest = hashlib.sha256(to_png(Image.new("RGB", (3, 2), (1, 2, 3)), 0)).hexdigest()
    assert digest == "c9e962f31ee1113fce05a44a07c4d3064fed48058f2ab0a9f592a54ce0ad895a"


UPRIGHT = {  # what a viewer does to the stored pixels for each EXIF orientation
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.transpose(1, 0, 2),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: x[::-1, ::-1].transpose(1, 0, 2),
    8: lambda x: np.rot90(x, 1),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_the_orientation_of_the_camera_is_applied_once(format, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    shown = decoded(noise(4, 3), format, exif=exif)
    assert np.array_equal(shown, UPRIGHT[orientation](np.asarray(noise(4, 3))))


def without_adobe_marker(jpeg: bytes) -> bytes:
    start = jpeg.index(b"\xff\xee")
    (length,) = struct.unpack(">H", jpeg[start + 2 : start + 4])
    return jpeg[:start] + jpeg[start + 2 + length :]


@pytest.mark.parametrize(
    "ink, rgb", [((0, 255, 255, 0), (255, 0, 0)), ((255, 0, 0, 0), (0, 255, 255)), ((0,) * 4, (255,) * 3)]
)
def test_cmyk_has_the_right_colours_inverted_in_jpeg_with_and_without_marker_and_plain_in_tiff(ink, rgb):
    image = Image.new("CMYK", (16, 16), ink)
    jpeg, tiff = (saved(image, format).getvalue() for format in ("JPEG", "TIFF"))
    for data in (jpeg, without_adobe_marker(jpeg), tiff):
        assert load(io.BytesIO(data)).mode == "CMYK"
        shown = np.asarray(to_rgb(load(io.BytesIO(data)))).astype(int)
        assert np.abs(shown - rgb).max() <= 3  # JPEG rounds


def test_a_palette_gives_its_colours():
    image = noise(6, 6).quantize(16)
    assert np.array_equal(decoded(image, "PNG"), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("format", ["PNG", "GIF"])
def test_a_transparent_palette_entry_becomes_white(format):
    image = Image.new("P", (4, 4), 0)
    image.putpalette([200, 10, 10, 10, 200, 10])
    image.putpixel((1, 2), 1)
    shown = decoded(image, format, transparency=0)
    assert shown[2, 1].tolist() == [10, 200, 10]
    assert shown[0, 0].tolist() == [255, 255, 255]


def test_a_palette_with_an_alpha_for_each_entry_is_laid_over_white():
    image = Image.new("P", (2, 2), 0)
    image.putpalette([0, 0, 0, 100, 100, 100])
    image.putpixel((1, 1), 1)
    shown = decoded(image, "PNG", transparency=bytes([51, 255]))
    assert shown[1, 1].tolist() == [100] * 3
    assert shown[0, 0].tolist() == [204] * 3  # 255 * (1 - 51/255)


@pytest.mark.parametrize(
    "mode, colour, expected", [("RGBA", (255, 0, 0, 102), (255, 153, 153)), ("LA", (0, 102), (153,) * 3)]
)
def test_alpha_is_laid_over_white(mode, colour, expected):
    assert np.abs(decoded(Image.new(mode, (3, 3), colour), "PNG") - expected).max() <= 1  # PIL rounds the product


def test_a_transparent_colour_of_rgb_becomes_white():
    shown = decoded(Image.new("RGB", (2, 2), (9, 8, 7)), "PNG", transparency=(9, 8, 7))
    assert (shown == 255).all()


def test_grey_and_black_and_white_are_repeated_in_three_channels():
    grey = noise(5, 5).convert("L")
    assert np.array_equal(decoded(grey, "PNG"), np.asarray(grey)[..., None].repeat(3, 2))
    bilevel = grey.convert("1")
    assert np.array_equal(decoded(bilevel, "PNG"), np.asarray(bilevel)[..., None].repeat(3, 2) * 255)


RAMP = np.linspace(0, 65535, 48).astype(np.uint16).reshape(6, 8)


def scaled(values: np.ndarray) -> np.ndarray:
    return np.floor(values / 257 + 0.5)[..., None].repeat(3, 2)  # 65535 = 255 * 257


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_grey_of_16_bits_is_scaled_and_not_clipped(format):
    assert np.array_equal(decoded(Image.fromarray(RAMP), format), scaled(RAMP))


def test_big_endian_grey_of_16_bits_is_scaled():
    assert np.array_equal(decoded(Image.fromarray(RAMP.astype(">u2")), "TIFF"), scaled(RAMP))


def test_a_16_bit_pgm_is_scaled():
    pgm = b"P5 8 6 65535\n" + RAMP.astype(">u2").tobytes()
    assert np.array_equal(np.asarray(to_rgb(load(io.BytesIO(pgm)))), scaled(RAMP))


def test_pixels_without_a_known_range_are_refused():
    with pytest.raises(ImageError, match="floating point"):
        decoded(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF")
    with pytest.raises(ImageError, match="beyond 16 bits"):
        decoded(Image.fromarray(np.full((4, 4), 70_000, np.int32)), "TIFF")


TRUNCATED = [("PNG", {}), ("PNG", {"compress_level": 0}), ("JPEG", {}), ("JPEG", {"progressive": True}), ("WEBP", {})]
TRUNCATED += [
    ("WEBP", {"lossless": True}),
    ("GIF", {}),
    ("BMP", {}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
]


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("format, options", TRUNCATED)
def test_a_file_cut_anywhere_is_refused_unless_all_its_pixels_are_there(format, options):
    data = saved(noise(24, 20).filter(ImageFilter.GaussianBlur(2)), format, **options).getvalue()
    whole = np.asarray(to_rgb(load(io.BytesIO(data))))
    survivors = 0
    for length in range(0, len(data), 3):
        try:
            pixels = np.asarray(to_rgb(load(io.BytesIO(data[:length]))))
        except Exception:
            continue
        survivors += 1
        assert np.array_equal(pixels, whole)
    assert survivors <= 7  # PNG's closing chunk and GIF's last byte carry no pixels


def test_postscript_is_never_handed_to_ghostscript():
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\nshowpage\n"
    assert Image.open(io.BytesIO(eps)).format == "EPS"  # PIL would
    with pytest.raises(OSError, match="cannot identify"):
        load(io.BytesIO(eps))


# ----- crop -----


def cubic(x: np.ndarray) -> np.ndarray:
    """Keys' kernel with a = -1/2."""
    x = np.abs(x)
    return np.where(x < 1, 1.5 * x**3 - 2.5 * x**2 + 1, np.where(x < 2, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2, 0))


def box(x: np.ndarray) -> np.ndarray:
    return ((x > -0.5) & (x <= 0.5)).astype(float)


def resized(values: np.ndarray, height: int, width: int, kernel) -> np.ndarray:
    """Resampling with a kernel stretched by the factor of reduction, along rows, then columns; bytes after each."""
    for length in (width, height):
        values = values.transpose(1, 0, 2)
        factor = len(values) / length
        centres = (np.arange(length) + 0.5) * factor
        weights = kernel((np.arange(len(values)) + 0.5 - centres[:, None]) / factor)
        values = np.clip(np.floor(np.tensordot(weights / weights.sum(1, keepdims=True), values, 1) + 0.5), 0, 255)
    return values


def reference(values: np.ndarray, size: int) -> np.ndarray:
    """The crop in floating point."""
    while min(values.shape[:2]) >= 2 * size:
        values = resized(values, values.shape[0] // 2, values.shape[1] // 2, box)
    height, width = (round(length * size / min(values.shape[:2])) for length in values.shape[:2])
    values = resized(values, height, width, cubic)
    top, left = (height - size) // 2, (width - size) // 2
    return values[top : top + size, left : left + size]


@pytest.mark.parametrize("width, height", [(16, 16), (17, 16), (21, 30), (32, 32), (64, 40), (70, 130), (31, 16)])
def test_crop_agrees_with_a_plain_reference(width, height):
    image = noise(width, height)
    cropped = np.asarray(crop(image, (16, 16))).astype(int)
    assert cropped.shape == (16, 16, 3)
    assert np.abs(cropped - reference(np.asarray(image), 16)).max() <= 1  # PIL's weights are fixed-point numbers


def test_an_image_of_the_right_size_is_unchanged():
    assert np.array_equal(np.asarray(crop(noise(12, 12), (12, 12))), np.asarray(noise(12, 12)))


def test_a_box_halving_is_the_mean_of_four_pixels():
    values = 4 * np.arange(64 * 3, dtype=np.uint8).reshape(8, 8, 3) // 4
    means = values.reshape(4, 2, 4, 2, 3).mean((1, 3))
    assert np.abs(np.asarray(crop(Image.fromarray(values), (4, 4))) - means).max() <= 0.5


def test_an_image_smaller_than_the_target_is_refused():
    with pytest.raises(ImageError, match="15 x 90 pixels, fewer than 16 x 16"):
        crop(noise(15, 90), (16, 16))


@pytest.mark.parametrize("width, height", [(15, 90), (5, 6), (16, 3), (1, 1), (16, 16), (70, 40)])
def test_where_small_ones_are_enlarged_it_is_by_the_filter_that_shrinks_large_ones(width, height):
    image = noise(width, height)
    while min(image.size) >= 32:
        image = image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
    scale = 16 / min(image.size)
    resized = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    left, top = (resized.width - 16) // 2, (resized.height - 16) // 2
    expected = np.asarray(resized)[top : top + 16, left : left + 16]
    assert np.array_equal(np.asarray(crop(noise(width, height), (16, 16), "enlarge")), expected)


@pytest.mark.parametrize("chunk", ["zTXt", "iTXt", "iCCP"])
def test_long_texts_and_profiles_of_a_png_cost_nothing(chunk):
    """XMP and the profiles of printers exceed PIL's own limit of 1 MiB."""
    image, text = noise(4, 3), "x" * (2 << 20)
    info = PngInfo()
    if chunk != "iCCP":
        info.add_itxt("XML:com.adobe.xmp", text, zip=True) if chunk == "iTXt" else info.add_text("note", text, zip=True)
    options = {"icc_profile": text.encode()} if chunk == "iCCP" else {"pnginfo": info}
    assert np.array_equal(decoded(image, "PNG", **options), np.asarray(image))
