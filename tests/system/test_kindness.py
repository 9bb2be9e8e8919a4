"""Looking changes nothing: not what the target has in RAM, not its faults, not its page tables."""

import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import smaps
import vmscan

# Not compared: what others that map the same files change (sharing), and what the kernel clears by itself.
FIELDS = "Size Rss Anonymous Swap AnonHugePages LazyFree KSM".split()


def faults(pid):
    """Minor and major faults (proc(5), /proc/PID/stat fields 10 and 12)."""
    text = pathlib.Path(f"/proc/{pid}/stat").read_bytes()
    numbers = text[text.rindex(b")") + 2 :].split()
    return int(numbers[7]), int(numbers[9])


def condition(pid):
    mappings = [(str(m), {key: m[key] for key in FIELDS}) for m in smaps.smaps(pid)]
    return mappings, faults(pid), smaps.status_bytes(pid, "VmPTE"), smaps.status_bytes(pid, "VmRSS")


class Kindness(unittest.TestCase):
    def assert_untouched(self, name, *arguments):
        with vmscan.start(name, *arguments) as target:
            before = condition(target.pid)
            for look in (vmscan.summary, vmscan.details, vmscan.snapshot):
                look(target.pid)
                self.assertEqual(condition(target.pid), before, f"after {look.__name__}")

    def test_a_block_that_was_never_touched_stays_so(self):
        with vmscan.start("untouched_block") as target:
            before = condition(target.pid)
            for options in ([], ["--sizes"], ["--types"]):
                heaps = vmscan.document("heap", *options, "--json", target.pid)["heaps"]
                self.assertGreater(heaps[0]["live_bytes"], target["untouched"].size)
                self.assertEqual(heaps[0]["unread"], 0)
                self.assertEqual(condition(target.pid), before, f"after heap {options}")

    def test_memory_that_a_fork_shares_stays_shared(self):
        """Pinning such a page would make the kernel copy it, for each process that is looked at."""
        with vmscan.start("cow_fork") as target:
            shared = target["forked"]

            def still_shared():
                return sum(m["Shared_Dirty"] + m["Shared_Clean"] for m in smaps.smaps(target.pid) if m.begin <= shared.begin < m.end)

            before = still_shared()
            self.assertGreater(before, 0)
            for command in (["strings", "--count"], ["heap"], ["summary", "--explain"], ["snapshot"]):
                subprocess.run([vmscan.PROGRAM, *command, str(target.pid)], capture_output=True, check=False)
                self.assertEqual(still_shared(), before, f"after {command[0]}")

    def test_what_a_heap_and_its_image_have_not_touched_stays_so(self):
        for name in ("blocks", "blocks_static", "trims", "objects"):
            with self.subTest(name), vmscan.start(name) as target:
                before = condition(target.pid)
                for command in (["summary", "--explain"], ["heap", "--types"], ["strings", "--count"], ["snapshot", "--heap"]):
                    subprocess.run([vmscan.PROGRAM, *command, str(target.pid)], capture_output=True, check=False)
                    self.assertEqual(condition(target.pid), before, f"after {' '.join(command)}")

    def test_zero_pages(self):
        self.assert_untouched("zero_pages")

    def test_files_and_copies(self):
        self.assert_untouched("shared_file")

    def test_libraries_loaded_twice(self):
        self.assert_untouched("dup_load")

    def test_heaps(self):
        self.assert_untouched("heap_arenas")

    def test_threads(self):
        self.assert_untouched("threads", 8)

    def test_a_terabyte_of_reservation(self):
        self.assert_untouched("reservation")

    def test_shared_memory(self):
        self.assert_untouched("memfd")

    def test_the_columns_of_smaps(self):
        with vmscan.start("relro") as target:
            before = condition(target.pid)
            vmscan.details(target.pid, "--columns", "+pss,dirty,referenced,huge")
            self.assertEqual(condition(target.pid), before)


if __name__ == "__main__":
    vmscan.main()
