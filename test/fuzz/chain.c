// SPDX-License-Identifier: Apache-2.0
// net/tls_chain.h: the certificates that an administrator installs, through the parent. What is
// taken has a P-256 key, a name, and answers for its names only.
#include "fuzz.h"

#include "net/tls_chain.h"

#include <openssl/err.h>

#define NOW_S 1800000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct tls_chain chain = { .count = 0 };

    if (!tls_chain_read(&chain, bytes_of(data, n), NOW_S).code) {
        must(chain.count >= 1 && chain.count <= TLS_CHAIN_MAX);
        must(chain.names >= 1 && chain.names <= TLS_CHAIN_NAMES_MAX);
        must(chain.not_after_s > NOW_S);
        must(!tls_chain_is_name(&chain, BYTES_LIT("")));
        must(!tls_chain_is_name(&chain, BYTES_LIT("no such name")));
        for (unsigned i = 0; i < chain.names; i++)
            if (!chain.name[i].is_address && chain.name[i].text[0] != '*')
                (void)tls_chain_is_name(&chain, bytes_of(chain.name[i].text, chain.name[i].n));
    }
    must(chain.count <= TLS_CHAIN_MAX);
    tls_chain_done(&chain);
    ERR_clear_error();
    return 0;
}
