/// What registers and features make of the paging modes: masks and flags, known at run time only.
#ifndef TWIN_FORMAT_H
#define TWIN_FORMAT_H

#include "include/CBenchTwin.h"

#define INLINE static inline __attribute__((always_inline))
#define COLD __attribute__((noinline, cold))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

enum { PRESENT = 1, WRITABLE = 2, USER = 4, ACCESSED = 0x20, DIRTY = 0x40, LARGE = 0x80 };
#define EXECUTE (UINT64_C(1) << 63)

typedef struct twin_format {
  uint64_t root;
  uint64_t address_mask;
  uint64_t reserved_always;
  /// What a plain entry has clear once P is inverted.
  uint64_t plain_top, plain_table, plain_leaf;
  uint64_t reserved_top;
  uint64_t reserved_gigabyte;
  uint64_t reserved_directory;
  uint64_t pdptes[4];
  uint8_t sign_shift;
  bool special, lass, lam;
  uint8_t user_width, supervisor_width;
  bool write_protect, smep, smap, reports_fetch, pse;
  bool user_keys, supervisor_keys, shadow_stacks;
  uint32_t pkru, pkrs;
  /// By the low five bits of an access: in 7:0 the combinations of rights that grant it, in 9:8 the
  /// protection-key bits that deny it.
  uint16_t verdicts[32];
} twin_format;

twin_format twin_make_format(const cbt_setup *setup);

#endif
