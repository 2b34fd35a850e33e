// SPDX-License-Identifier: Apache-2.0
// TLS keys in the scene of test/fuzz/vault.c: what must hold of every signature with one. Who may
// include it: vault_scene.h.
#pragma once

#include "fuzz.h"

#include "crypto/openssl/p256.h"
#include "proto/msg.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#define TLS13_TEXT "TLS 1.3, server CertificateVerify"

static uint8_t tls_spki[P256_SPKI_BYTES]; // of the one TLS key whose record there is

static EVP_PKEY *tls_public(void)
{
    const uint8_t *p = tls_spki;
    EVP_PKEY *pkey = d2i_PUBKEY(NULL, &p, sizeof(tls_spki));

    must(pkey);
    return pkey;
}

// A signature is one over what this very message asked for, in the form that only a TLS server's
// handshake has.
static void check_handshake(struct bytes request, struct bytes signature)
{
    uint8_t content[256];
    struct wr wr = WR_OF(content);
    struct rd rd = rd_of(request);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY *pkey = tls_public();
    struct msg_tls_sign m;

    fuzz_ok(msg_read_tls_sign(&m, &rd));
    if (m.kind == MSG_TLS_VERIFY13) {
        must(m.input.n == 32 || m.input.n == 48);
        memset(wr_room(&wr, 64), ' ', 64);
        wr_bytes(&wr, bytes_of(TLS13_TEXT, sizeof(TLS13_TEXT)));
    } else {
        must(m.input.n == 64 + 4 + 32 || m.input.n == 64 + 4 + 65 || m.input.n == 64 + 4 + 97);
        must(m.input.p[64] == 3 && m.input.p[65] == 0 && m.input.p[67] + 68U == m.input.n);
    }
    wr_bytes(&wr, m.input);
    must(ctx && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, pkey) == 1);
    must(EVP_DigestVerify(ctx, signature.p, signature.n, content, wr.len) == 1);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
}

static void check_names(const struct msg_tls_certify *asked, GENERAL_NAMES *names)
{
    must(names && sk_GENERAL_NAME_num(names) == asked->names);
    for (int i = 0; i < asked->names; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        must(name->type == (asked->name[i].type == MSG_TLS_DNS ? GEN_DNS : GEN_IPADD));
        must(bytes_equal(
            bytes_of(ASN1_STRING_get0_data(name->d.ia5), (size_t)ASN1_STRING_length(name->d.ia5)),
            asked->name[i].name));
    }
    GENERAL_NAMES_free(names);
}

static void check_request(const struct msg_tls_certify *asked, struct bytes der)
{
    const uint8_t *p = der.p;
    X509_REQ *request = d2i_X509_REQ(NULL, &p, (long)der.n);
    STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(request);
    EVP_PKEY *pkey = tls_public();

    must(request && p == der.p + der.n && X509_REQ_verify(request, pkey) == 1);
    check_names(asked, X509V3_get_d2i(extensions, NID_subject_alt_name, NULL, NULL));
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    X509_REQ_free(request);
    EVP_PKEY_free(pkey);
}

static void check_self_signed(const struct msg_tls_certify *asked, struct bytes der)
{
    const uint8_t *p = der.p;
    X509 *x509 = d2i_X509(NULL, &p, (long)der.n);
    EVP_PKEY *pkey = tls_public();

    must(x509 && p == der.p + der.n && X509_verify(x509, pkey) == 1);
    must(X509_check_ca(x509) == 0 && X509_get_extended_key_usage(x509) == XKU_SSL_SERVER);
    check_names(asked, X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL));
    X509_free(x509);
    EVP_PKEY_free(pkey);
}

static void check_certified(struct bytes request, struct bytes der)
{
    struct rd rd = rd_of(request);
    struct msg_tls_certify asked;

    fuzz_ok(msg_read_tls_certify(&asked, &rd));
    if (asked.kind == MSG_TLS_REQUEST)
        check_request(&asked, der);
    else
        check_self_signed(&asked, der);
}
