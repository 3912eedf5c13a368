/// One walk, for inlining into the loops: the number of levels, the width of entries and the work
/// are constants there, and everything else is known at run time.
#ifndef TWIN_WALK_H
#define TWIN_WALK_H

#include <string.h>

#include "twin_format.h"

typedef struct twin_memory {
  uint8_t *bytes;
  uint64_t size;
} twin_memory;

typedef enum twin_cause {
  TRANSLATED,
  NOT_PRESENT,
  RESERVED_BIT,
  PERMISSION,
  NON_CANONICAL,
  FORBIDDEN,
  UNREADABLE,
  CONTENDED,
} twin_cause;

typedef struct twin_result {
  twin_cause cause;
  uint32_t level;
  uint32_t page_shift;
  uint32_t vector;
  uint32_t error_code;
  uint64_t address;
  uint64_t rights, table_rights;
  uint64_t leaf;
} twin_result;

typedef struct twin_path {
  uint64_t addresses[5];
  uint64_t entries[5];
} twin_path;

INLINE bool key_denies(const twin_format *f, uint8_t access, uint64_t rights, uint64_t leaf) {
  uint32_t bits = (rights & USER ? f->pkru : f->pkrs) >> (leaf >> 58 & 30);
  // On supervisor pages WD needs CR0.WP=1 whoever writes.
  unsigned deniable = (rights & USER) || f->write_protect ? 3 : 1;
  return bits & (f->verdicts[access & 31] >> 8) & deniable;
}

COLD static bool permits_shadow_stack(
    const twin_format *f, uint8_t access, uint64_t rights, uint64_t tables, uint64_t leaf) {
  bool is_page = (tables & WRITABLE) && !(leaf & WRITABLE) && (leaf & DIRTY);
  bool same = !(rights & USER) == !(access & CBT_USER);
  return f->shadow_stacks && is_page && same && !key_denies(f, access, rights, leaf);
}

INLINE bool permits(
    const twin_format *f, uint8_t access, uint64_t rights, uint64_t tables, uint64_t leaf) {
  if (UNLIKELY(access & CBT_SHADOW_STACK))
    return permits_shadow_stack(f, access, rights, tables, leaf);
  unsigned index = (unsigned)(rights >> 1 & 3) | (unsigned)(rights >> 63) << 2;
  if (!(f->verdicts[access & 31] >> index & 1)) return false;
  return !(f->pkru | f->pkrs) || !key_denies(f, access, rights, leaf);
}

/// Vector and error code, as `error code << 8 | vector`: a number, so that results stay in registers.
COLD static uint64_t fault_code(
    const twin_format *f, twin_cause cause, uint8_t access, uint64_t rights, uint64_t entry) {
  if (cause == NON_CANONICAL || cause == FORBIDDEN) return access & CBT_STACK ? 12 : 13;
  if (cause == UNREADABLE || cause == CONTENDED) return 0;
  uint64_t code = 0;
  if (access & CBT_WRITE) code |= 2;
  if (access & CBT_USER) code |= 4;
  if ((access & CBT_FETCH) && f->reports_fetch) code |= 16;
  if (access & CBT_SHADOW_STACK) code |= 64;
  if (cause == RESERVED_BIT) code |= 9;
  if (cause == PERMISSION) code |= key_denies(f, access, rights, entry) ? 33 : 1;
  return code << 8 | 14;
}

INLINE twin_result twin_fault(
    const twin_format *f, twin_cause cause, int level, uint8_t access, uint64_t rights,
    uint64_t entry) {
  uint64_t code = fault_code(f, cause, access, rights, entry);
  return (twin_result){
      .cause = cause,
      .level = (uint32_t)level,
      .vector = code & 0xFF,
      .error_code = (uint32_t)(code >> 8),
      .leaf = entry,
  };
}

INLINE bool is_canonical(unsigned sign_shift, uint64_t va) {
  return (uint64_t)((int64_t)(va << sign_shift) >> sign_shift) == va;
}

/// Takes the tag off an address, then judges it.
COLD static twin_cause special_address(const twin_format *f, uint64_t *address, uint8_t access) {
  uint64_t va = *address;
  bool upper = va >> 63;
  unsigned width = upper ? f->supervisor_width : f->user_width;
  if (width && !(access & CBT_FETCH)) {
    uint64_t extended = (uint64_t)((int64_t)(va << (64 - width)) >> (64 - width));
    va = (extended & ~EXECUTE) | (va & EXECUTE);
    *address = va;
  }
  if (f->lass) {
    if (access & CBT_USER) {
      if (upper) return FORBIDDEN;
    } else if (!upper) {
      if (access & CBT_FETCH) return FORBIDDEN;
      if (f->smap && ((access & CBT_IMPLICIT) || !(access & CBT_ALIGNMENT_CHECK))) return FORBIDDEN;
    }
  }
  return is_canonical(f->sign_shift, va) ? TRANSLATED : NON_CANONICAL;
}

INLINE bool load_entry(const twin_memory *m, uint64_t address, bool wide, uint64_t *entry) {
  if (wide) {
    if (UNLIKELY(address > m->size - 8)) return false;
    *entry = __atomic_load_n((const uint64_t *)(m->bytes + address), __ATOMIC_RELAXED);
  } else {
    if (UNLIKELY(address > m->size - 4)) return false;
    *entry = __atomic_load_n((const uint32_t *)(m->bytes + address), __ATOMIC_RELAXED);
  }
  return true;
}

typedef enum twin_marking { MARKED, LOST, NO_MEMORY } twin_marking;

