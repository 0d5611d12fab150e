"""The scores of every class side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from convolith.metrics.classification import ArrayOrTensor, pair
from convolith.metrics.scores import (
    PRECISION,
    RECALL,
    Average,
    Counts,
    ZeroDivision,
    averaged,
    count,
    f_ratio,
    warn,
)

Report = dict[str, Any]

_COLUMNS = {"precision": PRECISION, "recall": RECALL, "f1-score": f_ratio(1)}


@overload
def classification_report(
    predicted: ArrayOrTensor,
    target: ArrayOrTensor,
    *,
    labels: npt.ArrayLike | None = ...,
    target_names: Sequence[str] | None = ...,
    digits: int = ...,
    output_dict: Literal[False] = ...,
    zero_division: ZeroDivision = ...,
) -> str: ...
@overload
def classification_report(
    predicted: ArrayOrTensor,
    target: ArrayOrTensor,
    *,
    labels: npt.ArrayLike | None = ...,
    target_names: Sequence[str] | None = ...,
    digits: int = ...,
    output_dict: Literal[True],
    zero_division: ZeroDivision = ...,
) -> Report: ...
def classification_report(
    predicted: ArrayOrTensor,
    target: ArrayOrTensor,
    *,
    labels: npt.ArrayLike | None = None,
    target_names: Sequence[str] | None = None,
    digits: int = 2,
    output_dict: bool = False,
    zero_division: ZeroDivision = "warn",
) -> str | Report:
    """Precision, recall, F1 and support of every class, and their means, as scikit-learn has them.

    Parameters
    ----------
    predicted, target : array or Tensor
        (N): class indices.
    labels : sequence, optional
        The classes that are listed; all that occur, sorted, if not given.
    target_names : sequence of str, optional
        Their names, in that order.
    digits : int
        Decimals in the text.
    output_dict : bool
        Return the numbers instead of the text.
    zero_division : 'warn' or float
        As for `precision`; there is one warning for the whole report.

    Returns
    -------
    str, or dict
        Of the dict, each class has "precision", "recall", "f1-score" and "support", and so have
        "macro avg" and "weighted avg"; "accuracy" is one number. Where `labels` leaves a class out
        that occurs, "micro avg" takes the place of accuracy.

    Raises
    ------
    ValueError
        If the shapes differ, or there is not one name for each label.
    """
    predicted, target = pair("classification_report", predicted, target)
    present = np.union1d(predicted, target)
    listed = present if labels is None else np.asarray(labels)
    names = [str(label) for label in listed.tolist()] if target_names is None else [*target_names]
    if len(names) != len(listed):
        raise ValueError(
            f"classification_report: {len(names)} target_names for {len(listed)} labels"
        )
    counts = count(predicted, target, listed)
    whole = set(present.tolist()) <= set(listed.tolist())
    report, undefined = _report(names, counts, whole, zero_division)
    if undefined and zero_division == "warn":
        warn("classification_report", depth=3)
    return report if output_dict else _text(report, digits, counts.support.sum())


def _report(
    names: list[str], counts: Counts, whole: bool, zero_division: ZeroDivision
) -> tuple[Report, bool]:
    """All rows, in the order in which they are shown, and whether a division by zero is in them."""
    faults = []

    def row(average: Average) -> dict[str, Any]:
        cells = {}
        for column, ratio in _COLUMNS.items():
            cells[column], undefined = averaged(ratio, counts, average, zero_division)
            faults.append(undefined)
        return cells

    each = row(None)
    report: Report = {
        name: {
            **{column: float(values[i]) for column, values in each.items()},
            "support": float(counts.support[i]),
        }
        for i, name in enumerate(names)
    }
    support = {"support": float(counts.support.sum())}
    micro = row("micro")
    if whole:
        report["accuracy"] = micro["precision"]  # with every class listed they are the same
    else:
        report["micro avg"] = {**micro, **support}
    report["macro avg"] = {**row("macro"), **support}
    report["weighted avg"] = {**row("weighted"), **support}
    return report, any(faults)


def _text(report: Report, digits: int, support: float) -> str:
    width = max(*map(len, report), digits)
    lines = [" " * width + " " + "".join(f" {column:>9}" for column in (*_COLUMNS, "support")), ""]
    for name, row in report.items():
        if name in ("accuracy", "micro avg"):
            lines.append("")
        if isinstance(row, dict):
            cells = "".join(f" {row[column]:>9.{digits}f}" for column in _COLUMNS)
            lines.append(f"{name:>{width}} {cells} {row['support']:>9.0f}")
        else:
            lines.append(f"{name:>{width}} {'':>20} {row:>9.{digits}f} {support:>9.0f}")
    return "\n".join(lines) + "\n"
