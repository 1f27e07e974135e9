"""Results in object storage, on a server that is started here, as a user of Snakemake's storage plugins has them."""

import io
import re

import boto3
import pandas as pd
import pytest
from moto.server import ThreadedMotoServer

pytestmark = pytest.mark.slow  # a study of its own, made by the fixture

TARGETS = ("results/smoke/rank_sweep.csv", "results/smoke/figures/rank_sweep.png")
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
STORED = ("--default-storage-provider", "s3", "--default-storage-prefix", "s3://bucket/mine")
OWN = r"seconds|memory|commit|^checksum$"  # columns of a table that no two runs have in common
INDEX = r"(data/(train|evaluator|heldout)|conditions/[^/]+/[^/]+|latent/[^/]+/[^/]+)\.json"


@pytest.fixture(scope="module")
def storage():
    """A client of an empty store, which Snakemake finds in its environment."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    with pytest.MonkeyPatch.context() as environment:
        for name, value in (KEYS | {"SNAKEMAKE_STORAGE_S3_ENDPOINT_URL": address}).items():
            environment.setenv(name, value)
        yield boto3.client("s3", endpoint_url=address)
    server.stop()


def jobs(output: str) -> list[tuple[str, set[str]]]:
    """The rule of each job that a dry run lists, and its inputs, from the folder of results on."""
    listed = re.findall(r"(?:rule|checkpoint) (\w+):\n +input: (.*)\n", output)
    return [(rule, set(re.findall(r"s3://bucket/mine/results/smoke/([^ ,]+)", files))) for rule, files in listed]


def test_results_in_object_storage_are_those_of_plain_files_and_no_working_folder_makes_them_twice(
    finished, project, storage, tmp_path, monkeypatch
):
    monkeypatch.setenv("ASYMFLOW_STATE", str(tmp_path / "state"))
    first = project(tmp_path / "first").run(*TARGETS, *STORED)
    assert first.returncode == 0, first.stdout + first.stderr
    stored = storage.get_object(Bucket="bucket", Key=f"mine/{TARGETS[0]}")["Body"].read()
    far, near = pd.read_csv(io.BytesIO(stored), dtype=str), pd.read_csv(finished.folder / TARGETS[0], dtype=str)
    own = near.columns[near.columns.str.contains(OWN)]
    assert len(own) < 8 and "fid_local" in near
    pd.testing.assert_frame_equal(far.drop(columns=own), near.drop(columns=own))
    second = project(tmp_path / "second").run(*TARGETS, *STORED)
    assert second.returncode == 0 and "Nothing to be done" in second.stdout + second.stderr
    results = [path for place in ("first", "second") for path in (tmp_path / place).glob("results/**/*.*")]
    assert not results and not list((tmp_path / "second").rglob("*.tar")), "nothing but storage holds results"
    assert any((tmp_path / "state").rglob("events.*")), "what trainings keep while they run lies where it was told to"


def test_a_claim_whose_looks_lie_in_object_storage_is_known_in_another_working_folder(project, storage, tmp_path):
    claim = {"says": "It is ahead", "source": "a test", "metric": "fid", "smallest": 2.0}
    claim["holds_if"] = "rank8@guided < rank0@guided"
    said = []
    for place in ("decided", "asked"):
        made = project(tmp_path / place)
        made.overlay({"claims": {"ahead": claim}, "decision": {"looks": [2]}})
        result = made.run("results/smoke/claims/ahead.json", *STORED)
        said.append(result.stdout + result.stderr)
        assert result.returncode == 0, said[-1]
    assert "Nothing to be done" not in said[0] and "Nothing to be done" in said[1], said[1]


def test_who_reads_an_index_is_given_what_it_lists(project, storage, tmp_path):
    result = project(tmp_path / "graph").run("-n", "all", *STORED)
    assert result.returncode == 0, result.stdout + result.stderr
    listed = jobs(result.stdout + result.stderr)
    readers = {rule for rule, files in listed for file in files if re.fullmatch(INDEX, file)}
    assert {"train", "fit_evaluator", "embed_captions", "nearest_images", "velocity", "suite"} <= readers
    for rule, files in listed:
        indexes = {file for file in files if re.fullmatch(INDEX, file)}
        assert {index.removesuffix(".json") for index in indexes} <= files, rule


def test_files_of_the_users_own_are_taken_from_the_disk(project, storage, tmp_path):
    result = project(tmp_path / "own").run("-n", "results/smoke/system_comparison.csv", *STORED)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "workflow/published/text_systems.csv" in result.stdout + result.stderr
    assert "s3://bucket/mine/workflow" not in result.stdout + result.stderr
