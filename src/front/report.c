// SPDX-License-Identifier: Apache-2.0
// From the vault's binary answers to the control plane's JSON. Duty: read an answer to its last
// byte before a word of the result is written, so that a result is never half one. Numbers that
// may exceed 53 bits are 0x strings, as in JSON-RPC.
#include "front/report.h"

#include "base/must.h"
#include "crypto/ecdsa.h"
#include "crypto/openssl/p256.h"
#include "crypto/openssl/sha2.h"
#include "eth/address.h"
#include "eth/tx.h"
#include "front/data.h"
#include "front/tlskeys.h"
#include "proto/record.h"

// One signed transaction at a time, in the loop's thread.
static uint8_t raw_space[TX_BYTES_MAX + 256];

bool report_refusal(struct call *call, const struct link_answer *answer)
{
    if (answer->verdict.code == ERR_NONE)
        return false;
    call_fail_text(call, (enum err_code)answer->verdict.code, answer->text);
    return true;
}

// Starts the result of an answer that was read with `read`; NULL when the vault refused or its
// answer is not of its form: then the call is answered.
static struct jw *report_begin(struct call *call, struct link_answer *answer, struct err read)
{
    if (report_refusal(call, answer))
        return NULL;
    if (!read.code)
        read = rd_end(&answer->result);
    if (!read.code)
        return call_begin(call);
    call_fail(call, FAIL(ERR_INTERNAL, "vault: an answer of unknown form"));
    return NULL;
}

static void report_id(struct jw *jw, const char *key, const struct id *id)
{
    jw_digits(jw_key(jw, key), BYTES_OF(id->b));
}

static void report_position(struct jw *jw, const struct core *core, uint64_t sequence,
                            const uint8_t head[static 32])
{
    jw_object(jw_key(jw, "audit"));
    report_id(jw, "boot", &core->boot);
    jw_u64(jw_key(jw, "sequence"), sequence);
    jw_digits(jw_key(jw, "head"), bytes_of(head, 32));
    jw_object_end(jw);
}

void report_audit(struct jw *jw, const struct core *core, const struct msg_verdict *verdict)
{
    if (verdict->audited)
        report_position(jw, core, verdict->sequence, verdict->head);
    else
        jw_null(jw_key(jw, "audit"));
}

// What there is only with a configuration.
static void report_configured_bytes(struct jw *jw, const char *key, const struct core *core,
                                    struct bytes b)
{
    jw_key(jw, key);
    if (core->configured)
        jw_digits(jw, b);
    else
        jw_null(jw);
}

static void report_contents(struct jw *jw, const struct msg_status *status)
{
    jw_array(jw_key(jw, "keysets"));
    for (size_t i = 0; i < status->keysets_open; i++) {
        jw_object(jw);
        report_id(jw, "id", &status->keyset[i]);
        jw_string(jw_key(jw, "name"), status->keyset_name[i]);
        jw_object_end(jw);
    }
    jw_array_end(jw);
    jw_object(jw_key(jw, "accounts"));
    jw_u64(jw_key(jw, "open"), status->accounts_open);
    jw_u64(jw_key(jw, "slots"), status->accounts_slots);
    jw_object_end(jw);
}

static void report_credentials(struct jw *jw, struct core *core)
{
    uint64_t expires_s = credentials_expires(core->credentials, core_now_s(&core->clock));

    jw_key(jw, "credentials");
    if (expires_s == 0) {
        jw_null(jw);
        return;
    }
    jw_object(jw);
    jw_u64(jw_key(jw, "expires"), expires_s);
    jw_object_end(jw);
}

