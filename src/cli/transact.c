// SPDX-License-Identifier: Apache-2.0
// Transactions. Before anything is asked for, the account verifies; afterwards the signed bytes are
// read again here: they must be the transaction that was asked for, signed by that account. The
// hash that is shown is computed from them.
#include "cli/transact.h"

#include "base/hex.h"
#include "base/must.h"
#include "cli/account.h"
#include "cli/progress.h"
#include "cli/txjson.h"
#include "crypto/ecdsa.h"

#include <stdio.h>
#include <string.h>

#define TX_JSON_MAX   (2U * TX_BYTES_MAX + 65536U) // data as hex, and the rest
#define TX_NODES_MAX  8192U
#define WAIT_MS       60000U
#define CALL_WAIT_MS  30000U // cloisterd waits no longer than this in one call
#define WAIT_MS_MAX   600000U
#define TRANSPORT_MS  30000U // for the call itself, besides waiting
#define KEY_BYTES_MAX 128U

static uint8_t text[TX_JSON_MAX];
static struct json nodes[TX_NODES_MAX];
static uint8_t raw[TX_BYTES_MAX];

static void show_recipient(struct out *out, const struct tx *tx);

// The transaction as JSON that the command line gives: a file, or --to, --value and --data.
static FALLIBLE compose(struct cli *cli)
{
    static const struct {
        const char *option, *field;
    } fields[] = { { "to", "to" }, { "value", "value" }, { "data", "data" } };
    struct wr wr = WR_OF(text);
    struct jw jw = jw_of(&wr);

    if (!args_has(&cli->args, "to") || !args_has(&cli->args, "value"))
        return CLI_USAGE_ERROR(cli, "say what to send: --tx FILE, or --to and --value");
    jw_object(&jw);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const char *value = args_get(&cli->args, fields[i].option);

        if (!value)
            continue;
        jw_key(&jw, fields[i].field);
        jw_cstring(&jw, value);
    }
    jw_object_end(&jw);
    TRY(wr_end(&wr));
    text[wr.len] = 0;
    return OK;
}

static FALLIBLE read_tx(struct cli *cli, const struct json **tx)
{
    struct wr wr = wr_of(text, sizeof(text) - 1);
    const char *file = args_get(&cli->args, "tx");

    if (!file) {
        TRY(compose(cli));
        wr.len = strlen((char *)text);
    } else if (args_has(&cli->args, "to") || args_has(&cli->args, "value") ||
               args_has(&cli->args, "data")) {
        return CLI_USAGE_ERROR(cli,
                               "--tx is the whole transaction: leave out --to, --value, --data");
    } else {
        TRY(cli_read(cli, file, &wr));
        (void)snprintf(cli->where, sizeof(cli->where),
                       "%.150s: ", strcmp(file, "-") == 0 ? "standard input" : file);
    }
    TRY(json_parse(tx, nodes, TX_NODES_MAX, text, wr.len));
    cli->where[0] = 0;
    return OK;
}

// {"tx":{...}} and, when sending, "wait_ms".
static FALLIBLE write_body(struct cli *cli, const struct json *tx, unsigned wait_ms,
                           struct bytes *body)
{
    struct wr wr = WR_OF(cli->rest.body);
    struct jw jw = jw_of(&wr);
    struct bytes field = BYTES_NONE;
    struct err err;

    jw_object(&jw);
    jw_key(&jw, "tx");
    err = txjson_write(&jw, tx, &field);
    if (err.code && field.n) {
        cli->is_usage = !args_has(&cli->args, "tx");
        (void)snprintf(cli->where, sizeof(cli->where), "%s%.*s: ", cli->is_usage ? "--" : "",
                       (int)bytes_take(field, 64).n, (const char *)field.p);
    }
    TRY(err);
    if (wait_ms) {
        jw_key(&jw, "wait_ms");
        jw_u64(&jw, wait_ms);
    }
    jw_object_end(&jw);
    *body = wr_done(&wr);
    return wr_end(&wr);
}

// A transaction that was signed, with views into `raw`.
struct sent {
    struct tx tx;
    struct bytes raw;
};