COLD static twin_marking mark_path(
    const twin_memory *m, twin_path *path, int count, bool wide, uint64_t leaf_bits) {
  for (int i = 0; i < count; i++) {
    uint64_t address = path->addresses[i];
    uint64_t desired = path->entries[i] | (i == count - 1 ? leaf_bits : ACCESSED);
    if (desired == path->entries[i]) continue;
    bool stored;
    if (wide) {
      if (address > m->size - 8) return NO_MEMORY;
      uint64_t expected = path->entries[i];
      stored = __atomic_compare_exchange_n(
          (uint64_t *)(m->bytes + address), &expected, desired, false, __ATOMIC_ACQ_REL,
          __ATOMIC_ACQUIRE);
    } else {
      if (address > m->size - 4) return NO_MEMORY;
      uint32_t expected = (uint32_t)path->entries[i];
      stored = __atomic_compare_exchange_n(
          (uint32_t *)(m->bytes + address), &expected, (uint32_t)desired, false,
          __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    }
    if (!stored) return LOST;
    path->entries[i] = desired;
  }
  return MARKED;
}

/// What an entry at a level is: 0 not present, 1 reserved, 2 a table, 3 a leaf.
INLINE int entry_kind(const twin_format *f, cbt_mode mode, uint64_t e, int level) {
  if (mode == CBT_LEGACY32) {
    if (level == 1) return LIKELY(e & PRESENT) ? 3 : 0;
    if (LIKELY(!((e ^ PRESENT) & f->plain_table))) return 2;
    if (!(e & PRESENT)) return 0;
    return e & f->reserved_directory ? 1 : 3;
  }
  uint64_t inverted = e ^ PRESENT;
  if (level == 1) return LIKELY(!(inverted & f->plain_leaf)) ? 3 : e & PRESENT ? 1 : 0;
  if (LIKELY(!(inverted & (level > 3 ? f->plain_top : f->plain_table)))) return 2;
  if (!(e & PRESENT)) return 0;
  if (level > 3 || !(e & LARGE)) return 1;
  uint64_t reserved = level == 2 ? f->reserved_directory : f->reserved_gigabyte;
  return e & reserved ? 1 : 3;
}

INLINE twin_result twin_walk(
    const twin_format *f, const twin_memory *m, cbt_mode mode, bool checked, uint64_t va,
    uint8_t access) {
  const bool wide = mode != CBT_LEGACY32;
  const int top = mode == CBT_LONG4 ? 4 : mode == CBT_LONG5 ? 5 : 2;
  uint64_t root = f->root;
  if (mode == CBT_LONG4 || mode == CBT_LONG5) {
    twin_cause cause = TRANSLATED;
    if (UNLIKELY(f->special)) {
      uint64_t untagged = va;
      cause = special_address(f, &untagged, access);
      va = untagged;
    } else if (UNLIKELY(!is_canonical(mode == CBT_LONG4 ? 16 : 7, va))) {
      cause = NON_CANONICAL;
    }
    if (UNLIKELY(cause)) return twin_fault(f, cause, top, access, 0, 0);
  } else if (mode == CBT_PAE) {
    uint64_t pdpte = f->pdptes[va >> 30 & 3];
    if (UNLIKELY(!(pdpte & PRESENT))) return twin_fault(f, NOT_PRESENT, 3, access, ~UINT64_C(0), 0);
    root = pdpte & f->address_mask;
  }
  for (int attempts = 0; attempts <= 64; attempts++) {
    twin_path path;
    uint64_t table = root, rights = ~UINT64_C(0), tables = rights, all = ~UINT64_C(0);
    uint64_t entry = 0;
    int level = top, shift = 0;
#pragma clang loop unroll(full)
    for (; level >= 1; level--) {
      shift = mode == CBT_LEGACY32 ? 2 + 10 * level : 3 + 9 * level;
      uint64_t index = va >> shift & (mode == CBT_LEGACY32 ? 0x3FF : 0x1FF);
      uint64_t address = table + (index << (wide ? 3 : 2));
      if (!load_entry(m, address, wide, &entry))
        return twin_fault(f, UNREADABLE, level, access, rights, address);
      path.addresses[top - level] = address;
      path.entries[top - level] = entry;
      int kind = entry_kind(f, mode, entry, level);
      tables = rights;
      rights &= entry ^ EXECUTE;
      if (UNLIKELY(kind < 2))
        return twin_fault(f, kind ? RESERVED_BIT : NOT_PRESENT, level, access, rights, entry);
      if (kind == 3) break;
      all &= entry;
      table = entry & f->address_mask;
    }
    if (checked) {
      if (UNLIKELY(!permits(f, access, rights, tables, entry)))
        return twin_fault(f, PERMISSION, level, access, rights, entry);
      uint64_t leaf_bits = access & CBT_WRITE ? ACCESSED | DIRTY : ACCESSED;
      if (UNLIKELY((~all & ACCESSED) | (~entry & leaf_bits))) {
        twin_path kept = path;
        twin_marking marking = mark_path(m, &kept, top - level + 1, wide, leaf_bits);
        if (marking == LOST) continue;
        if (marking == NO_MEMORY) return twin_fault(f, UNREADABLE, level, access, rights, 0);
        entry |= leaf_bits;
      }
    }
    uint64_t offset_mask = (UINT64_C(1) << shift) - 1;
    uint64_t page;
    if (mode == CBT_LEGACY32 && level == 2)
      page = (entry & 0xFFC00000) | (entry >> 13 & 0xFF) << 32;
    else
      page = entry & f->address_mask & ~offset_mask;
    return (twin_result){
        .cause = TRANSLATED,
        .level = (uint32_t)level,
        .page_shift = (uint32_t)shift,
        .address = page | (va & offset_mask),
        .rights = rights,
        .table_rights = tables,
        .leaf = entry,
    };
  }
  return twin_fault(f, CONTENDED, top, access, 0, 0);
}

#endif
