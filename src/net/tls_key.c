// SPDX-License-Identifier: Apache-2.0
// A provider of libcrypto inside this process, with one kind of key: a P-256 public key and whoever
// has the private one. Duty: take apart what libssl wants signed, pass on what the owner needs to
// build it again, and refuse all else, so that no caller of this process gets a signature over
// anything of its own. The fibre of the handshake (ASYNC_pause_job) waits for the answer. It stands
// in a library context of its own: all other TLS of the process never meets it.
#include "net/tls_key.h"

#include "base/must.h"
#include "base/rd.h"

#include <openssl/async.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define PROVIDER      "cloister"
#define PARAM_OWNER   "cloister-owner" // a struct owner, from tls_key_new only
#define POINT_MAX     65U
#define FIBRES_MAX    256U // signatures that are waited for at once; 32 KiB of stack each
#define SPACES        64U  // RFC 8446 4.4.3
#define VERIFY13_HEAD "TLS 1.3, server CertificateVerify"
#define RANDOMS       64U // of client and server
#define NAMED_CURVE   3

// What libcrypto takes for a key pair.
struct remote {
    uint8_t point[POINT_MAX]; // uncompressed
    struct owner {
        struct tls_key key;
        void (*release)(void *context);
        void *context;
    } owner; // zeroes: a public key
};

struct tls_key_job {
    bool is_answered, is_paused, is_abandoned;
    ASYNC_callback_fn wake; // of the waiting handshake
    void *wake_context;
    size_t n; // 0: failed
    uint8_t der[TLS_KEY_DER_MAX];
};

static OSSL_LIB_CTX *tls_key_lib; // NULL until the first key, or when it cannot be made

// -- the input ---------------------------------------------------------------------------------

// What libssl gives for TLS 1.3: the transcript hash behind a fixed head.
static struct bytes tls_key_take_verify13(struct bytes in)
{
    static const char head[] = VERIFY13_HEAD; // its NUL is part of the head
    struct bytes hash = bytes_skip(in, SPACES + sizeof(head));

    for (size_t i = 0; i < SPACES; i++)
        if (i >= in.n || in.p[i] != ' ')
            return BYTES_NONE;
    if (!bytes_equal(bytes_take(bytes_skip(in, SPACES), sizeof(head)), BYTES_OF(head)))
        return BYTES_NONE;
    return hash.n == 32 || hash.n == 48 ? hash : BYTES_NONE;
}

// And for TLS 1.2: the randoms and ServerECDHParams, as they are.
static struct bytes tls_key_take_exchange12(struct bytes in)
{
    struct rd rd = rd_of(bytes_skip(in, RANDOMS));
    uint8_t type = rd_u8(&rd);
    uint16_t curve = rd_u16(&rd);
    size_t n = rd_var8(&rd, 97).n;
    bool is_known =
        (curve == 23 && n == 65) || (curve == 24 && n == 97) || (curve == 29 && n == 32);

    return type == NAMED_CURVE && is_known && !rd_end(&rd).code ? in : BYTES_NONE;
}

// -- the signature -----------------------------------------------------------------------------

static struct tls_key_job *tls_key_job_new(ASYNC_JOB *fibre)
{
    struct tls_key_job *job = calloc(1, sizeof(*job));

    if (job &&
        ASYNC_WAIT_CTX_get_callback(ASYNC_get_wait_ctx(fibre), &job->wake, &job->wake_context) == 1)
        return job;
    free(job);
    return NULL;
}

// Until the owner has answered. A fibre that goes on before is that of a connection which ends.
static bool tls_key_wait(struct tls_key_job *job)
{
    if (!job->is_answered) {
        job->is_paused = true;
        (void)ASYNC_pause_job();
    }
    job->is_abandoned = !job->is_answered;
    return job->is_answered;
}

static int tls_key_ask(const struct tls_key *key, enum tls_key_kind kind, struct bytes input,
                       struct tls_key_job *job)
{
    if (key->sign(key->context, job, kind, input).code)
        job->is_answered = true; // it stayed ours, and there is nothing in it
    return tls_key_wait(job);
}

static int tls_key_digest_sign(void *context, unsigned char *out, size_t *n, size_t cap,
                               const unsigned char *data, size_t data_n)
{
    const struct remote *const *remote = context;
    struct bytes input = tls_key_take_verify13(bytes_of(data, data_n));
    enum tls_key_kind kind = input.n ? TLS_KEY_VERIFY13 : TLS_KEY_EXCHANGE12;
    ASYNC_JOB *fibre = ASYNC_get_current_job();
    struct tls_key_job *job;
    int is_signed;

    *n = TLS_KEY_DER_MAX;
    if (!out)
        return 1;
    input = input.n ? input : tls_key_take_exchange12(bytes_of(data, data_n));
    job = *remote && (*remote)->owner.key.sign && fibre && input.n && cap >= TLS_KEY_DER_MAX
              ? tls_key_job_new(fibre)
              : NULL;
    if (!job)
        return 0;
    if (!tls_key_ask(&(*remote)->owner.key, kind, input, job))
        return 0; // the owner still has it
    *n = job->n;
    memcpy(out, job->der, job->n);
    is_signed = job->n > 0;
    free(job);
    return is_signed;
}