// The service's answer holds this very transaction, signed by this account.
static FALLIBLE check_answer(const struct json *answer, const struct json *tx,
                             const struct verify *account, struct sent *out)
{
    uint8_t signature[TX_SIGNATURE_BYTES];
    uint8_t public_key[ECDSA_PUBLIC_BYTES];
    uint8_t address[20];
    uint8_t hash[32];
    static uint8_t payload[TX_BYTES_MAX];
    struct wr wr = WR_OF(payload);
    size_t n = 0;

    TRY(hex_decode_0x(raw, sizeof(raw), &n, json_string(json_get(answer, "raw_tx"))));
    out->raw = bytes_of(raw, n);
    TRY(tx_read_signed(&out->tx, signature, out->raw));
    TRY(txjson_check(tx, &out->tx));
    TRY(tx_write_unsigned(&wr, &out->tx));
    tx_hash(hash, wr_done(&wr));
    TRY(ecdsa_recover(public_key, hash, signature));
    TRY(ecdsa_address(address, public_key));
    ENSURE(bytes_equal(BYTES_OF(address), BYTES_OF(account->raw_address)), ERR_UNTRUSTED,
           "the transaction was signed by another account");
    return OK;
}

static FALLIBLE find_account(struct cli *cli, struct verify *out)
{
    const struct json *account = NULL;

    TRY(account_find(cli, "account", out, &account));
    if (out->is_verified)
        return OK;
    cli->exit = CLI_UNVERIFIED;
    out_str(&cli->out, "from", out->address);
    return out->reason;
}

// With --json the bytes as well, and nothing that is in them.
static void show_signed(struct cli *cli, const struct verify *account, const struct sent *sent)
{
    uint8_t hash[32];

    tx_hash(hash, sent->raw);
    out_hex(&cli->out, "hash", BYTES_OF(hash));
    out_str(&cli->out, "from", account->address);
    if (cli->out.is_json) {
        out_hex(&cli->out, "raw_tx", sent->raw);
        return;
    }
    show_recipient(&cli->out, &sent->tx);
    out_u64(&cli->out, "nonce", sent->tx.nonce);
}

static void show_recipient(struct out *out, const struct tx *tx)
{
    char to[ADDRESS_TEXT];

    if (tx->has_to)
        address_text(to, tx->to);
    out_str(out, "to", tx->has_to ? to : "contract creation");
    out_wei(out, "value", tx->value);
}

static FALLIBLE account_target(char *target, size_t cap, const struct verify *account,
                               const char *action)
{
    char id[ID_TEXT];
    int n;

    id_text(id, &account->account);
    n = snprintf(target, cap, "/v1/accounts/%s/%s", id, action);
    ENSURE(n > 0 && (size_t)n < cap, ERR_INTERNAL, "target does not fit");
    return OK;
}

struct err transact_sign(struct cli *cli)
{
    char target[96];
    struct rest_request request = { .method = "POST", .target = target };
    const struct json *answer = NULL;
    const struct json *tx = NULL;
    struct sent sent;
    struct verify account;
    const char *file;

    TRY(cli_need(cli, "tx", &file));
    TRY(read_tx(cli, &tx));
    TRY(find_account(cli, &account));
    TRY(account_target(target, sizeof(target), &account, "sign-transaction"));
    TRY(write_body(cli, tx, 0, &request.body));
    TRY(rest_call(&cli->rest, &request, &answer));
    TRY(check_answer(answer, tx, &account, &sent));
    show_signed(cli, &account, &sent);
    if (cli->out.is_json)
        out_value(&cli->out, "audit", json_get(answer, "audit"));
    else
        out_hex(&cli->out, "raw_tx", sent.raw);
    return OK;
}

// --wait without a number waits a minute; without --wait nothing is waited for.
static FALLIBLE wait_of(struct cli *cli, unsigned *wait_ms)
{
    const char *given = args_get(&cli->args, "wait");
    struct u256 seconds = u256_of(WAIT_MS / 1000);

    *wait_ms = 0;
    if (!given)
        return OK;
    if (given[0] && u256_parse_decimal(&seconds, bytes_str(given)).code)
        return CLI_USAGE_ERROR(cli, "--wait: expected seconds");
    if (u256_compare(seconds, u256_of(WAIT_MS_MAX / 1000)) > 0)
        return CLI_USAGE_ERROR(cli, "--wait: expected at most 600 seconds");
    *wait_ms = (unsigned)seconds.limb[0] * 1000;
    return OK;
}

