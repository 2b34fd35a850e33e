// SPDX-License-Identifier: Apache-2.0
// Transactions as clients write them. The attacker's hope is a transaction that means one thing to
// the person who wrote the JSON and another to the chain: so nothing is guessed, nothing ignored,
// and two fields that say the same thing must agree.
#include "front/txjson.h"

#include "base/hex.h"
#include "eth/address.h"
#include "eth/rlp.h"

#define ADDRESS_ITEM (1 + 20) // RLP of an address
#define KEY_ITEM     (1 + 32) // RLP of a storage key

static struct err txjson_kind(enum tx_kind *out, const struct json *value);
static struct err txjson_fees(struct tx *out, const struct json *value);
static struct err txjson_to(struct tx *out, const struct json *to);
static struct err txjson_data(struct bytes *out, uint8_t space[static TX_PAYLOAD_MAX],
                              const struct json *value);
static struct err txjson_access_list(struct tx *out, struct txjson_space *space,
                                     struct bytes *unknown, const struct json *list);

// A number that must be there; `bits` of it.
#define NUMBER(out, bits, object, name)                                        \
    do {                                                                       \
        ENSURE(json_get(object, name), ERR_MALFORMED, "tx." name ": missing"); \
        ENSURE(!json_u##bits(out, json_get(object, name)).code, ERR_MALFORMED, \
               "tx." name ": expected an integer of " #bits " bits");          \
    } while (0)
// A field that must not be there.
#define NOT_IN(object, name, type)                 \
    ENSURE(!json_get(object, name), ERR_MALFORMED, \
           "tx." name ": not in a transaction of type " type)

static struct err txjson_known(struct bytes *unknown, const struct json *object,
                               const char *const *known)
{
    const struct json *first = json_unknown(object, known);

    if (!first)
        return OK;
    // An empty key has to be told from no unknown field at all.
    *unknown = first->key.p ? first->key : BYTES_LIT("");
    return FAIL(ERR_MALFORMED, "tx: unknown field");
}

static struct err txjson_numbers(struct tx *out, const struct json *value)
{
    const struct json *amount = json_get(value, "value");

    NUMBER(&out->chain_id, 64, value, "chainId");
    NUMBER(&out->nonce, 64, value, "nonce");
    NUMBER(&out->gas, 64, value, "gas");
    ENSURE(!amount || !json_u256(&out->value, amount).code, ERR_MALFORMED,
           "tx.value: expected an integer of 256 bits");
    return OK;
}

struct err txjson_read(struct tx *out, struct txjson_space *space, struct bytes *unknown,
                       const struct json *value)
{
    static const char *const known[] = { "type",       "chainId",      "nonce",
                                         "gas",        "to",           "value",
                                         "data",       "input",        "gasPrice",
                                         "accessList", "maxFeePerGas", "maxPriorityFeePerGas",
                                         NULL };

    *unknown = BYTES_NONE;
    *out = (struct tx) { 0 };
    ENSURE(value && value->type == JSON_OBJECT, ERR_MALFORMED, "tx: expected an object");
    TRY(txjson_known(unknown, value, known));
    TRY(txjson_kind(&out->kind, value));
    TRY(txjson_numbers(out, value));
    TRY(txjson_fees(out, value));
    TRY(txjson_to(out, json_get(value, "to")));
    TRY(txjson_data(&out->data, space->data, value));
    ENSURE(out->has_to || out->data.n > 0, ERR_MALFORMED,
           "tx.to: missing, and there is no data to create a contract from");
    return txjson_access_list(out, space, unknown, json_get(value, "accessList"));
}

// Without `type` the fee fields decide.
static struct err txjson_kind(enum tx_kind *out, const struct json *value)
{
    const struct json *type = json_get(value, "type");
    bool has_max = json_get(value, "maxFeePerGas") || json_get(value, "maxPriorityFeePerGas");
    uint64_t number = has_max || json_get(value, "accessList") ? TX_FEE_MARKET : TX_LEGACY;

    ENSURE(!type || !json_u64(&number, type).code, ERR_MALFORMED, "tx.type: expected 0 or 2");
    ENSURE(number == TX_LEGACY || number == TX_FEE_MARKET, ERR_UNSUPPORTED,
           "tx.type: expected 0 or 2");
    *out = (enum tx_kind)number;
    return OK;
}

static struct err txjson_fees(struct tx *out, const struct json *value)
{
    if (out->kind == TX_LEGACY) {
        NOT_IN(value, "maxFeePerGas", "0");
        NOT_IN(value, "maxPriorityFeePerGas", "0");
        NOT_IN(value, "accessList", "0");
        NUMBER(&out->gas_price, 256, value, "gasPrice");
    } else {
        NOT_IN(value, "gasPrice", "2");
        NUMBER(&out->max_fee, 256, value, "maxFeePerGas");
        NUMBER(&out->max_priority_fee, 256, value, "maxPriorityFeePerGas");
    }
    return OK;
}

static struct err txjson_to(struct tx *out, const struct json *to)
{
    if (!to || to->type == JSON_NULL)
        return OK;
    ENSURE(to->type == JSON_STRING, ERR_MALFORMED, "tx.to: expected an address or null");
    ENSURE(!address_parse(out->to, json_string(to)).code, ERR_MALFORMED,
           "tx.to: expected 0x and 40 hex digits with a right EIP-55 checksum");
    out->has_to = true;
    return OK;
}

// hex_decode_0x of the shorter kind of mistake: the field is the caller's to name.
static struct err txjson_hex(struct bytes *out, uint8_t space[static TX_PAYLOAD_MAX],
                             const struct json *value)
{
    struct err err;
    size_t n = 0;

    *out = BYTES_NONE;
    ENSURE(json_string(value).p, ERR_MALFORMED, "tx.data: expected a 0x string");
    err = hex_decode_0x(space, TX_PAYLOAD_MAX, &n, json_string(value));
    ENSURE(err.code != ERR_TOO_LARGE, ERR_TOO_LARGE, "tx.data: more than 131072 bytes");
    ENSURE(!err.code, ERR_MALFORMED, "tx.data: expected 0x and an even number of hex digits");
    *out = bytes_of(space, n);
    return OK;
}

// eth-account says `data`, JSON-RPC nodes say `input`; geth takes both when they are equal.
static bool txjson_same_hex(struct bytes a, struct bytes b)
{
    if (a.n != b.n || a.n < 2 || !bytes_equal(bytes_take(a, 2), bytes_take(b, 2)))
        return false;
    for (size_t i = 2; i < a.n; i++)
        if (hex_digit(a.p[i]) != hex_digit(b.p[i]))
            return false;
    return true;
}

static struct err txjson_data(struct bytes *out, uint8_t space[static TX_PAYLOAD_MAX],
                              const struct json *value)
{
    const struct json *data = json_get(value, "data");
    const struct json *input = json_get(value, "input");

    *out = BYTES_NONE;
    ENSURE(!data || !input || txjson_same_hex(json_string(data), json_string(input)), ERR_MALFORMED,
           "tx.input: differs from tx.data");
    return data || input ? txjson_hex(out, space, data ? data : input) : OK;
}

static size_t txjson_keys_size(const struct json *keys)
{
    return (size_t)keys->count * KEY_ITEM;
}

static size_t txjson_entry_size(const struct json *entry)
{
    return ADDRESS_ITEM + rlp_list_size(txjson_keys_size(json_get(entry, "storageKeys")));
}

static struct err txjson_check_entry(struct bytes *unknown, const struct json *entry)
{
    static const char *const known[] = { "address", "storageKeys", NULL };
    const struct json *keys = json_get(entry, "storageKeys");

    ENSURE(entry->type == JSON_OBJECT, ERR_MALFORMED, "tx.accessList: expected objects");
    TRY(txjson_known(unknown, entry, known));
    ENSURE(json_get(entry, "address"), ERR_MALFORMED, "tx.accessList.address: missing");
    ENSURE(keys, ERR_MALFORMED, "tx.accessList.storageKeys: missing");
    ENSURE(keys->type == JSON_ARRAY, ERR_MALFORMED, "tx.accessList.storageKeys: expected a list");
    return OK;
}

static struct err txjson_write_entry(struct wr *wr, const struct json *entry)
{
    const struct json *keys = json_get(entry, "storageKeys");
    uint8_t address[20], key[32];
    size_t n = 0;

    ENSURE(!address_parse(address, json_string(json_get(entry, "address"))).code, ERR_MALFORMED,
           "tx.accessList.address: expected 0x and 40 hex digits with a right checksum");
    rlp_put_list(wr, txjson_entry_size(entry));
    rlp_put_string(wr, BYTES_OF(address));
    rlp_put_list(wr, txjson_keys_size(keys));
    for (const struct json *at = keys->child; at; at = at->next) {
        ENSURE(json_string(at).n == 66 &&
                   !hex_decode_0x(key, sizeof(key), &n, json_string(at)).code,
               ERR_MALFORMED, "tx.accessList.storageKeys: expected 0x and 64 hex digits");
        rlp_put_string(wr, BYTES_OF(key));
    }
    return OK;
}

static struct err txjson_access_list(struct tx *out, struct txjson_space *space,
                                     struct bytes *unknown, const struct json *list)
{
    struct wr wr = WR_OF(space->access_list);
    const struct json *first = list ? list->child : NULL;
    size_t payload = 0;

    if (out->kind == TX_LEGACY)
        return OK;
    ENSURE(!list || list->type == JSON_ARRAY, ERR_MALFORMED, "tx.accessList: expected a list");
    for (const struct json *at = first; at; at = at->next) {
        TRY(txjson_check_entry(unknown, at));
        payload += rlp_list_size(txjson_entry_size(at));
    }
    rlp_put_list(&wr, payload);
    for (const struct json *at = first; at; at = at->next)
        TRY(txjson_write_entry(&wr, at));
    ENSURE(!wr_end(&wr).code, ERR_TOO_LARGE, "tx.accessList: more than 131072 bytes");
    out->access_list = wr_done(&wr);
    return OK;
}