void tls_key_done(struct tls_key_job *job, struct bytes der)
{
    must(!job->is_answered);
    if (job->is_abandoned) {
        free(job);
        return;
    }
    if (der.n > 0 && der.n <= sizeof(job->der)) {
        memcpy(job->der, der.p, der.n);
        job->n = der.n;
    }
    job->is_answered = true;
    if (job->is_paused)
        (void)job->wake(job->wake_context);
}

static void *tls_key_sign_new(void *provider, const char *properties)
{
    (void)provider;
    (void)properties;
    return calloc(1, sizeof(struct remote *));
}

static void tls_key_sign_free(void *context)
{
    free(context);
}

static int tls_key_sign_init(void *context, const char *digest, void *key,
                             const OSSL_PARAM parameters[])
{
    struct remote **remote = context;

    (void)parameters;
    *remote = key;
    return digest && (strcmp(digest, "SHA256") == 0 || strcmp(digest, "SHA2-256") == 0);
}

// -- the key -----------------------------------------------------------------------------------

static void *tls_key_remote_new(void *provider)
{
    (void)provider;
    return calloc(1, sizeof(struct remote));
}

static void tls_key_remote_free(void *key)
{
    struct remote *remote = key;

    if (remote->owner.release)
        remote->owner.release(remote->owner.context);
    free(remote);
}

static int tls_key_remote_has(const void *key, int selection)
{
    (void)selection; // libssl wants a private key, and behind the owner there is one
    return key != NULL;
}

static int tls_key_remote_match(const void *a, const void *b, int selection)
{
    const struct remote *left = a, *right = b;

    (void)selection;
    return memcmp(left->point, right->point, POINT_MAX) == 0;
}

// From tls_key_new, or the key of a certificate that is to be compared.
static int tls_key_remote_import(void *key, int selection, const OSSL_PARAM parameters[])
{
    struct remote *remote = key;
    const OSSL_PARAM *point = OSSL_PARAM_locate_const(parameters, OSSL_PKEY_PARAM_PUB_KEY);
    const OSSL_PARAM *owner = OSSL_PARAM_locate_const(parameters, PARAM_OWNER);

    (void)selection;
    if (!point || point->data_size != POINT_MAX)
        return 0;
    memcpy(remote->point, point->data, POINT_MAX);
    if (owner && owner->data_size == sizeof(remote->owner))
        memcpy(&remote->owner, owner->data, sizeof(remote->owner));
    return 1;
}

static const OSSL_PARAM *tls_key_remote_import_types(int selection)
{
    static const OSSL_PARAM types[] = { OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
                                        OSSL_PARAM_octet_string(PARAM_OWNER, NULL, 0),
                                        OSSL_PARAM_END };

    (void)selection;
    return types;
}

static int tls_key_remote_get(void *key, OSSL_PARAM parameters[])
{
    static const struct {
        const char *name;
        int value;
    } facts[] = { { OSSL_PKEY_PARAM_BITS, 256 },
                  { OSSL_PKEY_PARAM_SECURITY_BITS, 128 },
                  { OSSL_PKEY_PARAM_MAX_SIZE, TLS_KEY_DER_MAX } };
    OSSL_PARAM *parameter = OSSL_PARAM_locate(parameters, OSSL_PKEY_PARAM_GROUP_NAME);

    (void)key;
    if (parameter && OSSL_PARAM_set_utf8_string(parameter, "prime256v1") != 1)
        return 0;
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
        parameter = OSSL_PARAM_locate(parameters, facts[i].name);
        if (parameter && OSSL_PARAM_set_int(parameter, facts[i].value) != 1)
            return 0;
    }
    return 1;
}

static const OSSL_PARAM *tls_key_remote_gettable(void *provider)
{
    static const OSSL_PARAM gettable[] = {
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL), OSSL_PARAM_END
    };

    (void)provider;
    return gettable;
}

