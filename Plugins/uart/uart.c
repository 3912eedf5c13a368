/*
 * uart: a serial port of the 16450 kind. What the guest sends becomes lines of the log; in loopback
 * mode it comes back.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Registers, one byte each: 0 data (divisor low with DLAB), 1 interrupt enable (divisor high), 2
 * interrupt identification, 3 line control, 4 modem control, 5 line status, 6 modem status, 7 scratch.
 * Not modelled: interrupts, baud rates, FIFOs.
 */
#include <stdlib.h>

#include "mmu_plugin.h"

enum {
  DATA, ENABLE, IDENTIFY, LINE_CONTROL, MODEM_CONTROL, LINE_STATUS, MODEM_STATUS, SCRATCH,
  DLAB = 0x80, LOOPBACK = 0x10, DATA_READY = 1, TRANSMITTER_EMPTY = 0x60, NO_INTERRUPT = 1
};

struct uart {
  const struct mmu_plugin_host *host;
  uint8_t enable, line_control, modem_control, scratch, divisor[2];
  uint8_t received, has_received;
  char line[128];
  unsigned length;
};

static int32_t start(const struct mmu_plugin_host *host, void **context) {
  struct uart *uart;
  if (host->struct_size < sizeof *host) return MMU_PLUGIN_DECLINED;
  uart = calloc(1, sizeof *uart);
  if (!uart) return MMU_PLUGIN_FAILED;
  uart->host = host;
  *context = uart;
  return MMU_PLUGIN_OK;
}

static void flush(struct uart *uart) {
  if (!uart->length) return;
  uart->line[uart->length] = 0;
  uart->host->log(uart->host->host, MMU_PLUGIN_INFO, uart->line);
  uart->length = 0;
}

static void stop(void *context) {
  flush(context);
  free(context);
}

static void transmit(struct uart *uart, uint8_t byte) {
  if (uart->modem_control & LOOPBACK) {
    uart->received = byte;
    uart->has_received = 1;
    return;
  }
  uart->host->count(uart->host->host, "bytes", 1);
  if (byte == '\n') {
    flush(uart);
    return;
  }
  uart->line[uart->length++] = byte >= 0x20 && byte < 0x7f ? (char)byte : '.';
  if (uart->length == sizeof uart->line - 1) flush(uart);
}

MMU_PLUGIN_EXPORT uint64_t uart_read(void *context, uint64_t offset, uint32_t size) {
  struct uart *uart = context;
  int dlab = uart->line_control & DLAB;
  /* A register has one byte; wider reads get zeros above it. */
  (void)size;
  switch (offset) {
    case DATA:
      if (dlab) return uart->divisor[0];
      uart->has_received = 0;
      return uart->received;
    case ENABLE: return dlab ? uart->divisor[1] : uart->enable;
    case IDENTIFY: return NO_INTERRUPT;
    case LINE_CONTROL: return uart->line_control;
    case MODEM_CONTROL: return uart->modem_control;
    case LINE_STATUS: return TRANSMITTER_EMPTY | (uart->has_received ? DATA_READY : 0);
    case SCRATCH: return uart->scratch;
    default: return 0;
  }
}

MMU_PLUGIN_EXPORT void uart_write(void *context, uint64_t offset, uint64_t value) {
  struct uart *uart = context;
  uint8_t byte = (uint8_t)value;
  int dlab = uart->line_control & DLAB;
  switch (offset) {
    case DATA:
      if (dlab)
        uart->divisor[0] = byte;
      else
        transmit(uart, byte);
      break;
    case ENABLE:
      if (dlab)
        uart->divisor[1] = byte;
      else
        uart->enable = byte & 0xf;
      break;
    case LINE_CONTROL: uart->line_control = byte; break;
    case MODEM_CONTROL: uart->modem_control = byte & 0x1f; break;
    case SCRATCH: uart->scratch = byte; break;
    default: break;
  }
}

static const struct mmu_plugin_hook hooks[] = {
    {"mmio_read", "uart_read", "u64(ptr context, u64 offset, u32 size)"},
    {"mmio_write", "uart_write", "void(ptr context, u64 offset, u64 value)"},
};

const struct mmu_plugin mmu_plugin_manifest = {
    MMU_PLUGIN_HEADER,
    .name = "uart",
    .version = "1.0",
    .init = start,
    .fini = stop,
    MMU_PLUGIN_HOOKS(hooks),
};
