// SPDX-License-Identifier: Apache-2.0
// vault/entropy.h: a module that is broken is found before anything is made, and both sources enter
// everything that is drawn, libcrypto's own keys included. For that the kernel's random numbers,
// the clock and the process id are the test's: what is equal in two processes then depends on
// nothing else, and what differs, on the module's bytes alone.
#include "vault/entropy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cbor.h"
#include "base/ct.h"
#include "base/must.h"
#include "crypto/openssl/libcrypto.h"
#include "crypto/openssl/rsa.h"
#include "crypto/openssl/sha2.h"
#include "expect.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// -- the kernel, as the test wants it: libcrypto and libc come here first
// ----------------------------

static bool fixed;
static uint8_t kernel_byte;

ssize_t getrandom(void *out, size_t n, unsigned flags)
{
    if (!fixed)
        return syscall(SYS_getrandom, out, n, flags);
    memset(out, kernel_byte, n);
    return (ssize_t)n;
}

int getentropy(void *out, size_t n)
{
    return getrandom(out, n, 0) == (ssize_t)n ? 0 : -1;
}

int clock_gettime(clockid_t which, struct timespec *now)
{
    *now = (struct timespec) { .tv_sec = 1 };
    return fixed ? 0 : (int)syscall(SYS_clock_gettime, which, now);
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    (void)zone;
    *now = (struct timeval) { .tv_sec = 1 };
    return fixed ? 0 : (int)syscall(SYS_gettimeofday, now, NULL);
}

time_t time(time_t *out)
{
    time_t now = fixed ? 1 : (time_t)syscall(SYS_time, NULL);

    if (out)
        *out = now;
    return now;
}

pid_t getpid(void)
{
    return fixed ? 4711 : (pid_t)syscall(SYS_getpid);
}

// -- the module
// ---------------------------------------------------------------------------------------

enum module { GOOD, DEAD, REFUSES, NOTHING, FEW, ZEROS, SAME };

static enum module module;
static uint8_t module_byte; // what its next answer is made of

static struct err answer(int fd, struct bytes request, uint8_t *out, size_t cap, size_t *n)
{
    uint8_t random[256];
    struct wr wr = wr_of(out, cap);

    (void)fd;
    must(bytes_equal(request, BYTES_LIT("\x69GetRandom")));
    ENSURE(module != DEAD, ERR_DEVICE, "no device");
    if (module == GOOD)
        module_byte++;
    memset(random, module_byte, sizeof(random));
    if (module == ZEROS)
        memset(random, 0, sizeof(random));
    cbor_put_map(&wr, 1);
    cbor_put_text(&wr, module == REFUSES ? "Error" : "GetRandom");
    cbor_put_map(&wr, module != NOTHING);
    if (module != NOTHING) {
        cbor_put_text(&wr, "random");
        cbor_put_bytes(&wr, bytes_of(random, module == FEW ? 63 : sizeof(random)));
    }
    *n = wr.len;
    return wr_end(&wr);
}

static const struct nsm nsm = { .call = answer, .fd = -1 };