void report_status(struct jw *jw, struct core *core, const struct msg_status *status)
{
    jw_cstring(jw_key(jw, "phase"), core_phase_name(status->phase));
    report_id(jw, "boot", &status->boot);
    jw_u64(jw_key(jw, "manifest_serial"), status->manifest_serial);
    jw_u64(jw_key(jw, "seals"), status->seals);
    jw_u64(jw_key(jw, "now_ms"), status->now_ms);
    report_configured_bytes(jw, "deployment", core, BYTES_OF(core->config.deployment.b));
    report_configured_bytes(jw, "pcr16", core, BYTES_OF(status->pcr16));
    jw_cstring(jw_key(jw, "anchors"), core->anchors->name);
    jw_cstring(jw_key(jw, "anchor"),
               config_anchor_name(core->configured ? core->config.anchor : CONFIG_ANCHOR_NONE));
    jw_bool(jw_key(jw, "anchored"), status->anchored);
    report_position(jw, core, status->sequence, status->audit_head);
    report_contents(jw, status);
    report_credentials(jw, core);
    jw_key(jw, "tls");
    tlskeys_report(jw, core);
    jw_u64(jw_key(jw, "data_connections"), data_connections(core->data));
}

static void report_standing(struct jw *jw, struct core *core, const struct msg_status *status)
{
    (void)core;
    jw_cstring(jw_key(jw, "phase"), core_phase_name(status->phase));
    jw_u64(jw_key(jw, "serial"), status->manifest_serial);
    jw_u64(jw_key(jw, "seals"), status->seals);
    jw_bool(jw_key(jw, "anchored"), status->anchored);
}

void report_asked(void *context, struct link_answer *answer)
{
    struct call *call = context;
    struct msg_status status = { 0 };
    struct jw *jw = report_begin(call, answer, msg_read_status(&status, &answer->result));

    if (!jw)
        return;
    core_set_status(call->core, &status);
    call->tell(jw, call->core, &status);
    call_end(call);
}

void report_changed(void *context, struct link_answer *answer)
{
    struct call *call = context;
    struct err err;

    if (report_refusal(call, answer))
        return;
    call->tell = report_standing;
    err = permits_ask(call->core); // the vault answers in order: in force before this is answered
    if (!err.code)
        err = call_ask(call, MSG_STATUS, BYTES_NONE, report_asked);
    if (err.code)
        call_fail(call, err);
}

void report_configured(void *context, struct link_answer *answer)
{
    struct call *call = context;
    struct core *core = call->core;
    uint8_t pcr16[48];
    struct jw *jw = report_begin(
        call, answer, answer->verdict.code ? OK : core_set_config(core, call_kept(call)));

    if (!jw)
        return;
    core_set_phase(core, PHASE_CONFIGURED);
    config_pcr16(pcr16, call_kept(call));
    jw_digits(jw_key(jw, "pcr16"), BYTES_OF(pcr16));
    report_id(jw, "deployment", &core->config.deployment);
    call_end(call);
}

void report_attestation(void *context, struct link_answer *answer)
{
    struct call *call = context;

    if (report_refusal(call, answer))
        return;
    jw_base64(jw_key(call_begin(call), "document_b64"), answer->result.left);
    call_end(call);
}

void report_keyset(struct call *call, const struct msg_step *step)
{
    struct jw *jw = call_begin(call);

    report_id(jw, "keyset", &step->keyset);
    if (call->creating) {
        jw_base64(jw_key(jw, "record_b64"), step->record);
        jw_base64(jw_key(jw, "receipt_b64"), step->document);
    } else {
        jw_string(jw_key(jw, "name"), step->name);
    }
    call_end(call);
}

static void report_address(struct jw *jw, const char *key, const uint8_t address[static 20])
{
    char text[ADDRESS_TEXT];

    address_text(text, address);
    jw_cstring(jw_key(jw, key), text);
}

// A new key, with an account's address or what a TLS key's certificate will say.
struct report_made {
    struct msg_created created;
    struct record record;
    bool is_tls;
    uint8_t address[20];
    uint8_t spki_sha256[32];
};

static struct err report_read_made(struct report_made *out, struct rd *result)
{
    uint8_t spki[P256_SPKI_BYTES];

    TRY(msg_read_created(&out->created, result));
    TRY(record_read(&out->record, out->created.record));
    ENSURE(out->record.public_key.n == ECDSA_PUBLIC_BYTES, ERR_MALFORMED, "public key: 33 bytes");
    out->is_tls = out->record.purpose == RECORD_TLS;
    if (!out->is_tls)
        return ecdsa_address(out->address, out->record.public_key.p);
    TRY(p256_spki(spki, out->record.public_key.p));
    sha2_256(out->spki_sha256, BYTES_OF(spki));
    return OK;
}

