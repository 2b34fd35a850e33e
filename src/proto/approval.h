// SPDX-License-Identifier: Apache-2.0
// Approvals of administrators: a list of signatures over one 32-byte message, each with the index
// of its administrator in the measured configuration (PROTOCOL.md, "Approvals").
#pragma once

#include "base/rd.h"
#include "base/wr.h"
#include "proto/config.h"
#include "proto/id.h"

#define APPROVAL_BYTES 65 // index (u8), signature (64)

// u8 count and that many entries; the view holds the entries.
struct bytes approval_read_list(struct rd *rd);
void approval_write_list(struct wr *wr, struct bytes entries);
// OK when at least the configured threshold of different administrators have signed `message`.
// Entries ascend by index, and every one of them must verify: a list with a bad signature is
// refused whole. ERR_UNSUPPORTED when the configuration has no administrators, ERR_DENIED when
// there are too few, ERR_UNTRUSTED when one does not verify.
FALLIBLE approval_check(const struct config *config, const uint8_t message[static 32],
                        struct bytes entries);
// What administrators sign to unseal this boot for the `seals`-th time.
void approval_unseal_message(uint8_t out[static 32], const struct id *deployment,
                             const struct id *boot, uint32_t seals);
