// SPDX-License-Identifier: Apache-2.0
#include "vault/tls.h"

#include "base/must.h"
#include "crypto/openssl/p256.h"
#include "crypto/openssl/sha2.h"
#include "proto/policy.h"
#include "vault/account.h"
#include "vault/admin.h"
#include "vault/certify.h"
#include "vault/entropy.h"
#include "vault/seal.h"

#include <string.h>

#define PADDING_BYTES 64 // of spaces (RFC 8446 4.4.3)
#define RANDOMS_BYTES 64 // the client's and the server's
#define NAMED_CURVE   3
#define POINT_MAX     97U

enum named_group { GROUP_SECP256R1 = 23, GROUP_SECP384R1 = 24, GROUP_X25519 = 29 };

static void slot_close(struct state_tls *slot)
{
    p256_key_free(&slot->key);
    *slot = (struct state_tls) { 0 };
}

void tls_close_all(struct state *state)
{
    for (size_t i = 0; i < ARRAY_LEN(state->tls); i++)
        slot_close(&state->tls[i]);
}

void tls_enforce(struct state *state)
{
    for (size_t i = 0; i < ARRAY_LEN(state->tls); i++) {
        struct state_tls *slot = &state->tls[i];

        if (!keyring_find(&state->secret->keyring, &slot->keyset) ||
            admin_allows(state, &slot->id, slot->generation).code)
            slot_close(slot);
    }
}

// The slot of an open key, now the newest; NULL when it is not open.
static struct state_tls *slot_find(struct state *state, const struct id *key)
{
    for (size_t i = 0; i < ARRAY_LEN(state->tls); i++) {
        struct state_tls *slot = &state->tls[i];

        if (!slot->key || !id_equal(&slot->id, key))
            continue;
        slot->used = ++state->tls_used;
        return slot;
    }
    return NULL;
}

// An empty slot: that of the same key, a free one (it was never used), or the one not used for
// longest.
static struct state_tls *slot_take(struct state *state, const struct id *key)
{
    struct state_tls *slot = slot_find(state, key), *oldest = &state->tls[0];

    for (size_t i = 1; i < ARRAY_LEN(state->tls); i++)
        if (state->tls[i].used < oldest->used)
            oldest = &state->tls[i];
    if (!slot)
        slot = oldest;
    slot_close(slot);
    return slot;
}

static struct err slot_of(struct state *state, const struct id *key, struct state_tls **out)
{
    *out = slot_find(state, key);
    ENSURE(*out, ERR_NOT_FOUND, "key: not open; open its record");
    return OK;
}

static struct err record_check(const struct state *state, const struct record *record,
                               const struct keyring_entry **keyset)
{
    struct policy policy;

    TRY(account_belongs(state, record, CONFIG_TLS, keyset));
    TRY(policy_read(&policy, record->policy));
    ENSURE(policy.kind == POLICY_NOTHING, ERR_UNSUPPORTED, "policy: a TLS key has none");
    return OK;
}

static struct err slot_open(struct state *state, const struct keyring_entry *keyset,
                            const struct record *record, const uint8_t hash[static 32],
                            struct state_tls **out)
{
    AUTO(seckey_wipe) struct seckey secret = { 0 };
    AUTO(p256_key_free) struct p256_key *key = NULL;
    uint8_t public_key[P256_PUBLIC_BYTES];

    TRY(seal_open_record(&secret, &keyset->key, record));
    TRY(p256_key_of(&key, &secret));
    p256_key_public(key, public_key);
    ENSURE(bytes_equal(record->public_key, BYTES_OF(public_key)), ERR_CORRUPT,
           "record: its key does not fit its public key");
    *out = slot_take(state, &record->id);
    **out = (struct state_tls) { .id = record->id,
                                 .keyset = record->keyset,
                                 .generation = record->generation,
                                 .provenance = record->provenance,
                                 .used = ++state->tls_used,
                                 .key = key };
    memcpy((*out)->record_hash, hash, sizeof((*out)->record_hash));
    key = NULL; // the slot's from here on
    return OK;
}

struct err tls_open(struct turn *turn)
{
    struct state *state = turn->state;
    const struct keyring_entry *keyset;
    struct msg_tls_key answer;
    struct state_tls *slot;
    struct record record;
    uint8_t hash[32];

    TRY(record_read(&record, turn->body));
    TRY(record_check(state, &record, &keyset));
    sha2_256(hash, turn->body);
    slot = slot_find(state, &record.id);
    if (!slot || !bytes_equal(BYTES_OF(slot->record_hash), BYTES_OF(hash)))
        TRY(slot_open(state, keyset, &record, hash, &slot));
    turn->account = answer.key = slot->id;
    p256_key_public(slot->key, answer.public_key);
    answer.provenance = (uint8_t)slot->provenance;
    msg_write_tls_key(turn->out, &answer);
    return OK;
}

