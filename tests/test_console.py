"""The console command: what each verb says, and what it leaves to Snakemake."""

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from asymflow import files
from asymflow.commands import doctor, main, sample, status
from asymflow.commands.doctor import NOTE, OK, PROBLEM
from asymflow.commands.table import table

ROOT = Path(__file__).parents[1]
LINE = "train: 1280/26000 images (4 %), 81.4 images/s, 0:05:03 left  loss 0.2517\n"


@pytest.fixture
def project(tmp_path):
    """A project of one study, in which nothing was made yet; `snakemake` there is a script that keeps what it is called with."""
    (tmp_path / "workflow").mkdir()
    (tmp_path / "Snakefile").touch()
    for name in ("config", "studies", "claims"):
        content = yaml.safe_load((ROOT / f"workflow/{name}.yaml").read_text())
        if name == "studies":
            content["studies"] = {"tiny": {"title": "Tiny", "arms": ["rank0", "rank8"], "reference": "rank0",
                                           "samplings": ["guided"], "figure": "bars"}}  # fmt: skip
        content.pop("claims", None)
        content.pop("decision", None)
        (tmp_path / f"workflow/{name}.yaml").write_text(yaml.safe_dump(content))
    return tmp_path


@pytest.fixture
def called(tmp_path, monkeypatch):
    """What `snakemake` was called with; it fails if a file `fails` is there."""
    script = tmp_path / "bin/snakemake"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\necho "$PWD" "$@" >> {tmp_path}/called\ntest ! -e {tmp_path}/fails\n')
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script.with_name("python")))
    return tmp_path / "called"


def asymflow(capsys, *words):
    """Exit status, and what a verb prints."""
    with pytest.raises(SystemExit) as caught:
        main.run(lambda: main._main(list(map(str, words))))
    code = caught.value.code
    return code if isinstance(code, int | None) else str(code), capsys.readouterr().out


def fresh(*words, **environment):
    command = [sys.executable, "-c", f"import sys; sys.argv = {['asymflow', *words]}; from asymflow.commands.main import main\n"
               "try:\n    main()\nfinally:\n    print('torch' in sys.modules, 'pydantic' in sys.modules)"]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")} | environment
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)


def run_folder(project, arm, seed=0):
    folder = project / f"results/runs/{arm}/seed{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_help_and_version_load_neither_torch_nor_the_configuration():
    said = fresh("--help")
    assert said.stdout.endswith("False False\n") and all(verb in said.stdout for verb in main.VERBS)
    assert fresh("--version").stdout.splitlines()[0].startswith("asymflow 0.")


@pytest.mark.parametrize("verb", main.VERBS)
def test_every_verb_has_examples_in_its_help_and_loads_no_torch_for_it(verb):
    said = fresh(verb, "--help")
    assert f"\nasymflow {verb}" in said.stdout and said.stdout.endswith(
        "False True\n" if verb == "sample" else "False False\n"
    )


