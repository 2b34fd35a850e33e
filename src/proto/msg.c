// SPDX-License-Identifier: Apache-2.0
// Messages between front and vault: one reader and one writer for each row of PROTOCOL.md section
// 2. The vault takes nothing else from the front, whose memory may be an attacker's: every length
// has its limit from proto/limits.h, and bytes after the last field are refused.
#include "proto/msg.h"

#include "proto/anchor.h"
#include "proto/clients.h"

#define COUNTED_HEAD_BYTES 10U // type and id, which the length counts
#define LENGTH_BYTES       4U

struct err msg_next(struct bytes stream, size_t *whole, struct msg *out)
{
    struct rd rd = rd_of(stream);
    uint32_t length = rd_u32(&rd);

    *whole = 0;
    *out = (struct msg) { 0 };
    if (stream.n < LENGTH_BYTES)
        return OK;
    ENSURE(length >= COUNTED_HEAD_BYTES, ERR_MALFORMED, "message: length is below its own head");
    ENSURE(length <= COUNTED_HEAD_BYTES + MSG_BODY_MAX, ERR_TOO_LARGE,
           "message: expected a body of at most 192 KiB");
    if (rd.left.n < length)
        return OK;
    out->type = rd_u16(&rd);
    out->id = rd_u64(&rd);
    out->body = rd_bytes(&rd, length - COUNTED_HEAD_BYTES);
    *whole = LENGTH_BYTES + length;
    return OK;
}

size_t msg_begin(struct wr *wr, uint16_t type, uint64_t id)
{
    size_t at = wr->len;

    wr_u32(wr, 0);
    wr_u16(wr, type);
    wr_u64(wr, id);
    return at;
}

void msg_end(struct wr *wr, size_t at)
{
    size_t length = wr->len - at - LENGTH_BYTES;
    struct wr head = wr_of(wr->p + at, LENGTH_BYTES);

    if (wr->bad)
        return;
    if (length > COUNTED_HEAD_BYTES + MSG_BODY_MAX) {
        wr_refuse(wr);
        return;
    }
    wr_u32(&head, (uint32_t)length);
}

struct msg_verdict msg_read_verdict(struct rd *rd)
{
    struct msg_verdict verdict = { 0 };

    verdict.code = rd_u16(rd);
    verdict.audited = rd_bool(rd);
    if (verdict.code >= ERR_CODES)
        rd_refuse(rd);
    if (verdict.audited) {
        verdict.sequence = rd_u64(rd);
        rd_copy(rd, verdict.head, sizeof(verdict.head));
    }
    return verdict;
}

void msg_write_verdict(struct wr *wr, const struct msg_verdict *verdict)
{
    wr_u16(wr, verdict->code);
    wr_u8(wr, verdict->audited ? 1 : 0);
    if (!verdict->audited)
        return;
    wr_u64(wr, verdict->sequence);
    wr_bytes(wr, BYTES_OF(verdict->head));
}

void msg_write_status(struct wr *wr, const struct msg_status *status)
{
    wr_u8(wr, status->phase);
    id_write(wr, &status->boot);
    wr_u64(wr, status->now_ms);
    wr_u64(wr, status->sequence);
    wr_bytes(wr, BYTES_OF(status->audit_head));
    wr_bytes(wr, BYTES_OF(status->pcr16));
    wr_u32(wr, status->accounts_open);
    wr_u32(wr, status->accounts_slots);
    wr_u64(wr, status->manifest_serial);
    wr_u32(wr, status->seals);
    wr_u8(wr, status->anchored);
    wr_u8(wr, status->keysets_open);
    for (size_t i = 0; i < status->keysets_open && i < CONFIG_KEYSETS; i++) {
        id_write(wr, &status->keyset[i]);
        wr_var8(wr, status->keyset_name[i]);
    }
}

struct err msg_read_status(struct msg_status *out, struct rd *rd)
{
    out->phase = rd_u8(rd);
    out->boot = id_read(rd);
    out->now_ms = rd_u64(rd);
    out->sequence = rd_u64(rd);
    rd_copy(rd, out->audit_head, sizeof(out->audit_head));
    rd_copy(rd, out->pcr16, sizeof(out->pcr16));
    out->accounts_open = rd_u32(rd);
    out->accounts_slots = rd_u32(rd);
    out->manifest_serial = rd_u64(rd);
    out->seals = rd_u32(rd);
    out->anchored = rd_bool(rd);
    out->keysets_open = rd_u8(rd);
    ENSURE(out->keysets_open <= CONFIG_KEYSETS, ERR_MALFORMED, "keysets: expected at most 16");
    for (size_t i = 0; i < out->keysets_open; i++) {
        out->keyset[i] = id_read(rd);
        out->keyset_name[i] = rd_var8(rd, NAME_BYTES_MAX);
    }
    TRY(rd_end(rd));
    ENSURE(out->phase == PHASE_UNCONFIGURED || out->phase == PHASE_CONFIGURED ||
               out->phase == PHASE_READY || out->phase == PHASE_SEALED,
           ERR_MALFORMED, "phase: expected 1, 2, 4 or 8");
    return OK;
}

