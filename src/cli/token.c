// SPDX-License-Identifier: Apache-2.0
// The token is made on the user's machine; the service and the manifest know its hash alone. It is
// shown once, or written into a file that nobody else may read.
#include "cli/token.h"

#include "base/hex.h"
#include "base/must.h"
#include "cli/files.h"
#include "cli/secret.h"
#include "crypto/openssl/libcrypto.h"
#include "crypto/openssl/sha2.h"

#include <string.h>

#define RANDOM_BYTES 32U

// Its text, which clients send; what is hashed is this text.
static void make(struct secret *token)
{
    AUTO(seckey_wipe) struct seckey random;

    libcrypto_random(random.b, sizeof(random.b));
    for (size_t i = 0; i < RANDOM_BYTES; i++) {
        // No table whose index would be secret: a digit is 0-9 or, 39 further on, a-f.
        uint8_t high = random.b[i] >> 4, low = random.b[i] & 15U;

        token->b[token->n++] = (uint8_t)('0' + high + 39U * ((high + 6U) >> 4));
        token->b[token->n++] = (uint8_t)('0' + low + 39U * ((low + 6U) >> 4));
    }
}

struct err token_new(struct cli *cli)
{
    AUTO(secret_wipe) struct secret token = { 0 };
    const char *output = args_get(&cli->args, "output");
    struct bytes text;
    uint8_t digest[32];

    make(&token);
    text = bytes_of(token.b, token.n);
    sha2_256(digest, text);
    if (output)
        TRY(files_save_secret(output, text));
    else
        out_text(&cli->out, "token", text);
    out_digits(&cli->out, "token_sha256", BYTES_OF(digest));
    return OK;
}
