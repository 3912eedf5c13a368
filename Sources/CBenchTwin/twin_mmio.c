#include "twin_nested.h"
#include "twin_slots.h"

enum { SETS = 256, WAYS = 6 };

/// A device on the bus, called as an unknown one is.
typedef struct twin_device {
  uint64_t base, bytes;
  uint64_t (*read)(uint64_t offset);
} twin_device;

/// What an access to a device goes through.
typedef struct twin_machine {
  twin_format guest;
  ept_format ept;
  twin_memory memory;
  const cbt_mmio *mmio;
  twin_slot slots[1];
  size_t hint;
  twin_device devices[1];
  /// The page in each place; nothing is ever put in, as MMIO is not.
  uint64_t tlb[SETS * WAYS];
} twin_machine;

static __attribute__((noinline)) uint64_t answer(uint64_t offset) { return offset; }

/// The place of the EPT's leaf for an address; 0 where a table is missing.
INLINE uint64_t ept_leaf(const twin_machine *t, uint64_t gpa, uint64_t *entry) {
  uint64_t table = t->ept.root, place = 0;
  for (int level = 4; level >= 1; level--) {
    place = table + (gpa >> (3 + 9 * level) & 0x1FF) * 8;
    if (!load_entry(&t->memory, place, true, entry)) return 0;
    if (level > 1 && (!(*entry & 7) || (*entry & LARGE))) return 0;
    table = *entry & t->ept.address_mask;
  }
  return place;
}

/// An entry that says: no memslot.
INLINE uint64_t mmio_entry(const cbt_mmio *mmio, uint64_t gpa) {
  uint64_t low = mmio->generation & 0xFF, high = mmio->generation >> 8 & 0x7FF;
  return mmio->value | (gpa & ~UINT64_C(0xFFF)) | low << 3 | high << 52;
}

/// The guest's tables walked by software, a slot for each entry; the address, or 0.
INLINE uint64_t walk_by_software(twin_machine *t, uint64_t va, uint8_t access) {
  uint64_t table = t->guest.root, rights = ~UINT64_C(0), tables = rights, all = rights, entry = 0;
  for (int level = 4; level >= 1; level--) {
    uint64_t gpa = table + (va >> (3 + 9 * level) & 0x1FF) * 8;
    const twin_slot *slot = find_slot(t->slots, 1, &t->hint, gpa >> 12);
    if (UNLIKELY(!slot)) return 0;
    uint64_t place = (slot->host + ((gpa >> 12) - slot->base)) << 12 | (gpa & 0xFFF);
    if (!load_entry(&t->memory, place, true, &entry)) return 0;
    if (UNLIKELY(entry_kind(&t->guest, CBT_LONG4, entry, level) != (level == 1 ? 3 : 2))) return 0;
    tables = rights;
    rights &= entry ^ EXECUTE;
    all &= entry;
    table = entry & t->guest.address_mask;
  }
  if (!permits(&t->guest, access, rights, tables, entry) || !(all & ACCESSED)) return 0;
  return table | (va & 0xFFF);
}

/// One access: the TLB, both levels, the exit, the entry or the slots, software's walk, the bus.
static bool access_device(twin_machine *t, uint64_t va, uint8_t access, uint64_t *sum) {
  uint64_t page = va >> 12;
  for (unsigned way = 0; way < WAYS; way++)
    if (t->tlb[page % SETS * WAYS + way] == page) return false;
  nested_result walked = nested_walk(&t->guest, &t->ept, &t->memory, va, access);
  if (walked.ok || !walked.granted) return false;
  uint64_t entry = 0, place = ept_leaf(t, walked.gpa, &entry);
  if (!place) return false;
  uint64_t wanted = mmio_entry(t->mmio, walked.gpa);
  if ((entry & t->mmio->mask) != t->mmio->value || entry != wanted) {
    if (find_slot(t->slots, 1, &t->hint, walked.gpa >> 12)) return false;
    if (!__atomic_compare_exchange_n(
            (uint64_t *)(t->memory.bytes + place), &entry, wanted, false, __ATOMIC_ACQ_REL,
            __ATOMIC_ACQUIRE))
      return false;
  }
  uint64_t gpa = walk_by_software(t, va, access);
  if (gpa >> 12 != walked.gpa >> 12) return false;
  for (unsigned i = 0; i < 1; i++) {
    const twin_device *device = &t->devices[i];
    if (gpa - device->base >= device->bytes) continue;
    *sum += device->read(gpa - device->base) ^ gpa;
    return true;
  }
  return false;
}

INLINE uint64_t address(const cbt_loop *loop, uint64_t step) {
  const uint64_t mask = (UINT64_C(1) << loop->bits) - 1;
  return loop->base + ((step * UINT64_C(0x9E3779B1) & mask) << 12);
}

static twin_machine make(
    const cbt_setup *setup, const cbt_ept *ept, const cbt_mmio *mmio, const cbt_loop *loop) {
  twin_machine t = {
      .guest = twin_make_format(setup),
      .ept = twin_make_ept(ept),
      .memory = {loop->bytes, loop->size},
      .mmio = mmio,
      .slots = {{0, mmio->ram_frames, mmio->ram_base >> 12}},
      .devices = {{mmio->device, mmio->device_bytes, answer}},
  };
  memset(t.tlb, 0xFF, sizeof t.tlb);
  return t;
}

cbt_tally cbt_run_mmio(
    const cbt_setup *setup, const cbt_ept *ept, const cbt_mmio *mmio, const cbt_loop *loop) {
  twin_machine t = make(setup, ept, mmio, loop);
  cbt_tally tally = {0, 0};
  for (uint64_t i = 0; i < loop->count; i++)
    if (!access_device(&t, address(loop, i), loop->accesses[i & 7], &tally.checksum))
      tally.failures++;
  return tally;
}

void cbt_mmio_drop(
    const cbt_setup *setup, const cbt_ept *ept, const cbt_mmio *mmio, const cbt_loop *loop) {
  twin_machine t = make(setup, ept, mmio, loop);
  for (uint64_t i = 0; i < UINT64_C(1) << loop->bits; i++) {
    uint64_t entry, place = ept_leaf(&t, mmio->device + (i << 12), &entry);
    if (place) *(uint64_t *)(t.memory.bytes + place) = EXECUTE;
  }
}
