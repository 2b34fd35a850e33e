// SPDX-License-Identifier: Apache-2.0
// ECDSA signatures in both of their forms: r || s, as protocols carry them, and DER (RFC 3279
// 2.2.3), as libcrypto wants them. Scalars of at most 48 bytes (P-384), so that every length fits
// one byte. Whether r and s lie in their range, the verifier says.
#pragma once

#include "base/wr.h"

#define DERSIG_BYTES_MAX 104 // two integers of 49 bytes with their heads, and the sequence's

// Writes the DER of `raw`, which is r || s, big-endian, of equal lengths.
void dersig_write(struct wr *wr, struct bytes raw);
