"""The search by quadratic programs on functions in closed form: where it ends, in how many evaluations, and what it says."""

import numpy as np
import pytest

from mcengine.optimise.sqp import BROKEN, Values, solve

WIDE = np.full(5, 10.0)


def curved(count):
    """f = sum of x under ``count`` ellipsoids 1 - x.diag(w).x >= 0: between the constraints the way is bent (Maratos)."""
    weights = np.random.default_rng(3).uniform(0.3, 2.0, (count, 5))
    return lambda x: Values(float(np.sum(x)), 1.0 - weights @ x**2, np.ones(5), -2.0 * weights * x), weights


def searched(evaluate, start, **options):
    seen = []

    def counted(x):
        seen.append(x)
        return evaluate(x)

    return solve(counted, np.array(start), -WIDE[: len(start)], WIDE[: len(start)], **options), seen


@pytest.mark.parametrize("start", [[0.9, -0.2, 0.1, 0.0, 0.0], [0.1, 0.1, 0.1, 0.1, -1.0]])
def test_along_a_curved_constraint(start):
    """One ellipsoid, x = 1 / (2 price w): exact, and in few evaluations."""
    evaluate, (weights,) = curved(1)
    found, seen = searched(evaluate, start)
    best = 1.0 / weights / np.sqrt(np.sum(1.0 / weights))
    np.testing.assert_allclose(found.x, best, atol=2e-3)
    assert found.at.f == pytest.approx(np.sqrt(np.sum(1.0 / weights)), abs=1e-5)
    assert found.prices[0] == pytest.approx(0.5 * found.at.f, rel=0.01)
    assert found.ended == "optimal"
    assert len(seen) == len(found.rows) <= 20
    again, fewer = searched(evaluate, found.x * 0.97, b=found.b, radius=0.1)
    assert again.at.f == pytest.approx(found.at.f, abs=1e-5)
    assert len(fewer) <= 6 < len(searched(evaluate, found.x * 0.97, radius=0.1)[1])  # what was learned of the Hessian is worth as much


@pytest.mark.parametrize(("angle", "most"), [(0.5, 8), (2.0, 20)])
def test_a_good_step_that_the_constraint_s_curvature_spoils_is_bent(angle, most):
    """Nocedal & Wright, example 15.4: with the exact Hessian every full step raises goal and violation. Without bending it takes 15 and 25."""

    def evaluate(x):
        c = float(x @ x) - 1.0
        return Values(float(x[0]) - 2.0 * c, np.array([c, -c]), np.array([1.0, 0.0]) - 4.0 * x, np.array([2.0 * x, -2.0 * x]))

    found, seen = searched(evaluate, [np.cos(angle), np.sin(angle)], b=np.eye(2), radius=1.0)
    np.testing.assert_allclose(found.x, [1.0, 0.0], atol=1e-4)
    np.testing.assert_allclose(found.prices, [1.5, 0.0], atol=1e-3)
    assert len(seen) <= most


@pytest.mark.parametrize("most", range(2, 9))
def test_no_more_evaluations_than_are_given(most):
    found, seen = searched(curved(3)[0], [0.9, -0.2, 0.1, 0.0, 0.0], evaluations=most)
    assert len(seen) == len(found.rows) <= most


def test_what_can_be_met_beyond_a_gap_is_not_called_infeasible():
    """x >= .004 is asked and nothing can be made past .005: steps are refused seven times, then one is short enough."""
    evaluate = lambda x: Values(0.5 * float(x[0]), x - 0.004, np.array([0.5]), np.eye(1)) if x[0] <= 0.005 else None  # noqa: E731
    found, _ = searched(evaluate, [0.0])
    assert found.ended == "standstill"
    assert found.at.c[0] >= -BROKEN


def test_what_cannot_be_met_is_infeasible():
    evaluate = lambda x: Values(float(x[0]), np.array([-1.0 - x[0] ** 2]), np.ones(1), np.array([[-2.0 * x[0]]]))  # noqa: E731
    found, _ = searched(evaluate, [0.7])
    assert found.ended == "infeasible"
    assert found.x[0] == pytest.approx(0.0, abs=5e-3)


def test_a_slope_that_lies_is_a_standstill():
    """Every step promises a gain and none is one."""
    found, seen = searched(lambda x: Values(-abs(float(x[0])), np.zeros(0), np.array([0.01]), np.zeros((0, 1))), [0.0])
    assert found.ended == "standstill"
    assert len(seen) <= 8
