// SPDX-License-Identifier: Apache-2.0
// The key is opened here, on its owner's machine, and leaves it sealed (cli/sealing.h). Afterwards
// the receipt must verify, and the address must be the key's own.
#include "cli/import.h"

#include "base/must.h"
#include "cli/account.h"
#include "cli/keystore.h"
#include "cli/passfile.h"
#include "cli/progress.h"
#include "cli/sealing.h"
#include "crypto/ecdsa.h"

#include <stdio.h>

static const struct sealing_kind kind = { "/v1/imports", "account", POLICY_UNRESTRICTED };

static FALLIBLE open_keystore(struct cli *cli, struct seckey *key)
{
    AUTO(passfile_wipe) struct passfile file = { 0 };
    AUTO(progress_end) struct progress progress = { 0 };

    TRY(passfile_read(cli, &file, "keystore"));
    progress_begin(&progress, "deriving the key of the file");
    TRY(keystore_open(key, file.bytes, bytes_of(file.password.b, file.password.n)));
    cli->where[0] = 0;
    return OK;
}

static FALLIBLE open_key(struct cli *cli, struct seckey *out, uint8_t address[static 20])
{
    AUTO(secret_wipe) struct secret secret = { 0 };
    uint8_t public_key[ECDSA_PUBLIC_BYTES];
    const char *keystore = args_get(&cli->args, "keystore");
    const char *fd = args_get(&cli->args, "key-fd");

    if (!keystore == !fd)
        return CLI_USAGE_ERROR(cli, "say where the key is: --keystore FILE or --key-fd FD");
    if (keystore) {
        TRY(open_keystore(cli, out));
    } else {
        (void)snprintf(cli->where, sizeof(cli->where), "--key-fd: ");
        TRY(secret_read(&secret, fd));
        TRY(secret_to_key(out, &secret));
    }
    ENSURE(!ecdsa_check(out).code, ERR_MALFORMED, "key: is no private key of secp256k1");
    TRY(ecdsa_public(public_key, out));
    TRY(ecdsa_address(address, public_key));
    cli->where[0] = 0;
    return OK;
}

struct err import_account(struct cli *cli)
{
    AUTO(sealing_wipe) struct sealing sealing = { 0 };
    uint8_t address[20], nonce[CLI_NONCE_BYTES];
    const struct json *account = NULL;
    struct bytes body = BYTES_NONE;
    struct proof_trust pins;
    struct verify verify;

    secret_protect_process();
    TRY(account_check_wish(cli));
    TRY(cli_load_trust(cli, true));
    cli->exit = CLI_UNVERIFIED;
    TRY(trust_receipts(&pins, &cli->trust));
    cli->exit = CLI_DONE;
    TRY(open_key(cli, &sealing.key, address));
    TRY(cli_open_rest(cli));
    cli_nonce(nonce);
    TRY(account_write_wish(cli, BYTES_OF(nonce), &body));
    TRY(sealing_begin(cli, &sealing, &kind, body, BYTES_OF(nonce)));
    TRY(sealing_finish(cli, &sealing, &kind, &account));
    verify_account(&verify, &cli->trust, account, &sealing.id, BYTES_OF(sealing.nonce));
    if (verify.is_verified && !bytes_equal(BYTES_OF(verify.raw_address), BYTES_OF(address))) {
        verify = (struct verify) { .address = VERIFY_UNVERIFIED, .policy = "unknown" };
        verify.reason = FAIL(ERR_UNTRUSTED, "the account has another key than the imported one");
    }
    account_print(cli, account, &verify);
    return OK;
}
