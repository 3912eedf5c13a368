#include <pthread.h>
#include <stdlib.h>

#include "twin_slots.h"
#include "twin_walk.h"

#define HOST_WRITABLE (UINT64_C(1) << 57)
#define MMU_WRITABLE (UINT64_C(1) << 58)
#define MMU_PRESENT (UINT64_C(1) << 11)

/// The leaves beside one in the list of its frame; 1 + the number of the leaf, 0 for none.
typedef struct twin_link {
  uint32_t next, previous;
} twin_link;

/// Guest physical memory: the guest's tables from 0 (top, one below, directories, leaf tables), then
/// the data. Host memory: the guest's tables, the shadow's in the same order, then the data, of which
/// nothing is touched. A leaf's number is that of its page.
struct cbt_shadow {
  pthread_mutex_t lock;
  twin_format guest, host;
  twin_memory memory;
  uint64_t base, pages, data_tables, guest_tables, guest_leaves, shadow_leaves, host_bytes;
  twin_slot *slots;
  size_t slot_count, hint;
  uint64_t *frames;
  twin_link *links;
  uint32_t *heads;
  unsigned head_bits;
  /// By the guest's leaf table.
  bool *is_unsync;
  bool needs_flush;
};

static void set_entry(cbt_shadow *s, uint64_t place, uint64_t value) {
  __atomic_store_n((uint64_t *)(s->memory.bytes + place), value, __ATOMIC_RELEASE);
}

static uint64_t get_entry(const cbt_shadow *s, uint64_t place) {
  return __atomic_load_n((const uint64_t *)(s->memory.bytes + place), __ATOMIC_ACQUIRE);
}

/// Links `tops` tables above directories and leaf tables from host address `at`; what tables are
/// called is `at` less.
static uint64_t lay_out(
    cbt_shadow *s, uint64_t at, uint64_t name, int tops, uint64_t directories, uint64_t leaves) {
  uint64_t next = at;
  for (int level = 2 + tops; level > 3; level--, next += 4096) {
    uint64_t index = s->base >> (3 + 9 * level) & 0x1FF;
    set_entry(s, next + index * 8, (next + 4096 - name) | 0x67);
  }
  uint64_t first = next + 4096 + directories * 4096;
  for (uint64_t i = 0; i < directories; i++)
    set_entry(s, next + (s->base >> 30 & 0x1FF) * 8 + i * 8, (next + (i + 1) * 4096 - name) | 0x67);
  for (uint64_t i = 0; i < leaves; i++)
    set_entry(s, next + 4096 + i * 8, (first + i * 4096 - name) | 0x67);
  return first;
}

cbt_shadow *cbt_shadow_make(
    const cbt_setup *setup, uint64_t base, uint64_t pages, uint64_t slots) {
  cbt_shadow *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  pthread_mutex_init(&s->lock, NULL);
  s->base = base;
  s->pages = pages;
  s->data_tables = (pages + 511) / 512;
  uint64_t mapped = pages + s->data_tables;
  uint64_t leaves = (mapped + 511) / 512, directories = (leaves + 511) / 512;
  s->guest_tables = 2 + directories + leaves;
  uint64_t table_bytes = (s->guest_tables * 2 + 1) << 12;
  s->host_bytes = table_bytes + (pages << 12);
  while (UINT64_C(1) << s->head_bits < mapped) s->head_bits++;
  s->slot_count = slots + 1;
  s->memory = (twin_memory){aligned_alloc(4096, table_bytes), table_bytes};
  s->slots = calloc(s->slot_count, sizeof *s->slots);
  s->frames = calloc(mapped, sizeof *s->frames);
  s->links = calloc(mapped, sizeof *s->links);
  s->heads = calloc(UINT64_C(1) << s->head_bits, sizeof *s->heads);
  s->is_unsync = calloc(s->data_tables, sizeof *s->is_unsync);
  if (!s->memory.bytes || !s->slots || !s->frames || !s->links || !s->heads || !s->is_unsync) {
    cbt_shadow_free(s);
    return NULL;
  }
  memset(s->memory.bytes, 0, table_bytes);
  cbt_setup own = *setup;
  own.mode = CBT_LONG4;
  own.cr3 = 0;
  s->guest = twin_make_format(&own);
  own.mode = CBT_LONG5;
  own.cr3 = s->guest_tables << 12;
  s->host = twin_make_format(&own);
  s->guest_leaves = lay_out(s, 0, 0, 2, directories, leaves);
  s->shadow_leaves = lay_out(s, own.cr3, 0, 3, directories, leaves);
  uint64_t data = s->guest_tables;
  for (uint64_t i = 0; i < mapped; i++) {
    uint64_t gpa = i < pages ? (data + i) << 12 : s->guest_leaves + ((i - pages) << 12);
    set_entry(s, s->guest_leaves + i * 8, gpa | 0x67);
  }
  s->slots[0] = (twin_slot){0, data, 0};
  uint64_t share = pages / slots;
  for (uint64_t i = 0; i < slots; i++) {
    uint64_t count = i == slots - 1 ? pages - i * share : share;
    s->slots[i + 1] = (twin_slot){data + i * share, count, (table_bytes >> 12) + i * share};
  }
  return s;
}

