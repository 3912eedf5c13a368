/// Walks of an EPT, and of a guest's tables behind one.
#ifndef TWIN_NESTED_H
#define TWIN_NESTED_H

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

INLINE ept_format twin_make_ept(const cbt_ept *ept) {
  const uint64_t physical = (UINT64_C(1) << ept->physical_width) - 1;
  return (ept_format){
      .address_mask = physical & ~UINT64_C(0xFFF),
      .reserved_high = UINT64_C(0x000FFFFFFFFFFFFF) & ~physical,
      .root = ept->root,
      .execute_only = ept->execute_only,
      .pages_2m = ept->pages_2m,
      .pages_1g = ept->pages_1g,
      .accessed_dirty = ept->accessed_dirty,
  };
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
  /// Whether the walk arrived; whether the guest's tables granted the access, at `gpa`, at least.
  bool ok, granted;
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
    if (UNLIKELY(!last.ok)) return (nested_result){.granted = true, .gpa = gpa};
    return (nested_result){
        .ok = true,
        .granted = true,
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

#endif
