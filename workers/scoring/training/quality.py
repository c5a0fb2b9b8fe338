"""How good probabilities and flags are: the figures that the field uses, over numpy arrays of N texts. Pure."""

import numpy as np
import numpy.typing as npt

Truth = npt.NDArray[np.bool_]
Chances = npt.NDArray[np.floating]
_BINS = 10


def auc(truth: Truth, chances: Chances) -> float:
    """Area under the ROC curve: how often a true one is above a false one, ties counting half. NaN when there is only one
    kind."""
    yes, no = np.sort(chances[truth]), np.sort(chances[~truth])
    if not len(yes) or not len(no):
        return float("nan")
    above = np.searchsorted(no, yes, "left") + np.searchsorted(no, yes, "right")
    return float(above.sum() / (2 * len(yes) * len(no)))


def average_precision(truth: Truth, chances: Chances) -> float:
    """Mean of the precision at each true one, most likely first; ties in an order that favours nobody (all at the end of their
    tie)."""
    recall, precision, _ = curve(truth, chances)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def curve(truth: Truth, chances: Chances) -> tuple[Chances, Chances, Chances]:
    """Recall, precision and the threshold that gives them, from the highest threshold to the lowest."""
    order = np.argsort(-chances, kind="stable")
    last = np.flatnonzero(np.diff(chances[order], append=-np.inf))
    hits = np.cumsum(truth[order])[last]
    return hits / max(1, truth.sum()), hits / (last + 1), chances[order][last]


def f1(truth: Truth, flags: Truth) -> float:
    marked = int(truth.sum()) + int(flags.sum())
    return 2 * int((truth & flags).sum()) / marked if marked else 0.0


def macro_f1(truth: Truth, flags: Truth) -> float:
    """Mean of the F1 of the true and of the false ones."""
    return (f1(truth, flags) + f1(~truth, ~flags)) / 2


def macro_f1_of(truth: npt.NDArray[np.str_], answers: npt.NDArray[np.str_]) -> float:
    """Mean of the F1 of each class that is in the truth."""
    return float(np.mean([f1(truth == kind, answers == kind) for kind in np.unique(truth)]))


def precision_recall(truth: Truth, flags: Truth) -> tuple[float, float]:
    hits = int((truth & flags).sum())
    return hits / max(1, int(flags.sum())), hits / max(1, int(truth.sum()))


def calibration_error(truth: Truth, chances: Chances) -> float:
    """Expected calibration error: in ten bins of equal width, how far the mean probability is from the share of true ones,
    weighted by how many texts a bin has."""
    bins = np.minimum((chances * _BINS).astype(int), _BINS - 1)
    gaps = [
        abs(chances[bins == at].mean() - truth[bins == at].mean()) * (bins == at).sum()
        for at in np.unique(bins)
    ]
    return float(sum(gaps) / len(truth))
