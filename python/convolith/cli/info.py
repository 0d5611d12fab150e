"""``convolith info``."""

from __future__ import annotations

import argparse
from typing import Any

import convolith
from convolith.cli.common import command


def add(commands: Any) -> None:
    """Add the command."""
    command(commands, "info", run, "show what this installation is", "convolith info")


def run(args: argparse.Namespace) -> int:
    """Print versions, instruction sets, devices."""
    convolith.show_config()
    return 0
