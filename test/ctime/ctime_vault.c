// SPDX-License-Identifier: Apache-2.0
// Groups of the vault: sealing, the keyring, entropy, and an account from its record to a
// signature. The module behind struct nsm is the test's own: it gives hidden bytes.
#include "ctime.h"

#include "base/cbor.h"
#include "crypto/ecdsa.h"
#include "crypto/openssl/libcrypto.h"
#include "crypto/openssl/p256.h"
#include "eth/tx.h"
#include "proto/policy.h"
#include "vault/account.h"
#include "vault/entropy.h"
#include "vault/seal.h"
#include "vault/sign.h"
#include "vault/tls.h"

#include <string.h>

#define ARN "arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555"

static const struct id deployment = { { 1 } }, keyset_id = { { 2 } }, account_id = { { 3 } };

void ctime_random(struct wr *answer)
{
    static uint8_t random[256], call;

    memset(random, ++call, sizeof(random));
    cbor_put_map(answer, 1);
    cbor_put_text(answer, "GetRandom");
    cbor_put_map(answer, 1);
    cbor_put_text(answer, "random");
    cbor_put_bytes(answer, BYTES_OF(random));
    must(!wr_end(answer).code);
    ctime_hide(answer->p + answer->len - sizeof(random), sizeof(random)); // the last of the answer
}

// GetRandom is the only request these groups make.
static struct err give_random(int fd, struct bytes request, uint8_t *answer, size_t cap, size_t *n)
{
    struct wr wr = wr_of(answer, cap);

    (void)fd;
    must(request.n == 10);
    ctime_random(&wr);
    *n = wr.len;
    return OK;
}

static const struct nsm nsm = { .call = give_random, .fd = -1 };

static void start(void)
{
    static const uint8_t seed[32] = { 0x5e };

    must(!libcrypto_init().code);
    ecdsa_init(seed);
}

static void entropy(void)
{
    struct seckey key;
    struct id id;
    uint8_t nonce[12];

    start();
    must(!entropy_key(&nsm, &key).code);
    ctime_depends(key.b, sizeof(key.b));
    must(!entropy_id(&nsm, &id).code);
    must(!entropy_bytes(&nsm, nonce, sizeof(nonce)).code);
    ctime_depends(nonce, sizeof(nonce));
}

// Twice: the second time the generators' own state is secret as well.
static void entropy_seeds(void)
{
    start();
    must(!entropy_seed(&nsm).code);
    must(!entropy_seed(&nsm).code);
}

static void keyring(void)
{
    static struct keyring ring;
    struct config_keyset configured = { .name = BYTES_LIT("main"), .purpose = CONFIG_ACCOUNTS };
    struct seckey key;

    ctime_key(&key, 1);
    must(!keyring_put(&ring, &keyset_id, &configured, &key).code);
    must(!keyring_put(&ring, &keyset_id, &configured, &key).code);
    must(!keyring_put(&ring, &account_id, &configured, &key).code);
    must(keyring_count(&ring) == 2);
    ctime_depends(keyring_find(&ring, &keyset_id)->key.b, 32);
}

static void share(void)
{
    struct keyset keyset = { .deployment = deployment, .id = keyset_id, .k = 1, .n = 1 };
    struct seal_wrap wrap = { &keyset, 0 };
    struct seckey data_key, keyset_key, opened;
    uint8_t sealed[SEAL_BYTES], check[32];
    struct id id;

    start();
    keyset.name = BYTES_LIT("main");
    keyset.purpose = CONFIG_ACCOUNTS;
    keyset.wrap[0] = (struct keyset_wrap) {
        .kind = KEYSET_WRAP_DATA_KEY, .x = 1, .cmk = BYTES_LIT(ARN), .blob = BYTES_LIT("blob")
    };
    ctime_key(&data_key, 1);
    ctime_key(&keyset_key, 2);
    must(!seal_share(&nsm, sealed, &data_key, &wrap, &keyset_key).code);
    ctime_depends(sealed, sizeof(sealed));
    ctime_show(sealed, sizeof(sealed));
    keyset.wrap[0].sealed = BYTES_OF(sealed);
    must(!seal_open_share(&opened, &data_key, &wrap).code);
    ctime_depends(opened.b, sizeof(opened.b));
    must(ctime_verdict(seckey_equal(&opened, &keyset_key)));
    must(!seal_keyset_check(check, &opened, &keyset).code);
    ctime_depends(check, sizeof(check));
    seal_keyset_id(&id, &opened, &deployment);
    ctime_depends(id.b, sizeof(id.b));
    must(seal_open_share(&opened, &keyset_key, &wrap).code == ERR_CORRUPT);
}

struct made {
    uint8_t bytes[1024], public_bytes[512], policy[8], authorisers[8];
    uint8_t public_key[ECDSA_PUBLIC_BYTES], sealed[SEAL_BYTES];
    struct record record;
};

static void make_fields(struct made *made, enum record_purpose purpose)
{
    struct wr policy = WR_OF(made->policy), authorisers = WR_OF(made->authorisers);

    policy_write(&policy,
                 &(struct policy) { purpose == RECORD_TLS ? POLICY_NOTHING : POLICY_UNRESTRICTED });
    policy_write_no_authorisers(&authorisers);
    made->record = (struct record) {
        .deployment = deployment,
        .keyset = keyset_id,
        .id = account_id,
        .key_type = purpose == RECORD_TLS ? RECORD_P256 : RECORD_SECP256K1,
        .purpose = purpose,
        .provenance = RECORD_GENERATED,
        .generation = 1,
        .created_ms = 1,
        .policy = wr_done(&policy),
        .authorisers = wr_done(&authorisers),
        .public_key = BYTES_OF(made->public_key),
    };
    policy_hash(made->record.policy_hash, made->record.policy);
    policy_authoriser_hash(made->record.authoriser_hash, made->record.authorisers);
}

