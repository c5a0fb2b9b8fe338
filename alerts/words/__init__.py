"""The words of alerts: one table per language."""

from collections.abc import Mapping

from alerts.words.da import DA
from alerts.words.en import EN
from alerts.words.fi import FI
from alerts.words.nb import NB
from alerts.words.nn import NN
from alerts.words.sv import SV
from alerts.words.table import Words

__all__ = ["TABLES", "Words"]

TABLES: Mapping[str, Words] = {"sv": SV, "nb": NB, "nn": NN, "da": DA, "fi": FI, "en": EN}