void cbt_shadow_free(cbt_shadow *s) {
  pthread_mutex_destroy(&s->lock);
  free(s->memory.bytes);
  free(s->slots);
  free(s->frames);
  free(s->links);
  free(s->heads);
  free(s->is_unsync);
  free(s);
}

INLINE uint32_t *head_of(cbt_shadow *s, uint64_t frame) {
  return &s->heads[frame * UINT64_C(0x9E3779B97F4A7C15) >> (64 - s->head_bits)];
}

INLINE void link_leaf(cbt_shadow *s, uint64_t number, uint64_t frame) {
  uint32_t *head = head_of(s, frame);
  s->frames[number] = frame;
  s->links[number] = (twin_link){*head, 0};
  if (*head) s->links[*head - 1].previous = (uint32_t)number + 1;
  *head = (uint32_t)number + 1;
}

static void unlink_leaf(cbt_shadow *s, uint64_t number) {
  twin_link link = s->links[number];
  if (link.next) s->links[link.next - 1].previous = link.previous;
  if (link.previous)
    s->links[link.previous - 1].next = link.next;
  else
    *head_of(s, s->frames[number]) = link.next;
}

/// Whether leaves of a frame may be writable: it is no table, or one that is out of step.
INLINE bool may_write(const cbt_shadow *s, uint64_t frame) {
  if (LIKELY(frame >= s->guest_tables)) return true;
  uint64_t table = frame - (s->guest_leaves >> 12);
  return frame >= s->guest_leaves >> 12 && table < s->data_tables && s->is_unsync[table];
}

/// The leaf of a frame; 0 where no host memory is behind it.
INLINE uint64_t make_leaf(
    const cbt_shadow *s, const twin_slot *slot, uint64_t frame, uint64_t rights, uint64_t entry) {
  uint64_t bytes = (slot->host + (frame - slot->base)) << 12;
  if (UNLIKELY(bytes > s->host_bytes - 4096)) return 0;
  uint64_t leaf = bytes | PRESENT | ACCESSED | MMU_PRESENT | HOST_WRITABLE | (rights & USER);
  if (!(rights & EXECUTE)) leaf |= EXECUTE;
  if ((rights & WRITABLE) && (entry & DIRTY) && may_write(s, frame)) leaf |= MMU_WRITABLE | WRITABLE;
  return leaf;
}

static bool fault(cbt_shadow *s, uint64_t page, uint8_t access) {
  const twin_memory *m = &s->memory;
  uint64_t va = s->base + (page << 12);
  if (twin_walk(&s->host, m, CBT_LONG5, true, va, access).cause != NOT_PRESENT) return false;
  uint64_t places[5], entries[5];
  uint64_t table = s->guest.root, rights = ~UINT64_C(0), tables = rights, all = rights, entry = 0;
  for (int level = 4; level >= 1; level--) {
    uint64_t gpa = table + (va >> (3 + 9 * level) & 0x1FF) * 8;
    const twin_slot *slot = find_slot(s->slots, s->slot_count, &s->hint, gpa >> 12);
    if (UNLIKELY(!slot)) return false;
    uint64_t place = (slot->host + ((gpa >> 12) - slot->base)) << 12 | (gpa & 0xFFF);
    if (!load_entry(m, place, true, &entry)) return false;
    if (UNLIKELY(entry_kind(&s->guest, CBT_LONG4, entry, level) != (level == 1 ? 3 : 2)))
      return false;
    places[level] = place;
    entries[level] = entry;
    tables = rights;
    rights &= entry ^ EXECUTE;
    all &= entry;
    table = entry & s->guest.address_mask;
  }
  if (!permits(&s->guest, access, rights, tables, entry) || !(all & ACCESSED)) return false;
  uint64_t frame = (entry & s->guest.address_mask) >> 12;
  const twin_slot *slot = find_slot(s->slots, s->slot_count, &s->hint, frame);
  if (UNLIKELY(!slot)) return false;
  uint64_t place = 0, old = 0;
  table = s->host.root;
  for (int level = 5; level >= 1; level--) {
    // The guest may have changed its entry since it was read.
    if (level < 5 && ((get_entry(s, places[level]) ^ entries[level]) & ~(uint64_t)(ACCESSED | DIRTY)))
      return false;
    place = table + (va >> (3 + 9 * level) & 0x1FF) * 8;
    if (!load_entry(m, place, true, &old)) return false;
    if (level == 1) break;
    if (!(old & PRESENT) || (old & LARGE)) return false;
    table = old & s->host.address_mask;
  }
  uint64_t leaf = make_leaf(s, slot, frame, rights, entry);
  if (UNLIKELY(!leaf || (old & PRESENT))) return false;
  link_leaf(s, page, frame);
  set_entry(s, place, leaf);
  return true;
}

