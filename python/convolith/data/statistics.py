"""Mean and standard deviation of the images of a data set that does not fit into memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from convolith.data.dataset import Dataset

Float64s = npt.NDArray[np.float64]


def mean_std(
    dataset: Dataset, batch_size: int = 64, progress: bool = False
) -> tuple[Float64s, Float64s]:
    """Of each channel, over all images of `dataset`.

    Parameters
    ----------
    dataset : Dataset
        Whose first array is images (N, C, H, W); bytes count from 0 to 1.
    batch_size : int
        How many images are read at a time.
    progress : bool
        Show a bar on a terminal.

    Returns
    -------
    mean, std : (C,) float64
        Of all pixels; std divides by their number.

    Raises
    ------
    ValueError
        If there are no images.

    Notes
    -----
    Means and squared deviations of batches are put together as Chan, Golub and LeVeque do
    ("Updating formulae and a pairwise algorithm for computing sample variances", 1979): nothing
    cancels, however far the mean is from zero.
    """
    from tqdm import tqdm

    if len(dataset) == 0:
        raise ValueError("mean_std: the data set is empty")
    count, mean, squares = 0, np.zeros(()), np.zeros(())
    hidden = None if progress else True  # None: unless standard error is a terminal
    with tqdm(total=len(dataset), unit=" images", disable=hidden, dynamic_ncols=True) as bar:
        for start in range(0, len(dataset), batch_size):
            images = dataset[np.arange(start, min(start + batch_size, len(dataset)))][0]
            more, of_batch, deviations = _moments(images)
            both = count + more
            apart = of_batch - mean
            mean = mean + apart * (more / both)
            squares = squares + deviations + apart**2 * (count * more / both)
            count = both
            bar.update(len(images))
    return mean, np.sqrt(squares / count)


def _moments(images: npt.NDArray[np.generic]) -> tuple[int, Float64s, Float64s]:
    """Pixels of a channel, their mean, and the sum of their squared deviations from it."""
    white = 255.0 if images.dtype == np.uint8 else 1.0
    x = images.astype(np.float64) / white
    pixels = x.size // x.shape[1]
    mean = x.mean((0, 2, 3))
    return pixels, mean, np.square(x - mean[:, None, None]).sum((0, 2, 3))
