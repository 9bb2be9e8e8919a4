"""An independent reader of /proc/PID/smaps, maps and status: what the kernel says, to compare vmscan with."""

import os
import re
from dataclasses import dataclass, field

_HEADER = re.compile(
    rb"^([0-9a-f]+)-([0-9a-f]+) ([r-])([w-])([x-])([ps]) ([0-9a-f]+) ([0-9a-f]+):([0-9a-f]+) (\d+)(?: (.*))?$"
)
_FIELD = re.compile(rb"^([A-Za-z_]+): +(\d+)( kB)?$")


@dataclass
class Mapping:
    """One mapping; sizes in bytes. `path` is as printed with \\012 decoded, " (deleted)" still at its end."""

    begin: int
    end: int
    read: bool
    write: bool
    execute: bool
    shared: bool
    offset: int
    device: tuple
    inode: int
    path: bytes
    fields: dict = field(default_factory=dict)
    flags: list = field(default_factory=list)

    @property
    def size(self):
        return self.end - self.begin

    @property
    def accessible(self):
        return self.read or self.write or self.execute

    @property
    def name(self):
        return self.path.decode("utf-8", "replace")

    def __getitem__(self, key):
        """Bytes of a field of smaps; a key that this kernel does not print counts nothing."""
        return self.fields.get(key, 0)

    @property
    def hugetlb(self):
        return self["Private_Hugetlb"] + self["Shared_Hugetlb"]

    @property
    def resident(self):
        """In RAM: Rss, and the hugetlb pages that Rss leaves out."""
        return self["Rss"] + self.hugetlb

    @property
    def mapped_once(self):
        return self["Private_Clean"] + self["Private_Dirty"] + self["Private_Hugetlb"]

    @property
    def mapped_often(self):
        return self["Shared_Clean"] + self["Shared_Dirty"] + self["Shared_Hugetlb"]

    @property
    def special(self):
        """Pages that the kernel itself put there: [vdso], [vvar], [uprobes] …"""
        named = self.path.startswith(b"[") and self.inode == 0
        return named and not self.path.startswith((b"[heap]", b"[stack", b"[anon:", b"[anon_shmem:"))

    @property
    def without_file(self):
        return self.inode == 0 and not self.shared and not self.special

    def __str__(self):
        rights = "".join(
            letter if has else "-"
            for letter, has in zip("rwx", (self.read, self.write, self.execute))
        )
        return f"{self.begin:x}-{self.end:x} {rights}{'s' if self.shared else 'p'} {self.name!r}"


def _parse_header(match):
    path = (match.group(11) or b"").lstrip(b" ").replace(b"\\012", b"\n")
    return Mapping(
        begin=int(match.group(1), 16),
        end=int(match.group(2), 16),
        read=match.group(3) == b"r",
        write=match.group(4) == b"w",
        execute=match.group(5) == b"x",
        shared=match.group(6) == b"s",
        offset=int(match.group(7), 16),
        device=(int(match.group(8), 16), int(match.group(9), 16)),
        inode=int(match.group(10)),
        path=path,
    )


def parse(data):
    """Parses the bytes of maps or smaps. ValueError for a line that is neither a mapping nor a field."""
    mappings = []
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line:
            continue
        header = _HEADER.match(line)
        if header:
            mappings.append(_parse_header(header))
            continue
        if not mappings:
            raise ValueError(f"line {number}: not a mapping: {line!r}")
        if line.startswith(b"VmFlags:"):
            mappings[-1].flags = line.split()[1:]
            continue
        entry = _FIELD.match(line)
        if not entry:
            raise ValueError(f"line {number}: not a field: {line!r}")
        factor = 1024 if entry.group(3) else 1
        mappings[-1].fields[entry.group(1).decode()] = int(entry.group(2)) * factor
    return mappings


def living_thread(pid):
    """The directory under /proc that has the memory: of another thread when the main thread has ended."""
    directory = f"/proc/{pid}"
    if status(pid).get("State", "").startswith("Z"):
        for thread in sorted(os.listdir(f"{directory}/task"), key=int):
            if not parse_status(_read(f"{directory}/task/{thread}/status"))["State"].startswith(("Z", "X")):
                return f"{directory}/task/{thread}"
    return directory


def _read(path):
    with open(path, "rb") as file:
        return file.read()


def smaps(pid):
    return parse(_read(f"{living_thread(pid)}/smaps"))


def maps(pid):
    return parse(_read(f"{living_thread(pid)}/maps"))


def parse_status(data):
    """Key and text of each line; a line `Key:\\tvalue`."""
    pairs = (line.partition(":") for line in data.decode("utf-8", "replace").splitlines())
    return {key: value.strip() for key, _, value in pairs}


def status(pid):
    return parse_status(_read(f"/proc/{pid}/status"))


def status_bytes(pid, key):
    """A "… kB" line of the status of a living thread, in bytes; None when this kernel or process has none."""
    text = parse_status(_read(f"{living_thread(pid)}/status")).get(key)
    return int(text.split()[0]) * 1024 if text else None


def total(mappings, key):
    return sum(mapping[key] for mapping in mappings)