void msg_write_keyset_create(struct wr *wr, const struct msg_keyset_create *m)
{
    wr_var8(wr, m->name);
    wr_var8(wr, m->nonce);
}

struct err msg_read_keyset_create(struct msg_keyset_create *out, struct rd *rd)
{
    out->name = rd_var8(rd, NAME_BYTES_MAX);
    out->nonce = rd_var8(rd, NONCE_BYTES_MAX);
    return rd_end(rd);
}

void msg_write_step(struct wr *wr, const struct msg_step *m)
{
    wr_u8(wr, (uint8_t)m->kind);
    wr_u64(wr, m->operation);
    wr_var16(wr, m->cmk);
    wr_var8(wr, m->name);
    wr_var16(wr, m->blob);
    wr_var16(wr, m->document);
    id_write(wr, &m->keyset);
    wr_var16(wr, m->record);
}

struct err msg_read_step(struct msg_step *out, struct rd *rd)
{
    uint8_t kind = rd_u8(rd);

    out->operation = rd_u64(rd);
    out->cmk = rd_var16(rd, ARN_BYTES_MAX);
    out->name = rd_var8(rd, NAME_BYTES_MAX);
    out->blob = rd_var16(rd, KMS_BLOB_MAX);
    out->document = rd_var16(rd, DOCUMENT_MAX);
    out->keyset = id_read(rd);
    out->record = rd_var16(rd, KEYSET_BYTES_MAX);
    TRY(rd_end(rd));
    ENSURE(kind <= MSG_STEP_ANCHOR_WRITE, ERR_MALFORMED, "step: expected a kind of 0 to 4");
    out->kind = (enum msg_step_kind)kind;
    return OK;
}

void msg_write_kms_answer(struct wr *wr, const struct msg_kms_answer *m)
{
    wr_u64(wr, m->operation);
    wr_var16(wr, m->cmk);
    wr_var16(wr, m->blob);
    wr_var16(wr, m->cms);
}

struct err msg_read_kms_answer(struct msg_kms_answer *out, struct rd *rd)
{
    out->operation = rd_u64(rd);
    out->cmk = rd_var16(rd, ARN_BYTES_MAX);
    out->blob = rd_var16(rd, KMS_BLOB_MAX);
    out->cms = rd_var16(rd, KMS_BLOB_MAX);
    return rd_end(rd);
}

void msg_write_anchor_answer(struct wr *wr, const struct msg_anchor_answer *m)
{
    wr_u64(wr, m->operation);
    wr_u8(wr, (uint8_t)m->outcome);
    wr_u64(wr, m->version);
    wr_var16(wr, m->item);
}

struct err msg_read_anchor_answer(struct msg_anchor_answer *out, struct rd *rd)
{
    out->operation = rd_u64(rd);
    out->outcome = (enum msg_anchor_outcome)rd_u8(rd);
    out->version = rd_u64(rd);
    out->item = rd_var16(rd, ANCHOR_ITEM_BYTES);
    TRY(rd_end(rd));
    ENSURE(out->outcome <= MSG_ANCHOR_CONFLICT, ERR_MALFORMED,
           "anchor: expected an outcome of 0 to 4");
    return OK;
}

void msg_write_account_create(struct wr *wr, const struct msg_account_create *m)
{
    id_write(wr, &m->keyset);
    wr_var16(wr, m->policy);
    wr_var16(wr, m->authorisers);
    wr_var8(wr, m->nonce);
}

struct err msg_read_account_create(struct msg_account_create *out, struct rd *rd)
{
    out->keyset = id_read(rd);
    out->policy = rd_var16(rd, POLICY_BYTES_MAX);
    out->authorisers = rd_var16(rd, POLICY_BYTES_MAX);
    out->nonce = rd_var8(rd, NONCE_BYTES_MAX);
    return rd_end(rd);
}

void msg_write_created(struct wr *wr, const struct msg_created *m)
{
    wr_var16(wr, m->record);
    wr_var16(wr, m->document);
}

