"""What a cell of NAS-Bench-201 does to images before it is trained: the covariances that random weights give.

With many channels the values behind a random convolution are normal, and their covariance follows from that of its
input in closed form. So how strong a cell's output is, and how alike neighbouring pixels and different images are
behind it, can be computed exactly, without a network and without data. Cells that blur their images, or drown them in
copies of themselves, train badly, and counts of operations and paths do not show it.

Images are a stationary process on a small torus, uncorrelated with each other. Operations act on the spectrum of the
joint covariance of a cell's nodes: a skip connection leaves it, a pool multiplies it, and a convolution (rectified
input, random weights, normalised output) is independent of all other terms, so that its own covariance adds to it. The
size of its kernel makes no difference to a stationary process. Terms that are the same add up coherently.

Source: Y. Cho, L. K. Saul, "Kernel methods for deep learning", NeurIPS 2009, for rectified normal values; J. Lee et
al., "Deep neural networks as Gaussian processes", ICLR 2018, and R. Novak et al., "Bayesian deep convolutional networks
with many channels are Gaussian processes", ICLR 2019, for the recursion; D. S. Park et al., "Towards NNGP-guided neural
architecture search", 2020, for kernels of untrained networks in a search. Normalisation, sums and features are this
project's.
"""

from __future__ import annotations

import numpy as np

from rapid_moo._util import BoolArray, FloatArray, IntArray
from rapid_moo.problems.nasbench201_cell import CONV1, CONV3, EDGES, SKIP

POOL = 4
SIDE = 4
"""Pixels on a side of the torus."""
REACH = 2.0
"""Pixels after which the correlation of an image has fallen to 1/e."""
BATCH = 8
"""Images over which a normalisation takes its mean and variance."""
CELLS = (1, 2)
"""Features are taken behind so many cells, one after the other."""
TINY = 1e-9

SIGNAL_NAMES = tuple(
    f"{name}_{n}" for n in CELLS for name in ("log_variance", "images", "neighbours", "log_mean_image", "mean_images")
)
_OFFSETS = np.fft.fftfreq(SIDE) * SIDE
_BLUR = (1.0 + 2.0 * np.cos(2.0 * np.pi * np.fft.fftfreq(SIDE))) / 3.0
_BLURRED = _BLUR[:, None] * _BLUR[None, :]
"""What the mean over 3 x 3 pixels leaves of each frequency."""


def signal_features(X: IntArray) -> FloatArray:
    """Features of shape (n, len(SIGNAL_NAMES)) of cells of shape (n, 6).

    Behind each number of cells: the logarithm of a pixel's variance, its correlation with the same pixel of another
    image and with its neighbour, the logarithm of the variance of an image's mean by a pixel's, and the correlation of
    the means of two images. All are 0 or at their least where nothing arrives.
    """
    distance = np.hypot(_OFFSETS[:, None], _OFFSETS[None, :])
    covariance = np.zeros((len(X), 2, SIDE, SIDE))
    covariance[:, 0] = np.exp(-distance / REACH)
    found = []
    for n in range(1, max(CELLS) + 1):
        covariance = _through_cell(X, covariance)
        if n in CELLS:
            found += _described(covariance)
    return np.column_stack(found)


def _described(covariance: FloatArray) -> list[FloatArray]:
    variance = covariance[:, 0, 0, 0] + TINY
    image, images = covariance.mean(axis=(2, 3)).T
    return [
        np.log(variance),
        covariance[:, 1, 0, 0] / variance,
        covariance[:, 0, 0, 1] / variance,
        np.log(np.maximum(image / variance, 0.0) + TINY),
        images / (image + TINY),
    ]


def _through_cell(X: IntArray, covariance: FloatArray) -> FloatArray:
    """Covariance of a cell's output, by that of its input.

    Parameters
    ----------
    X : ndarray of shape (n, 6)
        Cells.
    covariance : ndarray of shape (n, 2, SIDE, SIDE)
        Of pixels by their offset, within an image and between two of them.
    """
    spectra = {(0, 0): np.fft.fft2(covariance).real}
    for target in (1, 2, 3):
        edges = [(X[:, e], a) for e, (a, b) in enumerate(EDGES) if b == target]
        linear = [
            ((codes == SKIP)[:, None, None] + (codes == POOL)[:, None, None] * _BLURRED)[:, None] for codes, _ in edges
        ]
        for node in range(target):
            spectra[target, node] = sum(
                gain * spectra[max(a, node), min(a, node)] for gain, (_, a) in zip(linear, edges, strict=True)
            )
        own = sum(gain * spectra[target, a] for gain, (_, a) in zip(linear, edges, strict=True))
        for codes, a in edges:
            own += _convolved(spectra[a, a], (codes == CONV1) | (codes == CONV3))
        spectra[target, target] = own
    return np.asarray(np.fft.ifft2(spectra[3, 3]).real)


def _convolved(spectrum: FloatArray, there: BoolArray) -> FloatArray:
    """Spectrum behind a rectifier, a random convolution and a normalisation; zero where there is none."""
    found = np.zeros_like(spectrum)
    covariance = np.fft.ifft2(spectrum[there]).real
    variance = np.maximum(covariance[:, :1, :1, :1], TINY)
    cosine = np.clip(covariance / variance, -1.0, 1.0)
    rectified = variance * (np.sqrt(1.0 - cosine**2) + cosine * (np.pi - np.arccos(cosine))) / (2.0 * np.pi)
    within, between = rectified.mean(axis=(2, 3)).T
    mean = (within / BATCH + between * (1.0 - 1.0 / BATCH))[:, None, None, None]
    # What nothing arrives at stays nothing.
    alive = (covariance[:, :1, :1, :1] > TINY) / np.maximum(rectified[:, :1, :1, :1] - mean, TINY)
    found[there] = np.fft.fft2((rectified - mean) * alive).real
    return found
