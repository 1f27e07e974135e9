"""Where files lie: results wherever a storage plugin keeps them, and files of the user's own where they are."""

from asymflow.config.evaluator import INCEPTION

# the folder that a job finds results in: the one that Snakemake works in, or that of a storage plugin's copies
ROOT = str(workflow.modifier.path_modifier.modify(paths.results)).removesuffix(paths.results) or "."


def listed(*indexes):
    """What indexes list. An index holds the checksums of all that, so its own content says whether it has changed."""
    return [ancient(file) for index in indexes for file in paths.listed(index)]


def own(files):
    """The same files, those that no rule makes marked as the user's own, which no storage plugin holds."""
    if isinstance(files, str):
        return files if files.startswith(f"{paths.results}/") else local(files)
    return [own(file) for file in files]


def there(give):
    """The files that a function of the plan gives, for a rule that reads of an index nothing else than it says itself."""

    def files(wildcards):
        given = give(wildcards)
        return {name: own(some) for name, some in given.items()} if isinstance(given, dict) else own(given)

    return files


def read(give):
    """The files that a function of the plan gives by name, and with each index what it lists."""

    def files(wildcards):
        given = give(wildcards)
        flat = [file for some in given.values() for file in ([some] if isinstance(some, str) else some)]
        return {name: own(some) for name, some in given.items()} | {"listed": listed(*flat)}

    return files


def root(wildcards, output):
    """What the files of a study are named from. Asks for the output, so that Snakemake does not take it for a setting."""
    return ROOT


def evaluator(wildcards, input):
    """What a stage loads as the evaluator: the file that is trained here, or the name of the published one."""
    return input.evaluator or INCEPTION
