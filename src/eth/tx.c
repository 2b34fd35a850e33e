// SPDX-License-Identifier: Apache-2.0
// Transactions of the two kinds that version 1 signs. The vault reads the signing payload with the
// same strict functions that an outsider uses, and signs the hash of bytes that it has read in
// full: there is no second encoding of a transaction and no field that it does not know.
#include "eth/tx.h"

#include "base/must.h"
#include "crypto/keccak.h"
#include "eth/rlp.h"

#include <string.h>

#define FEE_MARKET_TYPE 0x02U // EIP-1559
#define ACCESS_KEY      32U   // bytes of a storage key (EIP-2930)
#define LIST_FIRST      0xc0U // a legacy transaction starts with its list's head (EIP-2718)
#define V_EIP155        35U

// Half the order of secp256k1: a signature with a larger s is not valid since EIP-2.
static const uint8_t half_order[32] = {
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
};

// What follows a transaction's own fields in its list: three numbers when signed (y parity or v, r,
// s), chain id and two zeros in a legacy payload, nothing in a fee market payload.
struct tail {
    struct u256 number[3];
    size_t count;
};

static FALLIBLE check_fields(const struct tx *tx);
static FALLIBLE check_access_list(struct bytes list);
static FALLIBLE write_with_tail(struct wr *wr, const struct tx *tx, const struct tail *tail);
static FALLIBLE read_with_tail(struct tx *out, struct tail *tail, struct bytes in);
static FALLIBLE read_signature(struct tx *tx, uint8_t *signature, const struct tail *tail);

struct err tx_write_unsigned(struct wr *wr, const struct tx *tx)
{
    struct tail tail = { .count = 0 };

    if (tx->kind == TX_LEGACY)
        tail = (struct tail) { .number = { u256_of(tx->chain_id) }, .count = 3 };
    return write_with_tail(wr, tx, &tail);
}

struct err tx_read_unsigned(struct tx *out, struct bytes payload)
{
    struct tail tail = { .count = 0 };

    if (payload.n > 0 && payload.p[0] >= LIST_FIRST)
        tail.count = 3;
    TRY(read_with_tail(out, &tail, payload));
    if (out->kind == TX_LEGACY) {
        ENSURE(u256_is_zero(tail.number[1]) && u256_is_zero(tail.number[2]), ERR_MALFORMED,
               "transaction: expected a chain id and two zeros at the end (EIP-155)");
        ENSURE(u256_to_u64(&out->chain_id, tail.number[0]).code == 0, ERR_MALFORMED,
               "chainId: expected 1 to 2^63 - 37");
    }
    return check_fields(out);
}

struct err tx_write_signed(struct wr *wr, const struct tx *tx,
                           const uint8_t signature[static TX_SIGNATURE_BYTES])
{
    struct tail tail = { .count = 3 };

    ENSURE(signature[64] <= 1, ERR_MALFORMED, "signature: expected a parity of 0 or 1");
    tail.number[0] = u256_of(signature[64]);
    if (tx->kind == TX_LEGACY) {
        TRY(check_fields(tx)); // so that v cannot wrap
        tail.number[0] = u256_of(V_EIP155 + 2 * tx->chain_id + signature[64]);
    }
    TRY(u256_from_be(&tail.number[1], bytes_of(signature, 32)));
    TRY(u256_from_be(&tail.number[2], bytes_of(signature + 32, 32)));
    return write_with_tail(wr, tx, &tail);
}

struct err tx_read_signed(struct tx *out, uint8_t signature[static TX_SIGNATURE_BYTES],
                          struct bytes raw)
{
    struct tail tail = { .count = 3 };

    TRY(read_with_tail(out, &tail, raw));
    TRY(read_signature(out, signature, &tail));
    return check_fields(out);
}

void tx_hash(uint8_t out[static 32], struct bytes encoded)
{
    keccak_256(out, encoded);
}

struct err tx_max_cost(struct u256 *out, const struct tx *tx)
{
    struct u256 fee;

    TRY(u256_mul_u64(&fee, tx->kind == TX_LEGACY ? tx->gas_price : tx->max_fee, tx->gas));
    return u256_add(out, fee, tx->value);
}

