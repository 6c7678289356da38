import os
import time

import pytest

from d3gzsl_jax.studies import worker_pool
from d3gzsl_jax.system import accelerators
from d3gzsl_jax.system.accelerators import UNTUNED

# What is done in processes here is Python's own `eval`: nothing of ours has to be imported there.
CORES, WHO = "__import__('os').sched_getaffinity(0)", "__import__('os').getpid()"


def test_processes_do_jobs_on_cores_of_their_own():
    jobs = [CORES, WHO, "1 / 0", f"__import__('os').kill({WHO}, 9)", "2 * 3", "None"]
    with worker_pool.Pool(eval, 2) as pool:
        found = dict(pool.finished(jobs))
    assert found[jobs[2]] == worker_pool.Failed("ZeroDivisionError", "ZeroDivisionError: division by zero")
    assert "its process ended by itself (killed: out of memory?)" in found[jobs[3]].message
    assert found["2 * 3"] == 6 and found["None"] is None and found[WHO] != os.getpid()
    assert sorted(found[CORES]) in worker_pool.shares(worker_pool.cores(), 2)
    assert set(worker_pool.cores()) == os.sched_getaffinity(0)


def test_a_process_has_its_share_of_the_cores_however_few_there_are():
    with worker_pool.Pool(eval, 2, 1) as pool:
        ((_, found),) = pool.finished([CORES])
    assert sorted(found) == worker_pool.shares(worker_pool.cores(), 2)[0]
    with worker_pool.Pool(eval, 2, 0) as pool:
        assert not list(pool.finished([]))


@pytest.mark.parametrize("pool", [worker_pool.Here, lambda work: worker_pool.Pool(work, 1)])
def test_a_job_is_asked_for_when_what_became_of_the_one_before_is_known(pool):
    told = []

    def jobs():
        for number in range(3):
            assert len(told) == number
            yield f"{number} + {sum(told)}"

    with pool(eval) as where:
        for _, value in where.finished(jobs()):
            told.append(value)
    assert told == [0, 1, 3]


def test_processes_end_when_they_are_interrupted():
    began, pool = time.monotonic(), worker_pool.Pool(eval, 1)

    def interrupted():
        with pool:
            for _ in pool.finished(["1", "__import__('time').sleep(60)"]):
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert time.monotonic() - began < 30 and not pool._workers[0].process.is_alive()


def test_cores_are_shared_evenly():
    # As many for each, or the last digits of a job would depend on which worker did it.
    assert worker_pool.shares([2, 3, 5], 2) == [[2], [3]] and worker_pool.shares([2, 3], 3) == [[2], [3], [2]]
    assert worker_pool.shares(range(8), 4) == [[0, 1], [2, 3], [4, 5], [6, 7]]


@pytest.mark.parametrize(("platform", "flags"), [("cuda", f"--xla_a=1 {UNTUNED}"), ("tpu", "--xla_a=1"), ("cpu", "--xla_a=1")])
def test_processes_on_a_gpu_share_its_memory_and_do_not_all_tune_on_it(platform, flags, monkeypatch):
    monkeypatch.setattr(accelerators, "platform", lambda: platform)
    monkeypatch.setenv("XLA_FLAGS", "--xla_a=1")
    monkeypatch.setenv("XLA_PYTHON_CLIENT_MEM_FRACTION", "")
    monkeypatch.delenv("XLA_PYTHON_CLIENT_MEM_FRACTION")
    asked = "[__import__('os').environ.get(name) for name in ('XLA_FLAGS', 'XLA_PYTHON_CLIENT_MEM_FRACTION')]"
    with worker_pool.Pool(eval, 2) as pool:
        ((_, found),) = pool.finished([asked])
    assert found == [flags, None if platform == "cpu" else "0.450"]
    assert worker_pool.default_workers() == (len(worker_pool.cores()) if platform == "cpu" else 1)
