"""Sample kernels, right and wrong ones, on builds of the emulator that are made for them."""