// The key of --idempotency-key, or a random one, into key[65].
static FALLIBLE idempotency_key(struct cli *cli, char key[static KEY_BYTES_MAX + 1])
{
    const char *given = args_get(&cli->args, "idempotency-key");
    uint8_t nonce[CLI_NONCE_BYTES];

    if (!given) {
        cli_nonce(nonce);
        hex_encode(key, BYTES_OF(nonce));
        return OK;
    }
    if (!given[0] || !bytes_to_str(bytes_str(given), key, KEY_BYTES_MAX + 1))
        return CLI_USAGE_ERROR(cli, "--idempotency-key: expected 1 to 128 characters");
    return OK;
}

// The node's words, for people: the block, what it cost, and a contract that was made.
static void show_receipt(struct out *out, const struct json *receipt)
{
    const struct json *contract = json_get(receipt, "contractAddress");
    const struct json *price = json_get(receipt, "effectiveGasPrice");
    const struct json *used = json_get(receipt, "gasUsed");
    const struct json *block = json_get(receipt, "blockNumber");
    struct u256 fee;
    uint64_t n;

    if (block && !json_u64(&n, block).code)
        out_u64(out, "block", n);
    if (price && used && !json_u256(&fee, price).code && !json_u64(&n, used).code &&
        !u256_mul_u64(&fee, fee, n).code)
        out_wei(out, "fee", fee);
    if (json_string(contract).n > 0)
        out_text(out, "contract", json_string(contract));
}

static void show_outcome(struct cli *cli, const struct json *answer, unsigned wait_ms)
{
    struct bytes status = json_string(json_get(answer, "status"));
    const struct json *receipt = json_get(answer, "receipt");

    if (cli->out.is_json)
        out_value(&cli->out, "nonce", json_get(answer, "nonce"));
    out_text(&cli->out, "status", status);
    if (cli->out.is_json)
        out_value(&cli->out, "receipt", receipt);
    else
        show_receipt(&cli->out, receipt);
    if (bytes_equal_str(status, "failed")) {
        cli->exit = CLI_REFUSED;
        out_say("cloister: ", BYTES_LIT("the transaction failed on chain"));
    } else if (wait_ms && !bytes_equal_str(status, "mined")) {
        cli->exit = CLI_UNREACHABLE;
        out_say("cloister: ", BYTES_LIT("sent, but not mined within the time of --wait"));
    }
}

static bool is_pending(const struct json *answer)
{
    return bytes_equal_str(json_string(json_get(answer, "status")), "sent");
}

// One call, or several for a long wait: the key makes each one the same transaction.
static FALLIBLE send_and_wait(struct cli *cli, const struct json *tx, struct rest_request *request,
                              const struct json **answer)
{
    AUTO(progress_end) struct progress progress = { 0 };
    unsigned left_ms;
    struct err err;

    TRY(wait_of(cli, &left_ms));
    if (left_ms)
        progress_begin(&progress, "waiting until it is mined");
    do {
        unsigned now_ms = left_ms < CALL_WAIT_MS ? left_ms : CALL_WAIT_MS;

        TRY(write_body(cli, tx, now_ms, &request->body));
        request->timeout_ms = now_ms + TRANSPORT_MS;
        err = rest_call(&cli->rest, request, answer);
        // Whether it was sent is open only when nobody answered, or not the service itself.
        if (err.code && (cli->rest.status == 0 || cli->rest.status >= 500))
            out_say("cloister: to try again without sending twice, add --idempotency-key ",
                    bytes_str(request->idempotency_key));
        TRY(err);
        left_ms -= now_ms;
    } while (left_ms > 0 && is_pending(*answer));
    return OK;
}

