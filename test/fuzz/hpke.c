// SPDX-License-Identifier: Apache-2.0
// crypto/openssl/hpke.h, proto/offer.h and cli/proof.h, as an import uses them: envelopes as they
// come ('r'), a genuine one that was changed ('c'), public keys to seal to ('s'), and a genuine
// offer of which document or terms were changed ('o'). Nothing opens but what was sealed, and
// nobody seals to another key than the enclave offered.
#include "nsm.h"

#include "cli/proof.h"
#include "crypto/cose.h"
#include "crypto/openssl/hpke.h"
#include "crypto/openssl/libcrypto.h"
#include "proto/offer.h"

#define TEXT_BYTES 144U

static struct hpke_key *recipient;
static uint8_t public_key[HPKE_PUBLIC_BYTES], digest[32], sealed[HPKE_ENC_BYTES + TEXT_BYTES + 16];
static uint8_t text[TEXT_BYTES], response[NSMDEV_RESPONSE_MAX];
static uint8_t pcr0[48], pcr16[48];
static struct bytes document;
static struct offer_terms terms = { .deployment = { { 1 } }, .account = { { 2 } } };
static struct proof_trust trust = { .pcr0_len = 1, .pcr16 = pcr16 };
static uint64_t made_ms;

// Opens, or says nothing about why not, and leaves nothing behind.
static bool opens(struct bytes message, const struct hpke_bound *bound)
{
    uint8_t enc[HPKE_ENC_BYTES], out[512];
    struct wr wr = WR_OF(out);
    struct rd rd = rd_of(message);
    struct err err;

    memset(out, 0xee, sizeof(out));
    rd_copy(&rd, enc, sizeof(enc));
    err = hpke_open(&wr, recipient, enc, bound, rd.left);
    must(err.code == ERR_NONE || err.code == ERR_CORRUPT || err.code == ERR_TOO_LARGE);
    if (err.code) {
        must(wr_done(&wr).n == 0);
        return false;
    }
    must(bytes_equal(wr_done(&wr), BYTES_OF(text)));
    return true;
}

static void fuzz_raw(struct bytes in)
{
    struct rd rd = rd_of(in);
    struct hpke_bound bound = { .info = rd_var8(&rd, 255) };

    bound.aad = rd_var8(&rd, 255);
    must(!opens(rd.left, &bound)); // but what was sealed here, which no input can know
}

static void fuzz_changed(struct bytes changes)
{
    static uint8_t out[sizeof(sealed)];
    struct hpke_bound bound = { .info = offer_info(), .aad = BYTES_OF(digest) };
    struct bytes in = fuzz_change(out, sizeof(out), BYTES_OF(sealed), changes);

    must(opens(in, &bound) == bytes_equal(in, BYTES_OF(sealed)));
}

// Any 32 bytes are a public key but the points of small order; the text does not show.
static void fuzz_seal(struct bytes in)
{
    uint8_t enc[HPKE_ENC_BYTES], key[HPKE_PUBLIC_BYTES], out[TEXT_BYTES + HPKE_TAG_BYTES];
    struct hpke_bound bound = { .info = in, .aad = in };
    struct wr wr = WR_OF(out);
    struct rd rd = rd_of(in);
    struct err err;

    rd_copy(&rd, key, sizeof(key));
    err = hpke_seal(&wr, enc, key, &bound, BYTES_OF(text));
    must(!err.code || err.code == ERR_MALFORMED || (err.code == ERR_TOO_LARGE && in.n > 1024));
    must(err.code ? wr.len == 0 : wr.len == sizeof(out) && memcmp(out, text, TEXT_BYTES) != 0);
}

// Changes of the document, and behind a byte of their length, of digest and trust.
static void fuzz_offer(struct bytes in)
{
    static uint8_t changed[NSMDEV_RESPONSE_MAX];
    uint8_t terms_of[sizeof(digest) + sizeof(pcr16)];
    struct rd rd = rd_of(in);
    struct bytes part = rd_var8(&rd, 255);
    struct wr wr = WR_OF(terms_of);
    struct proof_trust other = trust;
    struct cose genuine, got;
    struct bytes told, doc;

    wr_bytes(&wr, BYTES_OF(digest));
    wr_bytes(&wr, BYTES_OF(pcr16));
    told = fuzz_change(terms_of, sizeof(terms_of), wr_done(&wr), part);
    doc = fuzz_change(changed, sizeof(changed), document, rd.left);
    other.pcr16 = terms_of + sizeof(digest);
    if (proof_check_offer(&other, doc, BYTES_LIT("nonce"), made_ms, terms_of).code)
        return;
    must(told.p && memcmp(terms_of, digest, sizeof(digest)) == 0);
    must(memcmp(other.pcr16, pcr16, sizeof(pcr16)) == 0);
    fuzz_ok(cose_parse(&genuine, document));
    fuzz_ok(cose_parse(&got, doc));
    must(bytes_equal(got.payload, genuine.payload));
}

static void make_envelope(void)
{
    struct hpke_bound bound = { .info = offer_info(), .aad = BYTES_OF(digest) };
    struct wr wr = wr_of(sealed + HPKE_ENC_BYTES, sizeof(sealed) - HPKE_ENC_BYTES);

    fuzz_ok(hpke_key_new(&recipient));
    fuzz_ok(hpke_key_public(recipient, public_key));
    offer_digest(digest, public_key, &terms);
    libcrypto_random(text, sizeof(text));
    fuzz_ok(hpke_seal(&wr, sealed, public_key, &bound, BYTES_OF(text)));
    must(wr.len == TEXT_BYTES + HPKE_TAG_BYTES);
}

static void start(void)
{
    static struct attest doc;
    uint8_t user_data[64];
    struct wr wr = WR_OF(response), data = WR_OF(user_data);

    fuzz_ok(libcrypto_init());
    trust.root_der = nsm_root();
    trust.pcr0 = (const uint8_t(*)[48]) & pcr0;
    make_envelope();
    offer_write_user_data(&data, digest);
    document = nsm_document(&wr, wr_done(&data));
    fuzz_ok(attest_parse(&doc, document));
    made_ms = doc.timestamp_ms;
    memcpy(pcr0, doc.pcr[0], sizeof(pcr0));
    memcpy(pcr16, doc.pcr[16], sizeof(pcr16));
    fuzz_ok(proof_check_offer(&trust, document, BYTES_LIT("nonce"), made_ms, digest));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct bytes in = bytes_skip(bytes_of(data, n), 1);

    if (!recipient)
        start();
    if (n == 0)
        return 0;
    if (data[0] == 'r')
        fuzz_raw(in);
    else if (data[0] == 'c')
        fuzz_changed(in);
    else if (data[0] == 's')
        fuzz_seal(in);
    else if (data[0] == 'o')
        fuzz_offer(in);
    return 0;
}