static void broken_modules(void **state)
{
    static const struct {
        const char *name;
        enum module module;
        const char *what;
    } cases[] = {
        { "no answer", DEAD, "no device" }, { "refused", REFUSES, "refused" },
        { "absent", NOTHING, "too few" },   { "63 bytes", FEW, "too few" },
        { "zeros", ZEROS, "zero" },         { "as before", SAME, "before" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct seckey key = { { 0 } };
        struct id id = { { 0 } };
        uint8_t nonce[12] = { 0 };

        module = GOOD;
        expect_ok("good", entropy_seed(&nsm));
        module = cases[i].module;
        expect_err(cases[i].name, entropy_seed(&nsm), ERR_DEVICE, cases[i].what);
        expect_err(cases[i].name, entropy_key(&nsm, &key), ERR_DEVICE, cases[i].what);
        expect_err(cases[i].name, entropy_id(&nsm, &id), ERR_DEVICE, cases[i].what);
        expect_err(cases[i].name, entropy_bytes(&nsm, nonce, sizeof(nonce)), ERR_DEVICE,
                   cases[i].what);
        assert_true(ct_is_zero(BYTES_OF(key.b)) && ct_is_zero(BYTES_OF(id.b)) &&
                    ct_is_zero(BYTES_OF(nonce)));
        module = GOOD;
        expect_ok("good again", entropy_key(&nsm, &key));
        assert_false(ct_is_zero(BYTES_OF(key.b)));
    }
}

// What a boot draws.
struct drawn {
    uint8_t private_bytes[32], public_bytes[32]; // libcrypto's
    uint8_t rsa[32], key[32], id[16], nonce[12];
};

static void draw(struct drawn *out, bool seed)
{
    static _Alignas(64) uint8_t memory[1 << 20];
    static struct pool pool;
    struct rsa_key *rsa = NULL;
    uint8_t spki[RSA_SPKI_BYTES];
    struct seckey key;
    struct id id;

    pool_init(&pool, memory, sizeof(memory));
    must(!libcrypto_init_in(&pool).code);
    if (seed)
        must(!entropy_seed(&nsm).code);
    must(!rsa_key_new(&rsa).code && !rsa_key_spki(rsa, spki).code);
    sha2_256(out->rsa, BYTES_OF(spki));
    must(RAND_priv_bytes(out->private_bytes, sizeof(out->private_bytes)) == 1);
    must(RAND_bytes(out->public_bytes, sizeof(out->public_bytes)) == 1);
    must(!entropy_key(&nsm, &key).code && !entropy_id(&nsm, &id).code);
    must(!entropy_bytes(&nsm, out->nonce, sizeof(out->nonce)).code);
    memcpy(out->key, key.b, sizeof(out->key));
    memcpy(out->id, id.b, sizeof(out->id));
}

// The same boot in a process of its own, libcrypto's first user in it.
static struct drawn boot(bool seed, uint8_t from_kernel, uint8_t from_module)
{
    struct drawn drawn;
    int pipes[2], status = -1;
    pid_t child;

    must(pipe(pipes) == 0);
    child = fork();
    must(child >= 0);
    if (child == 0) {
        fixed = true;
        kernel_byte = from_kernel;
        module = GOOD;
        module_byte = from_module;
        draw(&drawn, seed);
        _exit(write(pipes[1], &drawn, sizeof(drawn)) == (ssize_t)sizeof(drawn) ? 0 : 1);
    }
    must(read(pipes[0], &drawn, sizeof(drawn)) == (ssize_t)sizeof(drawn));
    must(waitpid(child, &status, 0) == child && status == 0);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
    return drawn;
}

#define EACH_FIELD(expect, a, b)                                                 \
    do {                                                                         \
        expect((a).private_bytes, (b).private_bytes, sizeof((a).private_bytes)); \
        expect((a).public_bytes, (b).public_bytes, sizeof((a).public_bytes));    \
        expect((a).rsa, (b).rsa, sizeof((a).rsa));                               \
        expect((a).key, (b).key, sizeof((a).key));                               \
        expect((a).id, (b).id, sizeof((a).id));                                  \
        expect((a).nonce, (b).nonce, sizeof((a).nonce));                         \
    } while (0)

// First the control: but for the two sources, a boot draws the same each time.
static void both_sources_enter(void **state)
{
    struct drawn first = boot(true, 1, 1), again = boot(true, 1, 1);
    struct drawn module_differs = boot(true, 1, 101), kernel_differs = boot(true, 2, 1);
    struct drawn no_seed = boot(false, 1, 1), no_seed_differs = boot(false, 1, 101);

    (void)state;
    EACH_FIELD(assert_memory_equal, first, again);
    EACH_FIELD(assert_memory_not_equal, first, module_differs);
    EACH_FIELD(assert_memory_not_equal, first, kernel_differs);
    // Without entropy_seed the module has no part in what libcrypto makes: the test would see it.
    assert_memory_equal(no_seed.rsa, no_seed_differs.rsa, sizeof(no_seed.rsa));
    assert_memory_not_equal(no_seed.rsa, first.rsa, sizeof(no_seed.rsa));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sources_enter), // first: libcrypto must not run in this process yet
        cmocka_unit_test(broken_modules),
    };

    (void)argc;
    // libcrypto also stirs in the processor's cycle counter, unless it is told that there is none;
    // it looks before main.
    if (!getenv("OPENSSL_ia32cap")) {
        must(setenv("OPENSSL_ia32cap", "~0x10", 1) == 0);
        (void)execv("/proc/self/exe", argv);
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
