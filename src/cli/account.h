// SPDX-License-Identifier: Apache-2.0
// `cloister account create|list|show`. Addresses come from cli/verify.h and from nowhere else.
// Who may include it: cli.
#pragma once

#include "cli/cli.h"
#include "cli/verify.h"

FALLIBLE account_create(struct cli *cli);
FALLIBLE account_list(struct cli *cli);
FALLIBLE account_show(struct cli *cli);

// A usage error unless the options say user, name and --unrestricted.
FALLIBLE account_check_wish(struct cli *cli);
// The body that asks for an account (or an import) as the options say.
FALLIBLE account_write_wish(struct cli *cli, struct bytes nonce, struct bytes *body);
// Shows the service's account, with an address only when it is verified; sets the exit code.
void account_print(struct cli *cli, const struct json *account, const struct verify *verify);

// The account that the command line means: the positional ID, or --user and the option `by_name`.
// Fetched and verified (look at out->is_verified). *json is the service's answer, valid until the
// next call.
FALLIBLE account_find(struct cli *cli, const char *by_name, struct verify *out,
                      const struct json **json);
