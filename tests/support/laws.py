"""What holds for every snapshot whatever its source: the laws, over the JSON documents that vmscan writes."""

USAGE = (
    "committed private total_ws private_ws shareable_ws shared_ws locked_ws swap hugetlb "
    "pss dirty referenced huge swap_pss"
).split()
TYPES = "image mapped_file shareable heap managed_heap stack private_data page_table unusable free".split()
WORKING_SET = "total_ws private_ws shareable_ws shared_ws locked_ws hugetlb".split()


def add(values):
    """The sum; a sum over an unknown is unknown."""
    result = 0
    for value in values:
        if value is None:
            return None
        result += value
    return result


def address(item):
    """The address of a region or block, None for one that has none (page tables)."""
    text = item.get("address")
    return None if text is None else int(text, 16)


def span(item):
    begin = address(item)
    return begin, begin + item["size"]


def _name(item):
    return f"{item.get('type') or item.get('state') or 'row'} {item.get('address', '')}".strip()


def _at_most(item, small, large, broken):
    low, high = item.get(small), item.get(large)
    if low is not None and high is not None and low > high:
        broken.append(f"{_name(item)}: {small} {low} > {large} {high}")


def _usage_laws(item, broken):
    for column in USAGE + ["size"]:
        value = item.get(column)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
            broken.append(f"{_name(item)}: {column} is {value!r}, not a count of bytes")
            return
    total, private, shareable = (item.get(c) for c in ("total_ws", "private_ws", "shareable_ws"))
    if None not in (total, private, shareable) and total != private + shareable:
        broken.append(f"{_name(item)}: total_ws {total} != private_ws {private} + shareable_ws {shareable}")
    for small, large in (
        ("shared_ws", "shareable_ws"),
        ("total_ws", "committed"),
        ("committed", "size"),
        ("private", "size"),
        ("locked_ws", "total_ws"),
        ("hugetlb", "total_ws"),
    ):
        _at_most(item, small, large, broken)


def _block_laws(region, broken):
    blocks = region.get("blocks")
    if blocks is None:
        return
    begin, end = span(region)
    at = begin
    for block in blocks:
        _usage_laws(block, broken)
        if address(block) != at:
            broken.append(f"{_name(region)}: a block begins at {block['address']}, the one before ends at {at:#x}")
        at = span(block)[1]
    if at != end:
        broken.append(f"{_name(region)}: its blocks end at {at:#x}, not at {end:#x}")
    for column in USAGE:
        expected = add(block.get(column) for block in blocks)
        if expected != region.get(column):
            broken.append(f"{_name(region)}: {column} {region.get(column)} is not the sum of its blocks {expected}")


def _region_laws(document):
    broken = []
    previous_end = 0
    for region in document["regions"]:
        if region["type"] not in TYPES:
            broken.append(f"{_name(region)}: not a type")
        if address(region) is None:
            continue
        begin, end = span(region)
        if begin >= end:
            broken.append(f"{_name(region)}: empty")
        if begin < previous_end:
            broken.append(f"{_name(region)}: begins before {previous_end:#x}, where the region before it ends")
        previous_end = max(previous_end, end)
        if region["type"] != "free" and not region.get("rule"):
            broken.append(f"{_name(region)}: no rule")
        _usage_laws(region, broken)
        _block_laws(region, broken)
    return broken


def _summary_laws(document):
    broken = []
    rows = document["rows"]
    for row in rows + [document["total"]]:
        _usage_laws(row, broken)
    types = [row["type"] for row in rows]
    if types != [name for name in TYPES if name in types]:
        broken.append(f"types twice, unknown or not in order: {types}")
    for column in USAGE + ["size", "regions", "blocks"]:
        expected = add(row.get(column) for row in rows if row["type"] != "free")
        if expected != document["total"].get(column):
            broken.append(f"total: {column} {document['total'].get(column)} is not the sum of the rows {expected}")
    for row in rows:
        if row["type"] == "page_table" and any(row.get(column) for column in WORKING_SET):
            broken.append("page_table: counts in the working set")
        if row.get("largest") is not None and row.get("size") is not None and row["largest"] > row["size"]:
            broken.append(f"{row['type']}: largest {row['largest']} > size {row['size']}")
    return broken


def _delta(base, new):
    return None if base is None or new is None else new - base


def _change_laws(change):
    broken = []
    for column, delta in change["delta"].items():
        if column == "blocks":
            continue  # regions of a diff are without theirs
        base, new = (add(region[column] for region in change[side]) for side in ("base", "new"))
        if delta is not None and delta != _delta(base, new):
            broken.append(f"{change['change']} {change['type']}: {column} {delta} is not {new} - {base}")
    sides = (len(change["base"]), len(change["new"]))
    expected = {"added": sides[0] == 0, "removed": sides[1] == 0, "split": sides[0] < sides[1] > 1}
    if not expected.get(change["change"], min(sides) > 0):
        broken.append(f"{change['change']}: {sides[0]} regions in base, {sides[1]} in new")
    return broken


def _diff_laws(document):
    """Holds for a whole diff: neither types chosen nor rows cut."""
    broken = []
    for row in document["rows"] + [document["total"]]:
        for column, figure in row.items():
            if column != "type" and figure["delta"] != _delta(figure["base"], figure["new"]):
                broken.append(f"{row.get('type', 'total')}.{column}: {figure}")
    for column in USAGE + ["size", "count", "blocks"]:
        for side in ("base", "new", "delta"):
            expected = add(row[column][side] for row in document["rows"] if row["type"] != "free")
            every = {row["type"] for row in document["rows"]} | {"page_table"} == set(TYPES)
            if every and expected != document["total"][column][side]:
                broken.append(f"total.{column} {side} is not the sum of the rows {expected}")
    for change in document["regions"] or []:
        broken += _change_laws(change)
    return broken


