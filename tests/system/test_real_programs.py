"""Real programs, stopped for the moment of comparison: everything vmscan says of them is what smaps says.

What the machine does not have is skipped, aloud.
"""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import compare
import smaps
import vmscan
from programs import StartsPrograms


class RealPrograms(StartsPrograms):
    def wrong_stacks(self, pid):
        """The stack pointer of every thread, which the kernel tells of a stopped one, lies in the stack that bears its id;
        and that stack was found without it."""
        document = vmscan.details(pid)
        for thread in os.listdir(f"/proc/{pid}/task"):
            words = pathlib.Path(f"/proc/{pid}/task/{thread}/syscall").read_text(encoding="ascii").split()
            region = vmscan.region_at(document, int(words[-2], 16))
            rule = "main_stack" if int(thread) == pid else "thread_list"
            if f"Thread ID: {thread} " not in region["details"] or region["rule"] != rule:
                yield f"thread {thread} of {pid}: {region['rule']}, {region['details']}"

    def compare_tree(self, pid, stacks=True):
        """Compares every process of the tree while all of them are stopped; prints what was compared."""
        with vmscan.stopped_tree(pid) as pids:
            differences = []
            mappings = total = 0
            for each in pids:
                found = compare.compare(each)
                name = smaps.status(each)["Name"]
                differences += [f"{name} {each}: {line}" for line in found]
                if stacks:
                    differences += self.wrong_stacks(each)
                current = smaps.smaps(each)
                mappings += len(current)
                total += sum(mapping.resident for mapping in current)
        name = self.id().rpartition(".")[2]
        print(f"  {name}: {len(pids)} processes, {mappings} mappings, {total >> 10} KiB", flush=True)
        self.assertTrue(pids)
        self.assertFalse(differences, f"{len(differences)} differences\n" + "\n".join(differences[:40]))

    def test_chromium_and_all_its_processes(self):
        self.compare_tree(self.start_chromium())

    def test_node(self):
        self.compare_tree(self.start_node())

    def test_java(self):
        self.compare_tree(self.start_java())

    def test_python(self):
        self.compare_tree(self.start_python())

    def test_a_go_program(self):
        self.compare_tree(self.start_go(), stacks=False)  # its threads run on stacks in its own heap

    def test_postgres_and_all_its_processes(self):
        self.compare_tree(self.start_postgres())

    def test_redis(self):
        self.compare_tree(self.start_redis())

    def test_nginx_and_its_workers(self):
        self.compare_tree(self.start_nginx())

    def test_mono(self):
        self.compare_tree(self.start_mono())

    def test_a_32_bit_program(self):
        with vmscan.start("plain_32") as target:
            self.compare_tree(target.pid)

    def test_a_static_program(self):
        with vmscan.start("plain_static") as target:
            self.compare_tree(target.pid)

    def test_bash_and_sleep(self):
        self.compare_tree(self.start(vmscan.need("bash"), "-c", "sleep 1000 & sleep 1001 & wait", at_least=3))


if __name__ == "__main__":
    vmscan.main()