// The record of an account or a TLS key, as account_create makes it.
static struct bytes make_record(struct made *made, enum record_purpose purpose,
                                const struct seckey *keyset_key, const struct seckey *key)
{
    struct wr public_wr = WR_OF(made->public_bytes), wr = WR_OF(made->bytes);

    make_fields(made, purpose);
    must(!(purpose == RECORD_TLS ? p256_public : ecdsa_public)(made->public_key, key).code);
    ctime_show(made->public_key, sizeof(made->public_key));
    record_write_public(&public_wr, &made->record);
    made->record.public_bytes = wr_done(&public_wr);
    must(!seal_record(&nsm, made->sealed, keyset_key, &made->record, key).code);
    ctime_depends(made->sealed, sizeof(made->sealed));
    ctime_show(made->sealed, sizeof(made->sealed));
    made->record.sealed = BYTES_OF(made->sealed);
    record_write(&wr, &made->record);
    must(!wr_end(&wr).code);
    return wr_done(&wr);
}

static void record(void)
{
    struct seckey keyset_key, key, opened;
    struct made made;

    start();
    ctime_key(&keyset_key, 1);
    ctime_key(&key, 2);
    (void)make_record(&made, RECORD_ACCOUNT, &keyset_key, &key);
    must(!seal_open_record(&opened, &keyset_key, &made.record).code);
    ctime_depends(opened.b, sizeof(opened.b));
    must(ctime_verdict(seckey_equal(&opened, &key)));
    must(seal_open_record(&opened, &key, &made.record).code == ERR_CORRUPT);
}

static struct bytes payload(void)
{
    static uint8_t bytes[256];
    struct wr wr = WR_OF(bytes);
    struct tx tx = { .kind = TX_FEE_MARKET, .chain_id = 31337, .gas = 21000, .has_to = true };

    tx.max_fee = u256_of(2);
    tx.max_priority_fee = u256_of(1);
    must(!tx_write_unsigned(&wr, &tx).code);
    return wr_done(&wr);
}

static void sign(struct state *state, struct bytes inline_record)
{
    uint8_t body[2048], result[128];
    struct wr wr = WR_OF(body), out = WR_OF(result);
    struct msg_sign_tx m = { .payload = payload(), .record = inline_record };
    struct turn turn = { .state = state, .out = &out };

    if (!inline_record.n)
        m.account = account_id;
    msg_write_sign_tx(&wr, &m);
    must(!wr_end(&wr).code);
    turn.body = wr_done(&wr);
    must(!sign_tx(&turn).code);
    ctime_depends(result, out.len);
}

// A stored record to an open slot to a signature, as the vault's handlers do it.
static void account(void)
{
    static struct state_secrets secret;
    static struct state state;
    struct config_keyset configured = { .name = BYTES_LIT("main"), .purpose = CONFIG_ACCOUNTS };
    struct accounts_slot *slot;
    struct seckey keyset_key, key;
    struct made made;
    struct bytes bytes;

    start();
    accounts_init(&secret.accounts);
    state.secret = &secret;
    state.config.deployment = deployment;
    state.config.networks = 1;
    state.config.network[0] = (struct config_network) { BYTES_LIT("dev"), 31337 };
    ctime_key(&keyset_key, 1);
    ctime_key(&key, 2);
    bytes = make_record(&made, RECORD_ACCOUNT, &keyset_key, &key);
    must(!keyring_put(&secret.keyring, &keyset_id, &configured, &keyset_key).code);
    must(!account_slot_of_record(&state, bytes, &slot).code);
    ctime_depends(slot->key.b, sizeof(slot->key.b));
    sign(&state, BYTES_NONE);
    accounts_init(&secret.accounts);
    sign(&state, bytes);
}

// The same for a TLS key.
static void tls(void)
{
    static struct state_secrets secret;
    static struct state state;
    static const uint8_t transcript[32] = { 4 };
    struct config_keyset configured = { .name = BYTES_LIT("tls"), .purpose = CONFIG_TLS };
    uint8_t body[128], result[128];
    struct wr wr = WR_OF(body), out = WR_OF(result);
    struct turn turn = { .state = &state, .out = &out };
    struct seckey keyset_key, key;
    struct made made;

    start();
    state.secret = &secret;
    state.config.deployment = deployment;
    ctime_key(&keyset_key, 1);
    ctime_key(&key, 2);
    turn.body = make_record(&made, RECORD_TLS, &keyset_key, &key);
    must(!keyring_put(&secret.keyring, &keyset_id, &configured, &keyset_key).code);
    must(!tls_open(&turn).code);
    out.len = 0;
    msg_write_tls_sign(&wr, &(struct msg_tls_sign) { .key = account_id,
                                                     .kind = MSG_TLS_VERIFY13,
                                                     .input = BYTES_OF(transcript) });
    turn.body = wr_done(&wr);
    must(!tls_sign(&turn).code);
    ctime_show(&out.len, sizeof(out.len));
    ctime_depends(result, out.len);
    tls_close_all(&state);
}

const struct ctime_group ctime_groups_vault[] = {
    { "entropy", entropy },    { "entropy_seed", entropy_seeds },
    { "keyring", keyring },    { "seal_share", share },
    { "seal_record", record }, { "tls", tls },
    { "account", account },    { NULL, NULL },
};
