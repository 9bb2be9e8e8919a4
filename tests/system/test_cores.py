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

    def test_sleep(self):
        self.compare(self.start(vmscan.need("sleep"), "1000", wait=0.3))


if __name__ == "__main__":
    vmscan.main()
