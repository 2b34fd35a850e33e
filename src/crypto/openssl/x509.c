// SPDX-License-Identifier: Apache-2.0
// The certificate path of an attestation document. Our own checks of every certificate come first
// (profile, names, the pinned root), so that libcrypto's path building (RFC 5280 6) only ever sees
// P-384 and cannot be kept busy; afterwards the path it found must be the one in the document, in
// its order. Key identifiers are not asked for: AWS left them out of some certificates. CRLs are
// not read: AWS says not to, the leaf lives three hours.
#include "crypto/openssl/x509.h"

#include "base/must.h"
#include "crypto/dersig.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#define CERTS_MAX      (X509_CHAIN_MAX + 1) // the bundle and the leaf
#define DER_BYTES_MAX  4096
#define ES384_BYTES    96
#define POINT_BYTES    97 // SEC 1, uncompressed
#define UNUSED_BITS    7  // of a bit string's last byte, in its flags
#define VERSION_3      2  // as X.509 counts
#define UNWANTED_FLAGS (EXFLAG_INVALID | EXFLAG_CRITICAL)

// The certificates of a path, root first, leaf last.
struct chain {
    X509 *cert[CERTS_MAX];
    size_t len;
};

static void chain_free(struct chain *chain)
{
    for (size_t i = 0; i < chain->len; i++)
        X509_free(chain->cert[i]);
}

static void cert_free(X509 **cert)
{
    X509_free(*cert);
}

static void store_free(X509_STORE **store)
{
    X509_STORE_free(*store);
}

static void store_ctx_free(X509_STORE_CTX **ctx)
{
    X509_STORE_CTX_free(*ctx);
}

// Frees the stack only: the certificates belong to the chain.
static void stack_free(STACK_OF(X509) * *stack)
{
    sk_X509_free(*stack);
}

static void md_ctx_free(EVP_MD_CTX **ctx)
{
    EVP_MD_CTX_free(*ctx);
}

static void der_free(uint8_t **der)
{
    OPENSSL_free(*der);
}

// The thread's error queue may hold what the program around this library has yet to read.
static void errors_drop(const int *mark)
{
    (void)mark;
    ERR_pop_to_mark();
}

static FALLIBLE read_chain(struct chain *chain, const struct x509_path *path);
static FALLIBLE check_profile(X509 *cert, bool is_ca);
static FALLIBLE check_names(const struct chain *chain);
static FALLIBLE check_by_libcrypto(const struct chain *chain, uint64_t at_ms);

struct err x509_check_path(const struct x509_path *path, uint64_t at_ms)
{
    AUTO(errors_drop) __attribute__((unused)) int mark = ERR_set_mark();
    AUTO(chain_free) struct chain chain = { 0 };

    ENSURE(path->bundle_len > 0 && path->bundle_len <= X509_CHAIN_MAX, ERR_UNTRUSTED,
           "certificate path: expected 1 to 8 authorities");
    ENSURE(path->root.n > 0 && bytes_equal(path->bundle[0], path->root), ERR_UNTRUSTED,
           "certificate path: does not begin at the pinned root");
    TRY(read_chain(&chain, path));
    for (size_t i = 0; i < chain.len; i++)
        TRY(check_profile(chain.cert[i], i + 1 < chain.len));
    TRY(check_names(&chain));
    return check_by_libcrypto(&chain, at_ms);
}

// libcrypto also reads BER; what it reads must be what it would write (X.690 10).
static bool is_der(X509 *cert, struct bytes der)
{
    AUTO(der_free) uint8_t *again = NULL;
    int n;

    for (int i = 0; i < X509_get_ext_count(cert); i++) {
        X509_EXTENSION *extension = X509_get_ext(cert, i);

        X509_EXTENSION_set_critical(extension, X509_EXTENSION_get_critical(extension));
    }
    n = i2d_re_X509_tbs(cert, NULL); // forgets the encoding that was read
    if (n > 0)
        n = i2d_X509(cert, &again);
    return n > 0 && bytes_equal(bytes_of(again, (size_t)n), der);
}

