#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "twin_slots.h"

enum { PREVIOUS = 3, TLB_PLACES = 1536 };
#define NO_PAGE (~UINT64_C(0))

/// What a root of shadow tables is found by.
typedef struct twin_root {
  uint64_t table, page;
  uint32_t role;
  uint16_t tag;
  bool is_dummy;
} twin_root;

typedef struct twin_vcpu {
  pthread_mutex_t lock;
  twin_root current, previous[PREVIOUS];
  unsigned previous_count;
  uint64_t unsync_count, cr3, root;
  uint64_t pages[TLB_PLACES];
  bool is_global[TLB_PLACES];
} twin_vcpu;

INLINE bool is_same(const twin_root *a, const twin_root *b) {
  return a->table == b->table && a->role == b->role && a->tag == b->tag &&
         a->is_dummy == b->is_dummy;
}

/// Takes the wanted root from the last ones; false where it is not among them.
INLINE bool adopt(twin_vcpu *v, const twin_root *wanted) {
  if (is_same(&v->current, wanted)) return true;
  for (unsigned i = 0; i < v->previous_count; i++) {
    if (!is_same(&v->previous[i], wanted)) continue;
    twin_root found = v->previous[i];
    memmove(v->previous + 1, v->previous, i * sizeof found);
    v->previous[0] = v->current;
    v->current = found;
    v->root = found.page;
    return true;
  }
  return false;
}

cbt_tally cbt_run_switches(const cbt_setup *setup, const uint64_t *roots, uint64_t count) {
  const twin_format f = twin_make_format(setup);
  const twin_slot slots[] = {{0, UINT64_C(1) << 20, 1 << 13}};
  cbt_tally tally = {0, 0};
  twin_vcpu *v = calloc(1, sizeof *v);
  if (!v) return (cbt_tally){0, count};
  pthread_mutex_init(&v->lock, NULL);
  v->current = (twin_root){.table = roots[0], .page = 1, .role = 4};
  v->previous[0] = (twin_root){.table = roots[1], .page = 2, .role = 4};
  v->previous_count = 1;
  for (int i = 0; i < TLB_PLACES; i++) v->pages[i] = NO_PAGE;
  size_t hint = 0;
  for (uint64_t i = 1; i <= count; i++) {
    uint64_t cr3 = ((const volatile uint64_t *)roots)[i & 1];
    if (cr3 & ~(f.address_mask | 0xFFF)) {
      tally.failures++;
      continue;
    }
    v->cr3 = cr3;
    for (int place = 0; place < TLB_PLACES; place++)
      v->pages[place] = v->is_global[place] ? v->pages[place] : NO_PAGE;
    pthread_mutex_lock(&v->lock);
    uint64_t table = cr3 & f.address_mask;
    const twin_slot *slot = find_slot(slots, 1, &hint, table >> 12);
    twin_root wanted = {.table = table, .role = 4, .is_dummy = !slot};
    if (v->unsync_count || !adopt(v, &wanted)) tally.failures++;
    pthread_mutex_unlock(&v->lock);
    tally.checksum += cr3;
  }
  pthread_mutex_destroy(&v->lock);
  free(v);
  return tally;
}
