/*
 * framebuffer: a screen of bytes with four registers before it. Writing to REFRESH shows the screen as
 * lines of the log, one character a pixel.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Window: 0x00 magic "FB01", 0x04 width, 0x08 height, 0x0c REFRESH, and from 0x1000 the pixels, row by
 * row; the guest may read and write 1 to 8 of them at once. Beyond them reads give 0 and writes go
 * nowhere.
 *
 * Settings: width 1 to 256, 32 by default; height 1 to 256, 8 by default.
 *
 * Counts refreshes.
 */
#include "mmu_plugin_settings.h"

enum { MAGIC = 0, WIDTH = 4, HEIGHT = 8, REFRESH = 0xc, PIXELS = 0x1000 };

struct framebuffer {
  const struct mmu_plugin_host *host;
  uint64_t width, height;
  uint8_t *pixels;
};

static void stop(void *context) {
  struct framebuffer *screen = context;
  free(screen->pixels);
  free(screen);
}

static int32_t start(const struct mmu_plugin_host *host, void **context) {
  struct framebuffer *screen;
  if (host->struct_size < sizeof *host) return MMU_PLUGIN_DECLINED;
  screen = calloc(1, sizeof *screen);
  if (!screen) return MMU_PLUGIN_FAILED;
  screen->host = host;
  screen->width = 32;
  screen->height = 8;
  if (mmu_plugin_number(host, "width", 1, 256, &screen->width) ||
      mmu_plugin_number(host, "height", 1, 256, &screen->height)) {
    stop(screen);
    return MMU_PLUGIN_DECLINED;
  }
  screen->pixels = calloc(screen->width, screen->height);
  if (!screen->pixels) {
    stop(screen);
    return MMU_PLUGIN_FAILED;
  }
  *context = screen;
  return MMU_PLUGIN_OK;
}

static void show(const struct framebuffer *screen) {
  char row[257];
  for (uint64_t y = 0; y < screen->height; y++) {
    for (uint64_t x = 0; x < screen->width; x++) {
      static const char shades[] = " .:-=+*#";
      row[x] = shades[screen->pixels[y * screen->width + x] >> 5];
    }
    row[screen->width] = 0;
    screen->host->log(screen->host->host, MMU_PLUGIN_INFO, row);
  }
  screen->host->count(screen->host->host, "refreshes", 1);
}

MMU_PLUGIN_EXPORT uint64_t framebuffer_read(void *context, uint64_t offset, uint32_t size) {
  const struct framebuffer *screen = context;
  uint64_t room = size >= 8 ? ~UINT64_C(0) : (UINT64_C(1) << 8 * size) - 1;
  uint64_t value = 0;
  switch (offset) {
    case MAGIC: return 0x31304246 & room;
    case WIDTH: return screen->width & room;
    case HEIGHT: return screen->height & room;
    default: break;
  }
  if (offset < PIXELS) return 0;
  offset -= PIXELS;
  for (uint32_t i = 0; i < size; i++)
    if (offset + i < screen->width * screen->height)
      value |= (uint64_t)screen->pixels[offset + i] << 8 * i;
  return value;
}

MMU_PLUGIN_EXPORT void framebuffer_write(
    void *context, uint64_t offset, uint32_t size, uint64_t value) {
  struct framebuffer *screen = context;
  if (offset == REFRESH) show(screen);
  if (offset < PIXELS) return;
  offset -= PIXELS;
  for (uint32_t i = 0; i < size; i++)
    if (offset + i < screen->width * screen->height)
      screen->pixels[offset + i] = (uint8_t)(value >> 8 * i);
}

static const struct mmu_plugin_hook hooks[] = {
    {"mmio_read", "framebuffer_read", "u64(ptr context, u64 offset, u32 size)"},
    {"mmio_write", "framebuffer_write", "void(ptr context, u64 offset, u32 size, u64 value)"},
};

const struct mmu_plugin mmu_plugin_manifest = {
    MMU_PLUGIN_HEADER,
    .name = "framebuffer",
    .version = "1.0",
    .init = start,
    .fini = stop,
    MMU_PLUGIN_HOOKS(hooks),
};