def test_status_says_what_is_made_runs_failed_and_waits(project, capsys):
    (run_folder(project, "rank0") / "train.json").write_text(json.dumps({"images": 26000}))
    (run_folder(project, "rank0") / "curve.jsonl").write_text('{"loss": 0.5}\n{"loss": 0.0625}\n')
    (run_folder(project, "rank8") / "train.log").write_text(f"starting\n{LINE}")
    (run_folder(project, "rank8") / ".state.lock").touch()
    with open(run_folder(project, "rank8") / ".state.lock", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, said = asymflow(capsys, "status", "--project", project)
    assert code == 0 and "0 of 1 studies have their table" in said
    assert ["tiny", "to", "come", "1", "of", "2", "1", "0", "of", "2"] in [line.split() for line in said.splitlines()]
    (running,) = [line for line in said.splitlines() if "seed 0" in line]
    assert all(word in running for word in ("rank8", "running", "1280/26000 4 %", "0.2517", "0:05:03", "train.log"))
    code, said = asymflow(capsys, "status", "--project", project, "--all")
    assert ["rank0", "seed", "0", "done", "26000", "0.0625", "0:00:00", "-"] in [
        line.split() for line in said.splitlines()
    ]


def test_a_training_whose_process_is_gone_is_interrupted_or_failed(project):
    folder = run_folder(project, "rank8")
    assert status.training(folder, folder / "state").state == "waiting"
    (folder / "train.log").write_text(LINE)
    (folder / ".state.lock").touch()  # one that a dead process left
    (folder / "state").mkdir()
    (folder / "state/checkpoint.safetensors").touch()
    assert status.training(folder, folder / "state")[:3] == ("interrupted", "1280/26000 4 %", "0.2517")
    (folder / "train.log").write_text(f"{LINE}error: loss became nan at update 7\n")
    assert status.training(folder, folder / "state")[::4] == ("failed", "error: loss became nan at update 7")


def test_a_state_that_is_kept_elsewhere_is_found_there(project, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("ASYMFLOW_STATE", str(tmp_path / "scratch"))
    folder = run_folder(project, "rank8")
    (folder / "train.log").write_text(LINE)
    state = files.kept(folder.relative_to(project) / "state")  # as trainings say it, which run in the project's folder
    state.mkdir(parents=True)
    (state / "checkpoint.safetensors").touch()
    assert "interrupted" in asymflow(capsys, "status", "--project", project)[1]
    with files.locked(state):
        assert "running " in asymflow(capsys, "status", "--project", project)[1]


def test_the_line_of_a_log_is_the_one_that_progress_writes(capsys, monkeypatch):
    """The two are apart: the one is run by trainings, the other reads what they say."""
    from asymflow import progress

    monkeypatch.setattr(progress, "QUIET_SECONDS", -1.0)
    with progress.Progress("train", 1000, "images") as bar:
        bar.advance(100, "loss 0.5000")
        bar.advance(100, "loss 0.2500")
    found = status.LINE.findall(capsys.readouterr().err)
    assert [(done, total, loss) for done, total, _, _, _, loss in found] == [
        ("100", "1000", "0.5000"),
        ("200", "1000", "0.2500"),
    ]


def test_an_unknown_study_and_a_folder_without_a_project_are_named(project, capsys, tmp_path_factory):
    assert asymflow(capsys, "status", "tini", "--project", project)[0].endswith("'tini'; expected one of tiny")
    empty = tmp_path_factory.mktemp("empty")
    assert "has no Snakefile" in asymflow(capsys, "status", "--project", empty)[0]
    assert "expected KEY=VALUE" in asymflow(capsys, "status", "--project", project, "--config", "seeds")[0]
    said = asymflow(capsys, "status", "--project", project, "--config", "seeds=[1")[0]
    assert said.startswith("error: --config seeds=[1: the value is not YAML: ") and "\n" not in said


@pytest.mark.parametrize("words", [["status"], ["cost"], ["export", "results/runs/rank8/seed0"]])
def test_a_contradiction_of_what_a_verb_does_not_need_is_no_obstacle(project, called, capsys, words):
    (project / "mine.yaml").write_text("arms: {odd: {base: scratch, representation: {patch_size: 12}}}")
    (project / "results").mkdir()
    (project / "results/cost.csv").write_text("study,trainings\ntiny,2\n")
    assert asymflow(capsys, *words, "--project", project, "--configfile", "mine.yaml")[0] == 0


def test_cost_lets_snakemake_make_the_table_and_prints_it(project, called, capsys):
    (project / "results").mkdir()
    (project / "results/cost.csv").write_text(
        "study,trainings,hours,checksum\nrank_sweep,10,0.41234,dc\nall of them together,310,1234.5,dc\n"
    )
    code, said = asymflow(capsys, "cost", "--project", project, "--config", "seeds=2")
    assert code == 0 and called.read_text() == f"{project} results/cost.csv --config seeds=2\n"
    assert said.splitlines() == [
        "study                 trainings  hours",
        "rank_sweep                   10  0.412",
        "all of them together        310  1,234",
    ]
    (project / "fails").touch()
    assert asymflow(capsys, "cost", "--project", project)[0] == 1


def test_export_asks_snakemake_for_the_folder_of_a_run(project, called, capsys):
    code, said = asymflow(capsys, "export", "results/runs/rank8/seed0", "--project", project)
    assert code == 0 and called.read_text() == f"{project} results/runs/rank8/seed0/published\n"
    assert said.strip() == f"{project}/results/runs/rank8/seed0/published"
    asymflow(capsys, "export", "results/runs/asymflow/seed0/", "--diffusers", "--project", project)
    assert called.read_text().endswith("results/runs/asymflow/seed0/diffusers\n")


@pytest.mark.parametrize("arm", ["rank8", "ddt", "unlifted"])
def test_diffusers_has_no_place_for_other_networks_heads_and_what_is_not_lifted(project, called, capsys, arm):
    said, _ = asymflow(capsys, "export", f"results/runs/{arm}/seed0", "--diffusers", "--project", project)
    assert f"the arm {arm!r} is none: leave it out" in said and not called.exists()


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("results", "no folder of a run"),
        ("results/other/runs/rank8/seed0", "give the --configfile"),
        ("results/runs/rank9/seed0", "the arm 'rank9', which this configuration does not have"),
    ],
)
def test_export_refuses_what_is_no_run_of_this_configuration(project, called, capsys, folder, said):
    assert said in asymflow(capsys, "export", folder, "--project", project)[0] and not called.exists()