struct err msg_read_created(struct msg_created *out, struct rd *rd)
{
    out->record = rd_var16(rd, RECORD_BYTES_MAX);
    out->document = rd_var16(rd, DOCUMENT_MAX);
    return rd_end(rd);
}

void msg_write_account(struct wr *wr, const struct msg_account *m)
{
    id_write(wr, &m->id);
    wr_bytes(wr, BYTES_OF(m->address));
}

struct err msg_read_account(struct msg_account *out, struct rd *rd)
{
    out->id = id_read(rd);
    rd_copy(rd, out->address, sizeof(out->address));
    return rd_end(rd);
}

void msg_write_sign_tx(struct wr *wr, const struct msg_sign_tx *m)
{
    id_write(wr, &m->account);
    wr_var32(wr, m->record);
    wr_var32(wr, m->payload);
    wr_var16(wr, m->approvals);
}

struct err msg_read_sign_tx(struct msg_sign_tx *out, struct rd *rd)
{
    out->account = id_read(rd);
    out->record = rd_var32(rd, RECORD_BYTES_MAX);
    out->payload = rd_var32(rd, TX_PAYLOAD_MAX);
    out->approvals = rd_var16(rd, 0);
    return rd_end(rd);
}

void msg_write_signed(struct wr *wr, const struct msg_signed *m)
{
    wr_bytes(wr, BYTES_OF(m->address));
    wr_bytes(wr, BYTES_OF(m->signature));
}

struct err msg_read_signed(struct msg_signed *out, struct rd *rd)
{
    rd_copy(rd, out->address, sizeof(out->address));
    rd_copy(rd, out->signature, sizeof(out->signature));
    TRY(rd_end(rd));
    ENSURE(out->signature[64] <= 1, ERR_MALFORMED, "signature: expected a parity of 0 or 1");
    return OK;
}

void msg_write_import_ready(struct wr *wr, const struct msg_import_ready *m)
{
    id_write(wr, &m->account);
    wr_bytes(wr, BYTES_OF(m->public_key));
    wr_var16(wr, m->document);
}

struct err msg_read_import_ready(struct msg_import_ready *out, struct rd *rd)
{
    out->account = id_read(rd);
    rd_copy(rd, out->public_key, sizeof(out->public_key));
    out->document = rd_var16(rd, DOCUMENT_MAX);
    return rd_end(rd);
}

void msg_write_import_finish(struct wr *wr, const struct msg_import_finish *m)
{
    id_write(wr, &m->account);
    wr_bytes(wr, BYTES_OF(m->enc));
    wr_var16(wr, m->ciphertext);
    wr_var8(wr, m->nonce);
}

struct err msg_read_import_finish(struct msg_import_finish *out, struct rd *rd)
{
    out->account = id_read(rd);
    rd_copy(rd, out->enc, sizeof(out->enc));
    out->ciphertext = rd_var16(rd, MSG_IMPORT_CIPHER_BYTES);
    out->nonce = rd_var8(rd, NONCE_BYTES_MAX);
    return rd_end(rd);
}

void msg_write_attestation(struct wr *wr, const struct msg_attestation *m)
{
    wr_var8(wr, m->nonce);
    wr_var8(wr, m->key);
}

struct err msg_read_attestation(struct msg_attestation *out, struct rd *rd)
{
    out->nonce = rd_var8(rd, NONCE_BYTES_MAX);
    out->key = rd_var8(rd, sizeof(struct id));
    TRY(rd_end(rd));
    ENSURE(out->key.n == 0 || out->key.n == sizeof(struct id), ERR_MALFORMED,
           "key: expected an id or nothing");
    return OK;
}

void msg_write_tls_key(struct wr *wr, const struct msg_tls_key *m)
{
    id_write(wr, &m->key);
    wr_bytes(wr, BYTES_OF(m->public_key));
    wr_u8(wr, m->provenance);
}

struct err msg_read_tls_key(struct msg_tls_key *out, struct rd *rd)
{
    out->key = id_read(rd);
    rd_copy(rd, out->public_key, sizeof(out->public_key));
    out->provenance = rd_u8(rd);
    TRY(rd_end(rd));
    ENSURE(out->provenance >= RECORD_GENERATED && out->provenance <= RECORD_EXPOSED, ERR_MALFORMED,
           "provenance: expected 1 to 3");
    return OK;
}

void msg_write_tls_sign(struct wr *wr, const struct msg_tls_sign *m)
{
    id_write(wr, &m->key);
    wr_u8(wr, m->kind);
    wr_var8(wr, m->input);
}