static const char *tls_key_remote_operation(int operation)
{
    return operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

// -- the provider ------------------------------------------------------------------------------

#define ENTRY(id, function)            \
    {                                  \
        id, (void (*)(void))(function) \
    }

static const OSSL_DISPATCH tls_key_manage[] = {
    ENTRY(OSSL_FUNC_KEYMGMT_NEW, tls_key_remote_new),
    ENTRY(OSSL_FUNC_KEYMGMT_FREE, tls_key_remote_free),
    ENTRY(OSSL_FUNC_KEYMGMT_HAS, tls_key_remote_has),
    ENTRY(OSSL_FUNC_KEYMGMT_MATCH, tls_key_remote_match),
    ENTRY(OSSL_FUNC_KEYMGMT_IMPORT, tls_key_remote_import),
    ENTRY(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, tls_key_remote_import_types),
    ENTRY(OSSL_FUNC_KEYMGMT_GET_PARAMS, tls_key_remote_get),
    ENTRY(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, tls_key_remote_gettable),
    ENTRY(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, tls_key_remote_operation),
    { 0, NULL },
};

static const OSSL_DISPATCH tls_key_signature[] = {
    ENTRY(OSSL_FUNC_SIGNATURE_NEWCTX, tls_key_sign_new),
    ENTRY(OSSL_FUNC_SIGNATURE_FREECTX, tls_key_sign_free),
    ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, tls_key_sign_init),
    ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, tls_key_digest_sign),
    { 0, NULL },
};

static const OSSL_ALGORITHM *tls_key_query(void *provider, int operation, int *no_cache)
{
    static const OSSL_ALGORITHM managers[] = {
        { "EC:id-ecPublicKey:1.2.840.10045.2.1", "provider=" PROVIDER, tls_key_manage, NULL },
        { NULL, NULL, NULL, NULL },
    };
    static const OSSL_ALGORITHM signatures[] = {
        { "ECDSA", "provider=" PROVIDER, tls_key_signature, NULL },
        { NULL, NULL, NULL, NULL },
    };

    (void)provider;
    *no_cache = 0;
    if (operation == OSSL_OP_KEYMGMT)
        return managers;
    return operation == OSSL_OP_SIGNATURE ? signatures : NULL;
}

static int tls_key_provide(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in,
                           const OSSL_DISPATCH **out, void **context)
{
    static const OSSL_DISPATCH functions[] = {
        ENTRY(OSSL_FUNC_PROVIDER_QUERY_OPERATION, tls_key_query),
        { 0, NULL },
    };
    static uint8_t nothing;

    (void)core;
    (void)in;
    *context = &nothing;
    *out = functions;
    return 1;
}

// libcrypto's own provider comes first: of two algorithms of one name it takes the first that can
// do what is asked, and ours is found by its key only.
static void tls_key_open(void)
{
    OSSL_LIB_CTX *lib = OSSL_LIB_CTX_new();

    if (lib && OSSL_PROVIDER_load(lib, "default") &&
        OSSL_PROVIDER_add_builtin(lib, PROVIDER, tls_key_provide) == 1 &&
        OSSL_PROVIDER_load(lib, PROVIDER))
        tls_key_lib = lib;
    else
        OSSL_LIB_CTX_free(lib);
}

struct ossl_lib_ctx_st *tls_key_library(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, tls_key_open);
    return tls_key_lib;
}

void tls_key_enter_thread(void)
{
    static _Thread_local bool has_fibres;

    if (!has_fibres)
        has_fibres = ASYNC_init_thread(FIBRES_MAX, 0) == 1;
}

// 33 bytes to the 65 that libcrypto's own keys are exported as.
static struct err tls_key_expand(uint8_t out[static POINT_MAX], const struct tls_key *key)
{
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)"prime256v1", 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)key->point,
                                          sizeof(key->point)),
        OSSL_PARAM_construct_end()
    };
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(tls_key_library(), "EC", "provider=default");
    EVP_PKEY *pkey = NULL;
    size_t n = 0;
    bool is_point;

    is_point =
        ctx && EVP_PKEY_fromdata_init(ctx) == 1 &&
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, parameters) == 1 &&
        EVP_PKEY_set_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                       "uncompressed") == 1 &&
        EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, out, POINT_MAX, &n) == 1 &&
        n == POINT_MAX;
    EVP_PKEY_free(pkey);
    EVP_PKEY_CTX_free(ctx);
    ENSURE(is_point, ERR_MALFORMED, "TLS: public key is no point of P-256");
    return OK;
}

struct err tls_key_new(struct evp_pkey_st **out, const struct tls_key *key,
                       void (*release)(void *context), void *context)
{
    struct owner owner = { *key, release, context };
    uint8_t point[POINT_MAX];
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
        OSSL_PARAM_construct_octet_string(PARAM_OWNER, &owner, sizeof(owner)),
        OSSL_PARAM_construct_end()
    };
    EVP_PKEY_CTX *ctx;

    *out = NULL;
    ENSURE(tls_key_library(), ERR_INTERNAL, "TLS: libcrypto takes no provider");
    TRY(tls_key_expand(point, key));
    ctx = EVP_PKEY_CTX_new_from_name(tls_key_library(), "EC", "provider=" PROVIDER);
    if (ctx && EVP_PKEY_fromdata_init(ctx) == 1)
        (void)EVP_PKEY_fromdata(ctx, out, EVP_PKEY_KEYPAIR, parameters);
    EVP_PKEY_CTX_free(ctx);
    ENSURE(*out, ERR_INTERNAL, "TLS: libcrypto does not take the key");
    return OK;
}
