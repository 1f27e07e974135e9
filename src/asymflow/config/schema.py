"""The configuration's JSON schema, by which editors complete and check keys as they are typed.

python -m asymflow.config.schema > workflow/config.schema.json
"""

import json
from typing import Any

from asymflow.config.experiment import Experiment
from asymflow.config.loading import GROUPS

BASE = {"type": "string", "description": "What it differs from."}


def schema() -> dict[str, Any]:
    """The schema of any of the YAML files: none is complete in itself, so nothing is required."""
    document = _of_differences(Experiment.model_json_schema())
    properties, parts = document["properties"], document["$defs"]
    results = properties.pop("results")
    properties["pathvars"] = {"type": "object", "properties": {"results": results}, "additionalProperties": False}
    properties["bases"] = dict(properties["arms"], description="What arms share.")
    for group in ("bases", *GROUPS):  # null takes an entry away
        entry = properties[group]["additionalProperties"]
        properties[group] = properties[group] | {"additionalProperties": {"anyOf": [entry, {"type": "null"}]}}
    for name in ("Arm", "Sampling"):
        parts[name]["properties"] = {"base": BASE} | parts[name]["properties"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **document, "title": "asymflow"}


def _of_differences(value: Any) -> Any:
    """A schema in which every key may be left out, also the one that tells kinds apart."""
    if isinstance(value, list):
        return [_of_differences(item) for item in value]
    if not isinstance(value, dict):
        return value
    left_out = ("required", "discriminator") + (("title",) if isinstance(value.get("title"), str) else ())
    kept = {key: _of_differences(item) for key, item in value.items() if key not in left_out}
    return {("anyOf" if key == "oneOf" else key): item for key, item in kept.items()}


if __name__ == "__main__":
    print(json.dumps(schema()))