static FALLIBLE check_fields(const struct tx *tx)
{
    ENSURE(tx->kind == TX_LEGACY || tx->kind == TX_FEE_MARKET, ERR_UNSUPPORTED,
           "type: expected 0 or 2");
    ENSURE(tx->chain_id >= 1 && tx->chain_id <= TX_CHAIN_ID_MAX, ERR_MALFORMED,
           "chainId: expected 1 to 2^63 - 37");
    ENSURE(tx->nonce < UINT64_MAX, ERR_MALFORMED, "nonce: expected less than 2^64 - 1 (EIP-2681)");
    if (tx->kind == TX_LEGACY) {
        ENSURE(tx->access_list.n == 0, ERR_MALFORMED, "accessList: type 0 has none");
        return OK;
    }
    ENSURE(u256_compare(tx->max_priority_fee, tx->max_fee) <= 0, ERR_MALFORMED,
           "maxPriorityFeePerGas: expected at most maxFeePerGas");
    return tx->access_list.n ? check_access_list(tx->access_list) : OK;
}

// [[address, [key, ...]], ...] with 20 and 32 bytes (EIP-2930).
static FALLIBLE check_access_list(struct bytes list)
{
    struct rd rd = rd_of(list);
    struct rd entries = rlp_list(&rd);

    while (entries.left.n > 0) {
        struct rd entry = rlp_list(&entries);
        bool address = rlp_string(&entry).n == 20;
        struct rd keys = rlp_list(&entry);

        while (keys.left.n > 0)
            if (rlp_string(&keys).n != ACCESS_KEY)
                rd_refuse(&keys);
        ENSURE(address && !keys.bad && rd_end(&entry).code == 0, ERR_MALFORMED,
               "accessList: expected addresses with lists of 32-byte keys");
    }
    ENSURE(!entries.bad && rd_end(&rd).code == 0, ERR_MALFORMED,
           "accessList: expected addresses with lists of 32-byte keys");
    return OK;
}

// The numbers at the start of the list, up to the gas limit.
static size_t head_numbers(struct u256 out[static 5], const struct tx *tx)
{
    if (tx->kind == TX_LEGACY) {
        out[0] = u256_of(tx->nonce);
        out[1] = tx->gas_price;
        out[2] = u256_of(tx->gas);
        return 3;
    }
    out[0] = u256_of(tx->chain_id);
    out[1] = u256_of(tx->nonce);
    out[2] = tx->max_priority_fee;
    out[3] = tx->max_fee;
    out[4] = u256_of(tx->gas);
    return 5;
}

static size_t payload_size(const struct tx *tx, const struct tail *tail, struct bytes to,
                           struct bytes access_list)
{
    struct u256 head[5];
    size_t heads = head_numbers(head, tx);
    size_t size =
        rlp_string_size(to) + rlp_u256_size(tx->value) + rlp_string_size(tx->data) + access_list.n;

    for (size_t i = 0; i < heads; i++)
        size += rlp_u256_size(head[i]);
    for (size_t i = 0; i < tail->count; i++)
        size += rlp_u256_size(tail->number[i]);
    return size;
}

static FALLIBLE write_with_tail(struct wr *wr, const struct tx *tx, const struct tail *tail)
{
    static const uint8_t empty_list = LIST_FIRST;
    struct bytes to = bytes_of(tx->to, tx->has_to ? sizeof(tx->to) : 0);
    struct bytes access_list = tx->access_list.n ? tx->access_list : BYTES_OF(empty_list);
    struct u256 head[5];
    size_t heads;
    size_t payload;

    TRY(check_fields(tx));
    ENSURE(tx->data.n <= TX_BYTES_MAX, ERR_TOO_LARGE, "data: expected at most 128 KiB");
    if (tx->kind == TX_LEGACY)
        access_list = BYTES_NONE;
    heads = head_numbers(head, tx);
    payload = payload_size(tx, tail, to, access_list);
    ENSURE(rlp_list_size(payload) < TX_BYTES_MAX, ERR_TOO_LARGE,
           "transaction: expected at most 128 KiB");
    if (tx->kind == TX_FEE_MARKET)
        wr_u8(wr, FEE_MARKET_TYPE);
    rlp_put_list(wr, payload);
    for (size_t i = 0; i < heads; i++)
        rlp_put_u256(wr, head[i]);
    rlp_put_string(wr, to);
    rlp_put_u256(wr, tx->value);
    rlp_put_string(wr, tx->data);
    wr_bytes(wr, access_list);
    for (size_t i = 0; i < tail->count; i++)
        rlp_put_u256(wr, tail->number[i]);
    return wr_end(wr);
}

