#include <stdlib.h>

#include "twin_walk.h"

enum { SETS = 256, WAYS = 6 };

/// One cached translation of 4 KiB, with all that a hit is judged by.
typedef struct tlb_entry {
  uint64_t page, hpa, gpa, rights, tables, leaf;
  uint16_t tag;
  bool valid, global, dirty;
  /// Bit 0 read, 1 write, 2 execute.
  uint8_t host;
  uint8_t page_shift;
} tlb_entry;

struct cbt_tlb {
  tlb_entry entries[SETS * WAYS];
  unsigned next[SETS];
};

cbt_tlb *cbt_tlb_make(uint64_t base, uint64_t hpa, uint64_t count) {
  cbt_tlb *tlb = calloc(1, sizeof *tlb);
  if (!tlb) return NULL;
  for (uint64_t i = 0; i < count; i++) {
    uint64_t page = (base >> 12) + i;
    unsigned set = page % SETS, way = tlb->next[set]++ % WAYS;
    tlb->entries[set * WAYS + way] = (tlb_entry){
        .page = page,
        .hpa = hpa + (i << 12),
        .gpa = i << 12,
        .rights = ~UINT64_C(0),
        .tables = ~UINT64_C(0),
        .leaf = i << 12 | 0x67,
        .valid = true,
        .dirty = true,
        .host = 7,
        .page_shift = 12,
    };
  }
  return tlb;
}

void cbt_tlb_free(cbt_tlb *tlb) { free(tlb); }

INLINE const tlb_entry *look_up(
    const cbt_tlb *tlb, const twin_format *f, uint64_t va, uint16_t tag, uint8_t access) {
  if (UNLIKELY(f->special)) {
    if (special_address(f, &va, access)) return NULL;
  } else if (UNLIKELY(!is_canonical(16, va))) {
    return NULL;
  }
  uint64_t page = va >> 12;
  const tlb_entry *set = tlb->entries + page % SETS * WAYS;
  for (unsigned way = 0; way < WAYS; way++) {
    const tlb_entry *e = set + way;
    if (e->page != page || !e->valid || !(e->global || e->tag == tag)) continue;
    uint8_t needed = access & CBT_WRITE ? 2 : access & CBT_FETCH ? 4 : 1;
    if (!(e->host & needed) || ((access & CBT_WRITE) && !e->dirty)) return NULL;
    return permits(f, access, e->rights, e->tables, e->leaf) ? e : NULL;
  }
  return NULL;
}

cbt_tally cbt_run_tlb(const cbt_setup *setup, const cbt_tlb *tlb, const cbt_loop *loop) {
  const twin_format f = twin_make_format(setup);
  const twin_memory m = {loop->bytes, loop->size};
  const uint64_t mask = (UINT64_C(1) << loop->bits) - 1;
  const uint16_t tag = setup->cr4 >> 17 & 1 ? setup->cr3 & 0xFFF : 0;
  cbt_tally tally = {0, 0};
  for (uint64_t i = 0; i < loop->count; i++) {
    uint64_t va = loop->base + ((i * UINT64_C(0x9E3779B1) & mask) << 12);
    const tlb_entry *e = look_up(tlb, &f, va, tag, loop->accesses[i & 7]);
    uint64_t value;
    if (UNLIKELY(!e) || !load_entry(&m, e->hpa + (va & 0xFFF), true, &value)) {
      tally.failures++;
      continue;
    }
    tally.checksum += value ^ (e->gpa + (va & 0xFFF));
  }
  return tally;
}
