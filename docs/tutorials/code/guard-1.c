#include "mmu_plugin.h"

MMU_PLUGIN_EXPORT uint32_t guard_verdict(uint64_t gpa) {
  return gpa < 0x1000 ? MMU_PLUGIN_DENY : MMU_PLUGIN_PROCEED;
}
