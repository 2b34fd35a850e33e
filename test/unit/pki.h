// SPDX-License-Identifier: Apache-2.0
// A root and a server certificate, made by libcrypto while the test runs. DNS names of the server:
// kms.example, b.example, *.wild.example, partial*.example; its subject says subject.example.
#pragma once

#include "base/bytes.h"
#include "base/must.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <unistd.h>

#define PKI_FROM_S 1767225600U // 2026-01-01
#define PKI_TO_S   1767312000U // a day later
#define PKI_NAMES  "DNS:kms.example,DNS:b.example,DNS:*.wild.example,DNS:partial*.example"

struct pki {
    X509 *ca;
    uint8_t root_der[1024];
    struct bytes root;
    char chain_path[300], key_path[300];
};

static inline void pki_extend(X509 *certificate, int kind, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, kind, value);

    must(extension && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static inline X509 *pki_certificate(const char *subject, EVP_PKEY *key)
{
    X509 *certificate = X509_new();
    X509_NAME *name = X509_get_subject_name(certificate);

    must(X509_set_version(certificate, X509_VERSION_3) == 1);
    must(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1);
    must(ASN1_TIME_set(X509_getm_notBefore(certificate), PKI_FROM_S) != NULL);
    must(ASN1_TIME_set(X509_getm_notAfter(certificate), PKI_TO_S) != NULL);
    must(X509_set_pubkey(certificate, key) == 1);
    must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)subject, -1,
                                    -1, 0) == 1);
    return certificate;
}

static inline void pki_write(const struct pki *pki, X509 *leaf, EVP_PKEY *key)
{
    FILE *file = fopen(pki->chain_path, "w");

    must(file && PEM_write_X509(file, leaf) == 1 && fclose(file) == 0);
    file = fopen(pki->key_path, "w");
    must(file && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1);
    must(fclose(file) == 0);
}

static inline void pki_make(struct pki *pki, const char *folder, const char *name)
{
    EVP_PKEY *ca_key = EVP_EC_gen("P-256");
    EVP_PKEY *key = EVP_EC_gen("P-256");
    uint8_t *at = pki->root_der;
    X509 *leaf;

    (void)snprintf(pki->chain_path, sizeof(pki->chain_path), "%s/%s.pem", folder, name);
    (void)snprintf(pki->key_path, sizeof(pki->key_path), "%s/%s.key", folder, name);
    must(ca_key && key);
    pki->ca = pki_certificate("root", ca_key);
    pki_extend(pki->ca, NID_basic_constraints, "critical,CA:TRUE");
    pki_extend(pki->ca, NID_key_usage, "critical,keyCertSign");
    must(X509_set_issuer_name(pki->ca, X509_get_subject_name(pki->ca)) == 1);
    must(X509_sign(pki->ca, ca_key, EVP_sha256()) > 0);
    leaf = pki_certificate("subject.example", key);
    pki_extend(leaf, NID_subject_alt_name, PKI_NAMES);
    must(X509_set_issuer_name(leaf, X509_get_subject_name(pki->ca)) == 1);
    must(X509_sign(leaf, ca_key, EVP_sha256()) > 0);
    must(i2d_X509(pki->ca, NULL) <= (int)sizeof(pki->root_der));
    pki->root = bytes_of(pki->root_der, (size_t)i2d_X509(pki->ca, &at));
    pki_write(pki, leaf, key);
    X509_free(leaf);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(key);
}

static inline void pki_done(struct pki *pki)
{
    (void)unlink(pki->chain_path);
    (void)unlink(pki->key_path);
    X509_free(pki->ca);
}