static FALLIBLE read_cert(X509 **out, struct bytes der)
{
    const uint8_t *p = der.p;

    ENSURE(der.n > 0 && der.n <= DER_BYTES_MAX, ERR_UNTRUSTED,
           "certificate: expected at most 4096 bytes");
    *out = d2i_X509(NULL, &p, (long)der.n);
    ENSURE(*out && p == der.p + der.n && is_der(*out, der), ERR_UNTRUSTED,
           "certificate: expected one X.509 certificate in DER and nothing after it");
    return OK;
}

static FALLIBLE read_chain(struct chain *chain, const struct x509_path *path)
{
    for (size_t i = 0; i <= path->bundle_len; i++) {
        chain->len = i + 1; // counted first, for chain_free
        TRY(read_cert(&chain->cert[i], i < path->bundle_len ? path->bundle[i] : path->leaf));
    }
    return OK;
}

// The curve as written in the key's own parameters: a curve spelled out in numbers is refused, even
// when the numbers are P-384's (CVE-2020-0601). The point is written out whole.
static bool is_p384(const X509 *cert)
{
    const ASN1_BIT_STRING *point = X509_get0_pubkey_bitstr(cert);
    X509_ALGOR *algorithm = NULL;
    const void *curve = NULL;
    int type = 0;

    if (X509_PUBKEY_get0_param(NULL, NULL, NULL, &algorithm, X509_get_X509_PUBKEY(cert)) != 1)
        return false;
    X509_ALGOR_get0(NULL, &type, &curve, algorithm);
    return type == V_ASN1_OBJECT && OBJ_obj2nid(curve) == NID_secp384r1 &&
           point->length == POINT_BYTES && point->data[0] == POINT_CONVERSION_UNCOMPRESSED &&
           !(point->flags & UNUSED_BITS) && X509_get0_pubkey(cert) != NULL;
}

// ecdsa-with-SHA384, which has no parameters (RFC 5758 3.2).
static bool is_es384(const X509 *cert)
{
    const X509_ALGOR *algorithm = NULL;
    int type = 0;

    X509_get0_signature(NULL, &algorithm, cert);
    X509_ALGOR_get0(NULL, &type, NULL, algorithm);
    return X509_get_signature_nid(cert) == NID_ecdsa_with_SHA384 && type == V_ASN1_UNDEF;
}

// Each extension once (RFC 5280 4.2), and critical only the two that are checked here. Name
// constraints are not part of the profile.
static bool are_extensions_known(const X509 *cert)
{
    for (int i = 0; i < X509_get_ext_count(cert); i++) {
        X509_EXTENSION *extension = X509_get_ext(cert, i);
        const ASN1_OBJECT *object = X509_EXTENSION_get_object(extension);
        int kind = OBJ_obj2nid(object);
        bool checked = kind == NID_basic_constraints || kind == NID_key_usage;

        if (kind == NID_name_constraints || X509_get_ext_by_OBJ(cert, object, i) >= 0 ||
            (!checked && X509_EXTENSION_get_critical(extension)))
            return false;
    }
    return true;
}

static FALLIBLE check_profile(X509 *cert, bool is_ca)
{
    uint32_t flags = X509_get_extension_flags(cert);
    uint32_t usage = flags & EXFLAG_KUSAGE ? X509_get_key_usage(cert) : 0;

    ENSURE(X509_get_version(cert) == VERSION_3 && !(flags & UNWANTED_FLAGS) &&
               are_extensions_known(cert),
           ERR_UNTRUSTED,
           "certificate: expected X.509 version 3 with known critical extensions only");
    ENSURE(is_p384(cert), ERR_UNTRUSTED, "certificate: expected a P-384 key");
    ENSURE(is_es384(cert), ERR_UNTRUSTED, "certificate: expected a signature by ecdsa-with-SHA384");
    ENSURE(flags & EXFLAG_BCONS && !(flags & EXFLAG_CA) == !is_ca, ERR_UNTRUSTED,
           "certificate: its basicConstraints do not fit its place in the path");
    ENSURE(usage & (is_ca ? KU_KEY_CERT_SIGN : KU_DIGITAL_SIGNATURE), ERR_UNTRUSTED,
           "certificate: its keyUsage does not fit its place in the path");
    return OK;
}

