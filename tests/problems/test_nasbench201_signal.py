import numpy as np
import pytest

from rapid_moo import get_space
from rapid_moo.problems import nasbench201_cell as cell
from rapid_moo.problems.nasbench201_signal import BATCH, REACH, SIDE, SIGNAL_NAMES, signal_features

NONE, SKIP, CONV1, CONV3, POOL = range(5)
SPACE = get_space("nasbench201")


def described(codes):
    return dict(zip(SIGNAL_NAMES, signal_features(np.array([codes]))[0], strict=True))


def test_cells_that_compute_the_same_have_the_same_features():
    X = SPACE.enumerate()
    # Nearly nothing arrives behind some cells: what is left of rounding says nothing.
    np.testing.assert_allclose(signal_features(X), signal_features(SPACE.canonical(X)), rtol=1e-6, atol=1e-7)


def test_features_tell_functions_apart():
    X = np.unique(SPACE.canonical(SPACE.enumerate()), axis=0)
    assert np.isfinite(signal_features(X)).all()
    # Kernel sizes and mirrored cells make no difference, hence fewer than functions.
    assert len(np.unique(signal_features(X).round(6), axis=0)) > 500


def test_copies_add_up_coherently():
    # Behind skip connections alone the output is four times the input, and sixteen times behind two cells.
    found = described((SKIP,) * 6)
    assert found["log_variance_1"] == pytest.approx(np.log(16.0))
    assert found["log_variance_2"] == pytest.approx(np.log(256.0))
    assert found["neighbours_1"] == pytest.approx(np.exp(-1.0 / REACH))
    assert found["images_1"] == 0.0


def test_convolutions_are_independent():
    # Two of them of the same input, and not one of twice the strength.
    found = described((CONV3, NONE, NONE, CONV3, SKIP, NONE))
    assert found["log_variance_1"] == pytest.approx(np.log(2.0))


def test_a_pool_blurs():
    skip, pool = described((NONE,) * 3 + (SKIP, NONE, NONE)), described((NONE,) * 3 + (POOL, NONE, NONE))
    assert pool["log_variance_1"] < skip["log_variance_1"]
    assert pool["neighbours_1"] > skip["neighbours_1"]


def test_nothing_arrives_behind_dead_cells():
    found = described((NONE,) * 6)
    assert found["log_variance_1"] < -20.0
    assert found["images_1"] == found["neighbours_1"] == 0.0


@pytest.mark.parametrize(
    "codes",
    [
        (NONE, NONE, NONE, CONV3, NONE, NONE),
        (POOL, NONE, NONE, CONV1, SKIP, NONE),
        (CONV3, SKIP, CONV1, POOL, SKIP, POOL),
        (CONV1, CONV3, POOL, SKIP, CONV3, SKIP),
    ],
)
def test_random_networks_have_these_covariances(codes):
    rng = np.random.default_rng(0)
    found = np.mean([_measured(codes, rng) for _ in range(12)], axis=0)
    predicted = described(codes)
    for n in (1, 2):
        variance, images, neighbours = found[n - 1]
        assert predicted[f"log_variance_{n}"] == pytest.approx(np.log(variance), abs=0.1)
        assert predicted[f"images_{n}"] == pytest.approx(images, abs=0.05)
        assert predicted[f"neighbours_{n}"] == pytest.approx(neighbours, abs=0.05)


def _measured(codes, rng, channels=256):
    """Variance of a pixel and its correlations, behind one and two random cells of many channels."""
    offsets = np.fft.fftfreq(SIDE) * SIDE
    spectrum = np.fft.fft2(np.exp(-np.hypot(offsets[:, None], offsets[None, :]) / REACH)).real
    noise = np.fft.fft2(rng.standard_normal((BATCH, channels, SIDE, SIDE)))
    images = np.fft.ifft2(noise * np.sqrt(np.maximum(spectrum, 0.0))).real
    found = []
    for _ in range(2):
        nodes = [images]
        for target in (1, 2, 3):
            terms = [
                _applied(code, nodes[a], rng)
                for (a, b), code in zip(cell.EDGES, codes, strict=True)
                if b == target and code != NONE
            ]
            nodes.append(sum(terms, np.zeros_like(images)))
        images = nodes[3]
        variance = (images**2).mean()
        others = (images * np.roll(images, 1, axis=0)).mean() / variance
        found.append((variance, others, (images * np.roll(images, 1, axis=3)).mean() / variance))
    return found


def _applied(code, images, rng):
    if code == SKIP:
        return images
    shifts = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    if code == POOL:
        return sum(np.roll(images, shift, axis=(2, 3)) for shift in shifts) / 9.0
    channels, rectified = images.shape[1], np.maximum(images, 0.0)
    found = np.zeros_like(images)
    for shift in shifts if code == CONV3 else [(0, 0)]:
        weights = rng.standard_normal((channels, channels)) / np.sqrt(channels)
        found += np.einsum("oc,bcij->boij", weights, np.roll(rectified, shift, axis=(2, 3)), optimize=True)
    found -= found.mean(axis=(0, 2, 3), keepdims=True)
    return found / np.sqrt((found**2).mean(axis=(0, 2, 3), keepdims=True))
