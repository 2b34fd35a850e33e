// SPDX-License-Identifier: Apache-2.0
// proto/config.h, keyset.h, policy.h: what is read is written as the very same bytes again: there
// is one encoding of each configuration, so one measurement.
#include "proto/config.h"

#include "base/must.h"
#include "proto/keyset.h"
#include "proto/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void fuzz_config(struct bytes in)
{
    static uint8_t out[CONFIG_BYTES_MAX];
    struct wr wr = WR_OF(out);
    struct config config;

    if (config_read(&config, in).code)
        return;
    config_write(&wr, &config);
    must(bytes_equal(wr_done(&wr), in));
    must(config.keysets >= 1 && config.keyset[0].n >= 1 && config.hosts >= 1);
    must(config_find_keyset(&config, config.keyset[0].name) == &config.keyset[0]);
}

static void fuzz_keyset(struct bytes in)
{
    static uint8_t out[KEYSET_BYTES_MAX];
    struct wr wr = WR_OF(out);
    struct keyset keyset;

    if (keyset_read(&keyset, in).code)
        return;
    keyset_write(&wr, &keyset);
    must(bytes_equal(wr_done(&wr), in));
}

static void fuzz_policy(struct bytes in)
{
    uint8_t out[8];
    struct wr wr = WR_OF(out);
    struct policy policy;

    if (policy_read(&policy, in).code)
        return;
    policy_write(&wr, &policy);
    must(bytes_equal(wr_done(&wr), in));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    fuzz_config(bytes_of(data, n));
    fuzz_keyset(bytes_of(data, n));
    fuzz_policy(bytes_of(data, n));
    return 0;
}
