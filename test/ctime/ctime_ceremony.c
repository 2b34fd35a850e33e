// SPDX-License-Identifier: Apache-2.0
// Groups of the vault's dialogues: a keyset from GenerateDataKey to its opening, and an import. The
// test is module, KMS and owner. What the vault publishes is shown when it has left the vault.
#include "ctime.h"

#include "base/cbor.h"
#include "crypto/cose.h"
#include "crypto/ecdsa.h"
#include "crypto/openssl/libcrypto.h"
#include "emu/envelope.h"
#include "proto/offer.h"
#include "proto/policy.h"
#include "vault/ceremony.h"
#include "vault/import.h"

#include <string.h>

#define ARN BYTES_LIT("arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555")

static struct state_secrets secret;
static uint8_t result[VAULT_ANSWER_MAX];
static size_t result_len;

// A document with what every one has, which nobody verifies here.
static void give_document(struct wr *answer)
{
    uint8_t payload[256], document[512];
    struct wr wr = WR_OF(payload), whole = WR_OF(document);

    cbor_put_map(&wr, 6);
    cbor_put_text(&wr, "module_id");
    cbor_put_text(&wr, "m");
    cbor_put_text(&wr, "digest");
    cbor_put_text(&wr, "SHA384");
    cbor_put_text(&wr, "timestamp");
    cbor_put_uint(&wr, 1);
    cbor_put_text(&wr, "pcrs");
    cbor_put_map(&wr, 1);
    cbor_put_uint(&wr, 0);
    cbor_put_bytes(&wr, bytes_of((const uint8_t[48]) { 1 }, 48));
    cbor_put_text(&wr, "certificate");
    cbor_put_bytes(&wr, BYTES_LIT("c"));
    cbor_put_text(&wr, "cabundle");
    cbor_put_array(&wr, 1);
    cbor_put_bytes(&wr, BYTES_LIT("c"));
    cose_write(&whole,
               &(struct cose) { .protected_header = COSE_HEADER_ES384, .payload = wr_done(&wr) });
    cbor_put_map(answer, 1);
    cbor_put_text(answer, "Attestation");
    cbor_put_map(answer, 1);
    cbor_put_text(answer, "document");
    cbor_put_bytes(answer, wr_done(&whole));
    must(!wr_end(answer).code);
}

static struct err module(int fd, struct bytes request, uint8_t *answer, size_t cap, size_t *n)
{
    struct wr wr = wr_of(answer, cap);

    (void)fd;
    (request.n == 10 ? ctime_random : give_document)(&wr);
    *n = wr.len;
    return OK;
}

static struct state state = {
    .nsm = { .call = module, .fd = -1 },
    .secret = &secret,
    .config = { .deployment = { { 1 } },
                .keysets = 1,
                .keyset = { { .purpose = CONFIG_ACCOUNTS, .k = 1, .n = 1 } } },
};

static void start(void)
{
    static const uint8_t seed[32] = { 0x5e };

    ecdsa_init(seed);
    accounts_init(&secret.accounts);
    state.config.keyset[0].name = BYTES_LIT("main");
    state.config.keyset[0].cmk[0] = ARN;
}

// One message; what comes out is public from then on.
static enum err_code call(struct err (*handler)(struct turn *), struct bytes body)
{
    struct wr out = WR_OF(result);
    struct turn turn = { .state = &state, .body = body, .out = &out };
    struct err err = handler(&turn);

    ctime_show(result, sizeof(result));
    result_len = out.len;
    return err.code;
}

static struct msg_step step(void)
{
    struct rd rd = rd_of(bytes_of(result, result_len));
    struct msg_step step;

    must(!msg_read_step(&step, &rd).code);
    return step;
}

// KMS answers the question that waits, with this data key.
static enum err_code answer(uint64_t operation, struct bytes data_key, struct bytes blob)
{
    uint8_t cms[2048], body[4096];
    struct wr cms_wr = WR_OF(cms), wr = WR_OF(body);
    struct msg_kms_answer m = { .operation = operation, .cmk = ARN, .blob = blob };

    must(!envelope_seal(&cms_wr, BYTES_OF(state.recipient_spki), data_key, true).code);
    m.cms = wr_done(&cms_wr);
    msg_write_kms_answer(&wr, &m);
    must(!wr_end(&wr).code);
    return call(ceremony_answer, wr_done(&wr));
}

static uint64_t begin(void)
{
    must(call(ceremony_create, BYTES_LIT("\x04main\x00")) == ERR_NONE);
    return step().operation;
}

