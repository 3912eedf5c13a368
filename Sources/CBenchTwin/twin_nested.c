#include "twin_slots.h"
#include "twin_walk.h"

/// What an EPT is walked with.
typedef struct ept_format {
  uint64_t address_mask, reserved_high, root;
  bool execute_only, pages_2m, pages_1g, accessed_dirty;
} ept_format;

typedef struct ept_result {
  bool ok;
  uint64_t address, granted, leaf;
  unsigned shift;
} ept_result;

enum { EPT_READ = 1, EPT_WRITE = 2, EPT_EXECUTE = 4 };

COLD static bool ept_mark(
    const twin_memory *m, const uint64_t *path, const uint64_t *places, int count, uint64_t leaf) {
  for (int i = 0; i < count; i++) {
    uint64_t desired = path[i] | (i == count - 1 ? leaf : 0x100), expected = path[i];
    if (desired == expected) continue;
    if (!__atomic_compare_exchange_n(
            (uint64_t *)(m->bytes + places[i]), &expected, desired, false, __ATOMIC_ACQ_REL,
            __ATOMIC_ACQUIRE))
      return false;
  }
  return true;
}

/// 0 not present, 1 misconfigured, 2 a table, 3 a leaf.
INLINE int ept_kind(const ept_format *f, uint64_t e, int level) {
  if (UNLIKELY(!(e & 7))) return 0;
  if (UNLIKELY(!(e & EPT_READ)) && ((e & EPT_WRITE) || !f->execute_only)) return 1;
  if (UNLIKELY(e & f->reserved_high)) return 1;
  bool leaf = level == 1 || ((e & LARGE) && level <= 3);
  if (!leaf) return e & (level > 3 ? 0xF8 : 0x78) ? 1 : 2;
  unsigned type = e >> 3 & 7;
  if (UNLIKELY(0x8Cu >> type & 1)) return 1;
  if (level == 1) return 3;
  if (level == 2) return f->pages_2m && !(e & 0x1FF000) ? 3 : 1;
  return f->pages_1g && !(e & 0x3FFFF000) ? 3 : 1;
}

INLINE ept_result ept_walk(
    const ept_format *f, const twin_memory *m, uint64_t gpa, unsigned needed, bool write) {
  ept_result failed = {0};
  if (UNLIKELY(gpa >> 48)) return failed;
  for (int attempts = 0; attempts <= 64; attempts++) {
    uint64_t table = f->root, granted = 7, missing = 0, entry = 0;
    uint64_t path[4], places[4];
    int level = 4, shift = 0;
#pragma clang loop unroll(full)
    for (; level >= 1; level--) {
      shift = 3 + 9 * level;
      uint64_t place = table + (gpa >> shift & 0x1FF) * 8;
      if (!load_entry(m, place, true, &entry)) return failed;
      path[4 - level] = entry;
      places[4 - level] = place;
      int kind = ept_kind(f, entry, level);
      granted &= entry;
      if (UNLIKELY(kind < 2)) return failed;
      if (kind == 3) break;
      missing |= ~entry & 0x100;
      table = entry & f->address_mask;
    }
    if (UNLIKELY(!(granted & needed))) return failed;
    if (f->accessed_dirty) {
      uint64_t leaf = write ? 0x300 : 0x100;
      if (UNLIKELY(missing | (~entry & leaf))) {
        uint64_t kept[4], kept_places[4];
        memcpy(kept, path, sizeof kept);
        memcpy(kept_places, places, sizeof kept);
        if (!ept_mark(m, kept, kept_places, 5 - level, leaf)) continue;
        entry |= leaf;
      }
    }
    uint64_t offset = (UINT64_C(1) << shift) - 1;
    return (ept_result){
        .ok = true,
        .address = (entry & f->address_mask & ~offset) | (gpa & offset),
        .granted = granted,
        .leaf = entry,
        .shift = (unsigned)shift,
    };
  }
  return failed;
}

typedef struct nested_result {
  bool ok;
  uint64_t gpa, hpa, rights, tables, leaf;
  unsigned shift;
} nested_result;

