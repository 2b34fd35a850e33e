// SPDX-License-Identifier: Apache-2.0
// crypto/openssl/x509.h: a genuine path in which one certificate was changed, or is anything at
// all. No path is accepted in which a signed part was changed.
// Input: a byte (bits 0 and 1: which of bundle[1..3] or the leaf; bit 2: the rest is the whole
// certificate), and changes as fuzz_change takes them.
#include "fuzz.h"

#include "crypto/openssl/libcrypto.h"
#include "crypto/openssl/x509.h"
#include "emu/nsmchain.h"

#define AT_S    1800000000
#define LITERAL 4U

static struct nsmchain chain;

static struct bytes certificate(unsigned i)
{
    const struct nsmchain_cert *cert = i < NSMCHAIN_BUNDLE ? &chain.bundle[i] : &chain.leaf;

    return bytes_of(cert->der, cert->len);
}

static struct x509_path genuine(void)
{
    struct x509_path path = { .root = certificate(0), .bundle_len = NSMCHAIN_BUNDLE };

    for (unsigned i = 0; i < NSMCHAIN_BUNDLE; i++)
        path.bundle[i] = certificate(i);
    path.leaf = certificate(NSMCHAIN_BUNDLE);
    return path;
}

// TBSCertificate: behind the outer head of four bytes, with its own.
static struct bytes signed_part(struct bytes der)
{
    struct rd rd = rd_of(bytes_skip(der, 4));
    size_t n;

    must(rd_u16(&rd) == 0x3082);
    n = rd_u16(&rd);
    return bytes_take(bytes_skip(der, 4), n + 4);
}

static void start(void)
{
    static const struct nsmchain_names names = {
        .pki = PKI_DIR,
        .region = "eu-west-1",
        .instance_id = "i-00000000000000001",
        .module_id = "i-00000000000000001-enc0000000000000001",
    };
    struct x509_path path;

    fuzz_ok(libcrypto_init());
    fuzz_ok(nsmchain_init(&chain, &names, AT_S));
    path = genuine();
    fuzz_ok(x509_check_path(&path, AT_S * UINT64_C(1000)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static uint8_t changed[NSMCHAIN_CERT_MAX];
    struct rd rd = rd_of(bytes_of(data, n));
    uint8_t head = rd_u8(&rd), signature[96] = { 0 };
    unsigned which = 1 + (head & 3U);
    struct bytes old, new;
    struct x509_path path;

    if (chain.leaf.len == 0)
        start();
    if (n == 0)
        return 0;
    path = genuine();
    old = certificate(which);
    new = head &LITERAL ? rd.left : fuzz_change(changed, sizeof(changed), old, rd.left);
    *(which < NSMCHAIN_BUNDLE ? &path.bundle[which] : &path.leaf) = new;
    if (!x509_check_path(&path, AT_S * UINT64_C(1000)).code)
        must(new.n == old.n &&bytes_equal(signed_part(new), signed_part(old)));
    must(x509_check_es384(new, BYTES_LIT("text"), signature).code);
    return 0;
}
