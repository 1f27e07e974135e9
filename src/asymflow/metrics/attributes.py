"""Whether generated images show what their captions name."""


def attribute_accuracy(named: list[dict[str, str]], read: list[dict[str, str]]) -> float:
    """The share of all attributes named in captions that were read right from the images; each counts once.

    `named` has the attributes of each caption, `read` what a probe saw in its image; attributes that a caption is silent about do
    not count. Raises ValueError when the two differ in length, when an attribute was not looked for, and when none is named.
    """
    if len(named) != len(read):
        raise ValueError(f"there are {len(named)} captions but {len(read)} images")
    pairs = [(name, value, seen) for wanted, seen in zip(named, read, strict=True) for name, value in wanted.items()]
    unseen = sorted({name for name, _, seen in pairs if name not in seen})
    if unseen:
        raise ValueError(f"captions name {', '.join(unseen)}, which no probe of the evaluator reads")
    if not pairs:
        raise ValueError("no caption names an attribute, so there is nothing to be accurate about")
    return sum(seen[name] == value for name, value, seen in pairs) / len(pairs)
