#include "twin_nested.h"
#include "twin_slots.h"

cbt_tally cbt_run_nested(const cbt_setup *setup, const cbt_ept *ept, const cbt_loop *loop) {
  const twin_format f = twin_make_format(setup);
  const ept_format e = twin_make_ept(ept);
  const twin_memory m = {loop->bytes, loop->size};
  cbt_tally tally = {0, 0};
  uint64_t state = UINT64_C(0x9E3779B97F4A7C15);
  uint8_t accesses[8];
  memcpy(accesses, loop->accesses, 8);
  for (uint64_t i = 0; i < loop->count; i++) {
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    uint64_t va = loop->base + (state >> (64 - loop->bits));
    nested_result r = nested_walk(&f, &e, &m, va, accesses[i & 7]);
    if (LIKELY(r.ok)) {
      uint64_t mask = EXECUTE | USER | WRITABLE;
      tally.checksum += (r.gpa ^ r.leaf) + r.hpa + (r.rights & mask) + (r.tables & mask) * 2 + r.shift;
    } else {
      tally.failures++;
    }
  }
  return tally;
}

/// One fault on tables that are present: the walk that fails, the slot, the way down, the new leaf.
COLD static bool fault(
    const ept_format *f, const twin_memory *m, const twin_slot *slots, size_t count, size_t *hint,
    uint64_t gpa, cbt_tally *tally) {
  ept_result walked = ept_walk(f, m, gpa, EPT_READ, false);
  if (walked.ok) return false;
  const twin_slot *slot = find_slot(slots, count, hint, gpa >> 12);
  if (!slot) return false;
  uint64_t table = f->root, entry = 0, place = 0;
  for (int level = 4; level >= 1; level--) {
    place = table + (gpa >> (3 + 9 * level) & 0x1FF) * 8;
    if (!load_entry(m, place, true, &entry)) return false;
    if (level == 1) break;
    if (!(entry & 7) || (entry & LARGE)) return false;
    table = entry & f->address_mask;
  }
  if (entry & 7) return false;
  uint64_t frame = slot->host + ((gpa >> 12) - slot->base), bytes = frame << 12;
  if (bytes > m->size - 4096) return false;
  uint64_t leaf = bytes | 7 | 6 << 3 | 1 << 6 | UINT64_C(1) << 11 | UINT64_C(3) << 57 |
                  UINT64_C(1) << 63 | 0x100;
  if (!__atomic_compare_exchange_n(
          (uint64_t *)(m->bytes + place), &entry, leaf, false, __ATOMIC_ACQ_REL,
          __ATOMIC_ACQUIRE))
    return false;
  tally->checksum += leaf;
  return true;
}

cbt_tally cbt_run_faults(const cbt_ept *ept, const cbt_loop *loop) {
  const ept_format e = twin_make_ept(ept);
  const twin_memory m = {loop->bytes, loop->size};
  const twin_slot slots[] = {{0, UINT64_C(1) << loop->bits, loop->base >> 12}};
  const uint64_t mask = (UINT64_C(1) << loop->bits) - 1;
  cbt_tally tally = {0, 0};
  size_t hint = 0;
  for (uint64_t i = 0; i < loop->count; i++)
    if (!fault(&e, &m, slots, 1, &hint, (i * UINT64_C(0x9E3779B1) & mask) << 12, &tally))
      tally.failures++;
  return tally;
}