struct err transact_send(struct cli *cli)
{
    char target[96];
    char key[KEY_BYTES_MAX + 1];
    struct rest_request request = { .method = "POST", .target = target, .idempotency_key = key };
    const struct json *answer = NULL;
    const struct json *tx = NULL;
    struct sent sent;
    struct verify account;
    unsigned wait_ms;

    TRY(wait_of(cli, &wait_ms));
    TRY(idempotency_key(cli, key));
    TRY(read_tx(cli, &tx));
    TRY(find_account(cli, &account));
    TRY(account_target(target, sizeof(target), &account, "send-transaction"));
    TRY(send_and_wait(cli, tx, &request, &answer));
    TRY(check_answer(answer, tx, &account, &sent));
    show_signed(cli, &account, &sent);
    show_outcome(cli, answer, wait_ms);
    return OK;
}

static void show_fields(struct out *out, const struct tx *tx)
{
    struct u256 cost;

    out_u64(out, "type", (uint64_t)tx->kind);
    out_u64(out, "chain_id", tx->chain_id);
    out_u64(out, "nonce", tx->nonce);
    out_u64(out, "gas", tx->gas);
    if (tx->kind == TX_LEGACY) {
        out_wei(out, "gas_price", tx->gas_price);
    } else {
        out_wei(out, "max_fee_per_gas", tx->max_fee);
        out_wei(out, "max_priority_fee", tx->max_priority_fee);
    }
    show_recipient(out, tx);
    if (tx_max_cost(&cost, tx).code == 0)
        out_wei(out, "max_cost", cost);
    out_hex(out, "data", tx->data);
    if (tx->kind == TX_FEE_MARKET)
        out_hex(out, "access_list_rlp", tx->access_list);
}

static FALLIBLE show_sender(struct out *out, const struct tx *tx, const uint8_t *signature,
                            struct bytes signed_tx)
{
    static uint8_t payload[TX_BYTES_MAX];
    uint8_t public_key[ECDSA_PUBLIC_BYTES];
    uint8_t address[20];
    uint8_t hash[32];
    char from[ADDRESS_TEXT];
    struct wr wr = WR_OF(payload);

    TRY(tx_write_unsigned(&wr, tx));
    tx_hash(hash, wr_done(&wr));
    TRY(ecdsa_recover(public_key, hash, signature));
    TRY(ecdsa_address(address, public_key));
    address_text(from, address);
    out_str(out, "from", from);
    out_hex(out, "signing_hash", BYTES_OF(hash));
    tx_hash(hash, signed_tx);
    out_hex(out, "hash", BYTES_OF(hash));
    return OK;
}

// The bytes of the positional hex, or of standard input.
static FALLIBLE read_raw(struct cli *cli, struct bytes *out)
{
    struct wr wr = wr_of(text, sizeof(text) - 1);
    const char *word;
    size_t n = 0;

    TRY(cli_word(cli, &word));
    if (strcmp(word, "-") == 0) {
        TRY(cli_read(cli, word, &wr));
        while (wr.len > 0 && strchr(" \r\n\t", text[wr.len - 1]) && text[wr.len - 1])
            wr.len--;
        text[wr.len] = 0;
        word = (const char *)text;
    }
    TRY(cli_hex(raw, sizeof(raw), &n, word));
    *out = bytes_of(raw, n);
    return OK;
}

struct err transact_decode(struct cli *cli)
{
    uint8_t signature[TX_SIGNATURE_BYTES];
    struct bytes bytes = BYTES_NONE;
    struct tx tx;
    uint8_t hash[32];
    struct err err;

    TRY(read_raw(cli, &bytes));
    err = tx_read_signed(&tx, signature, bytes);
    if (err.code == 0) {
        out_bool(&cli->out, "signed", true);
        show_fields(&cli->out, &tx);
        return show_sender(&cli->out, &tx, signature, bytes);
    }
    if (tx_read_unsigned(&tx, bytes).code)
        return err;
    out_bool(&cli->out, "signed", false);
    show_fields(&cli->out, &tx);
    tx_hash(hash, bytes);
    out_hex(&cli->out, "signing_hash", BYTES_OF(hash));
    return OK;
}