static void ceremony(void)
{
    static const uint8_t zero[32];
    static uint8_t record[KEYSET_BYTES_MAX];
    const struct bytes key = BYTES_LIT("thirty-two bytes of a data key..");
    struct bytes made;
    uint64_t operation;

    state.recipient = ctime_rsa_key();
    start();
    must(!rsa_key_spki(state.recipient, state.recipient_spki).code);
    must(answer(begin(), BYTES_OF(zero), BYTES_LIT("b")) == ERR_CORRUPT);
    operation = begin();
    must(answer(operation, key, BYTES_LIT("b")) == ERR_NONE);
    must(answer(operation, BYTES_LIT("another thirty-two bytes of one."), BYTES_NONE) ==
         ERR_UNTRUSTED);
    operation = begin();
    must(answer(operation, key, BYTES_LIT("b")) == ERR_NONE);
    must(answer(operation, key, BYTES_NONE) == ERR_NONE);
    made = step().record;
    must(made.n <= sizeof(record));
    memcpy(record, made.p, made.n);
    made.p = record;
    must(call(ceremony_open, made) == ERR_NONE);
    must(answer(step().operation, key, BYTES_NONE) == ERR_NONE);
    ctime_depends(secret.keyring.entry[0].key.b, 32);
    must(call(ceremony_open, made) == ERR_NONE); // it is open: its key is compared with the record
    record[made.n - 1] ^= 1;                     // the check value
    must(call(ceremony_open, made) == ERR_CORRUPT);
}

static struct bytes import_terms(struct wr *wr, const struct id *keyset)
{
    uint8_t policy[8], authorisers[8];
    struct wr policy_wr = WR_OF(policy), authorisers_wr = WR_OF(authorisers);
    struct msg_account_create m = { .keyset = *keyset };

    policy_write(&policy_wr, &(struct policy) { POLICY_UNRESTRICTED });
    policy_write_no_authorisers(&authorisers_wr);
    m.policy = wr_done(&policy_wr);
    m.authorisers = wr_done(&authorisers_wr);
    msg_write_account_create(wr, &m);
    return wr_done(wr);
}

// The owner seals a key to the vault's public key. The vault's scalar makes all of it secret.
static struct bytes envelope(struct wr *wr, const struct id *keyset, uint8_t wrong)
{
    static const struct seckey key = { { 0x11 } };
    const struct state_import *import = &state.import[0];
    uint8_t plain[MSG_IMPORT_PLAIN_BYTES], cipher[MSG_IMPORT_CIPHER_BYTES], digest[32];
    struct wr plain_wr = WR_OF(plain), cipher_wr = WR_OF(cipher);
    struct offer_terms terms = { state.config.deployment, *keyset, import->account, { 0 }, { 0 } };
    struct hpke_bound bound = { .info = offer_info(), .aad = BYTES_OF(digest) };
    struct msg_import_finish m = { .account = import->account };

    policy_hash(terms.policy_hash, bytes_of(import->policy, import->policy_len));
    policy_authoriser_hash(terms.authoriser_hash,
                           bytes_of(import->authorisers, import->authorisers_len));
    wr_bytes(&plain_wr, BYTES_OF(key.b));
    offer_write_terms(&plain_wr, &terms);
    plain[sizeof(plain) - 1] ^= wrong;
    offer_digest(digest, state.import_public, &terms);
    must(!hpke_seal(&cipher_wr, m.enc, state.import_public, &bound, wr_done(&plain_wr)).code);
    m.ciphertext = wr_done(&cipher_wr);
    msg_write_import_finish(wr, &m);
    return wr_done(wr);
}

static void import(void)
{
    static const struct id keyset = { { 2 } };
    uint8_t begin_body[256], body[512];
    struct wr begin_wr = WR_OF(begin_body), wrong = WR_OF(body), right = WR_OF(body);
    struct seckey scalar;

    must(!libcrypto_init().code);
    start();
    ctime_key(&scalar, 1);
    must(!keyring_put(&secret.keyring, &keyset, &state.config.keyset[0], &scalar).code);
    ctime_key(&scalar, 2);
    must(!hpke_key_of(&state.import_key, &scalar).code);
    must(!hpke_key_public(state.import_key, state.import_public).code);
    ctime_show(state.import_public, sizeof(state.import_public));
    must(call(import_begin, import_terms(&begin_wr, &keyset)) == ERR_NONE);
    ctime_show(&state.import[0].account, sizeof(struct id)); // it is in the answer
    must(call(import_finish, envelope(&wrong, &keyset, 1)) == ERR_MISMATCH);
    must(call(import_finish, envelope(&right, &keyset, 0)) == ERR_NONE);
}

const struct ctime_group ctime_groups_ceremony[] = {
    { "ceremony", ceremony },
    { "import", import },
    { NULL, NULL },
};
