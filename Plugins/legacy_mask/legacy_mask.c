/*
 * legacy_mask: the MMIO masks of 2011, as far as today's entries have room for them.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * In 2011 an MMIO entry had no generation: EPT used bits 56:49 with value 6 below, all other tables
 * the reserved bits 62:MAXPHYADDR with P. Bits 62:52 hold the generation now.
 *
 * Settings:
 *   form   trimmed (default): the part of the old mask in bits 51:MAXPHYADDR; where nothing of it is
 *          left, the host's own mask, and a line that says why.
 *          exact: the old mask, which the host refuses with the bits in the way and their owner,
 *          unless its layout has no generation.
 */
#include <string.h>

#include "mmu_plugin_settings.h"

struct legacy {
  const struct mmu_plugin_host *host;
  int is_exact;
};

static const uint64_t present = 1;
static const uint64_t rights = 7;
static const uint64_t bit63 = UINT64_C(1) << 63;

/* Bits high to low, both included; none where high < low. */
static uint64_t run(unsigned high, unsigned low) {
  return high < low ? 0 : (~UINT64_C(0) >> (63 - high)) & (~UINT64_C(0) << low);
}

static int32_t start(const struct mmu_plugin_host *host, void **context) {
  struct legacy *legacy;
  const char *form;
  if (host->struct_size < sizeof *host) return MMU_PLUGIN_DECLINED;
  form = host->setting(host->host, "form");
  if (form && strcmp(form, "trimmed") && strcmp(form, "exact"))
    return mmu_plugin_refuse(host, "form", form);
  legacy = calloc(1, sizeof *legacy);
  if (!legacy) return MMU_PLUGIN_FAILED;
  legacy->host = host;
  legacy->is_exact = form && !strcmp(form, "exact");
  *context = legacy;
  return MMU_PLUGIN_OK;
}

static void stop(void *context) { free(context); }

MMU_PLUGIN_EXPORT struct mmu_plugin_mmio_mask legacy_mask(
    void *context, const char *encoder, uint32_t maxphyaddr, uint64_t default_value,
    uint64_t default_mask, uint64_t default_access) {
  const struct legacy *legacy = context;
  const struct mmu_plugin_host *host = legacy->host;
  struct mmu_plugin_mmio_mask answer = {default_value, default_mask, default_access};
  int is_ept = !strcmp(encoder, "ept");
  uint64_t old = is_ept ? run(56, 49) | 6 : run(62, maxphyaddr) | (maxphyaddr < 52 ? present : 0);
  uint64_t kept = old & (run(51, maxphyaddr) | rights);
  char line[160];
  if (!is_ept && strcmp(encoder, "npt") && strcmp(encoder, "shadow")) return answer;
  if (legacy->is_exact) {
    answer.value = old;
    answer.mask = old | (is_ept ? rights | bit63 : 0);
    answer.access = 0;
    return answer;
  }
  if (!(kept & ~rights)) {
    snprintf(
        line, sizeof line, "%s, MAXPHYADDR %u: no bit of the old mask 0x%llx is free; kept as it was",
        encoder, maxphyaddr, (unsigned long long)old);
    host->log(host->host, MMU_PLUGIN_WARNING, line);
    return answer;
  }
  answer.value = kept;
  answer.mask = kept | (is_ept ? rights | bit63 : present);
  answer.access = is_ept ? 0 : 6;
  snprintf(
      line, sizeof line, "%s, MAXPHYADDR %u: 0x%llx of the old mask 0x%llx", encoder, maxphyaddr,
      (unsigned long long)kept, (unsigned long long)old);
  host->log(host->host, MMU_PLUGIN_INFO, line);
  return answer;
}

static const struct mmu_plugin_hook hooks[] = {
    {"mmio_spte_mask", "legacy_mask",
     "{u64 value; u64 mask; u64 access;}(ptr context, cstr encoder, u32 maxphyaddr, "
     "u64 default_value, u64 default_mask, u64 default_access)"},
};

const struct mmu_plugin mmu_plugin_manifest = {
    MMU_PLUGIN_HEADER,
    .name = "legacy_mask",
    .version = "1.0",
    .flags = MMU_PLUGIN_THREAD_SAFE,
    .init = start,
    .fini = stop,
    MMU_PLUGIN_HOOKS(hooks),
};
