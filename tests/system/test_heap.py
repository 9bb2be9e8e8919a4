"""The walk over malloc's heaps against what the target itself knows: its own record of its blocks, mallinfo2 and
malloc_info."""

import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import vmscan
from cores import CoreTest

THREADS, BLOCKS = 4, 20000
HAS_FAST_BINS = [int(each) for each in platform.libc_ver()[1].split(".")] < [2, 43]


def heap(pid, *options):
    return vmscan.document("heap", "--json", *options, pid)


def live(document):
    return {size["size"]: size["live_blocks"] for size in document["sizes"] if size["live_blocks"]}


def figures(thing):
    return {key: int(value) for key, value in thing.values.items()}


def told_of_arenas(path):
    """What malloc_info says of each arena: its size, its free blocks (the top is one) and those of its fast bins, which
    2.43 does not have any more."""
    arenas = []
    for each in xml.etree.ElementTree.parse(path).getroot().findall("heap"):
        total = {kind.get("type"): (int(kind.get("count")), int(kind.get("size"))) for kind in each.findall("total")}
        size = next(int(kind.get("size")) for kind in each.findall("system") if kind.get("type") == "current")
        arenas.append({"size": size, "free": total["rest"], "fast": total.get("fast", (0, 0))})
    return arenas


class Heap(unittest.TestCase):
    def check(self, program, threads=THREADS, blocks=BLOCKS, tunables="", caches=True, environment=()):
        """What lives after the step and did not before is what the program recorded, size by size."""
        prefix = ["env", *environment, *([f"GLIBC_TUNABLES={tunables}"] if tunables else [])]
        with vmscan.start(program, threads, blocks, prefix=prefix) as target:
            before = heap(target.pid, "--sizes")
            mapped = [thing.begin for thing in target.all("mapped")]
            target.step()
            after = heap(target.pid, "--sizes")
            told = {figures(t)["size"]: figures(t)["count"] for t in target.all("size")}
            added = live(after)
            for size, count in live(before).items():
                added[size] = added.get(size, 0) - count
            self.assertEqual({size: count for size, count in added.items() if count}, told)
            self.assertFalse([n for n in after["notes"] if n["code"].startswith("heap_")], after["notes"])
            self.check_info(after, figures(target["info"]), caches)
            arenas = [each for each in after["heaps"] if each["name"] != "mapped blocks"]
            for address in mapped:
                block = heap(target.pid, "--address", hex(address))["blocks"]
                self.assertEqual([(int(b["address"], 16), b["heap"]) for b in block], [(address, "mapped blocks")])
            block = target["block"]
            found = heap(target.pid, "--address", hex(block.begin + 1))
            self.assertEqual([int(b["address"], 16) for b in found["blocks"]], [block.begin])
            self.assertEqual((found["blocks"][0]["state"], found["region"]["type"]), ("live", "heap"))
            return arenas

    def check_info(self, document, info, caches):
        total = document["total"]
        arenas = [each for each in document["heaps"] if each["name"] != "mapped blocks"]
        mapped = [each for each in document["heaps"] if each["name"] == "mapped blocks"]
        self.assertEqual(sum(each["size"] for each in arenas), info["arena"])
        self.assertEqual([(each["live_blocks"], each["live_bytes"]) for each in mapped], [(info["hblks"], info["hblkhd"])])
        self.assertEqual(total["unread"], 0)
        # fordblks: free blocks and those of fast bins; what thread caches hold counts as used there.
        self.assertLessEqual(total["free_bytes"], info["fordblks"])
        self.assertGreaterEqual(total["free_bytes"] + total["cached_bytes"], info["fordblks"])
        if caches:
            self.assertGreater(total["cached_bytes"], 0)

    def test_several_arenas(self):
        arenas = self.check("blocks")
        self.assertEqual([each["name"] for each in arenas], ["main arena", "arena 1", "arena 2", "arena 3"])

    def test_each_arena_is_what_malloc_info_says(self):
        with tempfile.NamedTemporaryFile(dir="/var/tmp") as info, vmscan.start("blocks", 4, 50000, info.name) as target:
            target.step()
            told = told_of_arenas(info.name)
            found = [each for each in heap(target.pid)["heaps"] if each["name"] != "mapped blocks"]
            # It sums what stands in the headers of all but the top, the flag included that the block before is in use
            # (malloc_info in malloc/malloc.c).
            for truth in told:
                blocks, size = truth["free"]
                truth["free"] = blocks, size - (blocks - 1)

            def by_size(arenas):
                return [arenas[0], *sorted(arenas[1:], key=lambda each: (each["size"], each["free"]))]

            for arena in found:
                arena["free"] = arena["free_blocks"], arena["free_bytes"]
            self.assertEqual(len(told), 4)
            for arena, truth in zip(by_size(found), by_size(told), strict=True):
                self.assertEqual((arena["size"], arena["free"]), (truth["size"], truth["free"]), arena["name"])
                self.assertGreaterEqual(arena["cached_blocks"], truth["fast"][0], arena["name"])

    def test_one_arena_for_all_threads(self):
        self.assertEqual(len(self.check("blocks", environment=["MALLOC_ARENA_MAX=1"])), 1)

    def test_without_thread_caches(self):
        self.check("blocks", tunables="glibc.malloc.tcache_count=0", caches=HAS_FAST_BINS)

    def test_arenas_of_several_heaps(self):
        arenas = self.check("blocks", threads=2, blocks=1_000_000)
        self.assertGreater(len(arenas[1]["ranges"]), 1)

    def test_a_static_program(self):
        self.check("blocks_static")

    def test_a_32_bit_program(self):
        arenas = self.check("blocks_32")
        self.assertGreater(len(arenas[1]["ranges"]), 1)

    def test_the_cache_of_a_thread_that_uses_it(self):
        """Of glibc 2.26 and later; two lists are in motion all the time."""
        with vmscan.start("busy_cache") as target:
            kept, busy = target["cache"].number("kept"), target["cache"].number("busy")
            for _ in range(12):
                [arena] = [each for each in heap(target.pid)["heaps"] if each["name"] == "arena 1"]
                self.assertIn(arena["cached_blocks"], range(kept, kept + busy + 1))
                self.assertLessEqual(arena["live_blocks"], busy)

    def test_the_blocks_of_one_size(self):
        with vmscan.start("blocks", 2, 2000) as target:
            target.step()
            sizes = {each["size"]: each for each in heap(target.pid, "--sizes")["sizes"]}
            listed = heap(target.pid, "--size", "100")["blocks"]
            self.assertEqual({block["size"] for block in listed}, {112})
            self.assertEqual(len({block["address"] for block in listed}), len(listed))
            for state in ("live", "cached", "free"):
                self.assertEqual(sum(b["state"] == state for b in listed), sizes[112][f"{state}_blocks"], state)

    def test_the_target_does_not_notice(self):
        """Neither its pages in RAM nor its faults change, however often its heaps are walked."""
        with vmscan.start("blocks", 2, 20000) as target:
            target.step()

            def state():
                fields = pathlib.Path(f"/proc/{target.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
                return {"minor faults": fields[7], "major faults": fields[9], "rss": fields[21]}

            before = None
            while before != state():  # until it has settled after what it printed
                before = state()
                time.sleep(0.2)
            for _ in range(3):
                heap(target.pid, "--sizes")
            self.assertEqual(state(), before)

    def test_a_program_without_malloc_of_glibc_says_so(self):
        with vmscan.start("no_allocator_musl_static") as target:
            document = heap(target.pid)
            self.assertEqual(document["heaps"], [])
            self.assertEqual([note["code"] for note in document["notes"]], ["no_heap"])

    def test_denied_memory_is_a_failure(self):
        prefix = vmscan.as_nobody()
        with vmscan.start("blocks", 1, 10) as target:
            run = subprocess.run([*prefix, vmscan.PROGRAM, "heap", str(target.pid)], capture_output=True, check=False,
                                 env={**os.environ, "HOME": "/"})
            self.assertEqual((run.returncode, run.stdout), (4, b""))


class HeapsOfCores(CoreTest):
    def test_cores_hold_the_same_heaps(self):
        with vmscan.start("blocks", 3, 5000, cwd=self.home) as target:
            target.step()
            with vmscan.stopped(target.pid):
                lived, kinds = heap(target.pid, "--sizes"), []
                for kind, path in self.cores_of(target.pid):
                    kinds.append(kind)
                    dumped = heap(path, "--sizes")
                    self.assertEqual(dumped["sizes"], lived["sizes"], kind)
                    for before, after in zip(lived["heaps"], dumped["heaps"], strict=True):
                        self.assertIsNone(after["in_ram"])
                        self.assertEqual({**after, "in_ram": before["in_ram"]}, before, kind)
        if not kinds:
            self.skipTest("no core of it can be had here")
        print(f"  {', '.join(kinds)}", flush=True)


if __name__ == "__main__":
    vmscan.main()
