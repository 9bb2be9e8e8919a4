"""summary --explain of programs of a known layout: the parts add up to the kernel's Rss; what malloc_trim would give
back is what it gives back; parts of heaps are what malloc itself counts. Real programs: test_coverage_of_*.py."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import owned
import smaps
import vmscan


def explain(target, *options):
    return vmscan.document("summary", "--explain", "--json", *options, target)


def part(document, name, column="bytes"):
    return sum(line[column] or 0 for line in document["lines"] if line["part"] == name)


class Waterfall(unittest.TestCase):
    def test_programs_of_known_layout(self):
        for name in ("blocks", "blocks_static", "blocks_32", "stacks_musl", "swapped", "thp", "cow_fork", "hugetlb"):
            with self.subTest(name), vmscan.start(name) as target, vmscan.stopped(target.pid):
                document = explain(target.pid)
                self.assertEqual(document["total"], owned.rollup(target.pid)["Rss"])
                self.assertEqual(sum(line["bytes"] for line in document["lines"]), document["total"])

    def test_what_malloc_trim_gives_back(self):
        with vmscan.start("trims") as target:
            with vmscan.stopped(target.pid):
                told = explain(target.pid)
                before = owned.rollup(target.pid)["Rss"]
            advice = {each["code"]: each for each in told["advice"]}
            target.step()
            with vmscan.stopped(target.pid):
                after = owned.rollup(target.pid)["Rss"]
                left = explain(target.pid)
            print(f"  {advice['malloc_trim']['bytes'] >> 10} K told, {(before - after) >> 10} K given back", flush=True)
            self.assertAlmostEqual(advice["malloc_trim"]["bytes"], before - after, delta=4 * vmscan.PAGE)
            self.assertNotIn("malloc_trim", [each["code"] for each in left["advice"]])
            self.assertEqual(part(left, "heap_live"), part(told, "heap_live"))
            dropped = part(told, "heap_free") - part(left, "heap_free")
            self.assertAlmostEqual(dropped, before - after, delta=4 * vmscan.PAGE)

    def test_huge_pages_of_which_little_is_in_use(self):
        """Against the program's own record of its blocks, and how much smaps says is in huge pages."""
        huge = 2 << 20
        with vmscan.start("huge_heap", prefix=["env", "GLIBC_TUNABLES=glibc.malloc.hugetlb=1"]) as target:
            with vmscan.stopped(target.pid):
                advice = [each for each in explain(target.pid)["advice"] if each["code"] == "huge_pages"]
                mappings = [m for m in smaps.smaps(target.pid) if m["AnonHugePages"]]
            if not mappings:
                self.skipTest("no huge pages here: transparent_hugepage/enabled is never, or memory is fragmented")
            used = [(thing.begin, thing.end) for thing in target.all("full") + target.all("kept")]
            touched = [(thing.begin, thing.end) for thing in target.all("touched")]
            pages, free = 0, 0
            for mapping in mappings:
                windows = [at for at in range(-(-mapping.begin // huge) * huge, mapping.end - huge + 1, huge)
                           if any(begin < at + huge and at < end for begin, end in touched)]
                if mapping["AnonHugePages"] != len(windows) * huge:
                    self.skipTest("memory is fragmented: not all that could be huge pages are")
                for window in windows:
                    taken = {at for begin, end in used for at in range(begin // vmscan.PAGE, -(-end // vmscan.PAGE))
                             if window <= at * vmscan.PAGE < window + huge}
                    idle = huge - len(taken) * vmscan.PAGE
                    pages += idle >= huge // 2
                    free += idle if idle >= huge // 2 else 0
            print(f"  {advice}, by the program {pages} pages with {free >> 10} K free", flush=True)
            self.assertGreater(pages, 10)
            self.assertEqual([(each["pages"], each["page_bytes"]) for each in advice], [(pages, huge)])
            # Headers of free blocks, the ends of the arenas and what the program's libraries allocate
            self.assertAlmostEqual(advice[0]["bytes"], free, delta=pages * 3 * vmscan.PAGE)
            policy = pathlib.Path("/sys/kernel/mm/transparent_hugepage/enabled").read_text(encoding="ascii")
            self.assertEqual("Every program" in advice[0]["message"], "[always]" in policy)

    def test_small_pages_are_no_huge_ones(self):
        with vmscan.start("huge_heap") as target:
            if any(m["AnonHugePages"] for m in smaps.smaps(target.pid)):
                self.skipTest("this system gives huge pages to everybody")
            self.assertNotIn("huge_pages", [each["code"] for each in explain(target.pid)["advice"]])

    def test_parts_of_a_heap_in_ram_are_what_malloc_counts(self):
        """All of it was touched but the ends of the heaps."""
        with vmscan.start("blocks", 3, 20000) as target:
            target.step()
            info = {key: int(value) for key, value in target["info"].values.items()}
            document = explain(target.pid)
            used = part(document, "heap_live") + part(document, "heap_cached") + part(document, "heap_overhead")
            self.assertLessEqual(used, info["uordblks"] + info["hblkhd"] + info["fordblks"])
            heap = vmscan.document("heap", "--json", target.pid)["total"]
            blocks = sum(line["blocks"] or 0 for line in document["lines"] if line["part"] == "heap_live")
            self.assertEqual(blocks, heap["live_blocks"])
            self.assertLessEqual(part(document, "heap_live"), heap["live_bytes"])
            self.assertEqual(part(document, "heap_cached"), heap["cached_bytes"])

    def test_what_was_changed_of_a_private_file_is_a_part_of_its_own(self):
        """With a fork that shares it, too. The kernel counts it as anonymous memory."""
        for arguments in ((), ("fork",)):
            with vmscan.start("private_file", *arguments) as target, vmscan.stopped(target.pid):
                document = explain(target.pid)
                self.assertEqual(document["total"], owned.rollup(target.pid)["Rss"])
                self.assertEqual(sum(line["bytes"] for line in document["lines"]), document["total"])
                self.assertEqual(part(document, "mapped_file_modified"), target["written"].size)
                self.assertEqual(part(document, "mapped_file"), target["read"].size)
        with vmscan.start("shared_file") as target, vmscan.stopped(target.pid):
            own = sum(m["Anonymous"] for m in smaps.smaps(target.pid) if "vmscan-target" in m.name)
            self.assertEqual(part(explain(target.pid), "mapped_file_modified"), own)

    def test_thresholds_that_one_free_has_raised(self):
        for arguments, raised in (((), True), (("ask",), False)):
            with vmscan.start("raised_thresholds", *arguments) as target:
                trim = [each for each in explain(target.pid)["advice"] if each["code"] == "malloc_trim"]
                self.assertEqual(len(trim), 1)
                self.assertGreater(trim[0]["bytes"], 14 << 20)
                # A block of 20 MiB takes a page more.
                self.assertEqual(trim[0].get("raised_threshold"), (20 << 20) + vmscan.PAGE if raised else None)
                self.assertEqual("raised M_MMAP_THRESHOLD" in trim[0]["message"], raised)
        with vmscan.start("trims") as target:
            self.assertNotIn("raised_threshold", str(explain(target.pid)["advice"]))

    def test_one_thread_is_not_told_to_share_arenas(self):
        with vmscan.start("trims") as target:
            codes = [each["code"] for each in explain(target.pid)["advice"]]
            self.assertNotIn("arenas", codes)
            self.assertNotIn("unjoined_threads", codes)
            self.assertNotIn("huge_stacks", codes)

    def test_a_core_is_split_by_committed_bytes(self):
        gcore = vmscan.need("gcore")
        with vmscan.start("blocks", 3, 5000) as target, tempfile.TemporaryDirectory(dir="/var/tmp") as home:
            target.step()
            subprocess.run([gcore, "-o", f"{home}/core", str(target.pid)], capture_output=True, check=True)
            live, core = explain(target.pid), explain(os.path.join(home, f"core.{target.pid}"))
            self.assertEqual(core["split"], "committed")
            self.assertIn("ram_unknown", [note["code"] for note in core["notes"]])
            self.assertEqual(core["total"], sum(line["bytes"] for line in core["lines"]))
            for name in ("heap_live", "heap_cached"):
                self.assertEqual(part(core, name, "blocks"), part(live, name, "blocks"))
                self.assertGreaterEqual(part(core, name), part(live, name))


if __name__ == "__main__":
    vmscan.main()
