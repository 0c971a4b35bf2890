"""Checks that every test PROMISES.md names is there: promises.py REPOSITORY."""

import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
sources = list(root.glob("src/**/*_test.cpp")) + list(root.glob("tests/e2e/*_test.cpp"))
there = set()
for source in sources:
    found = re.findall(r"^TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)", source.read_text(), re.MULTILINE)
    there.update(f"{suite}.{name}" for suite, name in found)
named = set(re.findall(r"`(\w+\.[a-z]\w+)`", (root / "PROMISES.md").read_text()))
named = {name for name in named if not name.endswith(".py")}
missing = sorted(named - there)
for name in missing:
    print(f"PROMISES.md names {name}, which is no test")
if not named:
    print("PROMISES.md names no test")
sys.exit(1 if missing or not named else 0)