cbt_tally cbt_shadow_run_faults(cbt_shadow *s, const uint32_t *pages, uint64_t count) {
  cbt_tally tally = {0, 0};
  for (uint64_t i = 0; i < count; i++) {
    pthread_mutex_lock(&s->lock);
    bool done = fault(s, pages[i], CBT_USER);
    pthread_mutex_unlock(&s->lock);
    if (done)
      tally.checksum += pages[i];
    else
      tally.failures++;
  }
  return tally;
}

void cbt_shadow_drop(cbt_shadow *s, const uint32_t *pages, uint64_t count) {
  for (uint64_t i = 0; i < count; i++) {
    uint64_t place = s->shadow_leaves + (uint64_t)pages[i] * 8;
    if (!(get_entry(s, place) & PRESENT)) continue;
    unlink_leaf(s, pages[i]);
    set_entry(s, place, 0);
  }
}

void cbt_shadow_unsync(cbt_shadow *s) {
  for (uint64_t table = 0; table < s->data_tables; table++) {
    uint64_t alias = s->shadow_leaves + (s->pages + table) * 8;
    if (!(get_entry(s, alias) & PRESENT)) fault(s, s->pages + table, CBT_USER);
    s->is_unsync[table] = true;
    set_entry(s, alias, get_entry(s, alias) | MMU_WRITABLE | WRITABLE);
    uint64_t place = s->guest_leaves + table * 4096;
    set_entry(s, place, get_entry(s, place) ^ WRITABLE);
  }
}

/// Brings one table in step; how many entries changed.
static uint64_t sync_table(cbt_shadow *s, uint64_t table) {
  uint64_t gfn = (s->guest_leaves >> 12) + table;
  for (uint32_t next = *head_of(s, gfn); next; next = s->links[next - 1].next) {
    if (s->frames[next - 1] != gfn) continue;
    uint64_t *place = (uint64_t *)(s->memory.bytes + s->shadow_leaves) + (next - 1);
    __atomic_and_fetch(place, ~(uint64_t)(MMU_WRITABLE | WRITABLE | DIRTY), __ATOMIC_ACQ_REL);
    s->needs_flush = true;
  }
  s->is_unsync[table] = false;
  uint64_t changed = 0;
  for (uint64_t number = table * 512; number < (table + 1) * 512; number++) {
    uint64_t place = s->shadow_leaves + number * 8, old = get_entry(s, place);
    if (!(old & PRESENT)) continue;
    uint64_t entry = get_entry(s, s->guest_leaves + number * 8);
    uint64_t frame = (entry & s->guest.address_mask) >> 12, leaf = 0;
    const twin_slot *slot = NULL;
    if (LIKELY(
            entry_kind(&s->guest, CBT_LONG4, entry, 1) == 3 && (entry & ACCESSED) &&
            frame == s->frames[number]))
      slot = find_slot(s->slots, s->slot_count, &s->hint, frame);
    if (LIKELY(slot)) leaf = make_leaf(s, slot, frame, entry ^ EXECUTE, entry);
    if (LIKELY(!((old ^ leaf) & ~(uint64_t)(ACCESSED | DIRTY)))) continue;
    if (!leaf) unlink_leaf(s, number);
    if (old & ~leaf & WRITABLE) s->needs_flush = true;
    set_entry(s, place, leaf);
    changed++;
  }
  return changed;
}

cbt_tally cbt_shadow_run_sync(cbt_shadow *s) {
  cbt_tally tally = {0, 0};
  pthread_mutex_lock(&s->lock);
  for (uint64_t table = 0; table < s->data_tables; table++) {
    if (!s->is_unsync[table] || sync_table(s, table) != 1) tally.failures++;
    tally.checksum++;
  }
  pthread_mutex_unlock(&s->lock);
  return tally;
}
