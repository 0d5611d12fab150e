"""Metrics: by hand, and against scikit-learn where it is installed."""

from __future__ import annotations

import functools
import itertools
import warnings
from typing import Any

import numpy as np
import pytest

import convolith as cv
from convolith import metrics

SCORES = ("precision", "recall", "f_score")


def binary(tp: int, fp: int, fn: int, tn: int) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and targets with these counts."""
    predicted = np.repeat([1, 1, 0, 0], [tp, fp, fn, tn])
    return predicted, np.repeat([1, 0, 1, 0], [tp, fp, fn, tn])


# By hand


def test_binary_scores_of_a_table() -> None:
    predicted, target = binary(tp=100, fp=70, fn=30, tn=800)
    assert metrics.precision(predicted, target) == pytest.approx(100 / 170)
    assert metrics.recall(predicted, target) == pytest.approx(100 / 130)
    assert metrics.specificity(predicted, target) == pytest.approx(800 / 870)
    assert metrics.accuracy(predicted, target) == pytest.approx(900 / 1000)
    assert metrics.f_score(predicted, target) == pytest.approx(200 / 300)
    assert metrics.f_score(predicted, target, beta=2) == pytest.approx(500 / (500 + 70 + 4 * 30))
    assert metrics.f_score(predicted, target, beta=0) == pytest.approx(100 / 170)
    assert metrics.f_score(predicted, target, beta=np.inf) == pytest.approx(100 / 130)
    assert metrics.recall(predicted, target, pos_label=0) == pytest.approx(800 / 870)


def test_averages_of_a_table() -> None:
    # Rows true, columns predicted: [[3, 1, 0], [0, 2, 2], [0, 0, 2]].
    target = cv.tensor([0, 0, 0, 0, 1, 1, 1, 1, 2, 2])
    predicted = cv.tensor([0, 0, 0, 1, 1, 1, 2, 2, 2, 2])
    each = metrics.precision(predicted, target, average=None)
    np.testing.assert_allclose(each, [1, 2 / 3, 1 / 2])
    assert metrics.precision(predicted, target, average="macro") == pytest.approx(13 / 18)
    assert metrics.precision(predicted, target, average="micro") == pytest.approx(7 / 10)
    weighted = (4 * 1 + 4 * 2 / 3 + 2 * 1 / 2) / 10
    assert metrics.precision(predicted, target, average="weighted") == pytest.approx(weighted)
    np.testing.assert_allclose(
        metrics.specificity(predicted, target, average=None), [1, 5 / 6, 6 / 8]
    )
    np.testing.assert_allclose(
        metrics.recall(predicted, target, average=None, labels=[2, 0]), [1, 3 / 4]
    )


def test_division_by_zero() -> None:
    predicted, target = np.zeros(3, int), np.array([0, 0, 1])
    with pytest.warns(metrics.UndefinedMetricWarning, match="precision divides by zero") as caught:
        assert metrics.precision(predicted, target) == 0
    assert caught[0].filename == __file__
    assert metrics.precision(predicted, target, zero_division=1) == 1
    each = metrics.precision(predicted, target, average=None, zero_division=np.nan)
    np.testing.assert_array_equal(each, [2 / 3, np.nan])
    macro = metrics.precision(predicted, target, average="macro", zero_division=np.nan)
    assert macro == pytest.approx(2 / 3)
    empty = np.zeros(0, int)
    assert np.isnan(metrics.recall(empty, empty, average="macro"))
    with pytest.warns(metrics.UndefinedMetricWarning) as caught:
        metrics.classification_report(predicted, target)
    assert len(caught) == 1
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: metrics.precision(np.zeros(2, int), np.zeros(3, int)), r"precision: predicted is"),
        (
            lambda: metrics.recall(np.zeros((2, 2)), np.zeros((2, 2))),
            r"recall: predicted is \(2, 2",
        ),
        (lambda: metrics.f_score(np.arange(3), np.arange(3)), "'binary' and there are 3 classes"),
        (
            lambda: metrics.recall(np.array([0, 2]), np.array([2, 0])),
            r"recall: pos_label is 1, and the classes are \[0, 2\]",
        ),
        (lambda: metrics.f_score(*binary(1, 1, 1, 1), beta=-1), "beta is -1, expected at least 0"),
        (
            lambda: metrics.recall(*binary(1, 1, 1, 1), average="samples"),  # type: ignore[arg-type]
            "recall: average is 'samples', expected 'binary'",
        ),
        (lambda: metrics.confusion_matrix(np.array([3]), np.array([0]), 3), "0 to 3, expected 0"),
        (lambda: metrics.confusion_matrix(np.array([0]), np.array([-1])), "from -1 to 0, expected"),
        (
            lambda: metrics.confusion_matrix(np.array([0]), np.array([0]), normalize="x"),  # type: ignore[arg-type]
            "normalize is 'x', expected true, pred, all or None",
        ),
        (
            lambda: metrics.classification_report(*binary(1, 1, 1, 1), target_names=["one"]),
            "1 target_names for 2 labels",
        ),
    ],
)
def test_wrong_arguments(call: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()


def test_report_by_hand() -> None:
    predicted, target = binary(tp=3, fp=1, fn=2, tn=4)
    names = ["cat", "dog"]
    assert metrics.classification_report(predicted, target, target_names=names).splitlines() == [
        "              precision    recall  f1-score   support",
        "",
        "         cat       0.67      0.80      0.73         5",
        "         dog       0.75      0.60      0.67         5",
        "",
        "    accuracy                           0.70        10",
        "   macro avg       0.71      0.70      0.70        10",
        "weighted avg       0.71      0.70      0.70        10",
    ]
    report = metrics.classification_report(predicted, target, output_dict=True)
    assert report["1"] == pytest.approx(
        {"precision": 3 / 4, "recall": 3 / 5, "f1-score": 6 / 9, "support": 5}
    )
    assert report["accuracy"] == pytest.approx(0.7)


# Against scikit-learn


CASES = {
    "binary": (2, 40, None),
    "classes": (5, 200, None),
    "a class that nobody predicts": (4, 60, 2),
    "few samples": (9, 6, None),
}


def case(name: str) -> tuple[np.ndarray, np.ndarray]:
    classes, n, never = CASES[name]
    rng = np.random.default_rng(len(name))
    predicted, target = rng.integers(0, classes, (2, n))
    predicted = np.where(rng.random(n) < 0.5, target, predicted)
    return np.where(predicted == never, 0, predicted), target


def theirs(name: str) -> Any:
    sklearn = pytest.importorskip("sklearn.metrics")
    if name == "f_score":
        return functools.partial(sklearn.fbeta_score, beta=1.5)
    return getattr(sklearn, f"{name}_score")


@pytest.mark.parametrize("average", ["macro", "micro", "weighted", None])
@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("name", CASES)
def test_scores_are_scikit_learns(name: str, score: str, average: Any) -> None:
    predicted, target = case(name)
    beta = {"beta": 1.5} if score == "f_score" else {}
    pairs = (
        (functools.partial(getattr(metrics, score), **beta), (predicted, target)),
        (theirs(score), (target, predicted)),
    )
    for labels, zero_division in itertools.product((None, [1, 0, 7]), ("warn", 0.0, 1.0, np.nan)):
        options = {"average": average, "zero_division": zero_division, "labels": labels}
        results, warned = [], []
        for function, args in pairs:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                results.append(function(*args, **options))
            warned.append({type(w.message).__name__ for w in caught})
        np.testing.assert_allclose(*results, rtol=1e-12)
        assert warned[0] == warned[1] <= {"UndefinedMetricWarning"}


@pytest.mark.parametrize("score", SCORES)
def test_binary_scores_are_scikit_learns(score: str) -> None:
    predicted, target = case("binary")
    ours = functools.partial(
        getattr(metrics, score), **({"beta": 1.5} if score == "f_score" else {})
    )
    for pos_label in (0, 1):
        expected = theirs(score)(target, predicted, pos_label=pos_label)
        assert ours(predicted, target, pos_label=pos_label) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("labels", [None, [2, 0]])
@pytest.mark.parametrize("digits", [2, 4])
def test_report_is_scikit_learns(labels: Any, digits: int) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    predicted, target = case("classes")
    ours = metrics.classification_report(predicted, target, labels=labels, digits=digits)
    assert ours == sklearn.classification_report(target, predicted, labels=labels, digits=digits)
    for name, row in metrics.classification_report(
        predicted, target, labels=labels, output_dict=True
    ).items():
        expected = sklearn.classification_report(
            target, predicted, labels=labels, output_dict=True
        )[name]
        assert row == pytest.approx(expected, rel=1e-12)


def test_matrix_and_top_k_are_scikit_learns() -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    predicted, target = case("classes")
    scores = np.random.default_rng(0).random((len(target), 5))
    for k in (1, 2, 3):
        expected = sklearn.top_k_accuracy_score(target, scores, k=k)
        assert metrics.top_k_accuracy(scores, target, k) == pytest.approx(expected)
    assert metrics.accuracy(predicted, target) == sklearn.accuracy_score(target, predicted)
    for normalize in ("true", "pred", "all", None):
        np.testing.assert_allclose(
            metrics.confusion_matrix(predicted, target, normalize=normalize),
            sklearn.confusion_matrix(target, predicted, normalize=normalize),
        )