COLD static bool nested_mark(
    const ept_format *e, const twin_memory *m, const uint64_t *path, const uint64_t *gpas, int count,
    uint64_t leaf) {
  for (int i = 0; i < count; i++) {
    uint64_t desired = path[i] | (i == count - 1 ? leaf : ACCESSED), expected = path[i];
    if (desired == expected) continue;
    ept_result at = ept_walk(e, m, gpas[i], EPT_WRITE, true);
    if (!at.ok || at.address > m->size - 8) return false;
    if (!__atomic_compare_exchange_n(
            (uint64_t *)(m->bytes + at.address), &expected, desired, false, __ATOMIC_ACQ_REL,
            __ATOMIC_ACQUIRE))
      return false;
  }
  return true;
}

INLINE nested_result nested_walk(
    const twin_format *f, const ept_format *e, const twin_memory *m, uint64_t va, uint8_t access) {
  nested_result failed = {0};
  if (UNLIKELY(f->special)) {
    uint64_t untagged = va;
    if (special_address(f, &untagged, access)) return failed;
    va = untagged;
  } else if (UNLIKELY(!is_canonical(16, va))) {
    return failed;
  }
  const unsigned table_access = e->accessed_dirty ? EPT_WRITE : EPT_READ;
  for (int attempts = 0; attempts <= 64; attempts++) {
    uint64_t table = f->root, rights = ~UINT64_C(0), tables = rights, all = rights, entry = 0;
    uint64_t path[4], gpas[4];
    int level = 4, shift = 0;
#pragma clang loop unroll(full)
    for (; level >= 1; level--) {
      shift = 3 + 9 * level;
      uint64_t gpa = table + (va >> shift & 0x1FF) * 8;
      ept_result at = ept_walk(e, m, gpa, table_access, e->accessed_dirty);
      if (UNLIKELY(!at.ok)) return failed;
      if (!load_entry(m, at.address, true, &entry)) return failed;
      path[4 - level] = entry;
      gpas[4 - level] = gpa;
      int kind = entry_kind(f, CBT_LONG4, entry, level);
      tables = rights;
      rights &= entry ^ EXECUTE;
      if (UNLIKELY(kind < 2)) return failed;
      if (kind == 3) break;
      all &= entry;
      table = entry & f->address_mask;
    }
    if (UNLIKELY(!permits(f, access, rights, tables, entry))) return failed;
    uint64_t leaf_bits = access & CBT_WRITE ? ACCESSED | DIRTY : ACCESSED;
    if (UNLIKELY((~all & ACCESSED) | (~entry & leaf_bits))) {
      uint64_t kept[4], kept_gpas[4];
      memcpy(kept, path, sizeof kept);
      memcpy(kept_gpas, gpas, sizeof kept);
      if (!nested_mark(e, m, kept, kept_gpas, 5 - level, leaf_bits)) continue;
      entry |= leaf_bits;
    }
    uint64_t offset = (UINT64_C(1) << shift) - 1;
    uint64_t gpa = (entry & f->address_mask & ~offset) | (va & offset);
    unsigned needed = access & CBT_WRITE ? EPT_WRITE : access & CBT_FETCH ? EPT_EXECUTE : EPT_READ;
    ept_result last = ept_walk(e, m, gpa, needed, access & CBT_WRITE);
    if (UNLIKELY(!last.ok)) return failed;
    return (nested_result){
        .ok = true,
        .gpa = gpa,
        .hpa = last.address,
        .rights = rights,
        .tables = tables,
        .leaf = entry,
        .shift = (unsigned)shift,
    };
  }
  return failed;
}

cbt_tally cbt_run_nested(const cbt_setup *setup, const cbt_ept *ept, const cbt_loop *loop) {
  const twin_format f = twin_make_format(setup);
  const uint64_t physical = (UINT64_C(1) << ept->physical_width) - 1;
  const ept_format e = {
      .address_mask = physical & ~UINT64_C(0xFFF),
      .reserved_high = UINT64_C(0x000FFFFFFFFFFFFF) & ~physical,
      .root = ept->root,
      .execute_only = ept->execute_only,
      .pages_2m = ept->pages_2m,
      .pages_1g = ept->pages_1g,
      .accessed_dirty = ept->accessed_dirty,
  };
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
  const uint64_t physical = (UINT64_C(1) << ept->physical_width) - 1;
  const ept_format e = {
      .address_mask = physical & ~UINT64_C(0xFFF),
      .reserved_high = UINT64_C(0x000FFFFFFFFFFFFF) & ~physical,
      .root = ept->root,
      .execute_only = ept->execute_only,
      .pages_2m = ept->pages_2m,
      .pages_1g = ept->pages_1g,
      .accessed_dirty = ept->accessed_dirty,
  };
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
