"""What vmscan strings finds is what GNU strings finds in the same bytes, but for what the definition of a string says.

The bytes: random ones, and the memory of real programs, mapped by a process that vmscan then searches. Compared is each
string with its place. VMSCAN_TEST_GNU_MIB=N takes N MiB of random bytes and, of the programs, the whole cores that the kernel
writes, which takes minutes; without, it is 4 MiB, and 12 MiB of what is in RAM of the programs, copied page by page.

GNU strings prints runs of tab and 0x20 to 0x7E in one encoding; so does vmscan with `-e ascii`. With `-e utf16le` vmscan
also takes U+00A0 to U+00FF for text. With all encodings together vmscan gives a byte to one string only, and ASCII is part
of UTF-8.
"""

import bisect
import collections
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import cores
import vmscan

LEAST = 3
LARGE_MIB = int(os.environ.get("VMSCAN_TEST_GNU_MIB", 0))
PART_MIB = 64 if LARGE_MIB else 12  # what is compared at once
RANDOM_MIB = LARGE_MIB or 4
LINE = re.compile(rb"^ *(\d+) (.*)$")
NOT_ASCII = re.compile(r"[^\t\x20-\x7e]+")


def gnu(path, encoding):
    """{offset: text} of GNU strings."""
    command = [vmscan.need("strings"), "-a", "-n", str(LEAST), "-t", "d", "-e", encoding, path]
    found = {}
    for line in subprocess.run(command, capture_output=True, check=True).stdout.split(b"\n"):
        if line:
            offset, text = LINE.match(line).groups()
            found[int(offset)] = text.decode("ascii")
    return found


def ours(target, *options):
    """[(offset, bytes, encoding, text)] of vmscan; parts of a string beyond 1 MiB joined."""
    where = target["file"]
    command = ["strings", "-q", "--jsonl", "-n", LEAST, "--range", f"{where.begin:#x}-{where.end:#x}", *options, target.pid]
    found, continues = [], False
    for line in vmscan.run(*command).stdout.splitlines():
        each = json.loads(line)
        entry = (int(each["address"], 16) - where.begin, each["bytes"], each["encoding"], each["text"])
        if continues:
            begin, size, encoding, text = found.pop()
            entry = (begin, size + entry[1], encoding, text + entry[3])
        found.append(entry)
        continues = each["continues"]
    return found


def ascii_parts(found):
    """Strings of UTF-16 cut where GNU strings sees no text: at characters above U+007E."""
    parts = {}
    for begin, _, _, text in found:
        at = 0
        for gap in [*NOT_ASCII.finditer(text), None]:
            end = gap.start() if gap else len(text)
            if end - at >= LEAST:
                parts[begin + 2 * at] = text[at:end]
            at = gap.end() if gap else end
    return parts


class Spans:
    """Strings of one kind by their place."""

    def __init__(self, found, wide):
        self.spans = sorted((begin, begin + size) for begin, size, encoding, _ in found if encoding.startswith("utf16") == wide)
        self.begins = [begin for begin, _ in self.spans]
        self.ends = {end for _, end in self.spans}

    def cover(self, begin, end):
        at = bisect.bisect_right(self.begins, begin) - 1
        return at >= 0 and self.spans[at][1] >= end


class GnuStrings(cores.CoreTest):
    def setUp(self):
        super().setUp()
        self.counts = collections.Counter()

    def compare_bytes(self, path):
        with vmscan.start("map_file", path) as target:
            narrow, wide = gnu(path, "s"), gnu(path, "l")
            found = {begin: text for begin, _, _, text in ours(target, "-e", "ascii")}
            self.assert_same(found, narrow)
            self.assert_same(ascii_parts(ours(target, "-e", "utf16le")), wide)
            self.compare_together(ours(target), narrow, wide)
        self.counts["MiB"] += os.path.getsize(path) / (1 << 20)

    def assert_same(self, found, expected):
        if found != expected:  # millions: only what differs is worth showing
            wrong = sorted(set(found.items()) ^ set(expected.items()))
            self.fail(f"{len(wrong)} of {len(expected)} strings differ: {wrong[:10]}")

    def compare_together(self, found, narrow, wide):
        """Each string of GNU's two passes is found, or has lost the one character that it shares with a longer one."""
        texts, wides = Spans(found, wide=False), Spans(found, wide=True)
        unexplained = []
        for begin, text in narrow.items():
            end = begin + len(text)
            if texts.cover(begin, end):
                continue
            self.counts["shared"] += 1
            if not (wides.cover(end - 1, end + 1) and (len(text) == LEAST or texts.cover(begin, end - 1))):
                unexplained.append(("ascii", begin, text))
        for begin, text in wide.items():
            end = begin + 2 * len(text)
            if wides.cover(begin, end):
                continue
            self.counts["shared"] += 1
            if not (begin + 1 in texts.ends and (len(text) == LEAST or wides.cover(begin + 2, end))):
                unexplained.append(("utf16le", begin, text))
        self.assertEqual(unexplained[:10], [])
        self.counts.update(ascii=len(narrow), wide=len(wide), added=len(found) - len(narrow) - len(wide))

    def tell(self, kind):
        count = self.counts
        self.say(kind, f"{count['MiB']:.0f} MiB, {count['ascii']:,} ASCII, {count['wide']:,} UTF-16; {count['shared']:,} share a "
                 f"character; {count['added']:+,} in all (UTF-8 joins and adds)")

    def parts(self, path):
        """The file but for MiBs that are all zero, in parts; strings are cut at their ends alike for both programs."""
        part = f"{self.home}/part"
        with open(path, "rb") as source:
            more = True
            while more:
                with open(part, "wb") as target:
                    while target.tell() < PART_MIB << 20 and (more := bool(piece := source.read(1 << 20))):
                        if any(piece):
                            target.write(piece)
                if os.path.getsize(part):
                    yield part

    def compare_core(self, pid):
        if LARGE_MIB:
            with vmscan.stopped(pid):
                whole = self.dump(pid)
        else:
            whole = f"{self.home}/memory"
            subprocess.run([vmscan.PROGRAMS / "copy_memory", str(pid), "0", whole], check=True)
        for part in self.parts(whole):
            self.compare_bytes(part)
            if not LARGE_MIB:
                break
        self.tell("kernel core" if LARGE_MIB else "memory")

    def test_random_bytes(self):
        with tempfile.NamedTemporaryFile(dir="/var/tmp") as file:
            chance = random.Random(11)
            for _ in range(RANDOM_MIB):
                file.write(chance.randbytes(1 << 20))
            file.flush()
            self.compare_bytes(file.name)
        self.tell("random bytes")

    def test_python(self):
        script = "import json, http.client, email, sys; a = [str(i) for i in range(50000)]; sys.stdin.read()"
        self.compare_core(self.start(sys.executable, "-c", script, wait=2))

    def test_java(self):
        self.compare_core(vmscan.tree(self.start(vmscan.need("jshell"), "-s", "-", wait=6))[-1])

    def test_chromium(self):
        page = "data:text/html,<p>text</p><script>x=[];for(i=0;i<1e5;i++)x.push('item '+i)</script>"
        pid = self.start(vmscan.need("chromium"), *vmscan.CHROMIUM, f"--user-data-dir={self.home}/profile",
                         "--remote-debugging-port=0", page, wait=6)
        for each in reversed(vmscan.tree(pid)):
            if b"--type=renderer" in pathlib.Path(f"/proc/{each}/cmdline").read_bytes():
                return self.compare_core(each)
        self.skipTest("chromium started no renderer")


if __name__ == "__main__":
    vmscan.main()
