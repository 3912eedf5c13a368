"""Translates the same addresses of one image with Unicorn's CPU and with `mmu`."""

import argparse
import ctypes

from unicorn import UC_ARCH_X86, UC_MODE_64, UC_PROT_READ, Uc
from unicorn.unicorn_py3.unicorn import uclib
from unicorn.x86_const import (
    UC_X86_REG_CR0, UC_X86_REG_CR3, UC_X86_REG_CR4, UC_X86_REG_MSR,
)

from common import Core, cr3_and_pages, median_ns, ours, sample


def machine_of(path, cr3):
    """A Unicorn machine with the core's memory and paging on."""
    uc = Uc(UC_ARCH_X86, UC_MODE_64)
    pages = {}
    for physical, data in Core(path).segments:
        for offset in range(0, len(data), 4096):
            pages[(physical + offset) & ~4095] = True
    runs = []
    for page in sorted(pages):
        if runs and runs[-1][1] == page:
            runs[-1][1] = page + 4096
        else:
            runs.append([page, page + 4096])
    for start, end in runs:
        uc.mem_map(start, end - start)
    for physical, data in Core(path).segments:
        uc.mem_write(physical, data)
    uc.reg_write(UC_X86_REG_MSR, (0xC0000080, 0xD01))
    uc.reg_write(UC_X86_REG_CR4, 0x20)
    uc.reg_write(UC_X86_REG_CR3, cr3)
    uc.reg_write(UC_X86_REG_CR0, 0x80000011)
    return uc


def translator(uc):
    """`uc_vmem_translate`, which the Python module does not wrap."""
    function = uclib.uc_vmem_translate
    function.restype = ctypes.c_int
    function.argtypes = [ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_void_p]
    result = ctypes.c_uint64()
    place = ctypes.byref(result)

    def translate(va):
        return result.value if function(uc._uch, va, UC_PROT_READ, place) == 0 else None

    return translate


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image")
    parser.add_argument("--mmu", default=".build/release/mmu")
    parser.add_argument("--count", type=int, default=20000)
    options = parser.parse_args()
    cr3, pages = cr3_and_pages(options.mmu, options.image)
    translate = translator(machine_of(options.image, cr3))
    # Unicorn translates to memory that it has alone.
    addresses = [(va, pa) for va, pa in sample(pages, options.count * 4) if translate(va) is not None]
    addresses = addresses[: options.count]
    wrong = [va for va, pa in addresses if translate(va) != pa]
    if wrong or not addresses:
        raise SystemExit(f"{len(wrong)} of {len(addresses)} addresses lead elsewhere")

    def theirs():
        for va, _ in addresses:
            translate(va)

    peer = median_ns(theirs, len(addresses))
    mine = ours(options.mmu, options.image, addresses)
    print(f"{len(addresses)} addresses agree")
    print(f"unicorn uc_vmem_translate {peer:8.0f} ns an address, called from Python")
    print(f"mmu translate -           {mine:8.0f} ns an address, JSON written")
    print(f"ratio                     {peer / mine:8.1f}")


if __name__ == "__main__":
    main()
