"""What the scripts share: an ELF core's physical memory, its CR3, addresses to ask for, and timing."""

import json
import random
import re
import statistics
import struct
import subprocess
import time


class Core:
    """The PT_LOAD segments of an ELF core, by physical address."""

    def __init__(self, path):
        data = open(path, "rb").read()
        is64 = data[4] == 2
        offset, size, count = (
            (struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54))
            if is64
            else (struct.unpack_from("<I", data, 28)[0], *struct.unpack_from("<HH", data, 42))
        )
        self.segments = []
        for index in range(count):
            at = offset + index * size
            if is64:
                kind, _, start, _, physical, length, _, _ = struct.unpack_from("<IIQQQQQQ", data, at)
            else:
                kind, start, _, physical, length = struct.unpack_from("<IIIII", data, at)
            if kind == 1 and length:
                self.segments.append((physical, data[start : start + length]))


def cr3_and_pages(mmu, image):
    """CR3 and the mapped pages of an image, as `mmu info` and `mmu map` tell them."""
    info = subprocess.run([mmu, "info", image, "--json"], capture_output=True, text=True, check=True)
    cr3 = int(re.search(r'"cr3":\s*"(0x[0-9a-f]+)"', info.stdout).group(1), 16)
    pages = subprocess.run(
        [mmu, "map", image, "--pages", "--json"], capture_output=True, text=True, check=True
    )
    return cr3, [json.loads(line) for line in pages.stdout.splitlines()]


def sample(pages, count, seed=7):
    """Addresses of random mapped pages, with where `mmu` says that they lead."""
    chosen = random.Random(seed).choices(pages, k=count)
    return [(int(page["va"], 16), int(page["pa"], 16)) for page in chosen]


def median_ns(run, count, rounds=7):
    """The median time of one operation, in nanoseconds."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter_ns()
        run()
        times.append((time.perf_counter_ns() - start) / count)
    return statistics.median(times)


def ours(mmu, image, addresses):
    """One address through `mmu translate -`, start of the program and parsing subtracted."""

    def run(lines):
        text = "".join(f"{va:#x}\n" for va, _ in lines)
        subprocess.run(
            [mmu, "translate", image, "-", "--json"], input=text, text=True, check=True,
            stdout=subprocess.DEVNULL,
        )

    short, long = addresses[:1], addresses
    begun = median_ns(lambda: run(short), 1)
    return (median_ns(lambda: run(long), 1) - begun) / (len(long) - len(short))