def _trend_laws(document):
    broken = []
    for row in document["rows"]:
        name, slope = f"{row['type']}.{row['column']}", row["slope"]
        for end in ("first", "last"):
            if row[end] is not None and not row["least"] <= row[end] <= row["largest"]:
                broken.append(f"{name}: {end} {row[end]} is not within {row['least']} and {row['largest']}")
        if slope and not slope["low"] <= slope["per_hour"] <= slope["high"]:
            broken.append(f"{name}: the slope is outside its interval: {slope}")
        if row["course"] in ("growing", "shrinking") and (slope["per_hour"] > 0) != (row["course"] == "growing"):
            broken.append(f"{name}: {row['course']} by {slope['per_hour']}")
    return broken


HEAP_PARTS = ("live_bytes", "cached_bytes", "free_bytes", "overhead", "unread")


def _heap_parts(heaps):
    return [
        f"{each['name']}: its parts are not its size"
        for each in heaps
        if sum(each[part] for part in HEAP_PARTS) != each["size"]
    ]


def _saved_heap_laws(document):
    """Of the sums in a snapshot: the sizes of blocks hold what lives in the heaps."""
    heap = document.get("heap")
    if not heap:
        return []
    broken = _heap_parts(heap["heaps"])
    for part in ("live_bytes", "live_blocks"):
        if sum(each[part] for each in heap["heaps"]) != sum(each[part] for each in heap["sizes"]):
            broken.append(f"{part} of the sizes are not those of the heaps")
    return broken


def _heap_laws(document):
    parts = HEAP_PARTS
    broken = _heap_parts(document["heaps"])
    for part in (*parts, "size", "live_blocks", "cached_blocks", "free_blocks"):
        if document["total"][part] != sum(each[part] for each in document["heaps"]):
            broken.append(f"the total of {part} is not the sum")
    return broken


def _waterfall_laws(document):
    broken = []
    total = add(line["bytes"] for line in document["lines"])
    if document["total"] is not None and document["total"] != total:
        broken.append(f"the lines add up to {total}, not to {document['total']}")
    if document["total"] is None and document["lines"]:
        broken.append("lines of an unknown total")
    keys = [(line["part"], line["details"]) for line in document["lines"]]
    if len(keys) != len(set(keys)):
        broken.append("a part stands there twice")
    if (swap := add(line["swap"] for line in document["lines"])) not in (None, document["swap"]) and document["lines"]:
        broken.append(f"the swap of the lines adds up to {swap}, not to {document['swap']}")
    return broken


def broken_laws(document):
    """One sentence for each law that a summary, details or snapshot document breaks; empty when all hold."""
    kind = document.get("schema")
    if kind == "vmscan.summary/1":
        return _summary_laws(document)
    if kind in ("vmscan.details/1", "vmscan.snapshot/1"):
        return _region_laws(document) + _saved_heap_laws(document)
    if kind == "vmscan.heap/1":
        return _heap_laws(document)
    if kind == "vmscan.waterfall/1":
        return _waterfall_laws(document)
    if kind == "vmscan.diff/1":
        return _diff_laws(document)
    if kind == "vmscan.trend/1":
        return _trend_laws(document)
    if kind in ("vmscan.strings/1", "vmscan.duplicates/1"):
        return _string_laws(document)
    return [f"unknown schema {kind!r}"]


def _string_laws(document):
    """No byte belongs to two strings; as many as the scan tells of; copies waste what all but one of them take."""
    broken = []
    strings = document["strings"]
    if document["scan"]["strings"] != len(strings):
        broken.append(f"{len(strings)} strings, but scan.strings is {document['scan']['strings']}")
    end = 0
    for string in sorted(strings, key=lambda each: int(each["address"], 16)):
        where = f"string at {string['address']}"
        if string["length"] > string["bytes"]:
            broken.append(f"{where}: more characters than bytes")
        if len(string["text"]) != string["length"]:
            broken.append(f"{where}: length is not that of the text")
        if "count" in string and string["wasted_bytes"] != (string["count"] - 1) * string["bytes"]:
            broken.append(f"{where}: wasted_bytes is not (count - 1) * bytes")
        if int(string["address"], 16) < end:
            broken.append(f"{where}: overlaps the one before")
        end = int(string["address"], 16) + string["bytes"]
    return broken


def broken_between(summary, details):
    """Where the rows of a summary are not the sums of the regions, both taken of the same stopped process.

    Not of shared_ws and pss: other processes may map the same files between the two. Nor of referenced: the kernel marks
    what is read meanwhile, and whoever reads a shared page marks it for all. The row of a type without regions may call
    the columns unknown that nobody asked for.
    """
    broken = []
    rows = {row["type"]: row for row in summary["rows"]}
    for name in TYPES:
        if name in ("free", "page_table"):
            continue
        regions = [region for region in details["regions"] if region["type"] == name]
        row = rows.get(name)
        if row is None:
            if regions:
                broken.append(f"{name}: no row for {len(regions)} regions")
            continue
        for column in [*USAGE, "size"]:
            expected = add(region.get(column) for region in regions)
            unasked = not regions and row.get(column) is None
            if column not in ("shared_ws", "pss", "swap_pss", "referenced") and not unasked and row.get(column) != expected:
                broken.append(f"{name}: {column} {row.get(column)} is not the sum of the regions {expected}")
        if row.get("regions") != len(regions):
            broken.append(f"{name}: {row.get('regions')} regions counted, {len(regions)} listed")
        largest = max((region["size"] for region in regions), default=0)
        if regions and row.get("largest") != largest:
            broken.append(f"{name}: largest {row.get('largest')}, not {largest}")
    return broken
