// SPDX-License-Identifier: Apache-2.0
// The PROXY protocol, version 2 (HAProxy's specification of it): what a tunnel says, before any
// other byte, about where a connection comes from. Nobody vouches for it: it is a hint for logs.
// Who may include it: net, httpd.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#define PROXY2_HEAD_BYTES 16U  // as many tell how long it is
#define PROXY2_BYTES_MAX  512U // with addresses and the fields that may follow them
#define PROXY2_TEXT_MAX   64U
#define PROXY2_FIRST      0x0dU // its first byte, which begins no TLS record

// The whole length of the header that begins with these PROXY2_HEAD_BYTES. ERR_MALFORMED,
// ERR_UNSUPPORTED, ERR_TOO_LARGE.
FALLIBLE proxy2_length(size_t *out, struct bytes head);
// Takes a whole header. `source` becomes "192.0.2.1:443" or "[2001:db8::1]:443", or empty when the
// tunnel speaks for itself (LOCAL) or the address is of no such kind.
FALLIBLE proxy2_read(char source[static PROXY2_TEXT_MAX], struct bytes header);
