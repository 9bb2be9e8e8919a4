"""The walk over malloc's heaps against what the target itself knows: its own record of its blocks, and mallinfo2."""

import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import vmscan

THREADS, BLOCKS = 4, 20000


def heap(pid, *options):
    return vmscan.document("heap", "--json", *options, pid)


def live(document):
    return {size["size"]: size["live_blocks"] for size in document["sizes"] if size["live_blocks"]}


def figures(thing):
    return {key: int(value) for key, value in thing.values.items()}


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

    def test_one_arena_for_all_threads(self):
        self.assertEqual(len(self.check("blocks", environment=["MALLOC_ARENA_MAX=1"])), 1)

    def test_without_thread_caches(self):
        self.check("blocks", tunables="glibc.malloc.tcache_count=0")

    def test_arenas_of_several_heaps(self):
        arenas = self.check("blocks", threads=2, blocks=1_000_000)
        self.assertGreater(len(arenas[1]["ranges"]), 1)

    def test_a_static_program(self):
        self.check("blocks_static")

    def test_a_32_bit_program(self):
        arenas = self.check("blocks_32")
        self.assertGreater(len(arenas[1]["ranges"]), 1)

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
        with vmscan.start("stacks_musl_static", 2) as target:
            document = heap(target.pid)
            self.assertEqual(document["heaps"], [])
            self.assertEqual([note["code"] for note in document["notes"]], ["no_heap"])

    def test_a_core_holds_the_same_heaps(self):
        gcore = vmscan.need("gcore")
        with vmscan.start("blocks", 3, 5000) as target, tempfile.TemporaryDirectory(dir="/var/tmp") as home:
            target.step()
            subprocess.run([gcore, "-o", f"{home}/core", str(target.pid)], capture_output=True, check=True)
            lived, dumped = (heap(each, "--sizes") for each in (target.pid, f"{home}/core.{target.pid}"))
            self.assertEqual(dumped["sizes"], lived["sizes"])
            for before, after in zip(lived["heaps"], dumped["heaps"], strict=True):
                self.assertIsNone(after["in_ram"])
                self.assertEqual({**after, "in_ram": before["in_ram"]}, before)

    def test_denied_memory_is_a_failure(self):
        prefix = vmscan.as_nobody()
        with vmscan.start("blocks", 1, 10) as target:
            run = subprocess.run([*prefix, vmscan.PROGRAM, "heap", str(target.pid)], capture_output=True, check=False,
                                 env={**os.environ, "HOME": "/"})
            self.assertEqual((run.returncode, run.stdout), (4, b""))


if __name__ == "__main__":
    vmscan.main()
