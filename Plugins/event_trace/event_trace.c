/*
 * event_trace: writes what happens in the MMU, one line an event, and counts each kind.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Settings:
 *   file   where the lines go; the log by default
 *   only   the names of the events wanted, separated by spaces; all by default
 */
#include <string.h>

#include "mmu_plugin_settings.h"

struct trace {
  const struct mmu_plugin_host *host;
  const char *only;
  FILE *file;
};

static int32_t start(const struct mmu_plugin_host *host, void **context) {
  struct trace *trace;
  const char *path;
  if (host->struct_size < sizeof *host) return MMU_PLUGIN_DECLINED;
  trace = calloc(1, sizeof *trace);
  if (!trace) return MMU_PLUGIN_FAILED;
  trace->host = host;
  trace->only = host->setting(host->host, "only");
  path = host->setting(host->host, "file");
  if (path && !(trace->file = fopen(path, "w"))) {
    free(trace);
    return mmu_plugin_refuse(host, "file", path);
  }
  *context = trace;
  return MMU_PLUGIN_OK;
}

static void stop(void *context) {
  struct trace *trace = context;
  if (trace->file) fclose(trace->file);
  free(trace);
}

static int is_wanted(const struct trace *trace, const char *event) {
  size_t length = strlen(event);
  const char *place = trace->only;
  if (!place) return 1;
  while ((place = strstr(place, event))) {
    int begins = place == trace->only || place[-1] == ' ';
    if (begins && (!place[length] || place[length] == ' ')) return 1;
    place += length;
  }
  return 0;
}

MMU_PLUGIN_EXPORT void event_trace(
    void *context, const char *event, uint64_t address, uint64_t value) {
  struct trace *trace = context;
  const struct mmu_plugin_host *host = trace->host;
  char line[160];
  if (!is_wanted(trace, event)) return;
  host->count(host->host, event, 1);
  snprintf(
      line, sizeof line, "%s 0x%llx 0x%llx", event, (unsigned long long)address,
      (unsigned long long)value);
  if (trace->file)
    fprintf(trace->file, "%s\n", line);
  else
    host->log(host->host, MMU_PLUGIN_INFO, line);
}

static const struct mmu_plugin_hook hooks[] = {
    {"on_event", "event_trace", "void(ptr context, cstr event, u64 address, u64 value)"},
};

const struct mmu_plugin mmu_plugin_manifest = {
    MMU_PLUGIN_HEADER,
    .name = "event_trace",
    .version = "1.0",
    .init = start,
    .fini = stop,
    MMU_PLUGIN_HOOKS(hooks),
};
