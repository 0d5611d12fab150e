"""Pipelines of augmentation: what goes in one pass, and what loaders make of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conftest import devices
from convolith import _C, data, nn
from convolith.data import DataLoader, TensorDataset, augment
from convolith.data.augment import Compose, Draws

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (40, 3, 12, 10), dtype=np.uint8)
LABELS = np.arange(40) % 4


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "device" in metafunc.fixturenames:
        metafunc.parametrize("device", devices(metafunc.config))


def test_neighbours_go_in_one_pass_with_the_same_result() -> None:
    crop, across = augment.RandomCrop((9, 8), (2, 1), "reflect"), augment.RandomHorizontalFlip()
    down = augment.RandomVerticalFlip(0.3)
    pipeline = Compose([crop, across, down, augment.ToFloat()])
    assert len(pipeline.stages) == 2
    drawn = Draws(1, 0, np.arange(40))
    apart = BYTES
    for stage in (crop, across, down, augment.ToFloat()):
        apart = stage.apply(apart, None, drawn)[0]
    np.testing.assert_array_equal(pipeline(BYTES, draws=Draws(1, 0, np.arange(40))), apart)
    assert len(Compose([across, crop]).stages) == 2


def test_affine_and_elastic_resample_once() -> None:
    affine = augment.RandomAffine(20, interpolation="bilinear")
    elastic = augment.ElasticDistortion(10, 2)
    both = Compose([affine, elastic])
    assert len(both.stages) == 1
    assert len(Compose([elastic, affine]).stages) == 2
    assert len(Compose([affine, augment.ElasticDistortion(10, 2, fill=1)]).stages) == 2
    # On a plane that is linear in its coordinates resampling is exact, once or twice.
    row, col = np.mgrid[:40, :40].astype(np.float64)
    plane = np.tile(2 * row - col, (5, 1, 1, 1))
    drawn = Draws(1, 0, np.arange(5))
    twice = elastic.change(affine.change(plane, drawn), drawn)
    inside = (..., slice(14, 26), slice(14, 26))
    np.testing.assert_allclose(
        both(plane, draws=Draws(1, 0, np.arange(5)))[inside], twice[inside], atol=1e-4
    )


@pytest.mark.parametrize("name", data.augment.recipes.AUGMENTATIONS)
def test_augmentations_by_name(name: str) -> None:
    pipeline = data.augmentation(name)
    if name == "none":
        assert pipeline is None
        return
    channels, size = (3, 32) if name == "cifar" else (1, 28)
    images = RNG.integers(0, 256, (6, channels, size, size), dtype=np.uint8)
    y = pipeline(images)
    assert y.shape == images.shape
    assert y.dtype == np.float32
    assert 0 <= y.min() < y.max() <= 1
    assert not np.array_equal(y, images / np.float32(255))


def test_an_unknown_augmentation_is_refused() -> None:
    with pytest.raises(ValueError, match="no 'svhn', only none, affine, mnist, cifar"):
        data.augmentation("svhn")


def loader(workers: int = 0, **options: Any) -> DataLoader:
    pipeline = Compose(
        [
            augment.RandomCrop(10, 2),
            augment.RandomHorizontalFlip(),
            augment.RandomAffine(10),
            augment.ElasticDistortion(10, 2, "nearest"),
            augment.ColorJitter(0.2, 0.2, 0.2, 0.1),
            augment.MixUp(0.4, 4),
        ]
    )
    options = {"shuffle": True, "seed": 5, "augment": pipeline, **options}
    return DataLoader(TensorDataset(BYTES, LABELS), 7, num_workers=workers, **options)


def test_batches_on_a_device_are_the_cpus(device: Any) -> None:
    for there, here in zip(loader(2, device=device), loader(), strict=True):
        for tensor, expected in zip(there, here, strict=True):
            assert tensor.device == device
            np.testing.assert_array_equal(tensor.numpy(), expected.numpy())


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_and_threads_change_no_batch(workers: int) -> None:
    one, other = loader(), loader(workers)
    _C.set_num_threads(1)
    for _ in range(2):
        expected = [[t.numpy() for t in batch] for batch in one]
        _C.set_num_threads(3)
        for batch, arrays in zip(other, expected, strict=True):
            for tensor, array in zip(batch, arrays, strict=True):
                np.testing.assert_array_equal(tensor.numpy(), array)


def test_samples_are_augmented_alike_in_any_order() -> None:
    flip = augment.RandomHorizontalFlip()
    numbered = TensorDataset(BYTES.astype(np.float32), np.arange(40))
    seen = []
    for options in ({"shuffle": True}, {"sampler": range(39, -1, -1)}):
        images, index = zip(
            *DataLoader(numbered, 7, seed=5, augment=flip, **options),
            strict=True,  # type: ignore[arg-type]
        )
        order = np.concatenate([i.numpy() for i in index])
        seen.append(np.concatenate([i.numpy() for i in images])[order.argsort()])
    np.testing.assert_array_equal(*seen)


def test_mixed_labels_train() -> None:
    images, probs = next(iter(loader()))
    assert probs.shape == (7, 4)
    model = nn.Sequential(nn.Flatten(), nn.Linear(300, 4))
    loss = nn.CrossEntropyLoss()(model(images), probs)
    loss.backward()
    assert np.isfinite(loss.item())


def test_images_without_labels() -> None:
    ((images,),) = DataLoader(TensorDataset(BYTES), 40, augment=augment.MixUp(0.4))
    assert images.shape == BYTES.shape


def test_sampler_gives_order_and_length() -> None:
    numbers = TensorDataset(np.arange(10))
    feed = DataLoader(numbers, 2, sampler=[3, 3, 9], drop_last=True)
    assert len(feed) == 1
    assert [batch.numpy().tolist() for (batch,) in feed] == [[3, 3]]
    with pytest.raises(ValueError, match="either shuffle or a sampler"):
        DataLoader(numbers, 2, shuffle=True, sampler=[1])
