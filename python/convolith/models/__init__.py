"""Networks of the literature, and a summary of any network."""

from convolith.models.lenet import LeNet5
from convolith.models.summary import summary

__all__ = ["LeNet5", "summary"]
