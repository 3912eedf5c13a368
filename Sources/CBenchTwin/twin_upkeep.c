#include <stdlib.h>
#include <string.h>

#include "twin_format.h"

enum { EPT_TABLE = 0x107, EPT_WRITE = 2, EPT_LARGE = 0x80 };
#define MMU_WRITABLE (UINT64_C(1) << 58)

/// Second-level tables over `pages` pages, in host order: one of level 4, one of 3, then those of 2,
/// then those of 1.
struct cbt_upkeep {
  uint64_t pages, leaf_tables;
  uint64_t *entries;
  uint64_t *words;
  /// Table pages that are free, as numbers of pages in `entries`.
  uint64_t *free_tables;
  uint64_t free_count, directories;
};

static uint64_t *table_at(const cbt_upkeep *u, uint64_t entry) {
  return u->entries + ((entry & UINT64_C(0x000FFFFFFFFFF000)) >> 3);
}

cbt_upkeep *cbt_upkeep_make(uint64_t pages, bool large) {
  cbt_upkeep *u = calloc(1, sizeof *u);
  if (!u) return NULL;
  u->pages = pages;
  u->leaf_tables = (pages + 511) / 512;
  u->directories = (u->leaf_tables + 511) / 512;
  uint64_t tables = 2 + u->directories + u->leaf_tables;
  u->entries = aligned_alloc(4096, tables * 4096);
  u->words = calloc((pages + 63) / 64, 8);
  u->free_tables = calloc(u->leaf_tables, 8);
  if (!u->entries || !u->words || !u->free_tables) {
    cbt_upkeep_free(u);
    return NULL;
  }
  memset(u->entries, 0, tables * 4096);
  uint64_t first = 2 + u->directories;
  u->entries[0] = 1 << 12 | EPT_TABLE;
  for (uint64_t i = 0; i < u->directories; i++) u->entries[512 + i] = (2 + i) << 12 | EPT_TABLE;
  for (uint64_t i = 0; i < u->leaf_tables; i++) {
    uint64_t *entry = u->entries + 1024 + i;
    *entry = large ? (i + 1024) << 21 | MMU_WRITABLE | EPT_LARGE | 0x137 : (first + i) << 12 | EPT_TABLE;
  }
  if (!large)
    for (uint64_t i = 0; i < pages; i++)
      u->entries[first * 512 + i] = (i + (1 << 20)) << 12 | MMU_WRITABLE | 0x135;
  return u;
}

void cbt_upkeep_free(cbt_upkeep *u) {
  free(u->entries);
  free(u->words);
  free(u->free_tables);
  free(u);
}

void cbt_upkeep_write(cbt_upkeep *u, uint64_t step) {
  uint64_t *leaves = u->entries + (2 + u->directories) * 512;
  for (uint64_t page = 0; page < u->pages; page += step) {
    leaves[page] |= EPT_WRITE;
    u->words[page / 64] |= UINT64_C(1) << (page % 64);
  }
}

cbt_tally cbt_upkeep_run_round(cbt_upkeep *u, uint64_t *found) {
  cbt_tally tally = {0, 0};
  uint64_t count = (u->pages + 63) / 64, *table = NULL, covered = ~UINT64_C(0);
  for (uint64_t index = 0; index < count; index++) {
    found[index] = 0;
    if (!__atomic_load_n(&u->words[index], __ATOMIC_ACQUIRE)) continue;
    uint64_t word = __atomic_exchange_n(&u->words[index], 0, __ATOMIC_ACQ_REL);
    found[index] = word;
    tally.checksum += (uint64_t)__builtin_popcountll(word);
    uint64_t page = index * 64;
    if (page >> 9 != covered) {
      covered = page >> 9;
      table = u->entries;
      for (int level = 4; level > 1; level--) {
        uint64_t entry =
            __atomic_load_n(&table[page >> (9 * (level - 1)) & 0x1FF], __ATOMIC_ACQUIRE);
        if (!(entry & 7) || (entry & EPT_LARGE)) return (cbt_tally){0, 1};
        table = table_at(u, entry);
      }
    }
    for (; word; word &= word - 1) {
      uint64_t *leaf = &table[(page + (uint64_t)__builtin_ctzll(word)) & 0x1FF];
      __atomic_and_fetch(leaf, ~(uint64_t)EPT_WRITE, __ATOMIC_ACQ_REL);
    }
  }
  return tally;
}

void cbt_upkeep_collapse(cbt_upkeep *u) {
  u->free_count = 0;
  for (uint64_t i = 0; i < u->leaf_tables; i++) {
    u->entries[1024 + i] = (i + 1024) << 21 | MMU_WRITABLE | EPT_LARGE | 0x137;
    u->free_tables[u->free_count++] = 2 + u->directories + i;
  }
}

cbt_tally cbt_upkeep_run_split(cbt_upkeep *u) {
  cbt_tally tally = {0, 0};
  for (uint64_t i = 0; i < u->leaf_tables; i++) {
    uint64_t *place = u->entries + 1024 + i;
    uint64_t old = __atomic_load_n(place, __ATOMIC_ACQUIRE);
    if (!(old & EPT_LARGE) || !u->free_count) {
      tally.failures++;
      continue;
    }
    uint64_t page = u->free_tables[--u->free_count], *table = u->entries + page * 512;
    uint64_t small = old & ~(uint64_t)EPT_LARGE;
    for (uint64_t index = 0; index < 512; index++) table[index] = small | index << 12;
    if (__atomic_compare_exchange_n(
            place, &old, page << 12 | EPT_TABLE, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
      tally.checksum++;
    else
      tally.failures++;
  }
  return tally;
}
