"""The recipe of the README, pasted, with a server that leaks and ones that do not.

VMSCAN_TEST_RUNS is the number of runs of each kind (2).
"""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import vmscan

LEAKING = ("malloc", "mmap", "threads", "files")
STEADY = ("fragments", "cache", "idle")
RUNS = int(os.environ.get("VMSCAN_TEST_RUNS", "2"))
TRIPPED = 1

SERVER = """#!/bin/sh
exec "{program}" {kind} <>requests 1<>answers
"""
LOAD = """#!/bin/sh
echo "$1" >requests
read -r answer <answers
test "$answer" = done
"""


def recipe():
    """The first block of shell in the README's section on the gate."""
    section = (vmscan.SOURCE / "README.md").read_text("utf-8").split("\n## A leak gate for CI\n")[1]
    return re.search(r"```sh\n(.*?)```", section, re.DOTALL).group(1)


def run_recipe(kind):
    """Returns the exit code, the Markdown that it wrote, and what it said on stderr."""
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        for program, text in (("server", SERVER.format(program=vmscan.PROGRAMS / "requests", kind=kind)), ("load", LOAD)):
            (directory / program).write_text(text)
            (directory / program).chmod(0o755)
        for fifo in ("requests", "answers"):
            os.mkfifo(directory / fifo)
        (directory / "bin").mkdir()
        (directory / "bin" / "vmscan").symlink_to(vmscan.PROGRAM)
        done = subprocess.run(
            ["bash", "-c", recipe()],
            cwd=directory,
            env={**os.environ, "PATH": f"{directory / 'bin'}:{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=vmscan.TIMEOUT_S,
            check=False,
        )
        for snapshot in ("before.json", "after.json"):
            vmscan.document("snapshot", directory / snapshot)  # its schema and its laws
        return done.returncode, (directory / "leaks.md").read_text("utf-8"), done.stderr.decode("utf-8")


class Gate(unittest.TestCase):
    def check(self, kinds, expected):
        for kind in kinds:
            codes = []
            for _ in range(RUNS):
                code, report, errors = run_recipe(kind)
                self.assertIn(code, (0, TRIPPED), f"{kind}: {errors}")
                self.assertIn("Gate " + ("tripped" if code else "passed"), report)
                codes.append(code)
            right = codes.count(expected)
            print(f"{kind}: {right} of {RUNS} right", flush=True)
            self.assertEqual(right, RUNS, kind)

    def test_every_leak_is_caught(self):
        self.check(LEAKING, TRIPPED)

    def test_what_does_not_leak_passes(self):
        self.check(STEADY, 0)


if __name__ == "__main__":
    vmscan.main()
