"""Reading the configuration from its files: every mistake is found before any job starts, and says where it is and what to
write."""

import copy
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from asymflow.config.arm import Arm
from asymflow.config.claim import Claim
from asymflow.config.contradictions import contradictions, suggest
from asymflow.config.experiment import Experiment
from asymflow.config.misspelt import ENDS, FIXED, misspelt
from asymflow.config.release import Release
from asymflow.config.requested import requested
from asymflow.config.sampling import Sampling
from asymflow.config.section import Section
from asymflow.config.study import Study

NAME = re.compile(r"[a-z0-9_]+")
RESULTS = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*")  # a folder that needs no quotes anywhere
GROUPS = {"arms": Arm, "samplings": Sampling, "studies": Study, "claims": Claim, "releases": Release}  # entries by name
SECTIONS = tuple(name for name in Experiment.model_fields if name not in ("results", *GROUPS))
TOP = ("pathvars", "bases", *SECTIONS, *GROUPS)  # all keys that are not within another
UNBASED = ("studies", "claims", "releases")  # entries that stand for themselves
SINGULAR = {
    "arms": "arm",
    "samplings": "sampling setting",
    "studies": "study",
    "claims": "claim",
    "releases": "release",
    "bases": "base",
}
BASE = "base"  # the key that names what an arm or a sampling setting differs from
KIND = "kind"  # the key that says which of several sections one is
COMMAND_LINE = "the command line"


class ConfigurationError(ValueError):
    """All mistakes of a configuration, one line each: file, place, what was found, what was expected."""


class Source:
    """The files that a configuration is merged from, and what the command line adds."""

    def __init__(self, files: Sequence[Path | str], given: dict[str, Any] | None = None):
        self.contents = [(str(file), _read(file)) for file in files]
        if given:
            self.contents.append((COMMAND_LINE, given))

    def merged(self) -> dict[str, Any]:
        """All of it, later files over earlier ones; an entry that a later file sets to null is taken away."""
        values: dict[str, Any] = {}
        for _, content in self.contents:
            taken = [
                (group, name)
                for group in ("bases", *GROUPS)
                for name, entry in (content.get(group) or {}).items()
                if entry is None and name in (values.get(group) or {})
            ]
            values = merge(values, content)
            for group, name in taken:
                del values[group][name]
        return values

    def origin(self, paths: Sequence[tuple[str, ...]]) -> tuple[str, tuple[str, ...]]:
        """The last file that sets one of the paths, and that path; else where the first path's nearest ancestor is."""
        for path in paths:
            for file, content in reversed(self.contents):
                if _mentions(content, path):
                    return file, path
        if paths[0]:
            return self.origin([paths[0][:-1]])[0], paths[0]
        return (self.contents[-1][0] if self.contents else "configuration"), paths[0]


def load(
    files: Sequence[Path | str], given: dict[str, Any] | None = None, words: Sequence[str] | None = ()
) -> Experiment:
    """The experiment that YAML files describe, later ones over earlier ones, `given` (the command line's) over all.

    The targets among the `words` of a command line have to be of studies and arms that there are. Contradictions between sections
    count in what these targets use, and everywhere where none is given (`words` of None: nowhere); other mistakes count
    everywhere. Raises ConfigurationError with all that could be found.
    """
    source = Source(files, given)
    misshapen = [mistake for file, content in source.contents for mistake in _misshapen(file, content)]
    if misshapen:
        raise _error(misshapen)
    config = source.merged()
    mistakes = list(_misnamed(config, source))
    values: dict[str, Any] = {name: config[name] for name in SECTIONS if config.get(name) is not None}
    values["results"] = (config.get("pathvars") or {}).get("results")  # Snakemake's own key for the folder of results
    faulty: set[tuple[str, ...]] = set()  # bases whose mistakes need not be reported again for each arm
    for group, section in {"bases": Arm, **GROUPS}.items():
        built = {}
        for name in config.get(group) or {}:
            own, places = resolve(config, group, name, source, mistakes)
            if not faulty & set(places):
                built[name] = _build(section, own, places, source, mistakes)
            if group == "bases" and built.get(name) is None:
                faulty.add((group, name))
        if group in GROUPS:
            values[group] = built
    if not mistakes:
        experiment = _build(Experiment, values, [()], source, mistakes)
    if not mistakes and words is not None:
        mistakes += [f"{COMMAND_LINE}: {text}" for text in misspelt(experiment, words)]
        for keys, text in contradictions(experiment, requested(experiment, words)):
            places = [(group, name, *keys[2:]) for group, name in _ancestry(config, keys[0], keys[1])] or [keys]
            file, _ = source.origin(places)
            mistakes.append(f"{file}: {_called(keys)}{'' if keys[0] in UNBASED else ':'} {text}")
    if mistakes:
        raise _error(mistakes)
    return experiment


