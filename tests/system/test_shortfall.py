"""What malloc counts and nobody can find is told everywhere, and no gate rests on it; where nothing is lost, nothing is told.

The truth is what the program did to its own blocks (tests/programs/lost_block.c).
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import programs
import vmscan

UNKNOWN, PARTIAL = 2, 5
LOOKS = 12  # at a busy process; each test has a minute


def run(*arguments):
    return subprocess.run([vmscan.PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False)


def document(*arguments):
    return vmscan.document(*arguments)


def missing(found, figures=None):
    return [(each["allocator"], each["reason"], each["blocks"], each["bytes"]) for each in found["heap_shortfalls"]
            if figures in (None, each["figures"])]


class Shortfall(unittest.TestCase):
    def setUp(self):
        home = tempfile.TemporaryDirectory(prefix="vmscan-shortfall-", dir="/var/tmp")
        self.addCleanup(home.cleanup)
        self.home = pathlib.Path(home.name)

    def test_lost_blocks_are_counted(self):
        with vmscan.start("lost_block") as target:
            self.assertEqual(missing(document("heap", "--json", target.pid)), [])
            lost = 0
            for count in (1, 2):
                target.step()
                lost += target["lost"].size
                expected = ("glibc", "not_found", count, lost)
                for command in (["summary"], ["details"]):
                    self.assertEqual(missing(document(*command, "--json", target.pid)), [expected], command)
                for command in (["heap"], ["summary", "--explain"]):
                    found = document(*command, "--json", target.pid)
                    self.assertEqual([missing(found, "regions"), missing(found, "blocks")], [[expected]] * 2, command)
                self.assertIn("glibc's malloc counts", run("heap", target.pid).stderr)
                self.assertEqual(run("heap", target.pid, "--strict").returncode, PARTIAL)
            self.check_gates(target, expected)
            self.check_core(target, expected)

    def check_gates(self, target, expected):
        for options, condition in ([], "heap.private_ws > +64MiB"), (["--heap"], "heap.live > 1GiB"):
            saved = self.home / f"saved{len(options)}.json"
            self.assertEqual(run("snapshot", target.pid, *options, "-o", saved).returncode, 0)
            self.assertEqual(missing(json.loads(saved.read_text("utf-8")), "regions"), [expected])
            for style in ("table", "json", "markdown", "junit"):
                done = run("diff", saved, saved, "--fail-on", condition, "--format", style)
                self.assertEqual(done.returncode, UNKNOWN)
                self.assertIn("glibc's malloc counts", done.stdout)
            self.assertEqual(run("diff", saved, saved, "--fail-on", "total.private_ws > +0").returncode, 0)

    def check_core(self, target, expected):
        gcore = vmscan.need("gcore")
        subprocess.run([gcore, "-o", self.home / "core", str(target.pid)], capture_output=True, check=True)
        found = document("heap", "--json", self.home / f"core.{target.pid}")
        self.assertEqual([missing(found, "regions"), missing(found, "blocks")], [[expected]] * 2)

    def test_a_busy_process_lacks_nothing(self):
        with vmscan.start("lost_block", 3) as target:
            for _ in range(LOOKS):
                self.assertEqual(missing(document("heap", "--json", target.pid)), [])

    def test_a_busy_process_that_lacks_much_says_so(self):
        with vmscan.start("lost_block", 1) as target:
            for _ in range(4):
                target.step()
            told = [missing(document("summary", "--json", target.pid)) for _ in range(3)]
            self.assertTrue(any(told), "it was never told")


class OtherAllocators(programs.StartsPrograms):
    def test_none_of_them_lacks_anything_while_it_is_busy(self):
        for allocator in programs.ALLOCATORS:
            with self.subTest(allocator), vmscan.start("lost_block", 3, prefix=programs.preload(allocator)) as target:
                for _ in range(LOOKS // 2):
                    self.assertEqual(missing(document("heap", "--json", target.pid)), [])

    def test_a_library_whose_heap_is_not_found(self):
        """Here by the name alone, as of a version that nobody knows."""
        with tempfile.TemporaryDirectory(prefix="vmscan-shortfall-", dir="/var/tmp") as home:
            library = pathlib.Path(home, "libjemalloc.so.9")
            shutil.copy(next(pathlib.Path("/usr/lib").glob("*-linux-gnu/libm.so.6")), library)
            with vmscan.start("stacks", prefix=["env", f"LD_PRELOAD={library}"]) as target:
                found = document("summary", "--json", target.pid)
                self.assertEqual(missing(found), [("jemalloc", "not_understood", None, None)])
                self.assertEqual(run("summary", target.pid, "--strict").returncode, PARTIAL)
                gated = run("diff", target.pid, "--after", "0s", "--fail-on", "heap.private_ws > +1GiB")
                self.assertEqual(gated.returncode, UNKNOWN, gated.stderr)


if __name__ == "__main__":
    vmscan.main()
