/// Memslots: sorted, never overlapping.
#ifndef TWIN_SLOTS_H
#define TWIN_SLOTS_H

#include "twin_format.h"

/// `count` frames from `base`, at `host`.
typedef struct twin_slot {
  uint64_t base, count, host;
} twin_slot;

/// The slot of a frame, the one found last tried first.
INLINE const twin_slot *find_slot(
    const twin_slot *slots, size_t count, size_t *hint, uint64_t frame) {
  if (frame - slots[*hint].base < slots[*hint].count) return &slots[*hint];
  size_t low = 0, high = count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (slots[middle].base + slots[middle].count > frame)
      high = middle;
    else
      low = middle + 1;
  }
  if (low == count || frame < slots[low].base) return NULL;
  *hint = low;
  return &slots[low];
}

#endif
