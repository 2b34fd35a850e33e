// SPDX-License-Identifier: Apache-2.0
// The key is opened here, on its owner's machine, and leaves it only sealed to an import key of
// which a live attestation document says: made by trusted code, under the trusted configuration,
// for these very terms. Afterwards the receipt must verify, and the address must be the key's own.
#include "cli/import.h"

#include "base/base64.h"
#include "base/ct.h"
#include "base/hex.h"
#include "base/must.h"
#include "cli/account.h"
#include "cli/files.h"
#include "cli/keystore.h"
#include "cli/progress.h"
#include "cli/secret.h"
#include "crypto/ecdsa.h"
#include "crypto/openssl/hpke.h"
#include "proto/offer.h"
#include "proto/policy.h"

#include <stdio.h>
#include <string.h>

#define PLAINTEXT_MAX 160U // 32 key, three ids, two hashes
#define ATTEMPTS      3

// What the vault is given, before it is sealed.
struct plaintext {
    uint8_t b[PLAINTEXT_MAX];
};

struct import {
    struct seckey key;
    uint8_t address[20]; // of the key
    struct id account;
    uint8_t public_key[HPKE_PUBLIC_BYTES];
    struct offer_terms terms;
    uint8_t digest[32];
    uint8_t enc[HPKE_ENC_BYTES];
    uint8_t sealed[PLAINTEXT_MAX + HPKE_TAG_BYTES];
    size_t sealed_len;
    uint8_t nonce[CLI_NONCE_BYTES]; // of the receipt
};

static void import_wipe(struct import *import)
{
    seckey_wipe(&import->key);
}

static void plaintext_wipe(struct plaintext *plaintext)
{
    ct_wipe(plaintext, sizeof(*plaintext));
}

static FALLIBLE open_keystore(struct cli *cli, struct seckey *key, const char *path)
{
    static uint8_t file[KEYSTORE_BYTES_MAX];
    AUTO(secret_wipe) struct secret password = { 0 };
    const char *fd = args_get(&cli->args, "password-fd");
    AUTO(progress_end) struct progress progress = { 0 };
    size_t n = 0;

    (void)snprintf(cli->where, sizeof(cli->where), "--keystore %.150s: ", path);
    TRY(files_read_secret(path, file, sizeof(file), &n));
    (void)snprintf(cli->where, sizeof(cli->where), "%s", fd ? "--password-fd: " : "");
    if (fd)
        TRY(secret_read(&password, fd));
    else
        TRY(secret_ask(&password, "Password of the key file: "));
    if (fd && password.n > 0 && password.b[password.n - 1] == '\n')
        password.n--;
    (void)snprintf(cli->where, sizeof(cli->where), "--keystore %.150s: ", path);
    progress_begin(&progress, "deriving the key of the file");
    TRY(keystore_open(key, bytes_of(file, n), bytes_of(password.b, password.n)));
    cli->where[0] = 0;
    return OK;
}

static FALLIBLE open_key(struct cli *cli, struct import *out)
{
    AUTO(secret_wipe) struct secret secret = { 0 };
    uint8_t public_key[ECDSA_PUBLIC_BYTES];
    const char *keystore = args_get(&cli->args, "keystore");
    const char *fd = args_get(&cli->args, "key-fd");

    if (!keystore == !fd)
        return CLI_USAGE_ERROR(cli, "say where the key is: --keystore FILE or --key-fd FD");
    if (keystore) {
        TRY(open_keystore(cli, &out->key, keystore));
    } else {
        (void)snprintf(cli->where, sizeof(cli->where), "--key-fd: ");
        TRY(secret_read(&secret, fd));
        TRY(secret_to_key(&out->key, &secret));
    }
    ENSURE(!ecdsa_check(&out->key).code, ERR_MALFORMED, "key: is no private key of secp256k1");
    TRY(ecdsa_public(public_key, &out->key));
    TRY(ecdsa_address(out->address, public_key));
    cli->where[0] = 0;
    return OK;
}

// What this user asked for, not what the service says that he did.
static FALLIBLE set_terms(struct cli *cli, struct import *import, const struct json *offer)
{
    const struct policy unrestricted = { POLICY_UNRESTRICTED };
    uint8_t policy[64], authorisers[64];
    struct wr policy_wr = WR_OF(policy), authorisers_wr = WR_OF(authorisers);
    struct offer_terms *terms = &import->terms;
    struct bytes text = json_string(json_get(offer, "public_key"));
    // Any keyset will do where administrators admit them. Else the owner must know which one: a
    // front that was taken over can make a keyset whose key it knows, and would read what is sealed
    // to it.
    bool pinned = cli->trust.keyset_len == 0 && cli->trust.config.admins > 0;

    if (bytes_equal_str(bytes_take(text, 2), "0x"))
        text = bytes_skip(text, 2);
    ENSURE(!hex_decode(import->public_key, sizeof(import->public_key), text).code, ERR_UNTRUSTED,
           "public_key: expected 32 bytes in hex");
    ENSURE(!id_parse(&import->account, json_string(json_get(offer, "account"))).code &&
               !id_parse(&terms->keyset, json_string(json_get(offer, "keyset"))).code,
           ERR_UNTRUSTED, "account, keyset: expected ids");
    ENSURE(
        cli->trust.keyset_len > 0 || pinned, ERR_UNTRUSTED,
        "trust file: expected a line `keyset = ID` before a key is imported: whose keyset is it?");
    for (size_t i = 0; i < cli->trust.keyset_len; i++)
        pinned = pinned || id_equal(&cli->trust.keyset[i], &terms->keyset);
    ENSURE(pinned, ERR_UNTRUSTED, "keyset: is none of those that the trust file names");
    terms->deployment = cli->trust.config.deployment;
    terms->account = import->account;
    policy_write(&policy_wr, &unrestricted);
    policy_hash(terms->policy_hash, wr_done(&policy_wr));
    policy_write_no_authorisers(&authorisers_wr);
    policy_authoriser_hash(terms->authoriser_hash, wr_done(&authorisers_wr));
    offer_digest(import->digest, import->public_key, terms);
    return OK;
}

