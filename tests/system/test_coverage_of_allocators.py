"""Programs on each allocator: nearly all of their anonymous memory has an owner, and the waterfall tells what the
allocator has live, cached and free of what is in RAM."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import owned
import programs
import vmscan


class CoverageOfAllocators(owned.Covers):
    def test_cpp_on_each_allocator(self):
        cmake = vmscan.need("cmake")
        for allocator in ("glibc", *programs.ALLOCATORS):
            with self.subTest(allocator):
                prefix = programs.preload(allocator) if allocator != "glibc" else []
                pid = self.start(*prefix, cmake, "-P", self.write("busy.cmake", programs.CMAKE))
                document = self.check_stopped(pid, 0.99)
                self.assertGreater(owned.heap_in_ram(document), 100000 * 50)

    def test_musl(self):
        for program in ("blocks_musl", "blocks_musl_static"):
            with self.subTest(program), vmscan.start(program, 4, 20000) as target:
                target.step()
                self.check_stopped(target.pid)


if __name__ == "__main__":
    vmscan.main()
