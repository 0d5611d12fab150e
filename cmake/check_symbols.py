"""Fail unless objects compiled for one instruction set define symbols of its namespace only.

An inline function or a template instance shared between instruction sets is a weak symbol of which
the linker keeps one copy, perhaps one with instructions that the CPU at hand does not have.
"""

import argparse
import subprocess
import sys


def strangers(nm: str, isa: str, objects: list[str]) -> list[str]:
    """Global symbols defined in `objects` whose mangled name lacks ``convolith::<isa>``."""
    listing = subprocess.run(
        [nm, "--defined-only", "--extern-only", "--no-sort", *objects],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    namespace = f"9convolith{len(isa)}{isa}"
    names = {line.split()[2] for line in listing.splitlines() if len(line.split()) == 3}
    # DW.ref.* are the compiler's own pointers to exception handling, one and the same everywhere.
    return sorted(n for n in names if namespace not in n and not n.startswith("DW.ref."))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nm", default="nm", help="the nm to use (default: nm)")
    parser.add_argument("--isa", required=True, help="name of the instruction set's namespace")
    parser.add_argument("objects", nargs="+", help="object files")
    args = parser.parse_args()
    found = strangers(args.nm, args.isa, args.objects)
    for name in found:
        print(f"{args.isa} objects define a symbol that is not theirs: {name}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