static FALLIBLE check_offer(struct cli *cli, struct import *import, const struct json *offer,
                            struct bytes nonce)
{
    static uint8_t document[DOCUMENT_MAX];
    struct proof_trust pins;
    size_t n = 0;

    TRY(trust_receipts(&pins, &cli->trust));
    TRY(set_terms(cli, import, offer));
    ENSURE(
        !base64_decode(document, sizeof(document), &n, json_string(json_get(offer, "document_b64")))
             .code,
        ERR_UNTRUSTED, "document_b64: expected an attestation document");
    return proof_check_offer(&pins, bytes_of(document, n), nonce, cli_now_ms(), import->digest);
}

// Begins, and verifies whom the key would be sealed to.
static FALLIBLE begin(struct cli *cli, struct import *import)
{
    struct rest_request request = { .method = "POST", .target = "/v1/imports" };
    uint8_t nonce[CLI_NONCE_BYTES];
    const struct json *offer = NULL;

    cli_nonce(nonce);
    TRY(account_write_wish(cli, BYTES_OF(nonce), &request.body));
    TRY(rest_call(&cli->rest, &request, &offer));
    cli->exit = CLI_UNVERIFIED;
    TRY(check_offer(cli, import, offer, BYTES_OF(nonce)));
    cli->exit = CLI_DONE;
    return OK;
}

static FALLIBLE seal(struct import *import)
{
    AUTO(plaintext_wipe) struct plaintext plaintext;
    const struct hpke_bound bound = { offer_info(), BYTES_OF(import->digest) };
    struct wr wr = WR_OF(plaintext.b), sealed = WR_OF(import->sealed);

    wr_bytes(&wr, BYTES_OF(import->key.b));
    offer_write_terms(&wr, &import->terms);
    TRY(wr_end(&wr));
    TRY(hpke_seal(&sealed, import->enc, import->public_key, &bound, wr_done(&wr)));
    import->sealed_len = sealed.len;
    return OK;
}

static FALLIBLE write_envelope(struct cli *cli, const struct import *import, struct bytes *body)
{
    struct wr wr = WR_OF(cli->rest.body);
    struct jw jw = jw_of(&wr);

    jw_object(&jw);
    jw_key(&jw, "enc");
    jw_hex(&jw, BYTES_OF(import->enc));
    jw_key(&jw, "ciphertext_b64");
    jw_base64(&jw, bytes_of(import->sealed, import->sealed_len));
    jw_key(&jw, "nonce");
    jw_hex(&jw, BYTES_OF(import->nonce));
    jw_object_end(&jw);
    *body = wr_done(&wr);
    return wr_end(&wr);
}

// The same envelope may be sent again when the answer is lost: the service knows it.
static FALLIBLE finish(struct cli *cli, struct import *import, const struct json **account)
{
    char id[ID_TEXT], target[64];
    struct rest_request request = { .method = "POST", .target = target };
    struct err err = OK;

    cli_nonce(import->nonce);
    id_text(id, &import->account);
    (void)snprintf(target, sizeof(target), "/v1/imports/%s", id);
    TRY(write_envelope(cli, import, &request.body));
    for (int i = 0; i < ATTEMPTS; i++) {
        err = rest_call(&cli->rest, &request, account);
        if (!err.code || cli->rest.status != 0)
            break;
    }
    return err;
}

struct err import_account(struct cli *cli)
{
    AUTO(import_wipe) struct import import = { 0 };
    const struct json *account = NULL;
    struct proof_trust pins;
    struct verify verify;

    secret_protect_process();
    TRY(account_check_wish(cli));
    TRY(cli_load_trust(cli, true));
    cli->exit = CLI_UNVERIFIED;
    TRY(trust_receipts(&pins, &cli->trust));
    cli->exit = CLI_DONE;
    TRY(open_key(cli, &import));
    TRY(cli_open_rest(cli));
    TRY(begin(cli, &import));
    TRY(seal(&import));
    TRY(finish(cli, &import, &account));
    verify_account(&verify, &cli->trust, account, &import.account, BYTES_OF(import.nonce));
    if (verify.is_verified &&
        !bytes_equal(BYTES_OF(verify.raw_address), BYTES_OF(import.address))) {
        verify = (struct verify) { .address = VERIFY_UNVERIFIED, .policy = "unknown" };
        verify.reason = FAIL(ERR_UNTRUSTED, "the account has another key than the imported one");
    }
    account_print(cli, account, &verify);
    return OK;
}
