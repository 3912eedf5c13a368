"""Translates the same addresses of one image with volatility3's Intel32e layer and with `mmu`."""

import argparse

from volatility3.framework import contexts, exceptions
from volatility3.framework.layers import intel, physical

from common import Core, cr3_and_pages, median_ns, ours, sample


def layer_of(path, cr3):
    """volatility3's own layer over the core's memory, put together flat with holes as zeros."""
    context = contexts.Context()
    segments = Core(path).segments
    end = max(physical_address + len(data) for physical_address, data in segments)
    flat = bytearray(end)
    for physical_address, data in segments:
        flat[physical_address : physical_address + len(data)] = data
    context.add_layer(physical.BufferDataLayer(context, "config.base", "base", bytes(flat)))
    context.config["config.kernel.memory_layer"] = "base"
    context.config["config.kernel.page_map_offset"] = cr3
    layer = intel.Intel32e(context, "config.kernel", "kernel")
    context.add_layer(layer)
    return layer


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image")
    parser.add_argument("--mmu", default=".build/release/mmu")
    parser.add_argument("--count", type=int, default=20000)
    options = parser.parse_args()
    cr3, pages = cr3_and_pages(options.mmu, options.image)
    layer = layer_of(options.image, cr3 & 0x000FFFFFFFFFF000)
    # The layer takes a table whose entries are all equal for damage (KASAN shadow tables are such).
    addresses = []
    refused = 0
    for va, pa in sample(pages, options.count):
        try:
            found = layer._translate(va)[0]
        except exceptions.InvalidAddressException:
            refused += 1
            continue
        if found != pa:
            raise SystemExit(f"{va:#x} leads to {found:#x}, mmu says {pa:#x}")
        addresses.append((va, pa))
    if not addresses:
        raise SystemExit(f"the layer refuses all {refused} addresses")

    def theirs():
        # Its cache of whole entries would answer otherwise.
        layer._get_valid_table.cache_clear()
        for va, _ in addresses:
            layer._translate(va)

    peer = median_ns(theirs, len(addresses))
    mine = ours(options.mmu, options.image, addresses)
    print(f"{len(addresses)} addresses agree, {refused} are refused by the layer")
    print(f"volatility3 Intel32e  {peer:10.0f} ns an address")
    print(f"mmu translate -       {mine:10.0f} ns an address, JSON written")
    print(f"ratio                 {peer / mine:10.1f}")


if __name__ == "__main__":
    main()
