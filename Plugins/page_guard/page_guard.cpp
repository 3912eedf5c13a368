// page_guard: takes permissions away from ranges of guest frames, in C++.
//
// SPDX-License-Identifier: Apache-2.0
//
// Settings:
//   read-only    ranges of addresses that lose write, such as "0x1000-0x3000 0x8000-0x9000"
//   no-execute   ranges that lose execute
//
// An exception must not reach the host: every function that could see one catches it.
#include <cstdlib>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "mmu_plugin.h"

namespace {

struct Range {
  std::uint64_t first, end;
  std::uint32_t taken;
};

class Guard {
 public:
  explicit Guard(const mmu_plugin_host *host) : host_(host) {
    add("read-only", MMU_PLUGIN_MAY_WRITE);
    add("no-execute", MMU_PLUGIN_MAY_EXECUTE);
  }

  std::uint32_t taken(std::uint64_t gfn) const {
    std::uint32_t result = 0;
    for (const Range &range : ranges_)
      if (gfn >= range.first && gfn < range.end) result |= range.taken;
    if (result) host_->count(host_->host, "guarded", 1);
    return result;
  }

  // A page that joins guarded frames with others would give both what one has.
  std::uint32_t level(std::uint64_t gpa, std::uint32_t largest) const {
    while (largest > 1) {
      const unsigned shift = 9 * (largest - 1);
      const std::uint64_t first = gpa >> 12 >> shift << shift, end = first + (1ULL << shift);
      bool touches = false;
      for (const Range &range : ranges_) touches |= range.first < end && first < range.end;
      if (!touches) break;
      largest--;
    }
    return largest;
  }

 private:
  void add(const char *key, std::uint32_t taken) {
    const char *text = host_->setting(host_->host, key);
    while (text && *text) {
      char *end = nullptr;
      const std::uint64_t first = std::strtoull(text, &end, 0);
      if (end == text || *end != '-') throw std::string(key);
      text = end + 1;
      const std::uint64_t last = std::strtoull(text, &end, 0);
      if (end == text || last <= first || (*end && *end != ' ')) throw std::string(key);
      ranges_.push_back({first >> 12, (last + 0xFFF) >> 12, taken});
      for (text = end; *text == ' ';) text++;
    }
  }

  const mmu_plugin_host *host_;
  std::vector<Range> ranges_;
};

std::int32_t start(const mmu_plugin_host *host, void **context) {
  if (host->struct_size < sizeof *host) return MMU_PLUGIN_DECLINED;
  try {
    *context = new Guard(host);
    return MMU_PLUGIN_OK;
  } catch (const std::string &key) {
    host->log(host->host, MMU_PLUGIN_ERROR, ("setting " + key + " is not understood").c_str());
    return MMU_PLUGIN_DECLINED;
  } catch (const std::exception &) {
    return MMU_PLUGIN_FAILED;
  }
}

void stop(void *context) { delete static_cast<Guard *>(context); }

constexpr mmu_plugin_hook hooks[] = {
    {"gfn_access", "page_guard_access", "u32(ptr context, u64 gfn)"},
    {"mapping_level", "page_guard_level", "u32(ptr context, u64 gpa, u32 largest_level)"},
};

}  // namespace

extern "C" {

MMU_PLUGIN_EXPORT std::uint32_t page_guard_access(void *context, std::uint64_t gfn) {
  return static_cast<const Guard *>(context)->taken(gfn);
}

MMU_PLUGIN_EXPORT std::uint32_t page_guard_level(
    void *context, std::uint64_t gpa, std::uint32_t largest_level) {
  return static_cast<const Guard *>(context)->level(gpa, largest_level);
}

const mmu_plugin mmu_plugin_manifest = {
    MMU_PLUGIN_MAGIC, MMU_PLUGIN_ABI_VERSION, sizeof(mmu_plugin), "page_guard", "1.0",
    MMU_PLUGIN_THREAD_SAFE, start, stop, hooks, sizeof hooks / sizeof hooks[0], sizeof hooks[0],
};
}
