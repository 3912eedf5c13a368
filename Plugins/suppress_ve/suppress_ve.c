/*
 * suppress_ve: MMIO entries of EPT with "suppress #VE" set, as a machine needs whose guest may turn
 * EPT violations into #VE: the bit says that this one is the host's.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Needs no settings and no context. MMIO entries are write and execute without read, as the host's are.
 */
#include <string.h>

#include "mmu_plugin.h"

MMU_PLUGIN_EXPORT struct mmu_plugin_mmio_mask suppress_ve_mask(
    const char *encoder, uint64_t default_value, uint64_t default_mask, uint64_t default_access) {
  const uint64_t suppress_ve = UINT64_C(1) << 63;
  struct mmu_plugin_mmio_mask answer = {default_value, default_mask, default_access};
  if (strcmp(encoder, "ept") != 0) return answer;
  answer.value = suppress_ve | 6;
  answer.mask = suppress_ve | 7;
  answer.access = 0;
  return answer;
}

static const struct mmu_plugin_hook hooks[] = {
    {"mmio_spte_mask", "suppress_ve_mask",
     "{u64 value; u64 mask; u64 access;}(cstr encoder, u64 default_value, u64 default_mask, "
     "u64 default_access)"},
};

const struct mmu_plugin mmu_plugin_manifest = {
    MMU_PLUGIN_HEADER,
    .name = "suppress_ve",
    .version = "1.0",
    .flags = MMU_PLUGIN_THREAD_SAFE,
    MMU_PLUGIN_HOOKS(hooks),
};
