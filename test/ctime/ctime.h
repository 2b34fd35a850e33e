// SPDX-License-Identifier: Apache-2.0
// Marking bytes as secret for valgrind's memcheck: to it they are undefined, so that it reports
// every branch and every address that depends on them, wherever they are copied and whatever is
// computed from them (A. Langley's ctgrind). One group of calls for each run of the program.
#pragma once

#include "base/must.h"
#include "base/seckey.h"
#include "base/wr.h"
#include "crypto/openssl/rsa.h"

#include <valgrind/memcheck.h>

struct ctime_group {
    const char *name;
    void (*run)(void);
};

// The groups of each file; a table ends with a name of NULL.
extern const struct ctime_group ctime_groups_crypto[];
extern const struct ctime_group ctime_groups_rsa[];
extern const struct ctime_group ctime_groups_vault[];
extern const struct ctime_group ctime_groups_ceremony[];

// Starts libcrypto and makes an RSA key whose private numbers are all secret. Once for each run.
struct rsa_key *ctime_rsa_key(void);
// The module's answer to GetRandom: 256 secret bytes, others in each.
void ctime_random(struct wr *answer);

// From here on these bytes are secret.
static inline void ctime_hide(void *p, size_t n)
{
    (void)VALGRIND_MAKE_MEM_UNDEFINED(p, n);
}

// What is published anyway, or a verdict that the caller may act on.
static inline void ctime_show(const void *p, size_t n)
{
    (void)VALGRIND_MAKE_MEM_DEFINED(p, n);
}

static inline bool ctime_verdict(bool verdict)
{
    volatile bool shown = verdict;

    (void)VALGRIND_MAKE_MEM_DEFINED(&shown, sizeof(shown));
    return shown;
}

// The result must still depend on the secret as memcheck sees it, else nothing was checked.
static inline void ctime_depends(const void *p, size_t n)
{
    uint8_t bits[512] = { 0 };
    uint8_t any = 0;

    must(n <= sizeof(bits) && VALGRIND_GET_VBITS(p, bits, n) == 1);
    for (size_t i = 0; i < n; i++)
        any |= bits[i];
    must(any != 0);
}

// A valid private key, hidden.
static inline void ctime_key(struct seckey *key, uint8_t fill)
{
    for (size_t i = 0; i < sizeof(key->b); i++)
        key->b[i] = (uint8_t)(fill + 7 * i);
    ctime_hide(key->b, sizeof(key->b));
}
