/// The C side of the benchmarks: walks with the same checks as the library's, written to be fast.
#ifndef CBENCHTWIN_H
#define CBENCHTWIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// The paging modes that have a twin.
typedef enum cbt_mode { CBT_LONG4, CBT_LONG5, CBT_PAE, CBT_LEGACY32 } cbt_mode;

/// How the addresses of a loop follow each other.
typedef enum cbt_pattern {
  CBT_RANDOM,
  CBT_SEQUENTIAL,
  /// Random, and each address depends on the last result.
  CBT_LATENCY,
} cbt_pattern;

/// What the timed function does per address.
typedef enum cbt_work {
  /// Follows the entries, checks them, folds rights; judges and marks nothing.
  CBT_PLAIN,
  /// Judges the access, then sets A and D.
  CBT_CHECKED,
  /// As checked, through a call that the compiler may not inline.
  CBT_CHECKED_CALL,
  /// Loads the entries and checks nothing: the limit of any four-level walk.
  CBT_LOADS,
} cbt_work;

/// Bits of an access.
enum {
  CBT_WRITE = 1,
  CBT_FETCH = 2,
  CBT_USER = 4,
  CBT_IMPLICIT = 8,
  CBT_ALIGNMENT_CHECK = 16,
  CBT_STACK = 32,
  CBT_SHADOW_STACK = 64,
};

/// Registers and processor features; all features but the ones named here are present.
typedef struct cbt_setup {
  cbt_mode mode;
  bool amd;
  bool gigabyte_pages;
  uint8_t physical_width;
  uint64_t cr0, cr3, cr4, efer;
  uint32_t pkru, pkrs;
  /// The PDPTE registers, for PAE.
  uint64_t pdptes[4];
} cbt_setup;

/// One timed loop.
typedef struct cbt_loop {
  cbt_work work;
  cbt_pattern pattern;
  /// The tables: `size` bytes whose first byte is address 0.
  void *bytes;
  uint64_t size;
  /// The addresses are `base` plus an offset of `bits` bits.
  uint64_t base;
  unsigned bits;
  /// Eight accesses, used in turn.
  uint8_t accesses[8];
  /// Number of walks.
  uint64_t count;
} cbt_loop;

/// What a loop found: equal for equal loops, whatever the language.
typedef struct cbt_tally {
  uint64_t checksum;
  uint64_t failures;
} cbt_tally;

/// Runs one loop.
cbt_tally cbt_run(const cbt_setup *setup, const cbt_loop *loop);

/// An EPT behind the guest's tables.
typedef struct cbt_ept {
  uint64_t root;
  uint8_t physical_width;
  bool execute_only, pages_2m, pages_1g, accessed_dirty;
} cbt_ept;

/// Runs one loop of checked walks through both levels; the guest is long4, the pattern random.
cbt_tally cbt_run_nested(const cbt_setup *setup, const cbt_ept *ept, const cbt_loop *loop);

/// A TLB of 1,536 entries in 6 ways.
typedef struct cbt_tlb cbt_tlb;

/// A TLB with `count` pages from `base` at `hpa`, GPA 0 and so on; NULL without memory.
cbt_tlb *cbt_tlb_make(uint64_t base, uint64_t hpa, uint64_t count);
void cbt_tlb_free(cbt_tlb *tlb);

/// Reads 8 bytes of one of 2^bits pages at a time, each found in the TLB and judged.
cbt_tally cbt_run_tlb(const cbt_setup *setup, const cbt_tlb *tlb, const cbt_loop *loop);

/// Takes one fault on each of `count` of 2^bits pages of guest memory that have tables and no leaf:
/// walks the EPT, finds the slot, goes down and installs a leaf. `base` is where in the buffer the
/// slot's memory begins.
cbt_tally cbt_run_faults(const cbt_ept *ept, const cbt_loop *loop);

/// A device outside the memslots of a guest behind an EPT.
typedef struct cbt_mmio {
  /// What the EPT's entries for it have under a mask, and the generation that they hold.
  uint64_t value, mask, generation;
  /// The frames of RAM, from 0, and where in the buffer they are.
  uint64_t ram_frames, ram_base;
  uint64_t device, device_bytes;
} cbt_mmio;

/// Reads 8 bytes of one of 2^bits pages of a device at a time, none of which is in the TLB: the walk of
/// both levels, the exit, the entry or, where there is none, the slots and a new entry, the guest's
/// tables walked by software, the bus, the device.
cbt_tally cbt_run_mmio(
    const cbt_setup *setup, const cbt_ept *ept, const cbt_mmio *mmio, const cbt_loop *loop);

/// Takes the EPT's entries for those pages away.
void cbt_mmio_drop(
    const cbt_setup *setup, const cbt_ept *ept, const cbt_mmio *mmio, const cbt_loop *loop);

/// A guest of four levels under shadow tables of five, with memslots and a map from frames to leaves.
typedef struct cbt_shadow cbt_shadow;

/// Pages from `base` on lead to `pages` pages of data, shared out among `slots` memslots, and the ones
/// after them to the guest's own leaf tables; the shadow's tables are linked and hold no leaf. NULL
/// without memory.
cbt_shadow *cbt_shadow_make(
    const cbt_setup *setup, uint64_t base, uint64_t pages, uint64_t slots);
void cbt_shadow_free(cbt_shadow *shadow);

/// Takes the leaves of pages away.
void cbt_shadow_drop(cbt_shadow *shadow, const uint32_t *pages, uint64_t count);

/// Takes one fault on each page: the shadow's walk, the guest's with a slot for each entry, the slot,
/// the way down with each of the guest's entries read again, the leaf, its place in the map.
cbt_tally cbt_shadow_run_faults(cbt_shadow *shadow, const uint32_t *pages, uint64_t count);

/// Has the guest change one entry of each leaf table of its data, which is out of step then.
void cbt_shadow_unsync(cbt_shadow *shadow);

/// Brings those tables in step: write protection, then entry by entry.
cbt_tally cbt_shadow_run_sync(cbt_shadow *shadow);

/// Moves CR3 to and fro between two roots that the vCPU remembers.
cbt_tally cbt_run_switches(const cbt_setup *setup, const uint64_t *roots, uint64_t count);

/// Tables of a second level and a log of writes.
typedef struct cbt_upkeep cbt_upkeep;

/// Tables over `pages` pages, of 4 KiB and write-protected, or of 2 MiB; NULL without memory.
cbt_upkeep *cbt_upkeep_make(uint64_t pages, bool large);
void cbt_upkeep_free(cbt_upkeep *upkeep);

/// Marks every page of that distance as written, and lets it be written.
void cbt_upkeep_write(cbt_upkeep *upkeep, uint64_t step);

/// Takes the log and protects what it names; `found` has room for a bit a page.
cbt_tally cbt_upkeep_run_round(cbt_upkeep *upkeep, uint64_t *found);

/// Puts the large pages back.
void cbt_upkeep_collapse(cbt_upkeep *upkeep);

/// Splits every large page into 512 entries.
cbt_tally cbt_upkeep_run_split(cbt_upkeep *upkeep);

/// Two functions of a shared object, prepared for libffi.
typedef struct cbt_ffi cbt_ffi;

/// Loads a shared object; NULL where that fails.
cbt_ffi *cbt_ffi_open(const char *path, const char *verdict, const char *mask);
void cbt_ffi_close(cbt_ffi *functions);

/// Calls them `count` times through `ffi_call`: seven verdicts for each mask.
cbt_tally cbt_run_ffi(cbt_ffi *functions, uint64_t count);

#endif
