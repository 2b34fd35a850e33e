// SPDX-License-Identifier: Apache-2.0
#include "cli/sealing.h"

#include "base/base64.h"
#include "base/ct.h"
#include "base/hex.h"
#include "base/must.h"

#include <stdio.h>
#include <string.h>

#define ATTEMPTS 3

// What the vault is given, before it is sealed.
struct plaintext {
    uint8_t b[SEALING_PLAINTEXT_MAX];
};

void sealing_wipe(struct sealing *sealing)
{
    seckey_wipe(&sealing->key);
}

static void plaintext_wipe(struct plaintext *plaintext)
{
    ct_wipe(plaintext, sizeof(*plaintext));
}

// Any keyset will do where administrators admit them. Else the owner must know which one: a front
// that was taken over can make a keyset whose key it knows, and would read what is sealed to it.
static FALLIBLE check_keyset(const struct trust *trust, const struct id *keyset)
{
    bool is_pinned = trust->keyset_len == 0 && trust->config.admins > 0;

    ENSURE(
        trust->keyset_len > 0 || is_pinned, ERR_UNTRUSTED,
        "trust file: expected a line `keyset = ID` before a key is imported: whose keyset is it?");
    for (size_t i = 0; i < trust->keyset_len; i++)
        is_pinned = is_pinned || id_equal(&trust->keyset[i], keyset);
    ENSURE(is_pinned, ERR_UNTRUSTED, "keyset: is none of those that the trust file names");
    return OK;
}

static void set_policy(struct offer_terms *terms, enum policy_kind kind)
{
    const struct policy wanted = { kind };
    uint8_t policy[64], authorisers[64];
    struct wr policy_wr = WR_OF(policy), authorisers_wr = WR_OF(authorisers);

    policy_write(&policy_wr, &wanted);
    policy_hash(terms->policy_hash, wr_done(&policy_wr));
    policy_write_no_authorisers(&authorisers_wr);
    policy_authoriser_hash(terms->authoriser_hash, wr_done(&authorisers_wr));
}

// What this user asked for, not what the service says that he did.
static FALLIBLE set_terms(struct cli *cli, struct sealing *sealing, const struct sealing_kind *kind,
                          const struct json *offer)
{
    struct offer_terms *terms = &sealing->terms;
    struct bytes text = json_string(json_get(offer, "public_key"));

    if (bytes_equal_str(bytes_take(text, 2), "0x"))
        text = bytes_skip(text, 2);
    ENSURE(!hex_decode(sealing->public_key, sizeof(sealing->public_key), text).code, ERR_UNTRUSTED,
           "public_key: expected 32 bytes in hex");
    ENSURE(!id_parse(&sealing->id, json_string(json_get(offer, kind->id_field))).code &&
               !id_parse(&terms->keyset, json_string(json_get(offer, "keyset"))).code,
           ERR_UNTRUSTED, "the service's offer: expected ids of key and keyset");
    TRY(check_keyset(&cli->trust, &terms->keyset));
    terms->deployment = cli->trust.config.deployment;
    terms->account = sealing->id;
    set_policy(terms, kind->policy);
    offer_digest(sealing->digest, sealing->public_key, terms);
    return OK;
}

static FALLIBLE check_offer(struct cli *cli, const struct sealing *sealing,
                            const struct json *offer, struct bytes nonce)
{
    static uint8_t document[DOCUMENT_MAX];
    struct proof_trust pins;
    size_t n = 0;

    TRY(trust_receipts(&pins, &cli->trust));
    ENSURE(
        !base64_decode(document, sizeof(document), &n, json_string(json_get(offer, "document_b64")))
             .code,
        ERR_UNTRUSTED, "document_b64: expected an attestation document");
    return proof_check_offer(&pins, bytes_of(document, n), nonce, cli_now_ms(), sealing->digest);
}

static FALLIBLE seal(struct sealing *sealing)
{
    AUTO(plaintext_wipe) struct plaintext plaintext;
    const struct hpke_bound bound = { offer_info(), BYTES_OF(sealing->digest) };
    struct wr wr = WR_OF(plaintext.b), sealed = WR_OF(sealing->sealed);

    wr_bytes(&wr, BYTES_OF(sealing->key.b));
    offer_write_terms(&wr, &sealing->terms);
    TRY(wr_end(&wr));
    TRY(hpke_seal(&sealed, sealing->enc, sealing->public_key, &bound, wr_done(&wr)));
    sealing->sealed_len = sealed.len;
    return OK;
}

struct err sealing_begin(struct cli *cli, struct sealing *sealing, const struct sealing_kind *kind,
                         struct bytes body, struct bytes nonce)
{
    struct rest_request request = { .method = "POST", .target = kind->target, .body = body };
    const struct json *offer = NULL;

    TRY(rest_call(&cli->rest, &request, &offer));
    cli->exit = CLI_UNVERIFIED;
    TRY(set_terms(cli, sealing, kind, offer));
    TRY(check_offer(cli, sealing, offer, nonce));
    cli->exit = CLI_DONE;
    return seal(sealing);
}

static FALLIBLE write_envelope(struct cli *cli, const struct sealing *sealing, struct bytes *body)
{
    struct wr wr = WR_OF(cli->rest.body);
    struct jw jw = jw_of(&wr);

    jw_object(&jw);
    jw_key(&jw, "enc");
    jw_hex(&jw, BYTES_OF(sealing->enc));
    jw_key(&jw, "ciphertext_b64");
    jw_base64(&jw, bytes_of(sealing->sealed, sealing->sealed_len));
    jw_key(&jw, "nonce");
    jw_hex(&jw, BYTES_OF(sealing->nonce));
    jw_object_end(&jw);
    *body = wr_done(&wr);
    return wr_end(&wr);
}

// The same envelope may be sent again when the answer is lost: the service knows it.
struct err sealing_finish(struct cli *cli, struct sealing *sealing, const struct sealing_kind *kind,
                          const struct json **answer)
{
    char id[ID_TEXT], target[96];
    struct rest_request request = { .method = "POST", .target = target };
    struct err err = OK;

    cli_nonce(sealing->nonce);
    id_text(id, &sealing->id);
    (void)snprintf(target, sizeof(target), "%s/%s", kind->target, id);
    TRY(write_envelope(cli, sealing, &request.body));
    for (int i = 0; i < ATTEMPTS; i++) {
        err = rest_call(&cli->rest, &request, answer);
        if (!err.code || cli->rest.status != 0)
            break;
    }
    return err;
}
