#!/usr/bin/env python3
"""Compares a report of the Autobahn cases with the committed results.

    compare.py await HOST:PORT                                    wait until a server listens
    compare.py compare REPORT RESULTS --suite NAME [--update]     judge a report

A case passes with OK or INFORMATIONAL, both in what was answered and in how the connection was closed;
NON-STRICT is a failure. Without --update every difference from the results fails too, so that a case
can neither get lost nor change its behaviour unnoticed.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import socket
import subprocess
import sys
import time

PASSING = {"OK", "INFORMATIONAL"}
AWAIT_S = 20


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    wait = commands.add_parser("await")
    wait.add_argument("address")
    compare = commands.add_parser("compare")
    compare.add_argument("report", type=pathlib.Path)
    compare.add_argument("results", type=pathlib.Path)
    compare.add_argument("--suite", required=True)
    compare.add_argument("--update", action="store_true")
    arguments = parser.parse_args()
    if arguments.command == "await":
        return await_listener(arguments.address)
    return judge(arguments)


def await_listener(address):
    host, port = address.rsplit(":", 1)
    deadline = time.monotonic() + AWAIT_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            return 0
        except OSError:
            time.sleep(0.05)
    print(f"nothing listens on {address} after {AWAIT_S} s", file=sys.stderr)
    return 1


def judge(arguments):
    if not arguments.report.exists():
        print(f"no report at {arguments.report}: the suite did not run", file=sys.stderr)
        return 1
    cases = read_report(arguments.report)
    failures = [f"{case}: {behaviour}" for case, behaviour in cases.items() if not passes(behaviour)]
    for failure in failures:
        print(f"failed  {failure}")
    if not cases:
        failures.append("no cases")
        print("failed  the report has no cases")
    if arguments.update:
        if not failures:
            write_results(arguments.results, arguments.suite, cases)
            print(f"wrote {arguments.results}")
        differences = []
    else:
        differences = compare_with_results(cases, arguments.results)
    passed = sum(passes(behaviour) for behaviour in cases.values())
    print(f"{passed} of {len(cases)} cases pass, {len(differences)} differ from the results")
    return 1 if failures or differences else 0


def read_report(path):
    """Case to behaviour, in the order of the case numbers."""
    agents = json.loads(path.read_text())
    if len(agents) != 1:
        sys.exit(f"expected the report of one server, found {sorted(agents)}")
    (cases,) = agents.values()
    return {case: behaviour(cases[case]) for case in sorted(cases, key=case_number)}


def case_number(case):
    return [int(part) for part in case.split(".")]


def behaviour(entry):
    """One word if answering and closing went alike, else both."""
    answered, closed = entry["behavior"], entry["behaviorClose"]
    return answered if answered == closed else f"{answered}, closed {closed}"


def passes(behaviour):
    return set(behaviour.split(", closed ")) <= PASSING


def compare_with_results(cases, path):
    if not path.exists():
        print(f"no results at {path}: write them with --update")
        return ["no results"]
    committed = json.loads(path.read_text())["cases"]
    differences = []
    for case in sorted(committed.keys() | cases.keys(), key=case_number):
        before, now = committed.get(case, "absent"), cases.get(case, "absent")
        if before != now:
            differences.append(case)
            print(f"differs {case}: {before} in the results, now {now}")
    return differences


def write_results(path, suite, cases):
    results = {
        "suite": suite,
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "commit": commit(),
        "machine": f"{platform.system()} {platform.release()}, {platform.machine()}, {os.cpu_count()} cores",
        "passed": f"{sum(map(passes, cases.values()))} of {len(cases)}",
        "cases": cases,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")


def commit():
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
