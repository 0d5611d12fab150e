"""Classic image filters: their kernels as arrays, and run on images by the library's convolution.

An image is an array (H, W), (C, H, W) or (N, C, H, W), float32, float64 or of integers, which
become float32; every channel is filtered by itself. As everywhere here, "convolution" does not flip
the kernel: what stands in an array is what the pixels are multiplied by.

>>> import numpy as np
>>> from convolith import filters
>>> image = np.zeros((6, 6), np.float32)
>>> image[:, :3] = 1  # bright left, dark right
>>> filters.sobel(image, "x", padding="valid")[0]
array([ 0., -4., -4.,  0.], dtype=float32)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from convolith import primitives
from convolith.nn.functional.types import ConvPadding, PaddingMode

Image = npt.NDArray[np.floating[Any]]
Kernel = npt.NDArray[np.float64]
Direction = Literal["x", "y", "magnitude"]

__all__ = [
    "EDGE_4",
    "EDGE_8",
    "EMBOSS",
    "LAPLACIAN_4",
    "LAPLACIAN_8",
    "PREWITT_X",
    "PREWITT_Y",
    "ROBERTS_X",
    "ROBERTS_Y",
    "SCHARR_X",
    "SCHARR_Y",
    "SHARPEN",
    "SOBEL_X",
    "SOBEL_Y",
    "apply",
    "box",
    "box_kernel",
    "edges",
    "emboss",
    "gabor_bank",
    "gabor_kernel",
    "gaussian",
    "gaussian_kernel",
    "laplacian",
    "leung_malik_bank",
    "prewitt",
    "roberts",
    "scharr",
    "sharpen",
    "sobel",
]


def _kernel(*rows: Sequence[float]) -> Kernel:
    kernel = np.array(rows, np.float64)
    kernel.flags.writeable = False
    return kernel


# Derivatives: X from left to right, which answers to vertical edges, Y from top to bottom. Across
# the derivative each smooths in another way.
SOBEL_X = _kernel([-1, 0, 1], [-2, 0, 2], [-1, 0, 1])  # Sobel & Feldman 1968
SOBEL_Y = _kernel([-1, -2, -1], [0, 0, 0], [1, 2, 1])
PREWITT_X = _kernel([-1, 0, 1], [-1, 0, 1], [-1, 0, 1])  # Prewitt 1970
PREWITT_Y = _kernel([-1, -1, -1], [0, 0, 0], [1, 1, 1])
SCHARR_X = _kernel([-3, 0, 3], [-10, 0, 10], [-3, 0, 3])  # Scharr 2000: the same in all directions
SCHARR_Y = _kernel([-3, -10, -3], [0, 0, 0], [3, 10, 3])
ROBERTS_X = _kernel([1, 0], [0, -1])  # Roberts 1963: along the two diagonals
ROBERTS_Y = _kernel([0, 1], [-1, 0])

# Second derivatives in the directions of 4 or 8 neighbours. Edge kernels are the same with the sign
# turned: the pixel 4 (8) times, minus its neighbours.
LAPLACIAN_4 = _kernel([0, 1, 0], [1, -4, 1], [0, 1, 0])
LAPLACIAN_8 = _kernel([1, 1, 1], [1, -8, 1], [1, 1, 1])
EDGE_4 = _kernel([0, -1, 0], [-1, 4, -1], [0, -1, 0])
EDGE_8 = _kernel([-1, -1, -1], [-1, 8, -1], [-1, -1, -1])

SHARPEN = _kernel([0, -1, 0], [-1, 5, -1], [0, -1, 0])  # the image plus EDGE_4
EMBOSS = _kernel([-2, -1, 0], [-1, 1, 1], [0, 1, 2])  # lit from the lower right


def apply(
    image: npt.ArrayLike,
    kernel: npt.ArrayLike,
    padding: ConvPadding = "same",
    padding_mode: PaddingMode = "replicate",
) -> Image:
    """Filter an image with a kernel, or with a bank of them.

    Parameters
    ----------
    image : (H, W), (C, H, W) or (N, C, H, W)
    kernel : (R, S), or (K, R, S) for a bank
    padding : int, pair, (top, bottom, left, right), 'valid' or 'same'
        'same' keeps the size; 'valid' only has pixels whose whole window lies in the image.
    padding_mode : {'replicate', 'reflect', 'circular', 'zeros'}
        What lies beyond the border.

    Returns
    -------
    ndarray
        The image's shape, but (P, Q) for (H, W); of a bank (K, P, Q) in its place.

    Raises
    ------
    ValueError
        If the image or the kernel has another number of axes, or the window does not fit.
    """
    x, k = np.asarray(image), np.asarray(kernel)
    if x.ndim not in (2, 3, 4) or k.ndim not in (2, 3):
        raise ValueError(
            f"filters.apply: image is {x.shape} and kernel {k.shape}; expected (H, W), (C, H, W) "
            "or (N, C, H, W) and (R, S) or (K, R, S)"
        )
    x = x.astype(x.dtype if x.dtype in (np.float32, np.float64) else np.float32, copy=False)
    bank = np.ascontiguousarray(k.reshape(-1, 1, *k.shape[-2:]), x.dtype)
    planes = x.reshape(-1, 1, *x.shape[-2:])
    y = primitives.conv2d_forward(planes, bank, padding=padding, padding_mode=padding_mode)
    filtered: Image = y.reshape(*x.shape[:-2], *k.shape[:-2], *y.shape[-2:])
    return filtered


def _gradient(
    image: npt.ArrayLike, direction: Direction, x: Kernel, y: Kernel, border: Any
) -> Image:
    """Of two derivatives one, or the length of the vector that they are."""
    if direction not in ("x", "y", "magnitude"):
        raise ValueError(f"filters: direction is {direction!r}, expected 'x', 'y' or 'magnitude'")
    if direction != "magnitude":
        return apply(image, x if direction == "x" else y, **border)
    length: Image = np.hypot(apply(image, x, **border), apply(image, y, **border))
    return length


def sobel(image: npt.ArrayLike, direction: Direction = "magnitude", **border: Any) -> Image:
    """First derivative, smoothed by 1 2 1 across: 'x', 'y', or sqrt(x^2 + y^2).

    Sobel & Feldman 1968; a step of height 1 gives 4. `border`: `padding` and `padding_mode` of
    `apply`, as for every function here.
    """
    return _gradient(image, direction, SOBEL_X, SOBEL_Y, border)


def prewitt(image: npt.ArrayLike, direction: Direction = "magnitude", **border: Any) -> Image:
    """First derivative, smoothed by 1 1 1 across (Prewitt 1970); a step of height 1 gives 3."""
    return _gradient(image, direction, PREWITT_X, PREWITT_Y, border)


def scharr(image: npt.ArrayLike, direction: Direction = "magnitude", **border: Any) -> Image:
    """First derivative, smoothed by 3 10 3 across (Scharr 2000); a step of height 1 gives 16."""
    return _gradient(image, direction, SCHARR_X, SCHARR_Y, border)


def roberts(image: npt.ArrayLike, direction: Direction = "magnitude", **border: Any) -> Image:
    """Differences along the two diagonals (Roberts 1963)."""
    return _gradient(image, direction, ROBERTS_X, ROBERTS_Y, border)


def _by_neighbours(name: str, neighbours: int, four: Kernel, eight: Kernel) -> Kernel:
    if neighbours not in (4, 8):
        raise ValueError(f"filters.{name}: neighbours is {neighbours}, expected 4 or 8")
    return four if neighbours == 4 else eight


def laplacian(image: npt.ArrayLike, neighbours: Literal[4, 8] = 4, **border: Any) -> Image:
    """Sum of second derivatives: the 4 or 8 neighbours minus 4 or 8 times the pixel."""
    return apply(image, _by_neighbours("laplacian", neighbours, LAPLACIAN_4, LAPLACIAN_8), **border)


def edges(image: npt.ArrayLike, neighbours: Literal[4, 8] = 8, **border: Any) -> Image:
    """Difference from the surroundings: `laplacian` with the sign turned; 0 where it is even."""
    return apply(image, _by_neighbours("edges", neighbours, EDGE_4, EDGE_8), **border)


def sharpen(image: npt.ArrayLike, **border: Any) -> Image:
    """The image plus its edges: 5 times the pixel minus its 4 neighbours."""
    return apply(image, SHARPEN, **border)


def emboss(image: npt.ArrayLike, **border: Any) -> Image:
    """The image plus its slope along the diagonal: a relief, lit from the lower right."""
    return apply(image, EMBOSS, **border)


def box_kernel(size: int = 3) -> Kernel:
    """(size, size) of 1 / size^2: the mean of the window."""
    return np.full((size, size), 1 / size**2)


def box(image: npt.ArrayLike, size: int = 3, **border: Any) -> Image:
    """Blur by the mean over windows of size x size."""
    return apply(image, box_kernel(size), **border)


def gaussian_kernel(sigma: float = 1.0, size: int | None = None) -> Kernel:
    """exp(-(x^2 + y^2) / (2 sigma^2)) on the grid, scaled to sum to 1.

    Parameters
    ----------
    sigma : float
        Standard deviation, in pixels.
    size : int, optional
        Rows and columns; if not given the odd number that holds 3 sigma on each side.

    Returns
    -------
    ndarray
        (size, size) of float64.

    Raises
    ------
    ValueError
        If sigma or size is not above 0.
    """
    _positive("gaussian_kernel", sigma=sigma)
    size = 2 * math.ceil(3 * sigma) + 1 if size is None else size
    _positive("gaussian_kernel", size=size)
    x, y = _grid(size)
    g = np.exp(-(x**2 + y**2) / (2 * sigma**2))
    return np.asarray(g / g.sum())


def gaussian(
    image: npt.ArrayLike, sigma: float = 1.0, size: int | None = None, **border: Any
) -> Image:
    """Blur by a Gaussian of `sigma` pixels."""
    return apply(image, gaussian_kernel(sigma, size), **border)


def gabor_kernel(
    orientation: float,
    frequency: float,
    size: int = 31,
    sigma: float | None = None,
    aspect: float = 1.0,
    phase: float = 0.0,
) -> Kernel:
    """A wave under a Gaussian: what simple cells of the visual cortex answer to (Daugman 1985).

    exp(-(u^2 + (aspect v)^2) / (2 sigma^2)) cos(2 pi frequency u + phase), minus its mean, so that
    even areas give 0; u = x cos(orientation) + y sin(orientation), v at a right angle to it.

    Parameters
    ----------
    orientation : float
        Where the wave goes to, in radians; 0 is to the right, pi / 2 down.
    frequency : float
        Waves per pixel, at most 1/2.
    size : int
        Rows and columns.
    sigma : float, optional
        Width of the Gaussian; 0.56 / frequency, a band of one octave, if not given.
    aspect : float
        How much narrower it is along the crests.
    phase : float
        0 is even, a bar; -pi / 2 is odd, an edge.

    Returns
    -------
    ndarray
        (size, size) of float64.

    Raises
    ------
    ValueError
        If a number is not above 0, or the frequency above 1/2.
    """
    _positive("gabor_kernel", frequency=frequency, size=size, aspect=aspect)
    if frequency > 0.5:
        raise ValueError(f"filters.gabor_kernel: frequency is {frequency}, expected at most 0.5")
    sigma = 0.56 / frequency if sigma is None else sigma
    _positive("gabor_kernel", sigma=sigma)
    u, v = _rotated(size, orientation)
    g = np.exp(-(u**2 + (aspect * v) ** 2) / (2 * sigma**2))
    g = g * np.cos(2 * np.pi * frequency * u + phase)
    return np.asarray(g - g.mean())


def gabor_bank(
    orientations: int = 8, frequencies: Sequence[float] = (0.06, 0.12, 0.24), size: int = 31
) -> Kernel:
    """Gabor filters of all orientations k pi / `orientations`, frequency by frequency.

    Returns
    -------
    ndarray
        (frequencies x orientations, size, size) of float64.
    """
    _positive("gabor_bank", orientations=orientations)
    angles = np.pi * np.arange(orientations) / orientations
    return np.stack([gabor_kernel(angle, f, size) for f in frequencies for angle in angles])


def leung_malik_bank(size: int = 49, scale: float = math.sqrt(2)) -> Kernel:
    """48 filters by whose answers textures are told apart (Leung & Malik 2001, section 2).

    With s_i = scale sqrt(2)^i:

    - 0 to 17, first derivatives of Gaussians (edges), and 18 to 35, second ones (bars), at scales
      s_0 to s_2 of 6 orientations each, k pi / 6. Along the derivative the Gaussian has width s,
      across it 3 s;
    - 36 to 43, Laplacians of Gaussians of width s_0 to s_3, then 3 s_0 to 3 s_3;
    - 44 to 47, Gaussians of width s_0 to s_3.

    Gaussians sum to 1. All others have mean 0, and absolute values that sum to 1.

    Parameters
    ----------
    size : int
        Rows and columns.
    scale : float
        s_0, in pixels; sqrt(2) makes the larger of the two usual banks, 1 the smaller.

    Returns
    -------
    ndarray
        (48, size, size) of float64.

    Raises
    ------
    ValueError
        If a number is not above 0.
    """
    _positive("leung_malik_bank", size=size, scale=scale)
    scales = [scale * math.sqrt(2) ** i for i in range(4)]
    angles = [np.pi * k / 6 for k in range(6)]
    bank = [
        _elongated(size, s, angle, order)
        for order in (1, 2)
        for s in scales[:3]
        for angle in angles
    ]
    x, y = _grid(size)
    for s in [*scales, *(3 * s for s in scales)]:
        squares = (x**2 + y**2) / (2 * s**2)
        bank.append(_zero_mean((squares - 1) * np.exp(-squares)))
    return np.stack([*bank, *(gaussian_kernel(s, size) for s in scales)])


def _elongated(size: int, s: float, angle: float, order: int) -> Kernel:
    """The derivative of that order of a Gaussian, s wide along it and 3 s across."""
    u, v = _rotated(size, angle)
    slope = -u if order == 1 else u**2 / s**2 - 1
    return _zero_mean(slope * np.exp(-(u**2) / (2 * s**2) - v**2 / (18 * s**2)))


def _zero_mean(kernel: Kernel) -> Kernel:
    kernel = kernel - kernel.mean()
    total = np.abs(kernel).sum()
    return np.asarray(kernel / total if total else kernel)


def _grid(size: int) -> tuple[Kernel, Kernel]:
    """x (to the right) and y (down) of every pixel, (0, 0) in the middle."""
    along = np.arange(size) - (size - 1) / 2
    x, y = np.meshgrid(along, along)
    return x, y


def _rotated(size: int, angle: float) -> tuple[Kernel, Kernel]:
    x, y = _grid(size)
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def _positive(name: str, **values: float) -> None:
    for argument, value in values.items():
        if not value > 0:
            raise ValueError(f"filters.{name}: {argument} is {value}, expected more than 0")
