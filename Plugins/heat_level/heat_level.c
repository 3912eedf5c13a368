/*
 * heat_level: pages by heat. Where writes fault often, memory is mapped in small pages, so that a dirty
 * log stays exact there; what is cold gets the large pages that it may have.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Heat is kept per 2 MiB of guest memory, in a table of fixed size: a write fault adds 1; every
 * `half-life` faults of the machine all heat is halved. A region that loses its place starts cold.
 *
 * Settings:
 *   hot         write faults that make a region hot, 1 to 1000000; 4 by default
 *   half-life   faults, 1 to 2^32; 4096 by default
 *
 * Counts small, large: regions' answers.
 */
#include "mmu_plugin_settings.h"

enum { PLACES = 4096 };

struct heat {
  const struct mmu_plugin_host *host;
  uint64_t hot, half_life, faults;
  struct {
    uint64_t region;
    uint32_t writes;
  } places[PLACES];
};

static int32_t start(const struct mmu_plugin_host *host, void **context) {
  struct heat *heat;
  if (host->struct_size < sizeof *host) return MMU_PLUGIN_DECLINED;
  heat = calloc(1, sizeof *heat);
  if (!heat) return MMU_PLUGIN_FAILED;
  heat->host = host;
  heat->hot = 4;
  heat->half_life = 4096;
  if (mmu_plugin_number(host, "hot", 1, 1000000, &heat->hot) ||
      mmu_plugin_number(host, "half-life", 1, UINT64_C(1) << 32, &heat->half_life)) {
    free(heat);
    return MMU_PLUGIN_DECLINED;
  }
  *context = heat;
  return MMU_PLUGIN_OK;
}

static void stop(void *context) { free(context); }

static void cool(struct heat *heat) {
  for (unsigned i = 0; i < PLACES; i++) heat->places[i].writes /= 2;
}

MMU_PLUGIN_EXPORT uint32_t heat_level(
    void *context, uint64_t gpa, uint32_t access, uint32_t largest_level) {
  struct heat *heat = context;
  uint64_t region = gpa >> 21;
  unsigned place = (unsigned)((region * UINT64_C(0x9e3779b97f4a7c15)) >> 52) % PLACES;
  int is_hot;
  if (++heat->faults % heat->half_life == 0) cool(heat);
  if (heat->places[place].region != region) {
    heat->places[place].region = region;
    heat->places[place].writes = 0;
  }
  if (access == MMU_PLUGIN_WRITE && heat->places[place].writes < UINT32_MAX)
    heat->places[place].writes++;
  is_hot = heat->places[place].writes >= heat->hot;
  heat->host->count(heat->host->host, is_hot ? "small" : "large", 1);
  /* A page larger than a region would join hot memory with cold. */
  return is_hot ? 1 : largest_level > 2 ? 2 : largest_level;
}

static const struct mmu_plugin_hook hooks[] = {
    {"mapping_level", "heat_level", "u32(ptr context, u64 gpa, u32 access, u32 largest_level)"},
};

/* The heat is not shared among threads: no flag, so the host calls under a lock. */
const struct mmu_plugin mmu_plugin_manifest = {
    MMU_PLUGIN_HEADER,
    .name = "heat_level",
    .version = "1.0",
    .init = start,
    .fini = stop,
    MMU_PLUGIN_HOOKS(hooks),
};
