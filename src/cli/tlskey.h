// SPDX-License-Identifier: Apache-2.0
// `cloister tls create|list|delete`: keys of the data plane. What is shown of a key comes from its
// verified record; its name, state and certificate are the service's words. Who may include it:
// cli.
#pragma once

#include "cli/cli.h"
#include "cli/verify.h"

FALLIBLE tlskey_create(struct cli *cli);
FALLIBLE tlskey_list(struct cli *cli);
FALLIBLE tlskey_delete(struct cli *cli);

// The body that asks for a key (or an import) as --name and --keyset say.
FALLIBLE tlskey_write_wish(struct cli *cli, struct bytes nonce, struct bytes *body);
// The key that the positional word names: fetched, and verified or ERR_UNTRUSTED. *json is the
// service's answer, valid until the next call.
FALLIBLE tlskey_find(struct cli *cli, struct verify_tls *out, const struct json **json);
// "/v1/tls-keys/NAME" and what follows it.
FALLIBLE tlskey_target(struct wr *wr, const char *name, const char *rest);
// Shows the service's key, with a fingerprint only when it is verified; sets the exit code.
void tlskey_print(struct cli *cli, const struct json *key, const struct verify_tls *verify);
