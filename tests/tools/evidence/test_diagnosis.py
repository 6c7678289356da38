"""What is told of the runs with D3 beside the table of their predictors, and the clocks of the programs that made them."""

from tests.tools.evidence.results import results
from tools.evidence import diagnosis, ranking
from tools.evidence.comparisons import Comparison


def comparison(framework, predictors):
    of = [results(framework, True, seed, 0.5, 0.5) | {"prediction": name} for seed, name in enumerate(predictors)]
    return Comparison("FLO", framework, "GAN", tuple(range(len(of))), tuple(of), tuple(of))


def test_what_the_folds_chose_is_counted():
    wgan, cadavae = comparison("wgan", ["student", "classifier"]), comparison("cadavae", ["classifier"] * 3)
    assert diagnosis.chosen([wgan, cadavae]) == (
        "With D3 the folds chose the student in 1 of 2 runs of WGAN-GP on FLO; the final classifier in all other of 5 runs."
    )
    assert diagnosis.chosen([cadavae]) == "With D3 the folds chose the final classifier in all of 3 runs."


def test_seeds_of_one_program_share_a_clock():
    of = lambda seed, seconds, device="cpu", framework="wgan": results(framework, True, seed, 0.5, 0.5) | {  # noqa: E731
        "seconds": seconds, "machine": {"device": device}
    }
    seeds = lambda results: [[one["seed"] for one in program] for program in ranking.programs(results)]  # noqa: E731
    assert seeds([of(2, 12.0), of(0, 10.0), of(1, 11.0)]) == [[0, 1, 2]]
    assert seeds([of(0, 10.0), of(1, 11.0), of(2, 5.0), of(3, 5.5)]) == [[0, 1], [2, 3]]
    assert seeds([of(0, 10.0), of(1, 11.0, "NVIDIA H100")]) == [[0], [1]]
    baselines = [of(seed, 10.0 + seed, framework="eszsl") for seed in range(3)]
    assert seeds(baselines) == [[0], [1], [2]]
    row = next(row for row in ranking.table({"FLO": [of(0, 590.0), of(1, 600.0), of(2, 120.0)]}).rows)
    assert row[-1].text == "12 (CPU)"
