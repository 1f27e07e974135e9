from asymflow.training.schedule import finished_part, learning_rate


def rate(images, **changes):
    return learning_rate(images, **({"peak": 2.0, "warmup": 100, "decay": 0.0, "total": 1_000} | changes))


def test_the_rate_rises_linearly_then_stays():
    assert [rate(i) for i in (0, 25, 100, 500, 1_000)] == [0.0, 0.5, 2.0, 2.0, 2.0]


def test_a_decay_ends_at_zero():
    assert [rate(i, decay=200.0) for i in (500, 800, 900, 1_000)] == [2.0, 2.0, 1.0, 0.0]


def test_no_warmup_starts_at_the_peak():
    assert rate(0, warmup=0) == 2.0


def test_parts_are_finished_once_each_and_the_last_at_the_end():
    finished = {images: finished_part(images, 32, 1_000, 4) for images in range(32, 1_001, 32)}
    assert {images: part for images, part in finished.items() if part} == {256: 1, 512: 2, 768: 3}
    assert finished_part(1_000, 40, 1_000, 4) == 4
    assert not any(finished_part(images, 32, 1_000, 0) for images in range(32, 1_001, 32))
