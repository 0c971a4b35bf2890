#!/usr/bin/env python3
"""Prints CTest's JUnit report as the line CI reads: N passed, N failed, N skipped; each skip with its reason."""
import re
import sys
import xml.etree.ElementTree as ElementTree

passed = failed = skipped = 0
for case in ElementTree.parse(sys.argv[1]).getroot().iter("testcase"):
    name = case.get("name").split("  #")[0]  # what follows are a parameter's bytes
    output = case.findtext("system-out") or ""
    status = case.get("status")
    if case.find("skipped") is not None or status in ("notrun", "disabled"):
        skipped += 1
        reasons = re.findall(r"Skipped\n(.*)", output)
        print(f"skipped {name}: {reasons[-1].strip() if reasons else 'no reason given'}")
    elif case.find("failure") is not None or status == "fail":
        failed += 1
        print(f"failed  {name}")
    else:
        passed += 1
print(f"{passed} passed, {failed} failed, {skipped} skipped")
