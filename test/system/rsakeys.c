// SPDX-License-Identifier: Apache-2.0
// Stands between the vault and rsa_key_new (meson.build has the linker do it): where the folder
// CLOISTER_RSA_KEYS is given, keys come from there, N.pem with N below RSAKEYS, never the same
// twice in a row. `make check-valgrind` draws them before, since drawing one takes valgrind ten
// seconds, and a program of these draws one with each boot and each unsealing. Else all is as in
// the product.
#include "crypto/openssl/rsa.h"

#include "base/fd.h"
#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define RSAKEYS 16U // as in tools/check

struct err __real_rsa_key_new(struct rsa_key **out);
struct err __wrap_rsa_key_new(struct rsa_key **out);

struct err __wrap_rsa_key_new(struct rsa_key **out)
{
    static unsigned made;
    const char *folder = getenv("CLOISTER_RSA_KEYS");
    uint8_t pem[4096];
    char path[512];
    size_t len = 0;

    if (!folder)
        return __real_rsa_key_new(out);
    (void)snprintf(path, sizeof(path), "%s/%u.pem", folder,
                   ((unsigned)getpid() + made++) % RSAKEYS);
    TRY(fd_read_file(path, pem, sizeof(pem), &len));
    return rsa_key_from_pem(out, bytes_of(pem, len));
}
