"""What makes a person themselves: measures that no attribute changes, so that an edit shows the same person."""

from asymflow.data.drawing.canvas import Array, uniforms

TABLE = 256  # random numbers behind strands, folds, bricks and lights; a power of two

# Lowest and highest value of each measure, in half-axes of the head or in picture widths as the drawing needs it; those
# from 0 to 1 choose between styles or set a strength. The draws follow this order.
MEASURES: dict[str, tuple[float, float]] = {
    # position, size and carriage of the head; `tilt` and `turn` are about radians
    "head_x": (-0.022, 0.022),
    "head_y": (-0.020, 0.015),
    "scale": (0.99, 1.13),
    "head_width": (0.192, 0.216),
    "head_height": (0.245, 0.270),
    "tilt": (-0.07, 0.07),
    "turn": (-0.08, 0.08),
    # shape of face and ears
    "taper": (0.14, 0.34),
    "jaw": (0.0, 0.55),
    "skin_tone": (-0.06, 0.06),
    "blush": (0.0, 0.35),
    "ear_size": (0.17, 0.22),
    # eyes
    "eye_x": (0.40, 0.47),
    "eye_y": (-0.02, 0.07),
    "eye_size": (0.22, 0.28),
    "eye_open": (0.125, 0.17),
    "eye_tilt": (-0.006, 0.012),
    "iris": (0.115, 0.14),
    "iris_colour": (0.0, 1.0),
    # brows
    "brow_y": (0.23, 0.31),
    "brow_width": (0.26, 0.33),
    "brow_thick": (0.013, 0.028),
    "brow_tilt": (-0.008, 0.012),
    "brow_arch": (0.004, 0.022),
    # nose and mouth
    "nose_y": (0.32, 0.40),
    "nose_width": (0.15, 0.22),
    "mouth_y": (0.57, 0.63),
    "mouth_width": (0.36, 0.46),
    "mouth_sag": (-0.003, 0.006),
    "lip_thick": (0.013, 0.026),
    "lip_colour": (0.0, 1.0),
    # glasses, if there are any
    "lens": (0.34, 0.40),
    "rim_shape": (0.0, 1.0),
    "rim_colour": (0.0, 1.0),
    # hair
    "parting": (-0.6, 0.6),
    "fringe": (0.0, 1.0),
    "hairline": (-0.05, 0.08),
    "volume": (0.0, 0.10),
    "ends": (-1.0, 1.0),
    "quiff": (0.0, 1.0),
    "flare": (0.0, 1.0),
    "curl": (0.0, 1.0),
    # body and shirt
    "neck": (0.50, 0.62),
    "shoulder_slope": (0.0, 0.12),
    "shoulder_width": (0.36, 0.44),
    "neckline": (0.0, 1.0),
    "neckline_width": (0.13, 0.17),
    # the wall behind
    "wall_x": (-0.08, 0.08),
    "wall_y": (-0.08, 0.08),
    "wall_scale": (0.90, 1.15),
    "wall_contrast": (0.50, 0.75),
}


def measure(seed: int, index: int, *, stream: int) -> tuple[dict[str, float], Array]:
    """The measures of one person and their table of random numbers."""
    draws = uniforms(seed, index, stream=stream, count=len(MEASURES) + TABLE)
    body = {
        name: low + (high - low) * float(u) for u, (name, (low, high)) in zip(draws, MEASURES.items(), strict=False)
    }
    return body, draws[len(MEASURES) :]