def _error(mistakes: list[str]) -> ConfigurationError:
    listed = "\n".join(f"  {mistake}" for mistake in dict.fromkeys(mistakes))
    return ConfigurationError(f"the configuration has mistakes; nothing was run\n{listed}")


def _misshapen(file: str, content: Any) -> Iterator[str]:
    """Where a file has something else than keys and their values in the places that everything else looks into."""
    if not isinstance(content, dict):
        yield f"{file}: found {_short(content)}; expected keys, as in `seeds: 3`"
        return
    for key, value in content.items():
        if value is None or key not in TOP:
            continue
        is_section = key in ("pathvars", "bases", *GROUPS) or isinstance(Experiment.model_fields[key].default, Section)
        if is_section and not isinstance(value, dict):
            yield f"{file}: key {key}: found {_short(value)}; expected keys, as in `{key}: {{name: value}}`"
            continue
        for name, entry in value.items() if key in ("bases", *GROUPS) else ():
            if not isinstance(name, str):
                yield f"{file}: {key} has the entry {name!r}; expected a name: write it in quotes, with a letter"
            elif entry is not None and not isinstance(entry, dict):
                yield f"{file}: {SINGULAR[key]} {name!r}: found {_short(entry)}; expected keys, as in `{name}: {{base: ...}}`"
            elif isinstance((entry or {}).get(BASE, ""), dict | list | bool | int | float) and key not in UNBASED:
                yield f"{file}: {SINGULAR[key]} {name!r}, key base: found {_short(entry[BASE])}; expected the name of another"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 60 else f"{text[:56]} ..."


def merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` with `changes` laid over it: dictionaries merge key by key, everything else is replaced.

    A section of another kind inherits nothing: {kind: nanodit} over a JiT is a NanoDiT with its own defaults.
    """
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        both = isinstance(value, dict) and isinstance(old, dict)
        if both and value.get(KIND, old.get(KIND)) == old.get(KIND, value.get(KIND)):
            merged[key] = merge(old, value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def resolve(
    config: dict[str, Any], group: str, name: str, source: Source, mistakes: list[str]
) -> tuple[dict[str, Any], list[tuple[str, ...]]]:
    """An entry with its bases laid under it, and the places that its values may come from, its own first."""
    values: dict[str, Any] = {}
    places = list(_ancestry(config, group, name))
    for place_group, place in reversed(places):
        values = merge(values, (config[place_group] or {}).get(place) or {})
    values.pop(BASE, None)
    last_group, last = places[-1]
    wanted = ((config[last_group] or {}).get(last) or {}).get(BASE)
    if wanted is not None:
        other = _group_of_bases(group)
        known = [key for key in config.get(other) or {} if (other, key) not in places]
        problem = "names itself through its bases" if (other, wanted) in places else "does not exist"
        file, _ = source.origin([(last_group, last, BASE)])
        mistakes.append(
            f"{file}: {_called((last_group, last, BASE))}: found {wanted!r}, which {problem}; {suggest(str(wanted), known)}"
        )
    elif group == "arms" and len(places) == 1:
        file, _ = source.origin([(group, name)])
        mistakes.append(f"{file}: {_called((group, name))} names no base; {suggest('', config.get('bases') or {})}")
    return values, places


def _group_of_bases(group: str) -> str:
    """Where the bases of a group are: arms have a group of bases, a sampling setting differs from another one."""
    return "bases" if group in ("arms", "bases") else group


def _ancestry(config: dict[str, Any], group: str, name: str) -> Iterator[tuple[str, str]]:
    """An entry, its base, the base of that, and so on, as far as they exist and none is met twice."""
    seen = set()
    while (group, name) not in seen and name in (config.get(group) or {}):
        seen.add((group, name))
        yield group, name
        entry = config[group][name]
        group, name = (
            _group_of_bases(group),
            entry.get(BASE) if isinstance(entry, dict) and group not in UNBASED else None,
        )


def _build(section: type[Section], values: Any, places: list[tuple[str, ...]], source: Source, mistakes: list[str]):
    """The validated section, or None after its mistakes were added. `places` are the paths its values may come from."""
    try:
        return section.model_validate(values)
    except ValidationError as error:
        by_place: dict[str, list[str]] = {}  # what is wrong at a place; a choice of types has a complaint of each
        for detail in error.errors():
            where, what = _explain(section, detail, places, source)
            by_place.setdefault(where, []).append(what)
        mistakes += [f"{where}: {', or '.join(complaints)}" for where, complaints in by_place.items()]
        return None


def _explain(
    section: type[Section], detail: ErrorDetails, places: list[tuple[str, ...]], source: Source
) -> tuple[str, str]:
    """One mistake: where it is, and what it is."""
    own = detail["ctx"] if detail["type"] == "wrong_key" else {}
    keys, holder = _walk(section, (*detail["loc"], own["key"]) if own else detail["loc"])
    message = detail["msg"].removeprefix("Value error, ")
    named = message.split(" ")[0].split(".")
    if not keys and len(named) > 1 and named[0] in section.model_fields:
        keys, message = tuple(named), message.partition(" ")[2]  # a section that contradicts itself begins with the key
        message = f"{'.'.join(keys)} {message}"
    file, place = source.origin([(*place, *keys) for place in places])
    where = f"{file}: {_called((*places[0], *keys), place)}"
    if own:
        return where, f"found {own['found']!r}; expected {message}"
    if detail["type"] == "extra_forbidden":
        return where, f"unknown key {keys[-1]!r}; {suggest(keys[-1], holder.model_fields)}"
    if detail["type"] == "missing" and keys[-1].isdecimal():
        return where, f"found {detail['input']!r}; expected another entry"
    if detail["type"] == "missing":
        return where, f"missing; expected {holder.model_fields[keys[-1]].annotation}"
    if detail["type"] == "union_tag_not_found":
        kinds = (repr(kind.model_fields[KIND].default) for kind in get_args(holder.model_fields[keys[-1]].annotation))
        return where, f"says no {KIND}; expected one of {', '.join(kinds)}"
    if detail["type"] == "union_tag_invalid":
        return where, f"found the {KIND} {detail['ctx']['tag']!r}; expected one of {detail['ctx']['expected_tags']}"
    if detail["type"] == "value_error" and isinstance(detail["input"], dict):  # a section that contradicts itself
        return where, message
    return where, f"found {detail['input']!r}; expected: {message}"


def _called(keys: tuple[str, ...], place: tuple[str, ...] = ()) -> str:
    """How an error names the place: the arm (or other named thing) and the dotted key."""
    if keys and keys[0] in SINGULAR and len(keys) > 1:
        inherited = f" (from {SINGULAR[place[0]]} {place[1]!r})" if place and place[:2] != keys[:2] else ""
        key = f", key {'.'.join(keys[2:])}{inherited}" if len(keys) > 2 else ""
        return f"{SINGULAR[keys[0]]} {keys[1]!r}{key}"
    return f"key {'.'.join(keys) or '(whole)'}"


def _walk(section: type[Section], location: tuple[str | int, ...]) -> tuple[tuple[str, ...], type[Section]]:
    """The keys that a location of pydantic's means, and the section that holds the last of them.

    A location has an element more for each choice among several kinds or types; keys in YAML have not.
    """
    keys: list[str] = []
    annotation, holder, chosen = section, section, False
    for element in location:
        options = [a for a in (annotation, *get_args(annotation)) if isinstance(a, type) and issubclass(a, Section)]
        named = {str(o.model_fields[KIND].default): o for o in options if KIND in o.model_fields}
        if len(options) > 1 and not chosen and element in named:
            annotation, chosen = named[str(element)], True
            continue
        if get_origin(annotation) in (Union, UnionType) and not options and isinstance(element, str):
            continue
        keys.append(str(element))
        if options:
            holder = options[0] if not chosen else annotation
            field = holder.model_fields.get(str(element))
            annotation = field.annotation if field else None
        else:
            annotation = next(iter(get_args(annotation)), None)  # an element of a list
        chosen = False
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
    return tuple(keys), holder


def _mentions(content: Any, path: tuple[str, ...]) -> bool:
    for key in path:
        if not isinstance(content, dict) or key not in {str(name) for name in content}:
            return False
        content = content[key] if key in content else next(v for k, v in content.items() if str(k) == key)
    return True


def _misnamed(config: dict[str, Any], source: Source) -> Iterator[str]:
    for key in config:
        if key not in TOP:
            yield f"{source.origin([(str(key),)])[0]}: unknown key {key!r}; {suggest(str(key), TOP)}"
    results = (config.get("pathvars") or {}).get("results")
    for key in config.get("pathvars") or {}:
        if key != "results":
            file, _ = source.origin([("pathvars", str(key))])
            yield f"{file}: key pathvars: unknown key {key!r}; {suggest(str(key), ['results'])}"
    if not isinstance(results, str) or not RESULTS.fullmatch(results) or {".", ".."} & set(results.split("/")):
        file, _ = source.origin([("pathvars", "results")])
        yield (
            f"{file}: key pathvars.results: found {results!r}; expected a folder below this one, of ASCII letters, digits,"
            " `_`, `-`, `.` and `/`, such as results/mine"
        )
    studies = config.get("studies") or {}
    for name in studies:
        file, _ = source.origin([("studies", name)])
        if FIXED.fullmatch(name):
            yield f"{file}: study {name!r} would have files that are made of no study; give it another name"
        for other in studies:
            if name in [f"{other}_{end}" for end in ENDS]:
                yield f"{file}: study {name!r} would have the files of study {other!r}; give it another name"
    for group in ("bases", *GROUPS):
        for name in config.get(group) or {}:
            if not NAME.fullmatch(str(name)):
                file, _ = source.origin([(group, str(name))])
                yield f"{file}: {group} has an entry {name!r}; expected a name of lower-case letters, digits and underscores"


def _read(file: Path | str) -> Any:
    """The content of a file. Raises ConfigurationError for a file that is not there or is not YAML, and for a key said twice."""
    try:
        return copy.deepcopy(_parsed(Path(file).read_text(encoding="utf-8-sig"))) or {}
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        raise _error([f"{file}: cannot be read: {getattr(error, 'strerror', None) or error}"]) from error
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        line = f", line {place.line + 1}" if place else ""
        raise _error([f"{file}{line}: is not YAML: {getattr(error, 'problem', None) or error}"]) from error


@lru_cache(maxsize=16)  # PyYAML takes most of the time of loading, and libyaml crashes on what is nested deeply
def _parsed(text: str) -> Any:
    return yaml.load(text, _Loader)


class _Loader(yaml.SafeLoader):
    """Refuses a key that is said twice: the first of the two would be lost without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        said = set()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:merge":
                if key.value in said:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} is said twice", key.start_mark
                    )
                said.add(key.value)
        return super().construct_mapping(node, deep)
