// SPDX-License-Identifier: Apache-2.0
// Turns the trust file's pins into the library's, and its verdicts into ours. The checks themselves
// are in src/verify, where other programs have them, too.
#include "cli/proof.h"

#include "base/wr.h"
#include "proto/offer.h"

#include <string.h>

static struct cloister_verify_error why; // its message outlives the call, as an error's text must

static FALLIBLE verdict(int code)
{
    static const enum err_code codes[] = {
        [CLOISTER_VERIFY_OK] = ERR_NONE,
        [CLOISTER_VERIFY_USAGE] = ERR_UNTRUSTED, // nothing was pinned
        [CLOISTER_VERIFY_MALFORMED] = ERR_MALFORMED,
        [CLOISTER_VERIFY_UNSUPPORTED] = ERR_UNSUPPORTED,
        [CLOISTER_VERIFY_UNTRUSTED] = ERR_UNTRUSTED,
        [CLOISTER_VERIFY_EXPIRED] = ERR_EXPIRED,
        [CLOISTER_VERIFY_INTERNAL] = ERR_INTERNAL,
    };

    if (code == CLOISTER_VERIFY_OK)
        return OK;
    return (struct err) {
        .code = codes[code], .line = __LINE__, .file = __FILE__, .what = why.message
    };
}

static struct cloister_verify_bytes view(struct bytes b)
{
    return (struct cloister_verify_bytes) { b.p, b.n };
}

static struct cloister_verify_trust pins_of(const struct proof_trust *trust, struct bytes nonce,
                                            uint64_t at_ms)
{
    struct cloister_verify_trust pins = { .struct_size = sizeof(pins),
                                          .root_der = view(trust->root_der),
                                          .pcr0 = trust->pcr0,
                                          .pcr0_count = trust->pcr0_len,
                                          .pcr16 = trust->pcr16,
                                          .nonce = view(nonce),
                                          .at_ms = at_ms };

    if (!trust->pcr16)
        pins.flags |= CLOISTER_VERIFY_ANY_CONFIGURATION;
    if (trust->allow_debug)
        pins.flags |= CLOISTER_VERIFY_ALLOW_DEBUG;
    return pins;
}

struct err proof_check_document(const struct proof_trust *trust, struct bytes document,
                                struct bytes nonce, struct attest *out)
{
    struct cloister_verify_document found = { .struct_size = sizeof(found) };
    struct cloister_verify_trust pins = pins_of(trust, nonce, 0);

    TRY(verdict(cloister_verify_document(&pins, view(document), &found, &why)));
    ENSURE(!found.public_key.data, ERR_UNTRUSTED, "public_key: expected none in this document");
    ENSURE(found.kind != CLOISTER_VERIFY_OTHER, ERR_UNTRUSTED,
           "user_data: expected a Cloister structure");
    return attest_parse(out, document);
}

struct err proof_check_account(const struct proof_trust *trust, struct bytes record,
                               struct bytes document, struct bytes nonce,
                               struct cloister_verify_account *out)
{
    struct cloister_verify_trust pins = pins_of(trust, nonce, 0);

    out->struct_size = sizeof(*out);
    return verdict(cloister_verify_account(&pins, view(record), view(document), out, &why));
}

struct err proof_check_record(const struct proof_trust *trust, const struct record *record,
                              struct bytes document, struct bytes nonce)
{
    struct cloister_verify_document found = { .struct_size = sizeof(found) };
    struct cloister_verify_trust pins = pins_of(trust, nonce, 0);
    uint8_t user_data[64];
    struct wr wr = WR_OF(user_data);

    ENSURE(trust->pcr16, ERR_UNTRUSTED, "configuration: expected one to compare the receipt with");
    TRY(verdict(cloister_verify_document(&pins, view(document), &found, &why)));
    ENSURE(!found.public_key.data, ERR_UNTRUSTED, "public_key: expected none in this document");
    receipt_write_record(&wr, record->public_bytes);
    TRY(wr_end(&wr));
    ENSURE(bytes_equal(bytes_of(found.user_data.data, found.user_data.size), wr_done(&wr)),
           ERR_UNTRUSTED, "user_data: the receipt belongs to another record");
    return OK;
}

struct err proof_check_keyset(const struct proof_trust *trust, struct bytes record,
                              struct bytes document, struct bytes nonce)
{
    struct cloister_verify_trust pins = pins_of(trust, nonce, 0);

    return verdict(cloister_verify_keyset(&pins, view(record), view(document), NULL, &why));
}

struct err proof_check_status(const struct proof_trust *trust, struct bytes document,
                              struct bytes nonce, uint64_t now_ms,
                              struct cloister_verify_status *out)
{
    struct cloister_verify_trust pins = pins_of(trust, nonce, now_ms);

    out->struct_size = sizeof(*out);
    return verdict(cloister_verify_status(&pins, view(document), out, &why));
}

bool proof_takes_keyset(const struct proof_tls *asked, const struct id *keyset)
{
    for (size_t i = 0; i < asked->keyset_len; i++)
        if (id_equal(&asked->keyset[i], keyset))
            return true;
    return asked->keyset_len == 0;
}

struct err proof_check_tls(const struct proof_trust *trust, const struct proof_tls *asked,
                           struct cloister_verify_status *out)
{
    struct cloister_verify_trust pins = pins_of(trust, asked->nonce, asked->now_ms);
    struct id keyset;

    out->struct_size = sizeof(*out);
    TRY(verdict(cloister_verify_tls(&pins, view(asked->document), asked->spki_sha256, out, &why)));
    memcpy(keyset.b, out->keyset, sizeof(keyset.b));
    if (proof_takes_keyset(asked, &keyset))
        return OK;
    *out = (struct cloister_verify_status) { .struct_size = sizeof(*out) };
    return FAIL(ERR_UNTRUSTED, "user_data: the TLS key belongs to another keyset than you trust");
}

struct err proof_check_signature(const struct proof_trust *trust, struct bytes document,
                                 uint64_t now_ms, struct attest *out)
{
    struct cloister_verify_trust pins = { .struct_size = sizeof(pins),
                                          .root_der = view(trust->root_der),
                                          .at_ms = now_ms,
                                          .flags = CLOISTER_VERIFY_ANY_IMAGE };

    if (trust->allow_debug)
        pins.flags |= CLOISTER_VERIFY_ALLOW_DEBUG;
    TRY(verdict(cloister_verify_document(&pins, view(document), NULL, &why)));
    return attest_parse(out, document);
}

struct err proof_check_offer(const struct proof_trust *trust, struct bytes document,
                             struct bytes nonce, uint64_t now_ms, const uint8_t digest[static 32])
{
    struct cloister_verify_document found = { .struct_size = sizeof(found) };
    struct cloister_verify_trust pins = pins_of(trust, nonce, now_ms);
    uint8_t user_data[64];
    struct wr wr = WR_OF(user_data);
    struct attest doc;

    ENSURE(trust->pcr16, ERR_UNTRUSTED,
           "configuration: a key is sealed only to one that its owner knows");
    TRY(verdict(cloister_verify_document(&pins, view(document), &found, &why)));
    TRY(attest_parse(&doc, document));
    TRY(attest_fresh(&doc, now_ms));
    ENSURE(!doc.has_public_key, ERR_UNTRUSTED, "public_key: expected none in this document");
    offer_write_user_data(&wr, digest);
    TRY(wr_end(&wr));
    ENSURE(bytes_equal(doc.user_data, wr_done(&wr)), ERR_UNTRUSTED,
           "user_data: the import key is not offered for these terms");
    return OK;
}