def test_sample_hands_its_options_to_the_drawing(monkeypatch):
    given = []
    monkeypatch.setitem(sys.modules, "asymflow.sample", SimpleNamespace(picture=given.append))  # takes long to load
    words = ["sample", "results/runs/rank8/seed0", "--classes", "0,3", "--guidance", "2", "--interval", "0", "0.5"]
    with pytest.raises(SystemExit):
        main._main(words)
    assert (given[0].run_folder, given[0].classes, given[0].guidance, given[0].interval) == (
        Path("results/runs/rank8/seed0"), "0,3", 2.0, [0.0, 0.5])  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--seed", "-1"], "--seed: found -1; expected 0 or more"),
        (["--columns", "0"], "--columns: found 0; expected 1 or more"),
        (["--enlarge", "0"], "--enlarge: found 0; expected 1 or more"),
        (["--out", "picture.xyz"], "--out: found picture.xyz; expected a file whose name ends in one of .png"),
        (["--out", "."], "--out: found .; expected a file"),
        (["--count", "0"], "count: Input should be greater than 0"),
        (["--steps", "0"], "steps: Input should be greater than 0"),
        (["--guidance", "-1"], "scale: Input should be greater than or equal to 0"),
        (["--sigma-min", "1"], "sigma_min: Input should be less than 1"),
        (["--interval", "0.9", "0.1"], "interval is [0.9, 0.1]; expected [low, high]"),
    ],
)
def test_a_picture_that_cannot_be_drawn_is_refused_in_one_sentence_before_it_is_drawn(monkeypatch, capsys, words, said):
    monkeypatch.setitem(sys.modules, "asymflow.sample", SimpleNamespace(picture=sample.settings))
    with pytest.raises(SystemExit) as caught:
        main.run(lambda: main._main(["sample", "results/runs/rank8/seed0", *words]))
    printed = f"{caught.value.code} {capsys.readouterr().err}"
    assert said in printed and "Traceback" not in printed


@pytest.mark.parametrize("content", ["{bad", "[]", '{"architectures": ["DiT"]}', '{"arm": 3}'])
def test_a_folder_of_another_model_is_no_published_run(tmp_path, capsys, content):
    (tmp_path / "config.json").write_text(content)
    code, _ = asymflow(capsys, "sample", tmp_path)
    assert code.startswith(
        f"error: {tmp_path}/config.json does not describe a run as stage publish writes it; expected"
    )


def test_a_missing_library_of_the_pipeline_is_one_sentence(monkeypatch):
    def missing(arguments):
        raise ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib")

    monkeypatch.setattr(main.VERBS["doctor"], "run", missing)
    with pytest.raises(SystemExit, match=r"matplotlib is not installed.*'\.\[pipeline\]'"):
        main._main(["doctor"])


