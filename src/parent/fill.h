// SPDX-License-Identifier: Apache-2.0
// A transaction as clients give it (eth-account's field names), and what is filled in: chain id,
// gas, fees, nonce. Who may include it: parent.
#pragma once

#include "parent/rpc.h"

struct fill {
    const struct json *tx; // as given; must live as long
    bool legacy;           // type 0, else type 2 (EIP-1559)
    bool has_chain_id, has_nonce, has_gas, has_gas_price, has_max_fee, has_priority;
    uint64_t chain_id, nonce;
    struct u256 gas, gas_price, max_fee, priority;
    struct u256 value;
};

// Reads the transaction. Unknown fields are refused by name (in `detail`), fields that contradict
// each other and numbers out of range by ERR_MALFORMED. Bytes are left to the enclave.
FALLIBLE fill_read(struct fill *fill, const struct json *tx, struct detail *detail);
// The members that were given, in one order of ours and in one form: equal for equal requests.
void fill_write_request(struct wr *wr, const struct fill *fill);
// Asks the node for gas and fees that were not given. `from` is the sender's address as text.
// Errors of rpc_call.
FALLIBLE fill_complete(struct fill *fill, struct rpc *rpc, const char *from);
// The whole transaction as the enclave takes it.
void fill_write(struct wr *wr, const struct fill *fill);
