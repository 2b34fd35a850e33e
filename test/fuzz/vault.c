// SPDX-License-Identifier: Apache-2.0
// The vault behind its one surface, routes_serve, at seven moments: unconfigured, configured,
// ready, ready under an administrator, configured with a keyset under two of three CMKs, and with
// an anchor, before and after the keyset was opened; with real keys, keysets and account, and a
// real (emulated) NSM. Whatever comes: one well-formed answer, no secret in it, no signature but
// over a payload that was sent, and the vault goes on. With the anchor: what vault_anchored.h
// checks.
//
// Input: a byte that chooses the moment, then messages: a byte (low 6 bits: which valid message is
// changed, see `kind`; bit 6: the length has 16 bits; bit 7: the bytes are the whole body), their
// length, and bytes as fuzz_change takes them.
#include "vault_anchored.h"
#include "vault_tls_scene.h"

#include "crypto/openssl/sha2.h"
#include "emu/nsmdev.h"
#include "vault/deployment.h"
#include "vault/memory.h"

#include <stdlib.h>

#define MESSAGES_MAX 32U
#define LITERAL      0x80U
#define WIDE         0x40U

// The state as it was when each phase began.
struct moment {
    struct state state;
    struct keyring keyring;
};

static struct memory memory;
static struct moment moments[7];
static struct rsa_key *recipient; // as own_keys made them last
static struct hpke_key *import_key;
static struct nsmdev *devices[5]; // one of each configuration, and one of none (0)

static FALLIBLE device_call(int fd, struct bytes request, uint8_t *answer, size_t cap, size_t *n)
{
    struct wr wr = wr_of(answer, cap);

    nsmdev_answer(devices[fd], &wr, request);
    *n = wr.len;
    return wr_end(&wr);
}

static void device_new(unsigned which)
{
    static const struct nsmdev_options options = {
        .pcrs = { .image = { 1 }, .application = { 2 }, .role = { 3 } },
        .pki = PKI_DIR,
        .region = "eu-west-1",
        .instance_id = "i-00000000000000001",
        .module_id = "i-00000000000000001-enc0000000000000001",
    };

    nsmdev_free(&devices[which]);
    fuzz_ok(nsmdev_new(&devices[which], &options));
}

static void remember(unsigned which, int device)
{
    moments[which].state = state;
    moments[which].state.nsm.fd = device;
    moments[which].keyring = state.secret->keyring;
}

// Stands in for rsa_key_new (meson.build has the linker do it): always the same key. Drawing one
// takes as long as a thousand messages, and inputs that unseal would do little else.
struct err __wrap_rsa_key_new(struct rsa_key **out);
struct err __wrap_rsa_key_new(struct rsa_key **out)
{
    static uint8_t pem[2048];
    static size_t len;

    if (len == 0)
        len = make_rsa_pem(pem, sizeof(pem));
    return rsa_key_from_pem(out, bytes_of(pem, len));
}

// The keys that KMS and owners seal to, the same for all moments: a seal wipes them.
static void own_keys(void)
{
    static struct seckey scalar;

    if (ct_is_zero(BYTES_OF(scalar.b)))
        libcrypto_random(scalar.b, sizeof(scalar.b));
    fuzz_ok(deployment_make_keys(&state));
    hpke_key_free(&state.import_key);
    fuzz_ok(hpke_key_of(&state.import_key, &scalar));
    fuzz_ok(hpke_key_public(state.import_key, state.import_public));
    recipient = state.recipient;
    import_key = state.import_key;
}

static void recall(unsigned which)
{
    pending_drop_all(&state);
    tls_close_all(&state); // no moment has one open
    anchor_unseal(&state);
    if (state.recipient != recipient || state.import_key != import_key)
        own_keys();
    state = moments[which].state;
    state.recipient = recipient;
    state.import_key = import_key;
    state.secret->keyring = moments[which].keyring;
    for (size_t i = 0; i < ARRAY_LEN(state.import); i++)
        state.import[i].until = deadline_in(60000);
}

static void print_served(void)
{
    (void)fprintf(stderr, "vault: %llu messages\n", served);
}

// The first two moments, and the vault's own keys.
static void start_vault(void)
{
    static struct vault_env env = { .nsm_call = device_call };
    uint8_t seed[32];

    fuzz_ok(memory_init(&memory)); // the first user of libcrypto
    libcrypto_random(seed, sizeof(seed));
    ecdsa_init(seed);
    for (unsigned i = 0; i < ARRAY_LEN(devices); i++)
        device_new(i);
    state.env = &env;
    state.nsm = (struct nsm) { .call = device_call, .fd = 1 };
    state.secret = memory.secrets;
    fuzz_ok(deployment_boot(&state));
    own_keys();
    remember(0, 0);
    make_config(NULL, CONFIG_ANCHOR_NONE, 1);
    (void)serve_valid(KIND_CONFIGURE);
    remember(1, 1);
}

// The digest of a valid manifest, which a vault without an anchor has in its attestation.
static void digest_of(enum kind kind, uint8_t out[static 32])
{
    struct rd rd = rd_of(bytes_of(valid[kind].body, valid[kind].n));

    sha2_256(out, rd_var32(&rd, MANIFEST_BYTES_MAX));
}

