"""Small files that promise much: cores and minidumps whose headers tell of more memory than exists, or of the same bytes
again and again."""

import struct

PT_LOAD, PT_NOTE = 1, 4
R, W, X = 4, 2, 1
X86_64, AARCH64, RISCV, I386 = 62, 183, 243, 3


def note(kind, descriptor):
    padded = descriptor + b"\0" * (-len(descriptor) % 4)
    return struct.pack("<III8s", 5, len(descriptor), kind, b"CORE") + padded


def thread(tid, stack_pointer):
    """NT_PRSTATUS of x86_64."""
    status = bytearray(336)
    struct.pack_into("<I", status, 32, tid)
    struct.pack_into("<Q", status, 112 + 19 * 8, stack_pointer)
    return note(1, bytes(status))


def files(entries):
    """NT_FILE: (begin, end, path) for each."""
    table = b"".join(struct.pack("<QQQ", begin, end, 0) for begin, end, _ in entries)
    names = b"".join(path.encode() + b"\0" for *_, path in entries)
    return note(0x46494C45, struct.pack("<QQ", len(entries), 4096) + table + names)


def core(segments, notes=b"", machine=X86_64, note_headers=1):
    """An ELF core of 64 bits. A segment is (address, bytes in memory, rights, contents), where contents are bytes of its
    own, or (offset, size) somewhere in the file."""
    count = len(segments) + note_headers
    offset = 64 + 56 * count
    headers, body = [], bytearray(notes)
    headers += [struct.pack("<IIQQQQQQ", PT_NOTE, 0, offset, 0, 0, len(notes), 0, 4)] * note_headers
    for address, size, rights, contents in segments:
        if isinstance(contents, tuple):
            place, held = contents
        else:
            place, held = offset + len(body), len(contents)
            body += contents
        headers.append(struct.pack("<IIQQQQQQ", PT_LOAD, rights, place, address, 0, held, size, 4096))
    ident = b"\x7fELF\x02\x01\x01" + b"\0" * 9
    head = ident + struct.pack("<HHIQQQIHHHHHH", 4, machine, 1, 0, 64, 0, 0, 64, 56, count, 0, 0, 0)
    return head + b"".join(headers) + bytes(body)


def minidump(streams):
    """Streams by their type. A stream may be a function of the offset at which it will lie."""
    directory = 32 + 12 * len(streams)
    entries, body = b"", b""
    for kind, stream in streams.items():
        at = directory + len(body)
        bytes_of_it = stream(at) if callable(stream) else stream
        entries += struct.pack("<III", kind, len(bytes_of_it), at)
        body += bytes_of_it
    return struct.pack("<IIIIIIQ", 0x504D444D, 0xA793, len(streams), 32, 0, 0, 0) + entries + body


def system_info(linux=False):
    """AMD64; Windows 10 or Linux."""
    return struct.pack("<HHHBBIIIIIHH24x", 9, 0, 0, 1, 1, 10, 0, 19041, 0x8201 if linux else 2, 0, 0, 0)


def memory_info(regions):
    """MemoryInfoList: (begin, size) of private read-write memory for each."""
    records = b"".join(
        struct.pack("<QQIIQIIII", begin, begin, 4, 0, size, 0x1000, 4, 0x20000, 0) for begin, size in regions
    )
    return struct.pack("<IIQ", 16, 48, len(regions)) + records


def memory64(pieces, base):
    """Memory64List: (begin, size) for each, whose bytes are told to begin at `base`."""
    return struct.pack("<QQ", len(pieces), base) + b"".join(struct.pack("<QQ", *piece) for piece in pieces)


def memory_list(pieces):
    """MemoryList: (begin, size, offset in the file) for each."""
    return struct.pack("<I", len(pieces)) + b"".join(struct.pack("<QII", *piece) for piece in pieces)
