#include "twin_walk.h"

#define MULTIPLIER UINT64_C(6364136223846793005)
#define INCREMENT UINT64_C(1442695040888963407)
#define SEED UINT64_C(0x9E3779B97F4A7C15)
#define RIGHTS_BITS (EXECUTE | USER | WRITABLE)

INLINE void add(cbt_tally *tally, uint64_t *last, const twin_result *r) {
  if (LIKELY(r->cause == TRANSLATED)) {
    uint64_t rights = (r->rights & RIGHTS_BITS) + (r->table_rights & RIGHTS_BITS) * 2;
    tally->checksum += (r->address ^ r->leaf) + rights + ((uint64_t)r->page_shift << 8 | r->level);
    *last = r->address;
  } else {
    tally->failures++;
    tally->checksum += (uint64_t)r->vector << 32 | (uint64_t)r->level << 40 | r->error_code;
    *last = 0;
  }
}

/// The next offset; the pattern is a constant where this is inlined.
INLINE uint64_t next(cbt_pattern pattern, uint64_t *state, uint64_t last, unsigned bits) {
  if (pattern == CBT_SEQUENTIAL) {
    *state += 4096;
    return *state & ((UINT64_C(1) << bits) - 1);
  }
  if (pattern == CBT_LATENCY) *state ^= last;
  *state = *state * MULTIPLIER + INCREMENT;
  return *state >> (64 - bits);
}

__attribute__((noinline)) static twin_result walk_call(
    const twin_format *f, const twin_memory *m, uint64_t va, uint8_t access) {
  return twin_walk(f, m, CBT_LONG4, true, va, access);
}

INLINE uint64_t loads(const twin_format *f, const twin_memory *m, uint64_t va) {
  uint64_t entry = f->root;
#pragma clang loop unroll(full)
  for (int shift = 39; shift >= 12; shift -= 9) {
    uint64_t address = (entry & f->address_mask) + (va >> shift & 0x1FF) * 8;
    entry = __atomic_load_n((const uint64_t *)(m->bytes + address), __ATOMIC_RELAXED);
  }
  return (entry & f->address_mask) | (va & 0xFFF);
}

INLINE cbt_tally run(
    const twin_format *format, const cbt_loop *loop, cbt_mode mode, cbt_work work,
    cbt_pattern pattern) {
  const twin_format f = *format;
  const twin_memory m = {loop->bytes, loop->size};
  cbt_tally tally = {0, 0};
  uint64_t state = pattern == CBT_SEQUENTIAL ? 0 : SEED, last = 0;
  uint64_t base = loop->base, count = loop->count;
  unsigned bits = loop->bits;
  uint8_t accesses[8];
  memcpy(accesses, loop->accesses, 8);
  for (uint64_t i = 0; i < count; i++) {
    uint64_t va = base + next(pattern, &state, last, bits);
    if (work == CBT_LOADS) {
      last = loads(&f, &m, va);
      tally.checksum += last;
      continue;
    }
    uint8_t access = accesses[i & 7];
    twin_result r = work == CBT_CHECKED_CALL
                        ? walk_call(&f, &m, va, access)
                        : twin_walk(&f, &m, mode, work == CBT_CHECKED, va, access);
    add(&tally, &last, &r);
  }
  return tally;
}

#define LOOP(name, mode, work, pattern)                                                         \
  __attribute__((noinline)) static cbt_tally name(const twin_format *f, const cbt_loop *loop) { \
    return run(f, loop, mode, work, pattern);                                                   \
  }
#define LOOPS(name, mode, work)                        \
  LOOP(name##_random, mode, work, CBT_RANDOM)          \
  LOOP(name##_sequential, mode, work, CBT_SEQUENTIAL)  \
  LOOP(name##_latency, mode, work, CBT_LATENCY)        \
  static cbt_tally name(const twin_format *f, const cbt_loop *loop) { \
    switch (loop->pattern) {                           \
      case CBT_RANDOM: return name##_random(f, loop);  \
      case CBT_SEQUENTIAL: return name##_sequential(f, loop); \
      case CBT_LATENCY: return name##_latency(f, loop); \
    }                                                  \
    __builtin_unreachable();                           \
  }

LOOPS(long4_plain, CBT_LONG4, CBT_PLAIN)
LOOPS(long4_checked, CBT_LONG4, CBT_CHECKED)
LOOPS(long4_call, CBT_LONG4, CBT_CHECKED_CALL)
LOOPS(long4_loads, CBT_LONG4, CBT_LOADS)
LOOPS(long5_plain, CBT_LONG5, CBT_PLAIN)
LOOPS(long5_checked, CBT_LONG5, CBT_CHECKED)
LOOPS(pae_plain, CBT_PAE, CBT_PLAIN)
LOOPS(pae_checked, CBT_PAE, CBT_CHECKED)
LOOPS(legacy32_plain, CBT_LEGACY32, CBT_PLAIN)
LOOPS(legacy32_checked, CBT_LEGACY32, CBT_CHECKED)

cbt_tally cbt_run(const cbt_setup *setup, const cbt_loop *loop) {
  twin_format f = twin_make_format(setup);
  bool checked = loop->work == CBT_CHECKED;
  switch (setup->mode) {
    case CBT_LONG4:
      if (loop->work == CBT_LOADS) return long4_loads(&f, loop);
      if (loop->work == CBT_CHECKED_CALL) return long4_call(&f, loop);
      return checked ? long4_checked(&f, loop) : long4_plain(&f, loop);
    case CBT_LONG5: return checked ? long5_checked(&f, loop) : long5_plain(&f, loop);
    case CBT_PAE: return checked ? pae_checked(&f, loop) : pae_plain(&f, loop);
    case CBT_LEGACY32: return checked ? legacy32_checked(&f, loop) : legacy32_plain(&f, loop);
  }
  __builtin_unreachable();
}
