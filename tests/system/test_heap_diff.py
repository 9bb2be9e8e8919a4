"""A leak of one C++ class among a million other blocks, seen from outside: by size, by class, and between two snapshots.

The truth is what the program says that it has made (tests/programs/objects.cpp).
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

LEAKED = 20_000  # in each step, of 48 bytes


def run(*arguments, code=0):
    done = subprocess.run([vmscan.PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == code, f"{arguments}: exit code {done.returncode}: {done.stderr}"
    return done.stdout


def document(*arguments, code=0):
    return vmscan.validate(json.loads(run(*arguments, "--json", "-q", code=code)))


class HeapDiff(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.TemporaryDirectory(prefix="vmscan-heap-")
        self.addCleanup(self.home.cleanup)

    def path(self, name):
        return f"{self.home.name}/{name}"

    def check_types(self, target, found):
        types = {each["name"]: each["live_blocks"] for each in found["types"]}
        self.assertEqual(types["shop::Session"], int(target["leaked"].values["count"]))
        self.assertEqual(types["shop::Book"], int(target["books"].values["count"]))
        self.assertEqual({name for name in types if name.startswith("shop::")}, {"shop::Session", "shop::Book"})

    def test_a_leaked_class_is_found_among_a_million_blocks(self):
        with vmscan.start("objects") as target:
            before, after = self.path("before.json"), self.path("after.json")
            run("snapshot", target.pid, "--heap", "-o", before, "-q")
            target.step()
            with vmscan.stopped(target.pid):
                self.check_types(target, document("heap", target.pid, "--types"))
                run("snapshot", target.pid, "--heap", "-o", after, "-q")
            heap = document("diff", before, after)["heap"]
            self.assertEqual(heap["types"][0]["name"], "shop::Session")
            self.assertEqual(heap["types"][0]["live_blocks"]["delta"], LEAKED)
            self.assertLessEqual(heap["sizes"][0]["least_request"], 48)
            self.assertGreaterEqual(heap["sizes"][0]["most_request"], 48)
            self.assertEqual(heap["sizes"][0]["live_blocks"]["delta"], LEAKED)  # the rest is freed as it was allocated
            self.assertEqual(heap["total"]["live_blocks"]["delta"], LEAKED)
            gate = ("--fail-on", f"heap.live_blocks[48] > +{LEAKED - 1}", "--fail-on", "heap.live > +1GiB")
            verdicts = [each["verdict"] for each in document("diff", before, after, *gate, code=1)["gate"]["conditions"]]
            self.assertEqual(verdicts, ["tripped", "passed"])
            gate = ("--fail-on", f"heap.live_blocks[shop::Session] > +{LEAKED - 1}")
            document("diff", before, after, *gate, code=1)
            document("diff", before, target.pid, *gate, code=1)
            document("diff", before, after, "--fail-on", f"heap.live_blocks[shop::Session] > +{LEAKED}")
            document("diff", before, after, "--fail-on", f"heap.live_blocks > +{LEAKED}")
            self.assertEqual(document("heap", after, "--sizes", "--types")["types"], json.loads(
                pathlib.Path(after).read_text(encoding="utf-8"))["heap"]["types"])

    def test_a_stripped_program_has_its_types(self):
        with tempfile.TemporaryDirectory(prefix="vmscan-strip-") as home:
            stripped = pathlib.Path(home, "objects")
            shutil.copy(vmscan.PROGRAMS / "objects", stripped)
            subprocess.run([vmscan.need("strip"), "-s", stripped], check=True)
            with vmscan.start(stripped, 1000, 50) as target, vmscan.stopped(target.pid):
                self.check_types(target, document("heap", target.pid, "--types"))

    def test_types_in_the_blocks_of_other_allocators(self):
        for allocator in programs.ALLOCATORS:
            with self.subTest(allocator):
                with vmscan.start("objects", prefix=programs.preload(allocator)) as target:
                    target.step()
                    with vmscan.stopped(target.pid):
                        found = document("heap", target.pid, "--types")
                    self.assertEqual(found["heaps"][0]["allocator"], allocator)
                    self.check_types(target, found)

    def test_a_core_has_the_same_types(self):
        gcore = vmscan.need("gcore")
        with vmscan.start("objects", 1000, 50) as target:
            subprocess.run([gcore, "-o", self.path("core"), str(target.pid)], capture_output=True, check=True)
            self.check_types(target, document("heap", self.path(f"core.{target.pid}"), "--types"))

    def test_a_live_process_is_compared_with_a_snapshot(self):
        with vmscan.start("objects", 1000, 50) as target:
            run("snapshot", target.pid, "--heap", "-o", self.path("before.json"), "-q")
            target.step()
            heap = document("diff", self.path("before.json"), target.pid, "--heap")["heap"]
            self.assertEqual(heap["types"][0]["live_blocks"]["delta"], 50)
            run("snapshot", target.pid, "-o", self.path("without.json"), "-q")
            gate = ("--fail-on", "heap.live > +1MiB")
            found = document("diff", self.path("without.json"), target.pid, *gate, code=2)
            self.assertEqual(found["gate"]["conditions"][0]["verdict"], "unknown")


if __name__ == "__main__":
    vmscan.main()
