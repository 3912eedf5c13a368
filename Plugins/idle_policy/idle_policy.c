/*
 * idle_policy: the smallest plugin. It answers what would happen without it, so what it costs is what
 * calling a plugin costs; `mmu bench plugin.call` measures that.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mmu_plugin.h"

MMU_PLUGIN_EXPORT struct mmu_plugin_verdict idle_verdict(uint64_t gpa, uint32_t access) {
  (void)gpa;
  (void)access;
  return (struct mmu_plugin_verdict){MMU_PLUGIN_PROCEED, 0, 0};
}

MMU_PLUGIN_EXPORT struct mmu_plugin_mmio_mask idle_mask(
    uint64_t default_value, uint64_t default_mask, uint64_t default_access) {
  return (struct mmu_plugin_mmio_mask){default_value, default_mask, default_access};
}

static const struct mmu_plugin_hook hooks[] = {
    {"fault_policy", "idle_verdict", "{u32 verdict; u32 vector; u32 error;}(u64 gpa, u32 access)"},
    {"mmio_spte_mask", "idle_mask",
     "{u64 value; u64 mask; u64 access;}(u64 default_value, u64 default_mask, u64 default_access)"},
};

MMU_PLUGIN_EXPORT const struct mmu_plugin mmu_plugin_manifest = {
    MMU_PLUGIN_HEADER,
    .name = "idle_policy",
    .version = "1.0",
    .flags = MMU_PLUGIN_THREAD_SAFE,
    MMU_PLUGIN_HOOKS(hooks),
};
