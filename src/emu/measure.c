// SPDX-License-Identifier: Apache-2.0
// The emulated hypervisor's measurements, by the same PCR rule as the product's own verifier
// (crypto/attest.h). It reads the file once and never executes it.
#include "emu/measure.h"

#include "base/fd.h"
#include "base/must.h"
#include "crypto/attest.h"
#include "crypto/openssl/sha2.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static FALLIBLE hash_file(uint8_t out[static 48], const char *path)
{
    AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t block[16384];
    struct sha2 sha;
    ssize_t got;

    ENSURE(fd >= 0, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "enclave file cannot be opened");
    sha2_384_start(&sha);
    while ((got = read(fd, block, sizeof(block))) > 0)
        sha2_384_add(&sha, bytes_of(block, (size_t)got));
    sha2_384_end(&sha, out);
    ENSURE(got == 0, ERR_IO, "enclave file cannot be read");
    return OK;
}

struct err measure_enclave(struct nsmdev_pcrs *out, const char *path, const char *role,
                           const char *instance_id)
{
    uint8_t digest[48];

    memset(out, 0, sizeof(*out));
    TRY(hash_file(digest, path));
    attest_pcr_extend(out->image, BYTES_OF(digest));
    sha2_384(digest, BYTES_NONE);
    attest_pcr_extend(out->application, BYTES_OF(digest));
    if (role)
        attest_pcr_extend(out->role, bytes_str(role));
    if (instance_id)
        attest_pcr_extend(out->instance, bytes_str(instance_id));
    return OK;
}
