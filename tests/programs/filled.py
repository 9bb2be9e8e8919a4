"""filled.py MIB: a process with about so much memory that looks like that of a real service: parsed documents, text in
several scripts, byte buffers, compiled code, numbers and free space. Prints "ready" and ends with its standard input."""

import array
import json
import marshal
import random
import sys

WORDS = (
    "request response session user account error warning connection database timeout retry cache https://example.org/a "
    "/usr/lib/python3/dist-packages Authorization: Bearer text/html; charset=utf-8 SELECT * FROM WHERE id = "
    "naïve Jürgen Ελλάδα Привет 東京 café 2026-11-21T08:00:12Z INFO DEBUG GET POST 200 404"
).split(" ")


def documents(chance, count):
    """Parsed JSON: dictionaries of short strings, floats and lists."""
    return [
        json.loads(json.dumps({
            "id": chance.getrandbits(48),
            "path": "/" + "/".join(chance.choices(WORDS, k=3)),
            "message": " ".join(chance.choices(WORDS, k=chance.randint(3, 30))),
            "scores": [chance.random() for _ in range(4)],
            "tags": chance.choices(WORDS, k=4),
        }))
        for _ in range(count)
    ]


def a_mebibyte_or_four(chance):
    """What a service keeps of a while of work."""
    text = " ".join(chance.choices(WORDS, k=4000))
    code = compile("\n".join(f"def f{i}(x):\n    return x * {i} + len('{i} items')" for i in range(120)), "<made>", "exec")
    return (
        documents(chance, 500),
        [text.encode("utf-16-le"), text.encode("utf-8"), text],
        [chance.randbytes(1 << 17), bytes(1 << 18), marshal.dumps(code), code],
        array.array("d", (chance.random() for _ in range(1 << 14))),
        array.array("q", range(0x7F0000000000, 0x7F0000000000 + (1 << 19), 16)),
        [[i, str(i)] for i in range(2000)],
    )


def resident_mib():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) >> 8


def main():
    chance = random.Random(7)
    held = []
    while resident_mib() < int(sys.argv[1]):
        held.append(a_mebibyte_or_four(chance))
    print("ready", flush=True)
    sys.stdin.read()


main()
