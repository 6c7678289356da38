"""Jobs submitted by submitit, as processes of this machine."""

import builtins
import os
import signal
import time

import pytest

from d3gzsl_jax import main as program
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.studies import cluster
from d3gzsl_jax.studies.worker_pool import Failed
from d3gzsl_jax.system import extras
from tests.conftest import ROOT

DIGITS = str(ROOT / "configs" / "digits.py")


@pytest.mark.slow
@pytest.mark.processes
def test_jobs_are_submitted_and_failures_told_as_those_of_the_pool(tmp_path, capsys, monkeypatch):
    jobs = ["2 * 3", "1 / 0", "__import__('os')._exit(3)"]
    with cluster.Cluster(builtins.eval, "local", {}, tmp_path / "submitted") as where:
        monkeypatch.setattr(where._executor._executor.job_class, "_results_timeout_s", 0)  # a network folder's slowness
        found = dict(where.finished(iter(jobs)))
    assert found[jobs[0]] == 6 and found[jobs[1]] == Failed("ZeroDivisionError", "ZeroDivisionError: division by zero")
    assert found[jobs[2]].kind == "" and "it ended without a result (state " in found[jobs[2]].message
    assert str(tmp_path / "submitted") in found[jobs[2]].message and "\n" not in found[jobs[2]].message
    printed = capsys.readouterr().out
    assert printed.startswith("submitted 3 jobs (") and f"what they print is in {tmp_path / 'submitted'}" in printed


@pytest.mark.slow
@pytest.mark.processes
def test_what_was_submitted_is_cancelled_with_the_command(tmp_path, capsys):
    began = time.monotonic()
    sleeps = ["__import__('time').sleep(60)"] * 3

    def interrupted():
        with cluster.Cluster(builtins.eval, "local", {}, tmp_path, most=2) as where:
            for _ in where.finished(["1", *sleeps]):
                assert len(where._submitted) < 3  # two at a time
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert time.monotonic() - began < 45 and "cancelling 1 jobs: " in capsys.readouterr().err


def killed(job):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(30)


def test_a_job_that_is_sent_sigterm_leaves_no_result_that_would_be_taken_for_its_end(tmp_path):
    """Slurm sends it before it preempts a job, which it then queues again; submitit writes down whatever a job returns."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as ended:
            cluster._Task(killed, False)("job")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.value.code == 143 and not isinstance(ended.value, Exception), "what submitit takes for a failure of the job"


def test_parameters_are_read_and_what_is_none_is_refused(tmp_path):
    read = cluster.parameters_of("partition=gpu,timeout_min=120,mem_gb=7.5,exclusive=True")
    assert read == {"partition": "gpu", "timeout_min": 120, "mem_gb": 7.5, "exclusive": True} and cluster.parameters_of("") == {}
    # A text stays as it is typed, and True may be a flag of any name.
    texts = "account=0012,qos=1e3,constraint=1_0,nodelist=007,reservation=inf,name=12,slurm_partition=3"
    assert cluster.parameters_of(texts) == dict(part.split("=") for part in texts.split(","))
    assert cluster.parameters_of("mem_gb=8,mem_gb=8,cpus_per_task=4,stderr_to_stdout=False") == {
        "mem_gb": 8, "cpus_per_task": 4, "stderr_to_stdout": False,
    }  # fmt: skip
    for twice, told in (
        ("mem_gb=8,mem_gb=32", "--executor-parameters: mem_gb=8 and mem_gb=32: give one of them"),
        ("partition=a,timeout_min=3,slurm_partition=b", "--executor-parameters: partition=a and slurm_partition=b: give one of them"),
    ):
        with pytest.raises(UserError) as refused:
            cluster.parameters_of(twice)
        assert str(refused.value) == told
    with pytest.raises(UserError, match=r"--executor=slurm: cannot be used here \(Could not detect"):
        cluster.Cluster(builtins.eval, "slurm", read, tmp_path)
    known = "cpus_per_task, gpus_per_node, mem_gb, name, setup, stderr_to_stdout, timeout_min"
    for parameters, told in (
        ({"timeout_min": "soon"}, "timeout_min=soon: must be a whole number"),
        ({"name": "a", "mem_gb": "7GB"}, "mem_gb=7GB: must be a number"),
        ({"foo": 1}, f"foo=1: --executor=local has no such parameter; there are {known}"),
        ({"timeout_mn": 1}, f"timeout_mn=1: --executor=local has no such parameter; did you mean timeout_min? There are {known}"),
    ):
        with pytest.raises(UserError) as refused:
            cluster.Cluster(builtins.eval, "local", parameters, tmp_path)
        assert str(refused.value) == f"--executor-parameters: {told}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--executor", "slrum"], "--executor: expected one of slurm, local, not slrum; did you mean slurm?"),
        (["--executor_parameters", "partition=gpu"], "--executor-parameters: are of --executor, which is not given"),
        (["--executor", "local", "--executor_parameters", "gpu"], "--executor-parameters: gpu must be KEY=VALUE"),
        (["--executor", "local", "--executor_parameters", "nodes=2"], "nodes=2: a job here is one process; leave it out"),
    ],
)
def test_options_that_make_no_sense_are_refused(arguments, message, tmp_path, capsys):
    assert program.main(["ablate", "--config", DIGITS, *arguments, "--output", str(tmp_path / "out")]) == 2
    captured = capsys.readouterr().err
    assert message in captured and captured.count("\n") == 1 and not (tmp_path / "out").exists()


def test_where_submitit_is_missing_it_is_said_what_to_install(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(extras.importlib.util, "find_spec", lambda name: None)
    assert program.main(["ablate", "--config", DIGITS, "--executor", "slurm", "--output", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert f"--executor=slurm needs submitit, which is not installed: {extras.install_command('cluster')}" in told
