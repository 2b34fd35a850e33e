// SPDX-License-Identifier: Apache-2.0
// As with accounts (cli/sealing.h). What is different: the key was used elsewhere, in the clear,
// and whoever has it can be this server for its clients. So the vault marks it `exposed`, attests
// no connection with it, and this program says why.
#include "cli/tlsimport.h"

#include "base/must.h"
#include "cli/openssl/p12.h"
#include "cli/passfile.h"
#include "cli/progress.h"
#include "cli/sealing.h"
#include "cli/tlscert.h"
#include "cli/tlskey.h"

static const struct sealing_kind kind = { "/v1/tls-imports", "key", POLICY_NOTHING };

static FALLIBLE open_file(struct cli *cli, struct p12 *out)
{
    AUTO(passfile_wipe) struct passfile file = { 0 };
    AUTO(progress_end) struct progress progress = { 0 };

    TRY(passfile_read(cli, &file, "pkcs12"));
    progress_begin(&progress, "opening the file");
    TRY(p12_open(out, file.bytes, bytes_of(file.password.b, file.password.n)));
    cli->where[0] = 0;
    return OK;
}

static void say_exposed(void)
{
    out_say(
        "cloister: ",
        BYTES_LIT("this key is marked `exposed`: it has been outside of the enclave, and who has "
                  "a copy can be this server for its clients."));
    out_say("cloister: ",
            BYTES_LIT("No attestation names it (attest verify refuses the connection). Replace it "
                      "soon: tls create, tls csr, tls install."));
}

// The receipt of this very import, for this very key.
static FALLIBLE check(struct verify_tls *out, const struct cli *cli, const struct json *key,
                      const struct sealing *sealing)
{
    verify_tls_key(out, &cli->trust, key, &sealing->id, BYTES_OF(sealing->nonce));
    return out->reason;
}

struct err tlsimport_pkcs12(struct cli *cli)
{
    static struct p12 p12_memory; // certificates are much for a stack
    AUTO(sealing_wipe) struct sealing sealing = { 0 };
    struct verify_tls verify;
    uint8_t nonce[CLI_NONCE_BYTES];
    const struct json *key = NULL;
    struct bytes body = BYTES_NONE;
    struct proof_trust pins;
    const char *name;
    struct err err;

    secret_protect_process();
    TRY(cli_need(cli, "name", &name));
    TRY(cli_load_trust(cli, true));
    cli->exit = CLI_UNVERIFIED;
    TRY(trust_receipts(&pins, &cli->trust));
    cli->exit = CLI_DONE;
    err = open_file(cli, &p12_memory);
    sealing.key = p12_memory.key;
    p12_wipe(&p12_memory);
    TRY(err);
    TRY(cli_open_rest(cli));
    cli_nonce(nonce);
    TRY(tlskey_write_wish(cli, BYTES_OF(nonce), &body));
    TRY(sealing_begin(cli, &sealing, &kind, body, BYTES_OF(nonce)));
    TRY(sealing_finish(cli, &sealing, &kind, &key));
    cli->exit = CLI_UNVERIFIED;
    TRY(check(&verify, cli, key, &sealing));
    ENSURE(bytes_equal(BYTES_OF(verify.spki_sha256), BYTES_OF(p12_memory.spki_sha256)),
           ERR_UNTRUSTED, "the TLS key is another one than the imported one");
    cli->exit = CLI_DONE;
    err = tlscert_install_chain(cli, name, &verify,
                                bytes_of(p12_memory.chain, p12_memory.chain_len), &key);
    if (err.code)
        out_say("cloister: the key is in the enclave, its certificate is not in use yet: ",
                BYTES_LIT("do not import again; tls install NAME --certificate FILE"));
    TRY(err);
    tlskey_print(cli, key, &verify);
    say_exposed();
    return OK;
}
