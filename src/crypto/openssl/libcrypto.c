// SPDX-License-Identifier: Apache-2.0
// Starts libcrypto. With a pool, every byte that libcrypto ever allocates (keys, key schedules,
// intermediate numbers) lies in locked memory and is wiped when freed. Configuration files and the
// variables that name them are never read: they could load foreign providers into the vault.
#include "crypto/openssl/libcrypto.h"

#include "base/must.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <sys/random.h>

static struct pool *heap;

static void *heap_get(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return n ? pool_get(heap, n) : NULL;
}

static void heap_put(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    pool_put(heap, p);
}

// libcrypto expects realloc(p, 0) to free.
static void *heap_resize(void *p, size_t n, const char *file, int line)
{
    if (n)
        return pool_resize(heap, p, n);
    heap_put(p, file, line);
    return NULL;
}

struct err libcrypto_init_in(struct pool *pool)
{
    // Refused by libcrypto once it has allocated anything by malloc(3): those bytes would lie
    // elsewhere. A second pool it would take, and then free the first one's blocks into it.
    ENSURE(!heap && CRYPTO_set_mem_functions(heap_get, heap_resize, heap_put) == 1, ERR_INTERNAL,
           "libcrypto: was used before its memory was set");
    heap = pool;
    return libcrypto_init();
}

static size_t largest = SIZE_MAX;

static void *bounded_get(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return n && n <= largest ? malloc(n) : NULL;
}

static void bounded_put(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    free(p);
}

static void *bounded_resize(void *p, size_t n, const char *file, int line)
{
    if (n)
        return n <= largest ? realloc(p, n) : NULL;
    bounded_put(p, file, line);
    return NULL;
}

struct err libcrypto_init_bounded(size_t n)
{
    ENSURE(!heap && largest == SIZE_MAX &&
               CRYPTO_set_mem_functions(bounded_get, bounded_resize, bounded_put) == 1,
           ERR_INTERNAL, "libcrypto: was used before its memory was set");
    TRY(libcrypto_init()); // whose tables may be larger
    largest = n;
    return OK;
}

struct err libcrypto_init(void)
{
    ENSURE(OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL) == 1,
           ERR_INTERNAL, "libcrypto: does not start");
    // Seeds the generator now, from getrandom(2), rather than on the first request.
    ENSURE(RAND_status() == 1, ERR_INTERNAL, "libcrypto: random generator has no seed");
    ERR_clear_error();
    return OK;
}

struct err libcrypto_seed(struct bytes seed)
{
    // The calling thread's: keys come from the private one, both from the primary one.
    EVP_RAND_CTX *const generators[] = { RAND_get0_primary(NULL), RAND_get0_private(NULL),
                                         RAND_get0_public(NULL) };
    bool seeded = true;

    // SP 800-90A 9.2: state, fresh bytes of its own source and these, all three together.
    for (size_t i = 0; i < ARRAY_LEN(generators); i++)
        seeded = seeded && generators[i] &&
                 EVP_RAND_reseed(generators[i], 0, NULL, 0, seed.p, seed.n) == 1;
    ERR_clear_error();
    ENSURE(seeded, ERR_INTERNAL, "libcrypto: random generator takes no seed");
    return OK;
}

void libcrypto_random(uint8_t *out, size_t n)
{
    while (n > 0) {
        ssize_t got = getrandom(out, n, 0);

        must(got > 0 || errno == EINTR);
        if (got < 0)
            continue;
        out += got;
        n -= (size_t)got;
    }
}
