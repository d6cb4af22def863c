"""Runs the examples of the package's docstrings and of pages given as arguments.

    python doctests.py [PAGE.md | FOLDER]...

In a page, examples are what stands after `>>>`; pages without any are passed over.
"""

import doctest
import importlib
import pkgutil
import sys
from pathlib import Path

import populace

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def main(pages: list[str]) -> int:
    failed = attempted = 0
    names = [module.name for module in pkgutil.walk_packages(populace.__path__, "populace.")]
    for name in ["populace", *(name for name in names if not name.endswith("_native"))]:
        result = doctest.testmod(importlib.import_module(name), optionflags=OPTIONS)
        failed, attempted = failed + result.failed, attempted + result.attempted
    for page in pages:
        path = Path(page)
        for file in sorted(path.glob("python*.md")) if path.is_dir() else [path]:
            result = doctest.testfile(str(file.resolve()), module_relative=False, optionflags=OPTIONS)
            failed, attempted = failed + result.failed, attempted + result.attempted
    print(f"{attempted} examples, {failed} failed")
    return 1 if failed or not attempted else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