def test_a_reader_that_has_seen_enough_is_no_error():
    command = f"{sys.executable} -m asymflow.commands.main doctor | true; test ${{PIPESTATUS[0]}} = 0"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    said = subprocess.run(
        ["bash", "-c", command], env=environment, capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert said.returncode == 0 and not said.stderr


def test_doctor_ends_with_one_where_there_is_a_problem(project, capsys, monkeypatch):
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")  # an activated environment
    code, said = asymflow(capsys, "doctor", "--project", project)
    assert code == 0 and "ok       Python" in said and "problems: 0" in said
    monkeypatch.setattr(doctor, "LEAST_DISK", 1e9)
    monkeypatch.setattr(doctor, "LITTLE_DISK", 1e9)
    code, said = asymflow(capsys, "doctor", "--project", project)
    assert code == 1 and "problem  disk" in said and "make room" in said and "problems: 1" in said


@pytest.mark.parametrize(
    ("version", "level"), [((3, 11, 0), OK), ((3, 13, 1), OK), ((3, 14, 0), PROBLEM), ((3, 10, 2), PROBLEM)]
)
def test_doctor_knows_the_pythons(version, level):
    assert doctor.python(version).level == level


def test_doctor_compares_the_installed_versions_with_the_pinned_ones(monkeypatch):
    pins = [
        "torch>=2",
        "numpy==2.0.0; extra == 'pipeline'",
        "snakemake[reports]==9.27.1 ; extra == 'pipeline'",
        "s3fs==1 ; extra == 's3'",
    ]
    installed = {"numpy": "2.0.0+local", "snakemake": "9.0"}

    def version(name):
        if name not in installed:
            raise doctor.importlib.metadata.PackageNotFoundError
        return installed[name]

    monkeypatch.setattr(doctor.importlib.metadata, "requires", lambda name: pins)
    monkeypatch.setattr(doctor.importlib.metadata, "version", version)
    (different,) = doctor.libraries()
    assert different.level == NOTE and different.said == "snakemake 9.0 instead of 9.27.1"
    installed["snakemake"] = "9.27.1"
    assert [finding.level for finding in doctor.libraries()] == [OK]
    del installed["numpy"]
    (missing,) = doctor.libraries()
    assert missing.level == NOTE and "numpy" in missing.said and "pip install -e '.[pipeline]'" in missing.remedy


def test_doctor_reads_the_pins_of_the_project():
    """In the form that a wheel's metadata has them in."""
    import tomllib

    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["pipeline"]
    assert all(doctor.PINNED.match(f"{wanted}; extra == 'pipeline'") for wanted in extra) and len(extra) > 20


def test_doctor_notices_a_folder_that_cannot_be_written(project, monkeypatch):
    def refused(dir):
        raise PermissionError(13, "Permission denied")

    assert [finding.level for finding in doctor.folder(project)] == [OK]
    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refused)
    (finding,) = doctor.folder(project)
    assert finding.level == PROBLEM and "cannot be written" in finding.said and "Permission denied" in finding.remedy


def test_doctor_says_which_weights_are_there(project):
    (project / "workflow/scales").mkdir()
    (project / "workflow/scales/released.yaml").write_text(
        "a: {file: models/one.pth}\nb: {file: models/two.safetensors}\n# models/one.pth.\n"
    )
    (project / "models").mkdir()
    (project / "models/one.pth").touch()
    found, missing = doctor.weights(project)
    assert (found.level, found.said) == (OK, "found models/one.pth")
    assert (missing.level, missing.said) == (NOTE, "not there: models/two.safetensors")


def test_doctor_says_what_will_be_slow():
    assert doctor._precision("cpu", False, "AVX2").level == NOTE and doctor._precision("cuda", True, "AVX2").level == OK
    assert doctor.memory(4.0).level == NOTE and doctor.memory(16.0).level == OK


def test_a_table_has_numbers_to_the_right_and_text_to_the_left():
    rows = [{"name": "a", "count": 5}, {"name": "longer", "count": 12345}]
    assert table(rows) == "name    count\na           5\nlonger  12345"
