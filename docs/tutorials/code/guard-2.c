#include "mmu_plugin.h"

MMU_PLUGIN_EXPORT uint32_t guard_verdict(uint64_t gpa) {
  return gpa < 0x1000 ? MMU_PLUGIN_DENY : MMU_PLUGIN_PROCEED;
}

static const struct mmu_plugin_hook hooks[] = {
    {"fault_policy", "guard_verdict", "u32(u64 gpa)"},
};

MMU_PLUGIN_EXPORT const struct mmu_plugin mmu_plugin_manifest = {
    MMU_PLUGIN_HEADER,
    .name = "guard",
    .version = "0.1",
    .flags = MMU_PLUGIN_THREAD_SAFE,
    MMU_PLUGIN_HOOKS(hooks),
};
