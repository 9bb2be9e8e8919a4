"""Cores of programs with a known layout, against the live process."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import vmscan
from cores import CoreTest


class Cores(CoreTest):
    def test_threads(self):
        self.compare_target("threads")

    def test_arenas(self):
        self.compare_target("heap_arenas")

    def test_a_static_program(self):
        self.compare_target("plain_static")

    def test_a_32_bit_program(self):
        self.compare_target("plain_32")

    def test_shared_and_private_files(self):
        self.compare_target("shared_file")

    def test_memory_without_a_disk(self):
        self.compare_target("memfd")

    def test_whatever_the_filter_leaves_out(self):
        """Bits of core(5): 0 and 1 private and shared memory, 2 and 3 files, 4 ELF headers. gcore writes only what the
        filter asks for, the kernel lists all."""
        for bits in (0x00, 0x01, 0x10, 0x33, 0x7F, 0x1FF):
            with self.subTest(coredump_filter=hex(bits)):
                self.compare_target("threads", kinds=("kernel",), coredump_filter=bits)
                self.compare_target("shared_file", kinds=("kernel",), coredump_filter=bits)

    def test_strings(self):
        """Equal, but for files that nothing proves to be the same as when they were mapped, and pages of the vdso that the
        process has not touched: they are the kernel's, and reading them would map them."""
        script = "import sys, json, ssl; x = ['string number %d' % i for i in range(10000)]; sys.stdin.read()"
        pid = self.start("/usr/bin/python3", "-c", script)
        with vmscan.stopped(pid):
            live = self.strings(pid, "--all-pages")
            for kind, path in self.cores_of(pid):
                core = self.strings(path)
                self.say(kind, f"{len(core)} strings, {len(live.keys() - core.keys())} not in the core")
                self.assertGreater(len(core), 10000)
                more = [key for key in core.keys() - live.keys() if core[key]["details"] != "[vdso]"]
                self.assertFalse(more[:10], kind)
                missing = {live[key]["type"] for key in live.keys() - core.keys()}
                self.assertLessEqual(missing, {"mapped_file", "shareable"}, kind)

    def test_sleep(self):
        self.compare(self.start(vmscan.need("sleep"), "1000", wait=0.3))


if __name__ == "__main__":
    vmscan.main()
