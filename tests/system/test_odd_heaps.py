"""Heaps of glibc's malloc in unusual shapes: fragmented, split by the kernel, in pieces. Each is found as a whole, and
every command says the same of it: what the target recorded itself, and mallinfo2."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import vmscan


def figures(thing):
    return {key: int(value) for key, value in thing.values.items()}


class OddHeaps(unittest.TestCase):
    def check_info(self, document, info):
        arenas = [each for each in document["heaps"] if each["name"] != "mapped blocks"]
        mapped = [each for each in document["heaps"] if each["name"] == "mapped blocks"]
        self.assertEqual(sum(each["size"] for each in arenas), info["arena"])
        self.assertEqual(sum(each["live_blocks"] for each in mapped), info["hblks"])
        self.assertEqual(sum(each["live_bytes"] for each in mapped), info["hblkhd"])
        total = document["total"]
        self.assertLessEqual(total["free_bytes"], info["fordblks"])
        # What fills the end of a piece counts as used.
        self.assertLessEqual(info["fordblks"], total["free_bytes"] + total["cached_bytes"])
        self.assertFalse([n for n in document["notes"] if n["code"].startswith("heap_")], document["notes"])

    def check(self, program, mode, seed=1, unread=False, core=False):
        with vmscan.start(program, mode, seed) as target:
            before = vmscan.document("heap", "--json", target.pid)
            target.step()
            held, info = figures(target["held"])["count"], figures(target["info"])
            subjects = [target.pid]
            with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
                if core:
                    # -a: with what must not be dumped, as the kernel's cores name it, too.
                    subprocess.run(["gcore", "-a", "-o", f"{directory}/core", str(target.pid)], check=True, capture_output=True)
                    subjects.append(f"{directory}/core.{target.pid}")
                for subject in subjects:
                    after = vmscan.document("heap", "--json", subject)
                    self.assertEqual(after["total"]["live_blocks"] - before["total"]["live_blocks"], held)
                    self.check_info(after, info)
                    if not unread:
                        self.assertEqual(after["total"]["unread"], 0)
                    self.check_regions(subject, after)
            return after

    def check_regions(self, subject, report):
        """Each byte of the heaps is in a region of type Heap."""
        regions = [r for r in vmscan.document("details", "--json", subject)["regions"] if r["type"] == "heap"]
        spans = sorted((int(r["address"], 16), int(r["address"], 16) + r["size"]) for r in regions)
        for heap in report["heaps"]:
            for each in heap["ranges"]:
                at, end = int(each["address"], 16), int(each["address"], 16) + each["size"]
                for begin, stop in spans:
                    if begin <= at < stop:
                        at = stop
                self.assertGreaterEqual(at, end, f"{heap['name']} at {each['address']}")

    def test_hardly_an_empty_bin(self):
        for seed in range(1, 6):
            with self.subTest(seed=seed):
                self.check("odd_heaps", "fragmented", seed, core=seed == 1)

    def test_a_static_and_a_32_bit_program(self):
        for program in ("odd_heaps_static", "odd_heaps_32"):
            for mode in ("fragmented", "pieces", "split", "split_heap"):
                with self.subTest(program=program, mode=mode):
                    self.check(program, mode)

    def test_a_main_arena_in_pieces(self):
        arena = self.check("odd_heaps", "pieces", core=True)["heaps"][0]
        self.assertGreater(len(arena["ranges"]), 3)

    def test_blocks_of_which_a_part_is_mapped_otherwise(self):
        self.check("odd_heaps", "split", core=True)

    def test_an_arena_of_which_a_part_is_mapped_otherwise(self):
        self.check("odd_heaps", "split_heap", core=True)


if __name__ == "__main__":
    unittest.main()