void report_account_created(void *context, struct link_answer *answer)
{
    struct call *call = context;
    struct report_made made = { 0 };
    struct err read = answer->verdict.code ? OK : report_read_made(&made, &answer->result);
    struct jw *jw;

    if (!answer->verdict.code && !read.code && call->makes_tls && !made.is_tls) {
        call_fail(call, FAIL(ERR_MISMATCH, "keyset: expected one whose purpose is tls"));
        return;
    }
    jw = report_begin(call, answer, read);
    if (!jw)
        return;
    report_id(jw, made.is_tls ? "key" : "account", &made.record.id);
    if (made.is_tls) {
        jw_hex(jw_key(jw, "public_key"), made.record.public_key);
        jw_digits(jw_key(jw, "spki_sha256"), BYTES_OF(made.spki_sha256));
    } else {
        report_address(jw, "address", made.address);
    }
    jw_base64(jw_key(jw, "record_b64"), made.created.record);
    jw_base64(jw_key(jw, "receipt_b64"), made.created.document);
    report_audit(jw, call->core, &answer->verdict);
    call_end(call);
}

void report_account_opened(void *context, struct link_answer *answer)
{
    struct call *call = context;
    struct msg_account account;
    struct jw *jw = report_begin(call, answer, msg_read_account(&account, &answer->result));

    if (!jw)
        return;
    report_id(jw, "account", &account.id);
    report_address(jw, "address", account.address);
    report_audit(jw, call->core, &answer->verdict);
    call_end(call);
}

void report_import_ready(void *context, struct link_answer *answer)
{
    struct call *call = context;
    struct msg_import_ready ready;
    struct jw *jw = report_begin(call, answer, msg_read_import_ready(&ready, &answer->result));

    if (!jw)
        return;
    report_id(jw, "account", &ready.account);
    jw_hex(jw_key(jw, "public_key"), BYTES_OF(ready.public_key));
    jw_base64(jw_key(jw, "document_b64"), ready.document);
    call_end(call);
}

// `v` as on chain: EIP-155 for legacy, else the parity.
static struct u256 report_v(const struct tx *tx, uint8_t parity)
{
    struct u256 v = u256_of(parity);

    if (tx->kind != TX_LEGACY)
        return v;
    must(!u256_mul_u64(&v, u256_of(tx->chain_id), 2).code);
    must(!u256_add(&v, v, u256_of(35U + parity)).code);
    return v;
}

static void report_half(struct jw *jw, const char *key, const uint8_t half[static 32])
{
    struct u256 value;

    must(!u256_from_be(&value, bytes_of(half, 32)).code);
    jw_quantity(jw_key(jw, key), value);
}

static struct err report_read_signed(struct msg_signed *got, struct tx *tx, struct wr *raw,
                                     struct link_answer *answer, struct bytes unsigned_tx)
{
    TRY(msg_read_signed(got, &answer->result));
    TRY(tx_read_unsigned(tx, unsigned_tx));
    TRY(tx_write_signed(raw, tx, got->signature));
    return wr_end(raw);
}

void report_signed(void *context, struct link_answer *answer)
{
    struct call *call = context;
    struct wr raw = WR_OF(raw_space);
    struct msg_signed got;
    struct tx tx;
    uint8_t hash[32];
    struct jw *jw =
        report_begin(call, answer, report_read_signed(&got, &tx, &raw, answer, call_kept(call)));

    if (!jw)
        return;
    tx_hash(hash, wr_done(&raw));
    jw_hex(jw_key(jw, "raw_tx"), wr_done(&raw));
    jw_hex(jw_key(jw, "hash"), BYTES_OF(hash));
    report_address(jw, "from", got.address);
    report_half(jw, "r", got.signature);
    report_half(jw, "s", got.signature + 32);
    jw_quantity(jw_key(jw, "v"), report_v(&tx, got.signature[64]));
    report_audit(jw, call->core, &answer->verdict);
    call_end(call);
}
