"""Small files that promise much: every command reads them soon, within little memory, and says what is not there."""

import json
import os
import pathlib
import resource
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import hostile
import vmscan
from cli import BAD, DONE, PLAIN, CommandLine
from hostile import R, W

MIB = 1 << 20
NOTHING = 1  # strings found none
SANITIZED = b"__asan_init" in pathlib.Path(vmscan.PROGRAM).read_bytes()
CPU_SECONDS = 60 if SANITIZED else 5
MOST_MIB = 2048 if SANITIZED else 300
FORMATS = ("json", "mmp", "vmmap-csv", "vmmap-txt", "regions-csv", "table", "smaps")
VIEWS = (
    ["summary"],
    ["summary", "--json"],
    ["summary", "--explain"],
    ["details", "--expand"],
    ["details", "--json"],
    ["heap", "--sizes", "--types"],
    ["heap", "--size", "40"],
    ["strings"],
    ["strings", "--all-pages"],
)
ZEROS_AND_TEXT = b"some text that strings finds\0" + bytes(227)


class HostileFiles(CommandLine):
    def bounded(self, *arguments, expected=(DONE,)):
        """Runs vmscan within a limit of processor time and memory; its exit code must be one of those expected."""

        def limit():
            resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))

        with open(self.directory / "stdout", "wb") as stdout, open(self.directory / "stderr", "wb") as stderr:
            child = subprocess.Popen(
                [vmscan.PROGRAM, *map(str, arguments)],
                stdout=stdout,
                stderr=stderr,
                cwd=self.directory,
                env={**PLAIN, **self.sanitizer_options()},
                preexec_fn=limit,
            )
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        said = (self.directory / "stderr").read_text(encoding="utf-8")
        self.assertIn(child.returncode, expected, (arguments, said[-500:]))
        self.assertLess(usage.ru_maxrss >> 10, MOST_MIB, arguments)
        return said

    def every_command(self, name, content, note, formats=("json", "vmmap-txt", "smaps")):
        """All of them must end in time; the note must be told by those that tell notes of the whole target."""
        path = self.directory / name
        path.write_bytes(content)
        self.assertLess(path.stat().st_size, MIB)
        for view in VIEWS:
            # No heap or no string in it is an answer; a minidump without memory has no heap to look at.
            said = self.bounded(*view, path, expected=(DONE, NOTHING, BAD))
            if view[0] in ("summary", "details") and "--json" not in view:
                self.assertRegex(said, note, view)
        saved = self.directory / "saved.json"
        self.bounded("snapshot", "--heap", path, "-o", saved, "--force")
        self.assertRegex(" ".join(each["message"] for each in json.loads(saved.read_text())["notes"]), note)
        self.bounded("diff", path, saved, "--format", "markdown")
        for target in formats:
            self.bounded("convert", path, "converted", "--to", target, "--force")

    def test_a_segment_larger_than_memory(self):
        for machine, bits in ((hostile.X86_64, 46), (hostile.X86_64, 62), (hostile.RISCV, 62)):
            segments = [(0x500000, 0x3000, R, b"x"), (0x7FFF0000, 1 << bits, R | W, ZEROS_AND_TEXT)]
            content = hostile.core(segments, hostile.thread(1, 0x7FFF1000), machine)
            self.every_command("huge.core", content, "left out of the core|beyond the address space", FORMATS)

    def test_many_large_segments(self):
        segments = [(0x10000 + (i << 40), 1 << 40, R | W, ZEROS_AND_TEXT) for i in range(100)]
        segments += [(0x7000_0000_0000 + (i << 28), 1 << 27, R | W, b"") for i in range(5000)]
        self.every_command("many.core", hostile.core(segments), "left out of the core")

    def test_segments_of_the_same_bytes(self):
        segments = [(0x10000, 500_000, R | W, bytes(500_000))]
        segments += [(0x1000_0000 + (i << 20), 500_000, R | W, (200_000, 500_000)) for i in range(4000)]
        self.every_command("same.core", hostile.core(segments), "bytes of the core again")

    def test_notes_that_are_told_again_and_again(self):
        notes = b"".join(hostile.thread(i + 1, 0x7FFF1000) for i in range(1000))
        content = hostile.core([(0x7FFF0000, 0x2000, R | W, bytes(8192))], notes, note_headers=8000)
        self.every_command("notes.core", content, "notes of the core are broken or cut off")

    def test_files_larger_than_any_disk(self):
        entries = [(0x1000_0000 + (i << 33), 0x1000_0000 + (i << 33) + (1 << 32), f"/lib/{i % 7}.so") for i in range(9000)]
        content = hostile.core([(0x500000, 0x3000, R | W, b"x")], hostile.files(entries))
        self.every_command("files.core", content, "only named in the core")

    def test_minidumps_of_more_than_there_is(self):
        info = hostile.memory_info([(i << 56, 1 << 56) for i in range(200)])
        self.every_command("info.dmp", hostile.minidump({7: hostile.system_info(), 16: info}), "minidump|dump")
        pieces = hostile.memory64([(i << 50, 1 << 50) for i in range(1000)], 100)
        self.every_command("memory64.dmp", hostile.minidump({7: hostile.system_info(), 9: pieces}), "cut off")
        same = hostile.memory_list([(0x10000 + (i << 20), 400_000, 1000) for i in range(30_000)])
        self.every_command("same.dmp", hostile.minidump({7: hostile.system_info(), 5: same}), "bytes of the dump again")
        maps = b"".join(b"%x-%x rw-p 00000000 00:00 0\n" % (i << 44, (i << 44) + (1 << 43)) for i in range(1, 100))
        linux = {7: hostile.system_info(linux=True), 0x47670009: maps, 9: lambda at: hostile.memory64([(1 << 44, 4096)], 64)}
        self.every_command("maps.dmp", hostile.minidump(linux), "dump")

    def test_saved_snapshots_of_huge_regions(self):
        snapshot = json.loads(self.small.read_text(encoding="utf-8"))
        snapshot["regions"] = [
            {"address": hex(i << 58), "size": 1 << 58, "type": "private_data", "rule": "anonymous", "blocks": []}
            for i in range(1, 60)
        ]
        path = self.directory / "series.jsonl"
        path.write_text((json.dumps(snapshot) + "\n") * 100, encoding="utf-8")
        for view in (["summary"], ["details", "--expand"], ["details", "--json"], ["summary", "--explain"]):
            self.bounded(*view, path, expected=(DONE, BAD))
        self.bounded("diff", path, "--trend", expected=(DONE, BAD))
        for target in FORMATS:
            self.bounded("convert", f"{path}@1", "converted", "--to", target, "--force", expected=(DONE, BAD))

    def test_a_table_of_nothing_but_separators(self):
        path = self.directory / "cells.csv"
        path.write_text('"Process:","x.exe"\n"PID:","1"\n' + ("," * 900_000 + "\n") * 40, encoding="utf-8")
        self.bounded("summary", path, expected=(BAD,))

    def test_a_large_file_of_no_known_kind(self):
        path = self.directory / "sparse"
        with open(path, "wb") as file:
            file.write(b"nothing that is known")
            file.truncate(1 << 40)
        self.bounded("summary", path, expected=(BAD,))


if __name__ == "__main__":
    vmscan.main()