// The content of a server's CertificateVerify (RFC 8446 4.4.3). A client's has another text, and
// nothing else that is signed anywhere begins with so many spaces.
static struct err input_verify13(struct wr *wr, struct bytes transcript)
{
    ENSURE(transcript.n == 32 || transcript.n == 48, ERR_MALFORMED,
           "handshake: expected a transcript hash of 32 or 48 bytes");
    for (size_t i = 0; i < PADDING_BYTES; i++)
        wr_u8(wr, ' ');
    wr_str(wr, "TLS 1.3, server CertificateVerify");
    wr_u8(wr, 0);
    wr_bytes(wr, transcript);
    return OK;
}

// A tag with its class and form. A small number may also be written the long way, which is not DER,
// but libcrypto takes it: `3f 10` is a SEQUENCE. 0: a greater number.
static uint8_t read_tag(struct rd *rd)
{
    uint8_t first = rd_u8(rd), more;
    uint64_t number = 0;

    if ((first & 0x1f) != 0x1f)
        return first;
    do {
        more = rd_u8(rd);
        number = number << 7 | (more & 0x7f);
    } while (more & 0x80);
    return number < 0x1f ? (uint8_t)((first & 0xe0) | number) : 0;
}

// Whether all of `in` reads as a SEQUENCE or SET, of definite or indefinite length, that begins as
// what a certificate, a request for one, a CRL, an OCSP answer or attributes of CMS begin with when
// they are signed: INTEGER, SEQUENCE or a context's [0] to [2]. Lengths with zeros before them
// count, since lenient readers take them.
static bool reads_as_der(struct bytes in)
{
    struct rd rd = rd_of(in);
    uint8_t outer = read_tag(&rd), first = rd_u8(&rd), member;
    uint64_t n = first & 0x80 ? 0 : first;

    for (uint8_t i = 0; (first & 0x80) && i < (first & 0x7f); i++)
        n = n << 8 | rd_u8(&rd);
    if (rd.bad || (outer != 0x30 && outer != 0x31) || (first != 0x80 && n != rd.left.n))
        return false;
    member = read_tag(&rd);
    return member == 0x02 || member == 0x30 || (member >= 0xa0 && member <= 0xa2);
}

// What a ServerKeyExchange signs (RFC 8422 5.4): both randoms and the parameters. The front chooses
// the randoms, 32 bytes of x25519 may be anything, and so may nearly half of a point: nothing of it
// may read as something else that a key of TLS signs. One honest handshake in 800,000 is refused by
// chance.
static struct err input_exchange12(struct wr *wr, struct bytes input)
{
    struct rd rd = rd_of(input);
    struct bytes randoms = rd_bytes(&rd, RANDOMS_BYTES), point;
    uint8_t type = rd_u8(&rd);
    uint16_t group = rd_u16(&rd);
    bool known;

    point = rd_var8(&rd, POINT_MAX);
    TRY(rd_end(&rd));
    known = (group == GROUP_SECP256R1 && p256_is_point(point)) ||
            (group == GROUP_SECP384R1 && p256_is_point_384(point)) ||
            (group == GROUP_X25519 && point.n == 32);
    ENSURE(randoms.n == RANDOMS_BYTES && type == NAMED_CURVE && known, ERR_MALFORMED,
           "handshake: expected a point of secp256r1, secp384r1 or x25519");
    ENSURE(!reads_as_der(input), ERR_MALFORMED, "handshake: expected randoms that are no DER");
    wr_bytes(wr, input);
    return OK;
}

struct err tls_sign(struct turn *turn)
{
    uint8_t input[PADDING_BYTES + 34 + MSG_TLS_INPUT_MAX];
    struct rd rd = rd_of(turn->body);
    struct wr wr = WR_OF(input);
    struct msg_tls_sign m;
    struct state_tls *slot;

    TRY(msg_read_tls_sign(&m, &rd));
    TRY(m.kind == MSG_TLS_VERIFY13 ? input_verify13(&wr, m.input) : input_exchange12(&wr, m.input));
    TRY(wr_end(&wr));
    TRY(slot_of(turn->state, &m.key, &slot));
    return p256_sign(turn->out, slot->key, wr_done(&wr));
}

struct err tls_certify(struct turn *turn)
{
    struct state *state = turn->state;
    struct rd rd = rd_of(turn->body);
    struct msg_tls_certify m;
    struct certify certify = { .what = &m, .now_s = clock_now_ms(&state->clock) / 1000 };
    struct state_tls *slot;

    TRY(msg_read_tls_certify(&m, &rd));
    turn->account = m.key;
    TRY(slot_of(state, &m.key, &slot));
    TRY(entropy_bytes(&state->nsm, certify.serial, sizeof(certify.serial)));
    certify.key = slot->key;
    return certify_write(turn->out, &certify);
}

struct err tls_attested(struct state *state, struct bytes key, struct receipt_tls *out)
{
    struct rd rd = rd_of(key);
    struct id id = id_read(&rd);
    uint8_t spki[P256_SPKI_BYTES];
    struct state_tls *slot;

    TRY(slot_of(state, &id, &slot));
    ENSURE(slot->provenance == RECORD_GENERATED, ERR_DENIED,
           "key: was not generated inside; others may have it");
    p256_key_spki(slot->key, spki);
    sha2_256(out->spki_sha256, BYTES_OF(spki));
    out->keyset = slot->keyset;
    return OK;
}
