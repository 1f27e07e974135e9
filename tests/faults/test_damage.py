"""Every file that a stage reads, damaged in every way: the stage names it and ends, or makes what it would have made anyway."""

import json
import random
import shutil
from pathlib import Path

import pytest
from faults.pipeline import STEPS, made

QUICK = 6  # pairs of each step in the quick subset
READERS = [name for name in STEPS if name != "shard"]
READ_LATER = ["search_guidance", "sample", "score", "table", "figure"]  # where a run of something else comes to light


def _read(name: str, folder: Path) -> list[str]:
    """What a step reads in the folder that it begins with: its files, the parts that these list, and the cards of a study."""
    step = STEPS[name]
    files = [file for file in step.files.values() if (folder / file).is_file()]
    for index in list(files):
        if index.endswith(".json"):
            described = json.loads((folder / index).read_text())
            listed = described.get("shards", [])
            files += [index.removesuffix(".json") + ".samples.npy"] if "table" in described else []
            parts = [entry["file"] if isinstance(entry, dict) else entry for entry in listed]
            files += [str(Path(index).parent / part) for part in parts[:1]]
    if "study" in step.words and step.stage == "table":
        files += ["run/train.json", "drawn/samples.json", "scores.json"]
    return sorted(set(files))


def _empty(content, draw):
    return b""


def _cut(content, draw):
    return content[: len(content) // 2]


def _longer(content, draw):
    return content + b"\0" * 512


def _bit(content, draw):
    place = draw.randrange(8 * len(content))
    changed = bytearray(content)
    changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


def _zeros(content, draw):
    start = draw.randrange(max(1, len(content) - 64))
    return content[:start] + bytes(min(64, len(content) - start)) + content[start + 64 :]


def _digit(content, draw):
    digits = [i for i, byte in enumerate(content) if chr(byte) in "0123456789"]
    place = draw.choice(digits)
    return content[:place] + str(9 - int(chr(content[place]))).encode() + content[place + 1 :]


DAMAGES = {
    "empty": _empty, "cut": _cut, "longer": _longer, "one bit": _bit, "another bit": _bit, "a third bit": _bit, "zeros": _zeros,
    "another digit": _digit,
}  # fmt: skip
PLACES = ["gone", "a folder", "another file's content", "of another data set", "of another seed"]


def _put(kind: str, folder: Path, file: str, other: Path, seed: Path) -> None:
    """Damages a file, or puts something else in its place."""
    path, draw = folder / file, random.Random(f"{kind} {file}")
    if kind in DAMAGES:
        path.write_bytes(DAMAGES[kind](path.read_bytes(), draw))
        return
    content = path.read_bytes()
    path.unlink()
    if kind == "a folder":
        path.mkdir()
    elif kind == "another file's content":
        beside = [p for p in sorted(folder.rglob(f"*{path.suffix}")) if p.is_file() and p.read_bytes() != content]
        path.write_bytes(draw.choice(beside).read_bytes() if beside else b"something else")
    elif kind != "gone":
        path.write_bytes(((other if kind == "of another data set" else seed) / file).read_bytes())


def _check(server, undisturbed, name: str, kind: str, file: str, folder: Path, others: tuple[Path, Path]) -> str:
    """What became of it: refused, refused later, or harmless; anything else is a fault."""
    shutil.copytree(undisturbed[name].before, folder)
    _put(kind, folder, file, *others)
    named = [str(folder / file), f"{folder / file}".rsplit("-", 1)[0], f"{(folder / file).parent}.json"]
    later = READ_LATER[READ_LATER.index(name) + 1 if name in READ_LATER else 0 :]
    for step in [name, *later] if name in ("train", *READ_LATER) else [name]:
        answer = server.run(folder, STEPS[step])
        if answer["status"] != 0:
            said = answer["said"].strip().splitlines()
            if "Traceback" in answer["said"] or not any(
                path in said[-1] for path in (named if kind in DAMAGES else [str(folder)])
            ):
                return f"unclear: {' | '.join(said[-3:])}"
            return "refused" if step == name else "refused later"
        if step == name and made(folder, STEPS[step]) == undisturbed[step].made:
            return "harmless"
    return "used silently"


def _tried(
    server, undisturbed, name: str, pairs: list[tuple[str, str]], folder: Path, others: tuple[Path, Path]
) -> None:
    outcomes = {}
    for file, kind in pairs:
        outcomes[file, kind] = _check(server, undisturbed, name, kind, file, folder / "work", others)
        shutil.rmtree(folder / "work")
    counts = {outcome: list(outcomes.values()).count(outcome) for outcome in ("refused", "refused later", "harmless")}
    print(f"{name}: {len(outcomes)} pairs, {counts}")
    assert sum(counts.values()) == len(outcomes) > 0, [case for case in outcomes.items() if case[1] not in counts]


def _pairs(name: str, folder: Path) -> list[tuple[str, str]]:
    return [(file, kind) for file in _read(name, folder) for kind in (*DAMAGES, *PLACES)]


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_some_damaged_and_exchanged_files_are_not_used_silently(
    server, undisturbed, another, another_seed, name, tmp_path
):
    pairs = _pairs(name, undisturbed[name].before)
    chosen = random.Random(name).sample(pairs, min(QUICK, len(pairs)))
    _tried(server, undisturbed, name, chosen, tmp_path, (another, another_seed))


@pytest.mark.faults
@pytest.mark.parametrize("name", READERS)
def test_no_damaged_or_exchanged_file_is_used_silently(server, undisturbed, another, another_seed, name, tmp_path):
    _tried(server, undisturbed, name, _pairs(name, undisturbed[name].before), tmp_path, (another, another_seed))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "unfinished"), [("train", "run/state"), ("sample", "drawn/samples.parts")])
def test_damage_to_what_an_interrupted_run_left_costs_time_alone(server, undisturbed, name, unfinished, tmp_path):
    step, draw = STEPS[name], random.Random(name)
    begun = shutil.copytree(undisturbed[name].before, tmp_path / "begun")
    killed = {"call": "replace", "number": undisturbed[name].counts["replace"] // 2, "what": "kill after"}
    assert server.run(begun, step, killed)["status"] < 0
    left = [path.relative_to(begun) for path in sorted((begun / unfinished).rglob("*")) if path.is_file()]
    assert left
    for number, (file, kind) in enumerate((file, kind) for file in left for kind in DAMAGES):
        folder = shutil.copytree(begun, tmp_path / str(number))
        content = (folder / file).read_bytes()
        (folder / file).write_bytes(DAMAGES[kind](content, draw) if content else b"something")
        answer = server.run(folder, step)
        assert answer["status"] == 0, (file, kind, answer["said"])
        assert made(folder, step) == undisturbed[name].made, (file, kind)
        shutil.rmtree(folder)
    print(f"{name}, interrupted: {len(left) * len(DAMAGES)} pairs, all made anew")
