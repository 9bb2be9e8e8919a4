"""Alternate signal stacks: threads in signal handlers against what sigaltstack tells each of them, live and in cores."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import cores
import laws
import vmscan

THREADS = 20
NAMED = ("guarded", "merged")  # the others are memory of the heap or of the program


def stack_details(thing, document):
    name = f" ({thing.values['name'].replace('_', ' ')})" if document["target"]["kind"] == "process" else ""
    return f"Thread ID: {thing.values['tid']}{name}"  # a core has no names of threads


class SignalStacks(cores.CoreTest):
    def check_frames(self, target, document):
        for thing in target.all("signal_stack"):
            region = vmscan.region_at(document, (thing.begin + thing.end) // 2)
            kind = thing.values["kind"]
            if kind not in NAMED:
                self.assertEqual(region["type"], "heap" if kind == "allocated" else "image", thing)
                continue
            self.assertEqual((region["type"], region["rule"]), ("stack", "signal_frame"), thing)
            self.assertEqual(region["details"], stack_details(thing, document) + ", alternate signal stack")
            guard = vmscan.PAGE if kind == "guarded" else 0
            self.assertEqual(laws.span(region), (thing.begin - guard, thing.end), thing)
        named = sum(thing.values["kind"] in NAMED for thing in target.all("signal_stack"))
        self.assertEqual(sum(region["rule"] == "signal_frame" for region in document["regions"]), named)

    def check_usual_stacks(self, target, document):
        for thing in target.all("signal_stack"):
            details = stack_details(thing, document)
            found = [region["rule"] for region in document["regions"] if region["details"] == details]
            self.assertEqual(found, ["thread_list"], thing)

    def check_coroutine(self, target, document):
        coroutine = target["coroutine"]
        region = vmscan.region_at(document, coroutine.begin)
        self.assertEqual((region["type"], region["rule"]), ("stack", "thread_stack_pointer"))
        self.assertTrue(region["details"].startswith(f"Thread ID: {coroutine.values['tid']}"), region["details"])
        self.assertTrue(region["details"].endswith(", another stack"), region["details"])

    def check_shapes(self, target, document):
        for thing in target.all("like_rust"):
            region = vmscan.region_at(document, thing.begin)
            self.assertEqual((region["type"], region["rule"]), ("stack", "signal_stack_shape"))
            self.assertEqual(laws.span(region), (thing.begin - thing.number("guard"), thing.end))
        for thing in [*target.all("unlike_rust"), *target.all("header")]:
            self.assertEqual(vmscan.region_at(document, thing.begin)["type"], "private_data", thing)

    def check_program(self, name, *checks):
        with vmscan.start(name, THREADS) as target:
            document = vmscan.details(target.pid)
            for check in (self.check_frames, self.check_usual_stacks, *checks):
                check(target, document)

    def test_glibc(self):
        self.check_program("signal_stacks", self.check_coroutine, self.check_shapes)

    def test_glibc_32_bit(self):
        self.check_program("signal_stacks_32", self.check_coroutine)

    def test_musl(self):
        self.check_program("signal_stacks_musl", self.check_shapes)

    def test_cores(self):
        kinds = []
        with vmscan.start("signal_stacks", THREADS, cwd=self.home) as target, vmscan.stopped(target.pid):
            for kind, path in self.cores_of(target.pid):
                with self.subTest(kind):
                    document = vmscan.details(path)
                    self.check_frames(target, document)
                    self.check_usual_stacks(target, document)
                    self.check_coroutine(target, document)
                    self.check_shapes(target, document)
                kinds.append(kind)
        if not kinds:
            self.skipTest("no core of it can be had here")
        print(f"  cores: {', '.join(kinds)}", flush=True)


if __name__ == "__main__":
    vmscan.main()
