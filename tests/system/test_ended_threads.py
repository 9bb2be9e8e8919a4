"""Threads that have ended, and stacks that no list has or that lie in somebody else's memory: who they are said to be
of, in live processes and cores, and what summary --explain says of them."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import laws
import smaps
import vmscan

ENDED, KEPT = "ended thread, not joined", "kept for the next thread"
PROGRAMS = ("ended_threads", "ended_threads_static", "ended_threads_32", "ended_threads_musl", "ended_threads_musl_static")


def stacks(document, details):
    return [r for r in document["regions"] if r["type"] == "stack" and r["details"] == details]


def advice(target, code):
    document = vmscan.document("summary", "--explain", "--json", target)
    return [each for each in document["advice"] if each["code"] == code]


class EndedThreads(unittest.TestCase):
    def check(self, name, unjoined, kept, living=0, cores=False):
        """musl keeps no stacks: it gives those of joined threads back."""
        kept_here = 0 if "musl" in name else kept
        gcore = vmscan.need("gcore")
        with vmscan.start(name, unjoined, kept, 0, living) as target, tempfile.TemporaryDirectory(dir="/var/tmp") as home:
            targets = [target.pid]
            if cores:
                subprocess.run([gcore, "-o", f"{home}/core", str(target.pid)], capture_output=True, check=True)
                targets.append(os.path.join(home, f"core.{target.pid}"))
            for of in targets:
                with self.subTest(name, of=str(of)):
                    document = vmscan.details(of)
                    found = (len(stacks(document, ENDED)), len(stacks(document, KEPT)))
                    self.assertEqual(found, (unjoined, kept_here))
                    self.assertFalse([note for note in document["notes"] if note["code"] == "threads_running"])
                    told = advice(of, "unjoined_threads")
                    self.assertEqual([each["threads"] for each in told], [unjoined] if unjoined else [])
                    if unjoined:
                        committed = sum(r["committed"] for r in stacks(document, ENDED))
                        self.assertEqual(told[0]["committed"], committed)
                        self.assertIn(f"{unjoined} ended thread{'s were' if unjoined > 1 else ' was'} not joined: "
                                      f"{committed >> 10:,} K", told[0]["message"])

    def test_no_thread_lives_but_the_main_one(self):
        for name in PROGRAMS:
            with self.subTest(name):
                self.check(name, 6, 0, cores="musl" in name)

    def test_not_joined_beside_kept_ones(self):
        for name in PROGRAMS[:3]:
            with self.subTest(name):
                self.check(name, 1, 3, cores=True)

    def test_beside_a_living_thread(self):
        for name in PROGRAMS:
            with self.subTest(name):
                self.check(name, 5, 2, 1)

    def test_all_were_joined(self):
        for name in PROGRAMS:
            with self.subTest(name):
                self.check(name, 0, 3)

    def test_detached_threads_are_no_fault(self):
        for name in PROGRAMS[:3]:
            with self.subTest(name), vmscan.start(name, 2, 0, 3) as target:
                document = vmscan.details(target.pid)
                self.assertEqual((len(stacks(document, ENDED)), len(stacks(document, KEPT))), (2, 3), name)

    def test_the_parts_of_the_waterfall_tell_them_apart(self):
        with vmscan.start("ended_threads", 4, 2) as target:
            document = vmscan.document("summary", "--explain", "--json", target.pid)
            regions = vmscan.details(target.pid)
            for details in (ENDED, KEPT):
                line = [each for each in document["lines"] if (each["part"], each["details"]) == ("stack", details)]
                self.assertEqual([each["regions"] for each in line], [len(stacks(regions, details))])
                self.assertEqual(line[0]["bytes"], sum(r["total_ws"] for r in stacks(regions, details)))


class OddStacks(unittest.TestCase):
    def test_threads_that_no_list_has_and_stacks_from_malloc(self):
        with vmscan.start("odd_stacks") as target:
            document = vmscan.details(target.pid)
            thread = {name: f"Thread ID: {target[name].values['tid']} (odd_stacks)"
                      for name in ("cloned", "pool", "small", "large")}
            cloned = vmscan.region_at(document, target["cloned"].begin)
            self.assertEqual((cloned["type"], cloned["rule"], cloned["details"]), ("stack", "lone_stack", thread["cloned"]))
            self.assertEqual(laws.span(cloned), (target["cloned"].begin, target["cloned"].end))
            # Only a part of it is a stack: it stays what it is, and the thread is named.
            pool = vmscan.region_at(document, target["pool"].begin)
            self.assertEqual((pool["type"], pool["details"]), ("private_data", f"stack of {thread['pool']}"))
            for name, owner in (("small", "main arena"), ("large", "block of malloc")):
                middle = (target[name].begin + target[name].end) // 2
                region = vmscan.region_at(document, middle)
                self.assertEqual((region["type"], region["details"]), ("heap", f"{owner}; stack of {thread[name]}"))
                self.assertIn(f"stack of {thread[name]}", vmscan.block_at(document, middle)["details"])
            # The heap is split as a whole, nevertheless.
            explained = vmscan.document("summary", "--explain", "--json", target.pid)
            self.assertIn("heap_live", [line["part"] for line in explained["lines"]])
            self.assertNotIn("heap_unread", [line["part"] for line in explained["lines"]])


class HugeStacks(unittest.TestCase):
    def test_a_huge_page_does_not_tell_how_deep_a_stack_was_used(self):
        with vmscan.start("huge_stacks", 12) as target:
            document = vmscan.details(target.pid)
            huge = sum(mapping["AnonHugePages"] for mapping in smaps.smaps(target.pid))
            if huge < 12 * (2 << 20):
                self.skipTest("memory is fragmented: the stacks got no huge pages")
            for stack in target.all("stack"):
                evidence = vmscan.region_at(document, stack.begin)["evidence"]
                self.assertNotIn("K deep", evidence)
                self.assertIn("2048 K in RAM as a huge page: depth unknown", evidence)
                self.assertRegex(evidence, r", [0-9]{1,2} K in use now")
            told = advice(target.pid, "huge_stacks")
            self.assertEqual([(each["pages"], each["threads"], each["page_bytes"]) for each in told], [(12, 12, 2 << 20)])
            self.assertTrue(11 * (2 << 20) < told[0]["bytes"] < 12 * (2 << 20))

    def test_stacks_of_small_pages_have_a_depth(self):
        with vmscan.start("threads", 3) as target:
            listed = [r for r in vmscan.details(target.pid)["regions"] if r["rule"] == "thread_list"]
            self.assertEqual(len(listed), 3)
            for region in listed:
                self.assertRegex(region["evidence"], r"used [0-9]+ K deep")
            self.assertEqual(advice(target.pid, "huge_stacks"), [])
            self.assertEqual(advice(target.pid, "unjoined_threads"), [])


if __name__ == "__main__":
    vmscan.main()
