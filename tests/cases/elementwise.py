"""Shapes of whatever goes element by element."""

from __future__ import annotations

ELEMENTWISE: dict[str, tuple[int, ...]] = {
    "scalar": (),
    "one": (1,),
    "three": (3,),
    "seven": (7,),
    "sixteen": (16,),
    "seventeen": (17,),
    "nchw": (2, 3, 5, 7),
    "several_blocks": (70001,),
    "empty": (0, 3),
}
