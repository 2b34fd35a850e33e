// SPDX-License-Identifier: Apache-2.0
// Control-plane framing: u32 big-endian length, then that many bytes of JSON, at most 1 MiB.
#pragma once

#include "base/rd.h"
#include "base/wr.h"
#include "proto/limits.h"

#define FRAME_HEAD_BYTES 4

// Looks at the start of a stream. ERR_TOO_LARGE or ERR_MALFORMED (length 0) ends the connection.
// *whole is 0 while more bytes are needed, else head and body together; *body is the JSON.
FALLIBLE frame_next(struct bytes stream, size_t *whole, struct bytes *body);
// Starts a frame in `wr`; returns where its length stands, for frame_end.
size_t frame_begin(struct wr *wr);
void frame_end(struct wr *wr, size_t at);
