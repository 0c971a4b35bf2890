#!/usr/bin/python3
"""Reads a metrics page from stdin, as strictly as can be: check_metrics.py prometheus|openmetrics

Prints its samples as a JSON object {"name{label=value,...}": number}. Ends with status 1 and a sentence if the page
breaks a rule: what prometheus_client's parsers refuse, and what the one for the older format lets through.
"""
import json
import math
import sys

import prometheus_client.openmetrics.parser
import prometheus_client.parser


def key(sample):
    labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
    return f"{sample.name}{{{labels}}}"


def check_histogram(family):
    groups = {}
    for sample in family.samples:
        labels = {name: value for name, value in sample.labels.items() if name != "le"}
        groups.setdefault(json.dumps(labels, sort_keys=True), []).append(sample)
    for labels, samples in groups.items():
        buckets = [(float(s.labels["le"]), s.value) for s in samples if s.name.endswith("_bucket")]
        bounds = [bound for bound, _ in buckets]
        counts = [count for _, count in buckets]
        where = f"{family.name} {labels}"
        assert bounds == sorted(set(bounds)), f"{where}: bounds are not in order"
        assert bounds and bounds[-1] == math.inf, f"{where}: no +Inf bucket at the end"
        assert counts == sorted(counts), f"{where}: buckets are not cumulative"
        count = [s.value for s in samples if s.name.endswith("_count")]
        total = [s.value for s in samples if s.name.endswith("_sum")]
        assert count == [counts[-1]], f"{where}: _count differs from the +Inf bucket"
        assert len(total) == 1 and total[0] >= 0, f"{where}: _sum"


def main():
    text = sys.stdin.buffer.read().decode("utf-8")
    assert text.endswith("\n"), "the page does not end with a newline"
    parsers = {"prometheus": prometheus_client.parser, "openmetrics": prometheus_client.openmetrics.parser}
    families = list(parsers[sys.argv[1]].text_string_to_metric_families(text))
    names = [family.name for family in families]
    assert len(names) == len(set(names)), "a family appears twice"
    samples = {}
    for family in families:
        assert family.documentation, f"{family.name} has no HELP"
        assert family.type in ("counter", "gauge", "histogram"), f"{family.name} has type {family.type}"
        if family.type == "histogram":
            check_histogram(family)
        for sample in family.samples:
            assert key(sample) not in samples, f"{key(sample)} appears twice"
            assert sample.value >= 0, f"{key(sample)} is negative"
            samples[key(sample)] = sample.value
    json.dump(samples, sys.stdout)


try:
    main()
except (AssertionError, ValueError) as error:
    sys.exit(f"not a valid metrics page: {error}")
