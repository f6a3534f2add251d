"""The Gaussian process against finite differences, refits, scikit-learn and its own promises."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import kendalltau
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, Matern, WhiteKernel

from rapid_moo.errors import InputError
from rapid_moo.predictors import GaussianProcess, gaussian_process

FORMS = [
    {"kernel": kernel, "ard": ard, "linear": linear}
    for kernel in ("matern52", "rbf")
    for ard in (True, False)
    for linear in (True, False)
]
NAMES = ["-".join(str(value) for value in form.values()) for form in FORMS]


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(5)
    X = rng.integers(0, 4, size=(60, 4)) * [1.0, 10.0, 0.1, 1.0] + [0.0, 500.0, 0.0, 0.0]
    y = 50.0 + X[:, 0] ** 2 + 0.2 * X[:, 1] + 10 * np.sin(20 * X[:, 2]) + 0.5 * rng.normal(size=60)
    return X, y


def reference(model, y):
    """The same covariance in scikit-learn, hyper-parameters fixed, on standardised data."""
    scales = model.length_scales_[np.isfinite(model.length_scales_)]
    shape = Matern(scales, "fixed", nu=2.5) if model.kernel == "matern52" else RBF(scales, "fixed")
    kernel = ConstantKernel(model.amplitude_**2, "fixed") * shape + WhiteKernel(model.noise_**2, "fixed")
    if model.slope_ > 0.0:
        kernel += ConstantKernel(model.slope_**2, "fixed") * DotProduct(0.0, "fixed")
    return GaussianProcessRegressor(kernel, alpha=1e-8, optimizer=None)


def standard(X):
    return (X - X.mean(axis=0)) / X.std(axis=0)


@pytest.mark.parametrize("noise", [None, np.linspace(0.0, 20.0, 60)], ids=["alike", "by-row"])
@pytest.mark.parametrize("form", FORMS, ids=NAMES)
def test_gradient_equals_finite_differences(form, noise, sample, monkeypatch):
    caught = []
    real = gaussian_process.minimize

    def spy(function, start, **options):
        caught.append((function, np.array(start), options["args"]))
        return real(function, start, **options)

    monkeypatch.setattr(gaussian_process, "minimize", spy)
    GaussianProcess(**form).fit(*sample, noise=noise)
    ((function, start, arguments),) = caught
    rng = np.random.default_rng(0)
    for theta in (start, start + 0.3 * rng.normal(size=start.shape)):
        gradient = function(theta, *arguments)[1].copy()
        numeric = approx_fprime(theta, lambda t: function(t, *arguments)[0], 1e-6)
        if not form["linear"]:
            # Its slope is fixed at zero, whatever the parameter says.
            gradient[-1] = numeric[-1]
        np.testing.assert_allclose(gradient, numeric, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("form", FORMS, ids=NAMES)
def test_posterior_equals_scikit_learn(form, sample):
    X, y = sample
    model = GaussianProcess(**form).fit(X[:40], y[:40])
    shift, spread = X[:40].mean(axis=0), X[:40].std(axis=0)
    mean, std = y[:40].mean(), y[:40].std()
    rival = reference(model, y).fit((X[:40] - shift) / spread, (y[:40] - mean) / std)
    expected, expected_std = rival.predict((X[40:] - shift) / spread, return_std=True)
    found, found_std = model.predict(X[40:], return_std=True)
    np.testing.assert_allclose(found, expected * std + mean, rtol=1e-6)
    np.testing.assert_allclose(found_std, expected_std * std, rtol=1e-4)


@pytest.mark.parametrize("form", FORMS, ids=NAMES)
def test_leave_one_out_equals_a_refit_without_each_row(form, sample):
    X, y = sample
    model = GaussianProcess(**form).fit(X, y)
    Z, z = standard(X), standard(y)
    mean, std = model.leave_one_out()
    for row in (0, 17, 59):
        rest = np.arange(len(y)) != row
        expected, expected_std = reference(model, y).fit(Z[rest], z[rest]).predict(Z[[row]], return_std=True)
        assert mean[row] == pytest.approx(expected[0] * y.std() + y.mean(), rel=1e-5)
        assert std[row] == pytest.approx(expected_std[0] * y.std(), rel=1e-3)


class TestNoiseByRow:
    def test_posterior_equals_scikit_learn(self, sample):
        X, y = sample
        noise = np.where(np.arange(40) % 3, 0.0, 15.0)
        model = GaussianProcess().fit(X[:40], y[:40], noise=noise)
        shift, spread = X[:40].mean(axis=0), X[:40].std(axis=0)
        mean, std = y[:40].mean(), y[:40].std()
        rival = reference(model, y).set_params(alpha=1e-8 + (noise / std) ** 2)
        expected = rival.fit((X[:40] - shift) / spread, (y[:40] - mean) / std).predict(
            (X[40:] - shift) / spread, return_std=True
        )
        found, found_std = model.predict(X[40:], return_std=True)
        np.testing.assert_allclose(found, expected[0] * std + mean, rtol=1e-6)
        np.testing.assert_allclose(found_std, expected[1] * std, rtol=1e-4)

    def test_a_row_left_out_is_predicted_with_its_own_noise(self, sample):
        X, y = sample
        noise = np.where(np.arange(60) % 3, 0.0, 15.0)
        model = GaussianProcess().fit(X, y, noise=noise)
        Z, z = standard(X), standard(y)
        mean, std = model.leave_one_out()
        for row in (0, 17, 59):
            rest = np.arange(len(y)) != row
            rival = reference(model, y).set_params(alpha=1e-8 + (noise[rest] / y.std()) ** 2)
            expected, expected_std = rival.fit(Z[rest], z[rest]).predict(Z[[row]], return_std=True)
            assert mean[row] == pytest.approx(expected[0] * y.std() + y.mean(), rel=1e-5)
            assert std[row] == pytest.approx(np.hypot(expected_std[0] * y.std(), noise[row]), rel=1e-3)

    def test_none_is_none_at_all(self, sample):
        X, y = sample
        plain, zero = GaussianProcess().fit(X, y), GaussianProcess().fit(X, y, noise=np.zeros(60))
        assert np.array_equal(plain.theta_, zero.theta_)
        assert np.array_equal(plain.predict(X), zero.predict(X))
        folds = np.arange(60) % 5
        both = [GaussianProcess().cross_predict(X, y, folds, noise=noise) for noise in (None, np.zeros(60))]
        assert np.array_equal(both[0][0], both[1][0])

    def test_rows_that_are_known_to_be_wrong_mislead_less(self, sample):
        X, y = sample
        wrong = np.arange(60) % 3 == 0
        told = y + 30.0 * wrong * np.random.default_rng(0).normal(size=60)
        noise = 30.0 * wrong
        errors, folds = [], np.arange(60) % 5
        for known in (None, noise):
            process = GaussianProcess().fit(X, told, noise=known)
            crossed = GaussianProcess().cross_predict(X, told, folds, noise=known)
            errors.append([np.abs(mean - y).mean() for mean in (process.predict(X), crossed[0])])
        assert (np.array(errors[1]) < 0.6 * np.array(errors[0])).all()


def test_likelihood_is_no_worse_than_at_the_start(sample):
    X, y = sample
    tuned = GaussianProcess().fit(X, y)
    fixed = GaussianProcess(max_iter=1).fit(X, y)
    values = [
        reference(model, y).fit(standard(X), standard(y)).log_marginal_likelihood_value_ for model in (fixed, tuned)
    ]
    assert values[1] > values[0] + 5.0


def test_relevant_features_have_shorter_scales():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 3))
    model = GaussianProcess(linear=False).fit(X, np.sin(2.0 * X[:, 0]))
    assert model.length_scales_[0] < 0.3 * model.length_scales_[1:].min()


def test_constant_features_are_left_out(sample):
    X, y = sample
    wide = np.column_stack([np.full(len(X), 7.0), X, np.full(len(X), 0.1) + 1e-16])
    model = GaussianProcess().fit(wide, y)
    assert np.isinf(model.length_scales_[[0, -1]]).all()
    np.testing.assert_allclose(model.predict(wide), GaussianProcess().fit(X, y).predict(X), rtol=1e-9)


def test_units_do_not_matter(sample):
    X, y = sample
    mean, std = GaussianProcess().fit(X, y).predict(X, return_std=True)
    scaled, scaled_std = GaussianProcess().fit(X * 1e3 - 5.0, y * 1e6 + 3e6).predict(X * 1e3 - 5.0, return_std=True)
    np.testing.assert_allclose(scaled, mean * 1e6 + 3e6, rtol=1e-4)
    np.testing.assert_allclose(scaled_std, std * 1e6, rtol=1e-2)


def test_blocks_do_not_show():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 5, size=(9_000, 3)).astype(float)
    model = GaussianProcess().fit(X[:50], X[:50].sum(axis=1))
    mean, std = model.predict(X, return_std=True)
    backwards, backwards_std = model.predict(X[::-1], return_std=True)
    np.testing.assert_allclose(backwards[::-1], mean, rtol=1e-9)
    np.testing.assert_allclose(backwards_std[::-1], std, rtol=1e-6)


def test_a_draw_is_the_mean_and_an_error(sample):
    X, y = sample
    process = GaussianProcess().fit(X, y)
    mean, errors = process.joint_errors(X[:20], 4_000, 3)
    assert mean == pytest.approx(process.predict(X[:20]), rel=1e-9)
    assert process.sample_y(X[:20], 4_000, 3) == pytest.approx(mean[:, None] + errors)
    std = process.predict(X[:20], return_std=True)[1]
    assert errors.mean(axis=1) == pytest.approx(np.zeros(20), abs=0.1 * std.max())
    assert errors.std(axis=1) == pytest.approx(std, rel=0.1)


def test_many_rows_are_thinned_by_seed():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    y = X[:, 0] - X[:, 1]
    models = [GaussianProcess(max_rows=100, n_tune=50, random_state=seed).fit(X, y) for seed in (1, 1, 2)]
    assert [len(model.rows_) for model in models] == [100] * 3
    assert (models[0].rows_ == models[1].rows_).all()
    assert (models[0].rows_ != models[2].rows_).any()
    assert len(models[0].leave_one_out()[0]) == 100


def test_repeated_rows_with_other_values_are_noise():
    X = np.repeat(np.arange(6.0)[:, None], 10, axis=0)
    y = X[:, 0] + np.tile([-0.5, 0.5], 30)
    mean, std = GaussianProcess().fit(X, y).predict(X, return_std=True)
    np.testing.assert_allclose(mean, X[:, 0], atol=0.2)
    np.testing.assert_allclose(std, 0.5, atol=0.15)


def test_unknown_kernel_is_one_error(sample):
    with pytest.raises(InputError, match="expected one of matern52, rbf, got 'linear'"):
        GaussianProcess(kernel="linear").fit(*sample)


class TestCrossPredict:
    @pytest.mark.parametrize("n", [12, 60, 160])
    def test_noise_stays_noise(self, n):
        rng = np.random.default_rng(n)
        taus = []
        for _ in range(8):
            X, y = rng.normal(size=(n, 20)), rng.normal(size=n)
            mean, std, _ = GaussianProcess(max_iter=25).cross_predict(X, y, np.arange(n) % 5)
            assert (std > 0.0).all()
            taus.append(kendalltau(mean, y).statistic)
        # Three standard deviations of a mean of eight; folds make it slightly negative.
        assert np.nanmean(taus) < 3.0 * np.sqrt(2.0 * (2.0 * n + 5.0) / (9.0 * n * (n - 1.0)) / 8.0)

    @pytest.mark.parametrize("n", [40, 160])
    def test_a_row_does_not_predict_itself(self, n):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(n, 3))
        y = X.sum(axis=1)
        folds = np.arange(n) % 5
        spoiled = y.copy()
        spoiled[7] += 100.0
        process = GaussianProcess()
        clean, dirty = (process.cross_predict(X, target, folds)[0] for target in (y, spoiled))
        # The standardisation of the target sees the row; the prediction of its value does not.
        assert abs(dirty[7] - y[7]) < 10.0
        assert np.abs(clean - y).max() < 0.5
        assert not hasattr(process, "theta_")

    def test_starts_are_where_the_last_call_ended(self):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(50, 3))
        y, folds = np.sin(X).sum(axis=1), np.arange(50) % 5
        _, _, thetas = GaussianProcess().cross_predict(X, y, folds)
        again, _, _ = GaussianProcess(max_iter=1).cross_predict(X, y, folds, thetas)
        cold, _, _ = GaussianProcess(max_iter=1).cross_predict(X, y, folds)
        assert np.abs(again - y).mean() < np.abs(cold - y).mean()