static bool names_equal(const X509_NAME *a, const X509_NAME *b)
{
    const uint8_t *a_der = NULL;
    const uint8_t *b_der = NULL;
    size_t a_len = 0;
    size_t b_len = 0;

    if (X509_NAME_get0_der(a, &a_der, &a_len) != 1 || X509_NAME_get0_der(b, &b_der, &b_len) != 1)
        return false;
    return bytes_equal(bytes_of(a_der, a_len), bytes_of(b_der, b_len));
}

// Issuer and subject as raw DER: libcrypto compares names without regard to case and blanks.
static FALLIBLE check_names(const struct chain *chain)
{
    for (size_t i = 0; i < chain->len; i++) {
        const X509 *issuer = chain->cert[i ? i - 1 : 0];

        ENSURE(names_equal(X509_get_issuer_name(chain->cert[i]), X509_get_subject_name(issuer)),
               ERR_UNTRUSTED, "certificate path: a certificate does not follow its issuer");
    }
    return OK;
}

static FALLIBLE verdict(const struct chain *chain, X509_STORE_CTX *ctx, int verified)
{
    int error = X509_STORE_CTX_get_error(ctx);
    STACK_OF(X509) *found = X509_STORE_CTX_get0_chain(ctx);

    ENSURE(error != X509_V_ERR_CERT_HAS_EXPIRED && error != X509_V_ERR_CERT_NOT_YET_VALID,
           ERR_EXPIRED, "certificate path: a certificate is not valid at that time");
    ENSURE(verified == 1 && error == X509_V_OK, ERR_UNTRUSTED,
           "certificate path: a signature or constraint does not verify");
    // libcrypto may leave out or reorder certificates; the document's own order must be the path.
    ENSURE(found && sk_X509_num(found) == (int)chain->len, ERR_UNTRUSTED,
           "certificate path: not every certificate is part of it");
    for (size_t i = 0; i < chain->len; i++)
        ENSURE(X509_cmp(sk_X509_value(found, (int)(chain->len - 1 - i)), chain->cert[i]) == 0,
               ERR_UNTRUSTED, "certificate path: not in order");
    return OK;
}

static FALLIBLE check_by_libcrypto(const struct chain *chain, uint64_t at_ms)
{
    AUTO(stack_free) STACK_OF(X509) *between = sk_X509_new_null();
    AUTO(store_free) X509_STORE *store = X509_STORE_new();
    AUTO(store_ctx_free) X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    X509_VERIFY_PARAM *param;

    ENSURE(between && store && ctx, ERR_INTERNAL, "certificate path: no memory");
    ENSURE(X509_STORE_add_cert(store, chain->cert[0]) == 1, ERR_INTERNAL,
           "certificate path: the root is not taken");
    for (size_t i = 1; i + 1 < chain->len; i++)
        ENSURE(sk_X509_push(between, chain->cert[i]) > 0, ERR_INTERNAL,
               "certificate path: no memory");
    ENSURE(X509_STORE_CTX_init(ctx, store, chain->cert[chain->len - 1], between) == 1, ERR_INTERNAL,
           "certificate path: libcrypto does not start");
    param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_time(param, (time_t)(at_ms / 1000));
    X509_VERIFY_PARAM_set_depth(param, X509_CHAIN_MAX);
    return verdict(chain, ctx, X509_verify_cert(ctx));
}

struct err x509_check_es384(struct bytes certificate, struct bytes signed_bytes,
                            const uint8_t signature[static 96])
{
    AUTO(errors_drop) __attribute__((unused)) int mark = ERR_set_mark();
    AUTO(cert_free) X509 *cert = NULL;
    AUTO(md_ctx_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t der[DERSIG_BYTES_MAX];
    struct wr wr = WR_OF(der);

    TRY(read_cert(&cert, certificate));
    ENSURE(is_p384(cert), ERR_UNTRUSTED, "certificate: expected a P-384 key");
    dersig_write(&wr, bytes_of(signature, ES384_BYTES));
    ENSURE(ctx && EVP_DigestVerifyInit_ex(ctx, NULL, "SHA384", NULL, NULL, X509_get0_pubkey(cert),
                                          NULL) == 1,
           ERR_INTERNAL, "signature: libcrypto does not start");
    ENSURE(EVP_DigestVerify(ctx, der, wr.len, signed_bytes.p, signed_bytes.n) == 1, ERR_UNTRUSTED,
           "signature: is not the certificate's over these bytes");
    return OK;
}
