// SPDX-License-Identifier: Apache-2.0
// Ethereum transactions: legacy with replay protection (EIP-155) and fee market (EIP-1559, with
// EIP-2930 access lists). The signing payload is the canonical form that crosses to the vault,
// which decodes it again from scratch. More kinds come with later methods.
#pragma once

#include "base/u256.h"
#include "base/wr.h"

#define TX_BYTES_MAX       131072 // go-ethereum's transaction pool takes no larger one
#define TX_CHAIN_ID_MAX    0x7fffffffffffffdbULL // so that EIP-155's v fits 64 bits (EIP-2294)
#define TX_SIGNATURE_BYTES 65                    // r || s || y parity

enum tx_kind { TX_LEGACY = 0, TX_FEE_MARKET = 2 };

struct tx {
    enum tx_kind kind;
    uint64_t chain_id; // at least 1
    uint64_t nonce;    // below 2^64 - 1 (EIP-2681)
    uint64_t gas;
    struct u256 gas_price;        // legacy
    struct u256 max_fee;          // fee market
    struct u256 max_priority_fee; // fee market, at most max_fee
    bool has_to;                  // false: contract creation
    uint8_t to[20];
    struct u256 value;
    struct bytes data;        // view
    struct bytes access_list; // fee market: the list's RLP, head included; checked when decoded
};

// The bytes whose Keccak-256 is signed: rlp([... , chainId, 0, 0]) or 0x02 || rlp([...]).
// ERR_TOO_LARGE when they do not fit the writer; ERR_MALFORMED names a field out of range.
FALLIBLE tx_write_unsigned(struct wr *wr, const struct tx *tx);
// Reads a signing payload. Views point into `payload`. ERR_MALFORMED or ERR_UNSUPPORTED (another
// type byte) names what is wrong.
FALLIBLE tx_read_unsigned(struct tx *out, struct bytes payload);
// The signed transaction as it is broadcast.
FALLIBLE tx_write_signed(struct wr *wr, const struct tx *tx,
                         const uint8_t signature[static TX_SIGNATURE_BYTES]);
// Reads a signed transaction back into its parts.
FALLIBLE tx_read_signed(struct tx *out, uint8_t signature[static TX_SIGNATURE_BYTES],
                        struct bytes raw);
// Keccak-256 of the signing payload (what is signed) or of the signed bytes (its hash).
void tx_hash(uint8_t out[static 32], struct bytes encoded);
// The most that the transaction can cost: value + gas * fee. ERR_TOO_LARGE past 256 bits.
FALLIBLE tx_max_cost(struct u256 *out, const struct tx *tx);
