"""Stacks of threads by the C libraries' own lists, against what the threads themselves print (pthread_getattr_np).

Half of the threads run all the time: no stack pointer tells of them. Nothing is stopped here.
"""

import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import laws
import vmscan

THREADS = 200


class Stacks(unittest.TestCase):
    def check_all(self, program, name, ended=True):
        with vmscan.start(program, THREADS) as target:
            document = vmscan.details(target.pid)
            seen = set()
            for thread in target.all("thread"):
                what = f"{name}: {thread.values}"
                middle = (thread.begin + thread.end) // 2
                region = vmscan.region_at(document, middle)
                if thread.values["kind"] == "allocated":  # a block of malloc stays one
                    self.check_allocated(region, vmscan.block_at(document, middle), thread)
                    seen.add(thread.begin)
                    continue
                self.assertEqual((region["type"], region["rule"]), ("stack", "thread_list"), what)
                self.assertIn(f"Thread ID: {thread.values['tid']} ({thread.values['name'].replace('_', ' ')})",
                              region["details"])
                begin, end = laws.span(region)
                guard = thread.number("guard")
                self.assertLessEqual(abs(begin - (thread.begin - guard)) % guard if guard else abs(begin - thread.begin),
                                     vmscan.PAGE // 2, what)
                # The library's own data of the thread lie behind its stack in musl, in it in glibc.
                self.assertTrue(thread.end - vmscan.PAGE // 2 <= end <= thread.end + 4 * vmscan.PAGE, what)
                if guard:
                    self.assertEqual(vmscan.block_at(document, begin)["state"], "reserved", what)
                seen.add(begin)
            self.assertEqual(len(seen), THREADS, "every thread has a region of its own")
            self.assertFalse([note for note in document["notes"] if note["code"] == "threads_running"])
            if ended:
                self.check_ended(document, target)

    def check_allocated(self, region, block, thread):
        label = f"stack of Thread ID: {thread.values['tid']} ({thread.values['name'].replace('_', ' ')})"
        self.assertEqual(region["type"], "heap", thread)
        self.assertIn("; stack of ", region["details"])
        self.assertEqual(block["details"], label)

    def check_ended(self, document, target):
        unjoined = vmscan.region_at(document, target["ended"].end - 1)
        self.assertEqual((unjoined["rule"], unjoined["details"]), ("thread_list", "ended thread, not joined"))
        kept = vmscan.region_at(document, target["joined"].end - 1)
        self.assertEqual((kept["rule"], kept["details"]), ("kept_stack", "kept for the next thread"))

    def check_stripped(self, name, ended=True):
        strip = vmscan.need("strip")
        with tempfile.TemporaryDirectory(prefix="vmscan-stacks-") as home:
            source = vmscan.PROGRAMS / name
            if not source.exists():
                self.skipTest(f"target program {name} was not built")
            subprocess.run([strip, "-o", f"{home}/{name}", str(source)], check=True)
            self.check_all(f"{home}/{name}", f"stripped {name}", ended)

    def test_glibc(self):
        self.check_all("stacks", "glibc")

    def test_glibc_static(self):
        self.check_all("stacks_static", "static glibc")

    def test_glibc_static_and_stripped(self):
        self.check_stripped("stacks_static")

    def test_glibc_32_bit(self):
        self.check_all("stacks_32", "32-bit glibc")

    def test_musl(self):
        self.check_all("stacks_musl", "musl", ended=False)

    def test_musl_static_and_stripped(self):
        self.check_all("stacks_musl_static", "static musl", ended=False)
        self.check_stripped("stacks_musl_static", ended=False)

    def test_a_thread_in_a_pid_namespace_of_its_own(self):
        """The library knows the threads by other ids than /proc shows."""
        vmscan.need_root()
        unshare = vmscan.need("unshare")
        with vmscan.start("threads", 4, "spin", prefix=[unshare, "--pid", "--fork", "--kill-child"]) as target:
            inside = vmscan.children(target.pid)
            self.assertEqual(len(inside), 1)
            document = vmscan.details(inside[0])
            listed = [r for r in document["regions"] if r["rule"] == "thread_list"]
            self.assertEqual(len(listed), 4)
            for region in listed:
                tid = region["details"].split()[2]
                self.assertTrue(pathlib.Path(f"/proc/{inside[0]}/task/{tid}").exists(), region["details"])


if __name__ == "__main__":
    vmscan.main()