// With an anchor, which has the keyset's first item, as when it was created: before and after it is
// opened.
static void start_anchored(const struct config_key *admin, const struct id *keyset)
{
    recall(0);
    state.nsm.fd = 4;
    make_config(admin, CONFIG_ANCHOR_FILE, 1);
    (void)serve_valid(KIND_CONFIGURE);
    (void)serve_valid(KIND_MANIFEST);
    remember(5, 4);
    digest_of(KIND_MANIFEST, digests[1]);
    digest_of(KIND_MANIFEST_2, digests[2]);
    digest_of(KIND_MANIFEST_3, digests[3]);
    fuzz_ok(mac_hkdf256(&item_key, &keyset_key, bytes_of(TAG_ANCHOR_KEY, sizeof(TAG_ANCHOR_KEY))));
    anchored_keyset = *keyset;
    store = (struct anchor_item) { state.config.deployment, *keyset, .counter = 1 };
    item_sign(&store);
    (void)serve_valid(KIND_OPEN);
    fill_operation();
    (void)serve_valid(KIND_DECRYPTED);
    fill_anchor();
    note_asked(serve_valid(KIND_ANCHOR + MSG_ANCHOR_FOUND));
    store = *asked_item(state.last_operation);
    fill_anchor();
    (void)serve_valid(KIND_ANCHOR + MSG_ANCHOR_WRITTEN);
    must(state.phase == PHASE_READY && store.counter == 2);
    first_item = store;
    remember(6, 4);
    make_config(NULL, CONFIG_ANCHOR_NONE, 1);
}

// Ready under an administrator: the same keyset, admitted by a manifest.
static void start_governed(void)
{
    const struct config_key admin = make_admin();
    struct keyring_entry open = state.secret->keyring.entry[0];

    must(open.used);
    recall(0);
    state.nsm.fd = 2;
    make_config(&admin, CONFIG_ANCHOR_NONE, 1);
    (void)serve_valid(KIND_CONFIGURE);
    make_manifest(KIND_MANIFEST, 1, &open);
    make_manifest(KIND_MANIFEST_2, 2, &open);
    make_manifest(KIND_MANIFEST_3, 3, NULL);
    make_unseal();
    (void)serve_valid(KIND_MANIFEST);
    (void)serve_valid(KIND_OPEN);
    fill_operation();
    (void)serve_valid(KIND_DECRYPTED);
    (void)serve_valid(KIND_SIGN_RECORD);
    (void)put_tls_keyset();
    (void)serve_valid(KIND_TLS_OPEN);
    tls_close_all(&state);
    remember(3, 2);
    start_anchored(&admin, &open.id);
}

static void start_shares(void)
{
    recall(0);
    state.nsm.fd = 3;
    make_config(NULL, CONFIG_ANCHOR_NONE, 3);
    (void)serve_valid(KIND_CONFIGURE);
    remember(4, 3);
    make_shares();
    make_config(NULL, CONFIG_ANCHOR_NONE, 1);
}

static void start(void)
{
    valid[KIND_STATUS].type = MSG_STATUS;
    valid[KIND_CONFIG].type = MSG_CONFIG;
    valid[KIND_SEAL].type = MSG_SEAL;
    valid[KIND_FAILED].type = MSG_KMS_FAILED;
    valid[KIND_FAILED].n = sizeof(uint64_t);
    valid[KIND_ATTESTATION].type = MSG_ATTESTATION;
    valid[KIND_ATTESTATION].n = 2; // no nonce, no key
    start_vault();
    make_keyset();
    make_account();
    make_sign(KIND_SIGN_RECORD, TX_LEGACY);
    make_sign(KIND_SIGN_ACCOUNT, TX_FEE_MARKET);
    make_import();
    make_tls();
    remember(2, 1);
    start_governed();
    start_shares();
    must(atexit(print_served) == 0);
}

static void message(struct rd *rd)
{
    static uint8_t changed[sizeof(valid[0].body)];
    uint8_t head = rd_u8(rd);
    unsigned kind = head & 63U;
    struct bytes data = head & WIDE ? rd_var16(rd, rd->left.n) : rd_var8(rd, rd->left.n);
    struct bytes body = data;
    uint16_t code, type = kind < KINDS ? valid[kind].type : 0;
    struct before before;
    struct rd result;

    if (kind == KIND_OTHER_ENCLAVE) {
        other_enclave(data);
        return;
    }
    fill_operation();
    fill_anchor();
    if (kind >= KINDS) { // any type at all
        struct rd any = rd_of(data);

        type = rd_u16(&any);
        body = any.left;
    } else if (!(head & LITERAL)) {
        body =
            fuzz_change(changed, sizeof(changed), bytes_of(valid[kind].body, valid[kind].n), data);
    }
    before = anchored_before(type, body);
    result = serve(type, body, &code);
    if (anchor_used(&state) && state.config_len)
        anchored_after(&before, type, code, result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct rd rd = rd_of(bytes_of(data, n));
    unsigned which = rd_u8(&rd) % ARRAY_LEN(moments);

    if (!devices[0])
        start();
    recall(which);
    anchored_recall();
    for (unsigned i = 0; i < MESSAGES_MAX && rd.left.n > 0; i++)
        message(&rd);
    must(!state.fatal);
    if (which == 0 && state.phase != PHASE_UNCONFIGURED)
        device_new(0); // its PCR16 is extended and locked
    return 0;
}
