"""What Kubernetes is asked for, by a server that takes the requests and runs nothing."""

import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from moto.server import ThreadedMotoServer

ROOT = Path(__file__).parents[2]


class Api(BaseHTTPRequestHandler):
    """Takes every object that is made, and says of each job that it has failed."""

    made: list[dict]  # of each test

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.made.append(body)
        self._answer(body, 201)

    def do_GET(self):
        self._answer({"kind": "Job", "metadata": {"name": "job"}, "status": {"failed": 1}}, 200)

    def do_DELETE(self):
        self.do_GET()

    def _answer(self, body, status):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


@pytest.fixture
def api(tmp_path):
    """Where the server's requests arrive, and the environment that leads to it."""
    handler = type("Recorder", (Api,), {"made": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    named = {"name": "trial"}
    configuration = {
        "clusters": [named | {"cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [named | {"user": {}}],
        "contexts": [named | {"context": {"cluster": "trial", "user": "trial"}}],
        "current-context": "trial",
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(configuration))
    yield handler.made, {"KUBECONFIG": str(tmp_path / "kubeconfig")}
    server.shutdown()


@pytest.fixture
def bucket():
    """Object storage with the bucket that the profile names."""
    import boto3

    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    keys = {"aws_access_key_id": "me", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=f"http://{host}:{port}", **keys).create_bucket(Bucket="my-bucket")
    yield f"http://{host}:{port}"
    server.stop()


@pytest.mark.slow
def test_a_pod_gets_its_limits_its_gpu_and_the_volume_of_the_states(fresh, api, bucket):
    made, environment = api
    subprocess.run(
        ["git", "init", "-q", "."], cwd=fresh.folder, check=True
    )  # sources go into the bucket as git lists them
    subprocess.run(["git", "add", "."], cwd=fresh.folder, check=True)
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "results/smoke/data/train.json",
        "--workflow-profile",
        "profiles/kubernetes",
    ]
    command += ["--set-resources", "shard:gpu=2", "--retries", "0", "--storage-s3-endpoint-url", bucket]
    command += ["--storage-s3-region", "us-east-1", "--configfile", *fresh.overlays]
    keys = {
        "SNAKEMAKE_STORAGE_S3_ACCESS_KEY": "me",
        "SNAKEMAKE_STORAGE_S3_SECRET_KEY": "secret",
        "ASYMFLOW_STATE": "/state",
    }
    result = subprocess.run(
        command,
        cwd=fresh.folder,
        env=os.environ | environment | keys | {"PYTHONPATH": str(fresh.folder / "src")},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    jobs = [body for body in made if body.get("kind") == "Job" or "template" in body.get("spec", {})]
    assert jobs, result.stdout[-3000:] + result.stderr[-3000:]
    pod = jobs[0]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == "registry.example/asymflow"
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "2", "Kubernetes takes GPUs by their limit alone"
    assert container["resources"]["limits"]["memory"] == "8000M"
    assert {"name": "asymflow-state", "mountPath": "/state"} in container["volumeMounts"]
    assert {variable["name"] for variable in container["env"]} >= keys.keys()
    assert pod["restartPolicy"] == "Never"


def test_the_image_is_made_as_hadolint_wants_it():
    command = [shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")]
    result = subprocess.run(
        [*command, ROOT / "profiles/kubernetes/Dockerfile"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout


def test_the_image_has_the_plugins_that_the_tests_ran_with():
    named = (ROOT / "profiles/kubernetes/Dockerfile").read_text()
    tested = (ROOT / "pyproject.toml").read_text()
    (pinned,) = {word for word in named.split() if word.startswith("snakemake-storage-plugin-s3==")}
    assert f'"{pinned}"' in tested