static void read_head(struct tx *out, struct rd *items)
{
    if (out->kind == TX_LEGACY) {
        out->nonce = rlp_u64(items);
        out->gas_price = rlp_u256(items);
        out->gas = rlp_u64(items);
        return;
    }
    out->chain_id = rlp_u64(items);
    out->nonce = rlp_u64(items);
    out->max_priority_fee = rlp_u256(items);
    out->max_fee = rlp_u256(items);
    out->gas = rlp_u64(items);
}

// The encoding of the next item, which must be a list, head included.
static struct bytes list_as_it_is(struct rd *items)
{
    struct bytes before = items->left;

    (void)rlp_list(items);
    return items->bad ? BYTES_NONE : bytes_take(before, before.n - items->left.n);
}

static FALLIBLE read_with_tail(struct tx *out, struct tail *tail, struct bytes in)
{
    struct rd rd = rd_of(in);
    struct rd items;
    struct bytes to;

    ENSURE(in.n <= TX_BYTES_MAX, ERR_TOO_LARGE, "transaction: expected at most 128 KiB");
    ENSURE(in.n > 0, ERR_MALFORMED, "transaction: expected bytes");
    *out = (struct tx) { .kind = TX_LEGACY };
    if (in.p[0] < LIST_FIRST) {
        ENSURE(rd_u8(&rd) == FEE_MARKET_TYPE, ERR_UNSUPPORTED, "type: expected 0 or 2");
        out->kind = TX_FEE_MARKET;
    }
    items = rlp_list(&rd);
    read_head(out, &items);
    to = rlp_string(&items);
    out->value = rlp_u256(&items);
    out->data = rlp_string(&items);
    if (out->kind == TX_FEE_MARKET)
        out->access_list = list_as_it_is(&items);
    for (size_t i = 0; i < tail->count; i++)
        tail->number[i] = rlp_u256(&items);
    ENSURE(rd_end(&items).code == 0, ERR_MALFORMED,
           "transaction: expected exactly the fields of its type in strict RLP");
    ENSURE(rd_end(&rd).code == 0, ERR_MALFORMED, "transaction: bytes after its end");
    ENSURE(to.n == 0 || to.n == sizeof(out->to), ERR_MALFORMED, "to: expected 20 bytes or none");
    out->has_to = to.n > 0;
    if (out->has_to)
        memcpy(out->to, to.p, sizeof(out->to));
    return OK;
}

// Parity from v: by itself in typed transactions, 35 + 2 * chain id + parity in legacy ones.
static FALLIBLE read_parity(struct tx *tx, uint8_t *parity, struct u256 v)
{
    uint64_t number;

    ENSURE(u256_to_u64(&number, v).code == 0, ERR_MALFORMED, "v: expected at most 64 bits");
    if (tx->kind == TX_LEGACY) {
        ENSURE(number >= V_EIP155, ERR_UNSUPPORTED, "v: expected replay protection (EIP-155)");
        tx->chain_id = (number - V_EIP155) / 2;
        number = (number - V_EIP155) % 2;
    }
    ENSURE(number <= 1, ERR_MALFORMED, "v: expected a parity of 0 or 1");
    *parity = (uint8_t)number;
    return OK;
}

static FALLIBLE read_signature(struct tx *tx, uint8_t *signature, const struct tail *tail)
{
    uint8_t be[32];

    TRY(read_parity(tx, &signature[64], tail->number[0]));
    ENSURE(!u256_is_zero(tail->number[1]) && !u256_is_zero(tail->number[2]), ERR_MALFORMED,
           "signature: r and s are not zero");
    u256_to_be(be, tail->number[1]);
    memcpy(signature, be, sizeof(be));
    u256_to_be(be, tail->number[2]);
    memcpy(signature + 32, be, sizeof(be));
    ENSURE(memcmp(be, half_order, sizeof(be)) <= 0, ERR_MALFORMED,
           "s: expected at most half the group order (EIP-2)");
    return OK;
}
