"""Compares what vmscan says of a stopped process with what /proc/PID/smaps says of it.

By address: a mapping belongs to the regions that overlap it, a region to the mappings that it overlaps; what hangs
together so is a group, and a group must be equal to the byte. Most groups are one region and its mappings; an image
whose .bss tail the kernel merged with other memory shares a group with that.

Exceptions: [vsyscall] lies in the kernel's half of the address space and has no pages; vmscan may leave it out.
"""

import functools
import os
from dataclasses import dataclass, field

import laws
import smaps
import vmscan

NOT_MAPPED = ("unusable", "free", "page_table")


@dataclass
class Group:
    begin: int
    end: int
    mappings: list = field(default_factory=list)
    regions: list = field(default_factory=list)

    def kernel(self, measure):
        return sum(measure(mapping) for mapping in self.mappings)

    def ours(self, column):
        return laws.add(region.get(column) for region in self.regions)

    def guards(self, wanted):
        """Bytes of guard regions in the wanted mappings: only the page tables know of them, smaps does not."""
        found = 0
        for block in (block for region in self.regions for block in region["blocks"]):
            if block["state"] == "reserved" and (block.get("protection") or "").endswith("/Guard"):
                at = laws.address(block)
                found += sum(block["size"] for m in self.mappings if m.begin <= at < m.end and wanted(m))
        return found

    def __str__(self):
        types = "+".join(sorted({region["type"] for region in self.regions})) or "nothing"
        names = sorted({m.name for m in self.mappings if m.name})
        return f"{self.begin:x}-{self.end:x} {types} {', '.join(names)}".rstrip()


def groups_of(mappings, regions):
    """Joins mappings and regions that overlap."""
    items = [(m.begin, m.end, "mappings", m) for m in mappings]
    for region in regions:
        if region["type"] not in NOT_MAPPED and laws.address(region) is not None:
            items.append((*laws.span(region), "regions", region))
    groups = []
    for begin, end, kind, item in sorted(items, key=lambda entry: entry[:2]):
        if not groups or begin >= groups[-1].end:
            groups.append(Group(begin, end))
        group = groups[-1]
        group.end = max(group.end, end)
        getattr(group, kind).append(item)
    return groups


def _private_of(mapping):
    """Charged if modified: a private writable mapping as a whole, of another private one the copied pages."""
    if mapping.shared:
        return 0
    return mapping.size if mapping.write else mapping["Anonymous"] + mapping["Swap"]


def _committed_of(mapping):
    return mapping.size if mapping.accessible else mapping.resident + mapping["Swap"]


def _check(group, column, expected, differences):
    ours = group.ours(column)
    if ours != expected:
        off = "" if ours is None else f" (off by {ours - expected:+})"
        differences.append(f"{group}: {column} is {ours}, the kernel says {expected}{off}")


@functools.cache
def own_files():
    """Files that vmscan itself maps: while it runs, more of their pages are shared than before and after."""
    document = vmscan.details("self")
    return {region["details"].removesuffix(" (deleted)") for region in document["regions"] if region["details"]}


def _check_shared(group, before, differences):
    """Shared WS against the pages that smaps calls shared; other processes may map files between the two readings."""
    ours = group.ours("shared_ws")
    if ours is None:
        differences.append(f"{group}: shared_ws is unknown")
        return
    bounds = sorted((group.kernel(lambda m: m.mapped_often), before))
    files = {m.name.removesuffix(" (deleted)") for m in group.mappings}
    if any(os.path.basename(path) in {os.path.basename(own) for own in own_files()} for path in files if path):
        bounds[1] = group.ours("total_ws")
    if not bounds[0] <= ours <= bounds[1]:
        differences.append(f"{group}: shared_ws is {ours}, the kernel says {bounds[0]}…{bounds[1]}")


def _check_locked(group, differences):
    """smaps divides Locked by the number of sharers, so only groups without shared pages can be compared."""
    if not any(b"lo" in mapping.flags for mapping in group.mappings):
        _check(group, "locked_ws", 0, differences)
    elif not group.kernel(lambda m: m.mapped_often):
        _check(group, "locked_ws", group.kernel(lambda m: m["Locked"]), differences)


def _compare_group(group, shared_before, differences):
    if not group.regions:
        differences.append(f"{group}: no region covers it")
        return
    if not group.mappings:
        differences.append(f"{group}: no such mapping")
        return
    covered = sum(region["size"] for region in group.regions)
    mapped = group.kernel(lambda m: m.size)
    if covered != mapped:
        differences.append(f"{group}: regions of {covered} bytes for mappings of {mapped}")
    _check(group, "total_ws", group.kernel(lambda m: m.resident), differences)
    _check(group, "hugetlb", group.kernel(lambda m: m.hugetlb), differences)
    _check(group, "swap", group.kernel(lambda m: m["Swap"]), differences)
    guarded = group.guards(lambda m: m.accessible)
    _check(group, "committed", group.kernel(_committed_of) - guarded, differences)
    guarded = group.guards(lambda m: m.write and not m.shared)
    _check(group, "private", group.kernel(_private_of) - guarded, differences)
    if all(m.without_file for m in group.mappings):
        _check(group, "private_ws", group.kernel(lambda m: m.mapped_once), differences)
    _check_shared(group, shared_before, differences)
    _check_locked(group, differences)


def _compare_totals(pid, mappings, summary, differences):
    total = summary["total"]
    expected = {
        "total_ws": sum(m.resident for m in mappings),
        "swap": sum(m["Swap"] for m in mappings),
    }
    for column, value in expected.items():
        if total.get(column) != value:
            differences.append(f"total: {column} is {total.get(column)}, the kernel says {value}")
    tables = smaps.status_bytes(pid, "VmPTE")
    shown = vmscan.row(summary, "page_table")["size"]
    if shown != tables:
        differences.append(f"page_table: {shown}, VmPTE is {tables}")
    rss = smaps.status_bytes(pid, "VmRSS")
    if summary["kernel"].get("rss") != rss:
        differences.append(f"kernel.rss: {summary['kernel'].get('rss')}, VmRSS is {rss}")


def compare_once(pid):
    """The differences, as readable lines; empty when vmscan and the kernel agree."""
    before = {(m.begin, m.end): m.mapped_often for m in _mappings(pid)}
    details = vmscan.details(pid, "--columns", "+swap")
    summary = vmscan.summary(pid, "--columns", "+swap")
    mappings = _mappings(pid)
    differences = laws.broken_between(summary, details)
    if [(m.begin, m.end) for m in mappings] != list(before):
        return [f"process {pid} changed its map while it was stopped"]
    for group in groups_of(mappings, details["regions"]):
        shared_before = sum(before[m.begin, m.end] for m in group.mappings)
        _compare_group(group, shared_before, differences)
    _compare_totals(pid, mappings, summary, differences)
    return differences


def _mappings(pid):
    return [mapping for mapping in smaps.smaps(pid) if mapping.path != b"[vsyscall]"]


def compare(pid, attempts=3):
    """compare_once of a stopped process; again when it differs, as other processes may start and end meanwhile."""
    for _ in range(attempts):
        differences = compare_once(pid)
        if not differences:
            break
    return differences


def assert_equal(test, pid, name=""):
    """Fails the test with the differences, if there are any. The process must be stopped."""
    differences = compare(pid)
    if differences:
        more = f"\n… and {len(differences) - 40} more" if len(differences) > 40 else ""
        test.fail(f"{name or 'process'} {pid}: {len(differences)} differences\n" + "\n".join(differences[:40]) + more)