struct err msg_read_tls_sign(struct msg_tls_sign *out, struct rd *rd)
{
    out->key = id_read(rd);
    out->kind = rd_u8(rd);
    out->input = rd_var8(rd, MSG_TLS_INPUT_MAX);
    TRY(rd_end(rd));
    ENSURE(out->kind == MSG_TLS_VERIFY13 || out->kind == MSG_TLS_EXCHANGE12, ERR_MALFORMED,
           "handshake: expected kind 1 or 2");
    return OK;
}

void msg_write_tls_certify(struct wr *wr, const struct msg_tls_certify *m)
{
    id_write(wr, &m->key);
    wr_u8(wr, m->kind);
    wr_u16(wr, m->days);
    wr_u8(wr, m->names);
    for (size_t i = 0; i < m->names && i < MSG_TLS_NAMES; i++) {
        wr_u8(wr, m->name[i].type);
        wr_var8(wr, m->name[i].name);
    }
}

static FALLIBLE check_certify(const struct msg_tls_certify *m);

struct err msg_read_tls_certify(struct msg_tls_certify *out, struct rd *rd)
{
    out->key = id_read(rd);
    out->kind = rd_u8(rd);
    out->days = rd_u16(rd);
    out->names = rd_u8(rd);
    ENSURE(out->names <= MSG_TLS_NAMES, ERR_MALFORMED, "names: expected 1 to 16");
    for (size_t i = 0; i < out->names; i++) {
        out->name[i].type = rd_u8(rd);
        out->name[i].name = rd_var8(rd, MSG_TLS_NAME_MAX);
    }
    TRY(rd_end(rd));
    return check_certify(out);
}

static FALLIBLE check_certify(const struct msg_tls_certify *m)
{
    uint16_t least = m->kind == MSG_TLS_REQUEST ? 0 : 1;
    uint16_t most = m->kind == MSG_TLS_REQUEST ? 0 : MSG_TLS_DAYS_MAX;

    ENSURE(m->kind == MSG_TLS_REQUEST || m->kind == MSG_TLS_SELF_SIGNED, ERR_MALFORMED,
           "certificate: expected kind 1 or 2");
    ENSURE(m->days >= least && m->days <= most, ERR_MALFORMED,
           "days: expected 1 to 3650, or 0 for a request");
    ENSURE(m->names > 0, ERR_MALFORMED, "names: expected 1 to 16");
    for (size_t i = 0; i < m->names; i++) {
        struct bytes name = m->name[i].name;

        ENSURE(m->name[i].type == MSG_TLS_DNS || m->name[i].type == MSG_TLS_IP, ERR_MALFORMED,
               "names: expected type 1 (DNS) or 2 (IP)");
        ENSURE(m->name[i].type != MSG_TLS_DNS || clients_is_dns_name(name), ERR_MALFORMED,
               "names: expected a DNS name in lower case, without a last dot");
        ENSURE(m->name[i].type != MSG_TLS_IP || name.n == 4 || name.n == 16, ERR_MALFORMED,
               "names: expected an IP address of 4 or 16 bytes");
    }
    return OK;
}

void msg_write_clients(struct wr *wr, const struct msg_clients *m)
{
    wr_u64(wr, m->serial);
    wr_u8(wr, m->mode);
    wr_var16(wr, m->clients);
    wr_var16(wr, m->web);
}

struct err msg_read_clients(struct msg_clients *out, struct rd *rd)
{
    out->serial = rd_u64(rd);
    out->mode = rd_u8(rd);
    out->clients = rd_var16(rd, CLIENTS_BYTES_MAX);
    out->web = rd_var16(rd, WEB_BYTES_MAX);
    TRY(rd_end(rd));
    ENSURE(out->mode == CONFIG_PARENT_TRUSTED || out->mode == CONFIG_HOSTILE_PARENT, ERR_MALFORMED,
           "mode: expected 1 or 2");
    TRY(clients_check(out->clients));
    return clients_check_web(out->web);
}

void msg_write_denial(struct wr *wr, const struct msg_denial *m)
{
    wr_u8(wr, m->operation);
    wr_bytes(wr, BYTES_OF(m->identity));
    wr_var8(wr, m->source);
}

struct err msg_read_denial(struct msg_denial *out, struct rd *rd)
{
    out->operation = rd_u8(rd);
    rd_copy(rd, out->identity, sizeof(out->identity));
    out->source = rd_var8(rd, DENIAL_SOURCE_MAX);
    TRY(rd_end(rd));
    ENSURE(out->operation == CLIENTS_METRICS || out->operation == CLIENTS_SIGN_TX, ERR_MALFORMED,
           "operation: expected 1 (metrics) or 2 (sign_transaction)");
    return OK;
}
