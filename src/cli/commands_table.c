// SPDX-License-Identifier: Apache-2.0
// The table of commands. Help teaches by an example that works; the options in it are the very
// ones that the parser takes.
#include "base/must.h"
#include "cli/account.h"
#include "cli/attestation.h"
#include "cli/commands.h"
#include "cli/custody.h"
#include "cli/deployment.h"
#include "cli/image.h"
#include "cli/imageview.h"
#include "cli/import.h"
#include "cli/manifests.h"
#include "cli/service.h"
#include "cli/tlscert.h"
#include "cli/tlsimport.h"
#include "cli/tlskey.h"
#include "cli/token.h"
#include "cli/transact.h"
#include "cli/unsealing.h"

#define END                               \
    {                                     \
        NULL, NULL, ARGS_FLAG, NULL, NULL \
    }

static const struct args_option no_options[] = { END };
static const struct args_option build_options[] = {
    { "output", "o", ARGS_VALUE, "C.bin", "where the canonical form goes" },
    END,
};
static const struct args_option create_options[] = {
    { "user", NULL, ARGS_VALUE, "USER", "whose account it is" },
    { "name", NULL, ARGS_VALUE, "NAME", "its name, unique for the user" },
    { "keyset", NULL, ARGS_VALUE, "KEYSET", "name of the keyset, when there are several" },
    { "unrestricted", NULL, ARGS_FLAG, NULL, "may sign any transaction of a configured network" },
    { "nonce", NULL, ARGS_VALUE, "HEX", "repeat a creation whose answer was lost" },
    END,
};
static const struct args_option list_options[] = {
    { "user", NULL, ARGS_VALUE, "USER", "only this user's accounts" },
    END,
};
static const struct args_option show_options[] = {
    { "user", NULL, ARGS_VALUE, "USER", "with --name, in place of the ID" },
    { "name", NULL, ARGS_VALUE, "NAME", "with --user, in place of the ID" },
    END,
};
static const struct args_option sign_options[] = {
    { "tx", NULL, ARGS_VALUE, "FILE|-", "the transaction as JSON" },
    { "user", NULL, ARGS_VALUE, "USER", "with --account, in place of the ID" },
    { "account", NULL, ARGS_VALUE, "NAME", "with --user, in place of the ID" },
    END,
};
static const struct args_option send_options[] = {
    { "tx", NULL, ARGS_VALUE, "FILE|-", "the transaction as JSON, or the three below" },
    { "to", NULL, ARGS_VALUE, "ADDRESS", "recipient" },
    { "value", NULL, ARGS_VALUE, "AMOUNT", "wei, or e.g. 0.5ether, 3gwei" },
    { "data", NULL, ARGS_VALUE, "0x...", "call data" },
    { "idempotency-key", NULL, ARGS_VALUE, "KEY", "the same key is never sent twice" },
    { "wait", NULL, ARGS_OPTIONAL, "[SECONDS]", "until it is mined (60 seconds)" },
    { "user", NULL, ARGS_VALUE, "USER", "with --account, in place of the ID" },
    { "account", NULL, ARGS_VALUE, "NAME", "with --user, in place of the ID" },
    END,
};
static const struct args_option attest_show_options[] = {
    { "nonce", NULL, ARGS_VALUE, "HEX", "for a document of the service" },
    END,
};
static const struct args_option verify_options[] = {
    { "pcr0", NULL, ARGS_REPEATED, "HEX", "the code that you trust, in place of the trust file" },
    { "config", NULL, ARGS_VALUE, "C.bin", "the configuration that you trust" },
    { "pcr16", NULL, ARGS_VALUE, "HEX", "its measurement, in place of --config" },
    { "keyset", NULL, ARGS_REPEATED, "ID", "the keyset of the connection's key that you trust" },
    { "nonce", NULL, ARGS_VALUE, "HEX", "the nonce that the document must carry" },
    { "allow-debug", NULL, ARGS_FLAG, NULL, "accept debug mode, which protects nothing" },
    END,
};

static const struct args_option import_options[] = {
    { "user", NULL, ARGS_VALUE, "USER", "whose account it will be" },
    { "name", NULL, ARGS_VALUE, "NAME", "its name, unique for the user" },
    { "keyset", NULL, ARGS_VALUE, "KEYSET", "name of the keyset, when there are several" },
    { "unrestricted", NULL, ARGS_FLAG, NULL, "may sign any transaction of a configured network" },
    { "keystore", NULL, ARGS_VALUE, "FILE", "Web3 key file, version 3" },
    { "password-fd", NULL, ARGS_VALUE, "FD", "descriptor with its password, else asked for" },
    { "key-fd", NULL, ARGS_VALUE, "FD", "descriptor with the bare key: 32 bytes or hex" },
    END,
};
static const struct args_option delete_options[] = {
    { "after-days", NULL, ARGS_VALUE, "DAYS", "7 to 30; until then it can be taken back" },
    { "user", NULL, ARGS_VALUE, "USER", "with --name, in place of the ID" },
    { "name", NULL, ARGS_VALUE, "NAME", "with --user, in place of the ID" },
    END,
};
static const struct args_option manifest_options[] = {
    { "serial", NULL, ARGS_VALUE, "N", "larger than that of the manifest in force" },
    { "keyset", NULL, ARGS_REPEATED, "FILE", "admit the keyset of this record" },
    { "from-service", NULL, ARGS_FLAG, NULL, "admit the service's keysets, receipts verified" },
    { "floor", NULL, ARGS_REPEATED, "ID=N", "refuse the account's records below generation N" },
    { "disable", NULL, ARGS_REPEATED, "ID", "the account signs nothing" },
    { "clients", NULL, ARGS_REPEATED, "FILE", "who may use the data plane, as JSON" },
    { "known-clients", NULL, ARGS_REPEATED, "FILE", "the same, in Web3Signer's format" },
    { "known-clients-operations", NULL, ARGS_VALUE, "LIST", "what those may do: sign_transaction" },
    { "known-clients-keys", NULL, ARGS_REPEATED, "PATTERN", "with which keys: * (all)" },
    { "host", NULL, ARGS_REPEATED, "NAME", "further name that clients ask for; * is any" },
    { "origin", NULL, ARGS_REPEATED, "ORIGIN", "web pages that may read answers (CORS)" },
    { "output", "o", ARGS_VALUE, "FILE", "where the manifest goes" },
    END,
};
static const struct args_option approve_options[] = {
    { "key", NULL, ARGS_VALUE, "PEM", "your private key, a file of mode 0600" },
    { "output", "o", ARGS_VALUE, "SIG", "where the signature goes" },
    END,
};
static const struct args_option apply_options[] = {
    { "signature", NULL, ARGS_REPEATED, "SIG", "an administrator's signature" },
    END,
};
static const struct args_option request_options[] = {
    { "output", "o", ARGS_VALUE, "REQUEST", "where the request goes" },
    END,
};
static const struct args_option tls_create_options[] = {
    { "name", NULL, ARGS_VALUE, "NAME", "how the service calls it" },
    { "keyset", NULL, ARGS_VALUE, "KEYSET", "name of the keyset, when there are several for TLS" },
    { "nonce", NULL, ARGS_VALUE, "HEX", "repeat a creation whose answer was lost" },
    END,
};
static const struct args_option tls_csr_options[] = {
    { "host", NULL, ARGS_REPEATED, "NAME", "DNS name or IP address of the server" },
    { "output", "o", ARGS_VALUE, "CSR.pem", "where the request goes, else it is shown" },
    END,
};
static const struct args_option tls_install_options[] = {
    { "certificate", NULL, ARGS_VALUE, "CHAIN.pem", "what an authority made of the request" },
    { "host", NULL, ARGS_REPEATED, "NAME", "or one that the key signs itself, for these names" },
    { "days", NULL, ARGS_VALUE, "DAYS", "with --host: for how long (397)" },
    { "output", "o", ARGS_VALUE, "CERT.pem", "with --host: where the certificate goes as well" },
    END,
};
static const struct args_option tls_import_options[] = {
    { "name", NULL, ARGS_VALUE, "NAME", "how the service calls it" },
    { "pkcs12", NULL, ARGS_VALUE, "FILE", "key and certificates (.p12), a file of mode 0600" },
    { "password-fd", NULL, ARGS_VALUE, "FD", "descriptor with its password, else asked for" },
    { "keyset", NULL, ARGS_VALUE, "KEYSET", "name of the keyset, when there are several for TLS" },
    END,
};
static const struct args_option token_options[] = {
    { "output", "o", ARGS_VALUE, "FILE", "where the token goes, mode 0600, else it is shown" },
    END,
};
static const struct args_option image_options[] = {
    { "kernel", NULL, ARGS_VALUE, "BZIMAGE", "Linux for x86-64 with NSM and vsock" },
    { "init", NULL, ARGS_VALUE, "FILE",
      "the enclave's program, else cloister-enclave beside this" },
    { "module", NULL, ARGS_VALUE, "NSM.KO", "a kernel module, as /nsm.ko beside /init" },
    { "cmdline", NULL, ARGS_VALUE, "TEXT", "the kernel's command line" },
    { "name", NULL, ARGS_VALUE, "NAME", "for the metadata, which nothing measures" },
    { "version", NULL, ARGS_VALUE, "TEXT", "for the metadata" },
    { "build-time", NULL, ARGS_VALUE, "TIME", "for the metadata, RFC 3339, else none" },
    { "sign", NULL, ARGS_VALUE, "PEM", "private key on P-384, a file of mode 0600" },
    { "cert", NULL, ARGS_VALUE, "PEM", "its certificate, measured into PCR8" },
    { "output", "o", ARGS_VALUE, "FILE", "where the image goes" },
    END,
};
static const struct args_option image_verify_options[] = {
    { "pcr0", NULL, ARGS_REPEATED, "HEX", "the image that you trust, in place of the trust file" },
    { "pcr8", NULL, ARGS_VALUE, "HEX", "the certificate that must have signed it" },
    END,
};

const struct commands_entry commands_table[] = {
    { "config", "build", "FILE.json", build_options, "make the configuration that is measured",
      "Reads the JSON form, checks it, and writes the canonical form that the enclave measures "
      "into\n"
      "PCR16. Prints PCR16 for the key policy. Example:\n\n"
      "  cloister config build deployment.json -o configuration.bin\n\n"
      "  { \"version\": 1, \"deployment\": \"00112233445566778899aabbccddeeff\",\n"
      "    \"mode\": \"parent-trusted\", \"slashing\": \"parent-trusted\",\n"
      "    \"administrators\": { \"threshold\": 0, \"keys\": [] },\n"
      "    \"keysets\": [ { \"name\": \"main\", \"purpose\": \"accounts\", \"threshold\": 1,\n"
      "      \"keys\": [ \"arn:aws:kms:eu-west-1:111122223333:key/"
      "1234abcd-12ab-34cd-56ef-1234567890ab\" ] } ],\n"
      "    \"networks\": [ { \"name\": \"mainnet\", \"chain_id\": 1 } ],\n"
      "    \"anchor\": { \"kind\": \"none\" } }\n",
      deployment_build },
    { "config", "measure", "FILE", no_options, "print PCR16 and deployment of a configuration",
      "Takes either form. The key policy names this PCR16, so that no other configuration opens a\n"
      "key. Example:\n\n  cloister config measure configuration.bin\n",
      deployment_measure },
    { "account", "create", NULL, create_options, "make an account in the enclave",
      "The key is made in the enclave and never leaves it. The address is printed only when the\n"
      "receipt verifies here: made by trusted code (PCR0), under your configuration (PCR16), for\n"
      "this very request (a random nonce). Example:\n\n"
      "  cloister account create --user alice --name main --unrestricted\n",
      account_create },
    { "account", "list", NULL, list_options, "list accounts, each receipt verified",
      "UNVERIFIED stands in place of an address whose receipt is missing or does not verify; the\n"
      "exit code is then 4. Example:\n\n  cloister account list --user alice\n",
      account_list },
    { "account", "show", "[ID]", show_options, "show one account, its receipt verified",
      "With --json the sealed record and the receipt as well. Example:\n\n"
      "  cloister account show --user alice --name main\n",
      account_show },
    { "account", "import", NULL, import_options, "bring a key that you have into the enclave",
      "The key file is opened here, on your machine, and the key leaves it only sealed to an "
      "import\n"
      "key that a live attestation document names: made by trusted code (PCR0), under your\n"
      "configuration (PCR16), for this account. The address is printed when the receipt verifies "
      "and\n"
      "it is the key's own. Who had the key before has it still: the enclave cannot undo that.\n"
      "Example:\n\n"
      "  cloister account import --user alice --name old --unrestricted --keystore UTC--2020...\n",
      import_account },
    { "account", "disable", "[ID]", show_options, "sign nothing more with an account",
      "Best effort: the service keeps to it, and whoever controls the service need not. A rule "
      "that\n"
      "the enclave itself enforces stands in a manifest. Example:\n\n"
      "  cloister account disable --user alice --name main\n",
      custody_disable },
    { "account", "enable", "[ID]", show_options, "take `disable` back",
      "Does not lift what a manifest disables. Example:\n\n"
      "  cloister account enable --user alice --name main\n",
      custody_enable },
    { "account", "delete", "[ID]", delete_options, "delete an account, after days",
      "It signs nothing from now on. When the days are over its sealed record is erased from the\n"
      "service's store, and what the account owns is lost for good. Copies of the store are not\n"
      "reached. Example:\n\n"
      "  cloister account delete --user alice --name main --after-days 30\n",
      custody_delete },
    { "account", "undelete", "[ID]", show_options, "take `delete` back before its time",
      "An account that was disabled before stays disabled. Example:\n\n"
      "  cloister account undelete --user alice --name main\n",
      custody_undelete },
    { "tx", "sign", "[ID]", sign_options, "sign a transaction in the enclave",
      "The file has the field names of eth-account; amounts may carry a unit. The signed bytes "
      "are\n"
      "compared with it before they are printed. Example:\n\n"
      "  cloister tx sign 00112233445566778899aabbccddeeff --tx - <<'EOF'\n"
      "  { \"chainId\": 1, \"nonce\": 0, \"gas\": 21000, \"value\": \"0.5ether\",\n"
      "    \"maxFeePerGas\": \"30gwei\", \"maxPriorityFeePerGas\": \"1gwei\",\n"
      "    \"to\": \"0x000000000000000000000000000000000000dEaD\" }\n"
      "  EOF\n",
      transact_sign },
    { "tx", "send", "[ID]", send_options, "sign and broadcast a transaction",
      "The service chooses what is left out: chain id, nonce, gas and fees. Example:\n\n"
      "  cloister tx send --user alice --account main --value 0.5ether --wait \\\n"
      "    --to 0x000000000000000000000000000000000000dEaD\n",
      transact_send },
    { "tx", "decode", "RAW|-", no_options, "show the fields of a transaction",
      "Takes signed or unsigned bytes in hex, needs no service, recovers the sender. Example:\n\n"
      "  cloister tx decode 0xf86c09...\n",
      transact_decode },
    { "manifest", "create", NULL, manifest_options, "write what administrators are to sign",
      "The manifest says which keysets the enclave may open, and which accounts are disabled. It\n"
      "replaces the one before it as a whole: keysets that it leaves out are closed, and clients "
      "of\n"
      "the data plane that it leaves out may do nothing. Example:\n\n"
      "  cloister manifest create --serial 2 --from-service --clients clients.json -o "
      "manifest.bin\n"
      "\n"
      "  [ { \"label\": \"payments\", \"certificate_pem_file\": \"payments.pem\",\n"
      "      \"operations\": [ \"sign_transaction\" ], \"keys\": [ \"0x7e5f45*\" ] },\n"
      "    { \"label\": \"monitoring\", \"token_sha256\": \"5e88...\", \"operations\": [ "
      "\"metrics\" "
      "] } ]\n",
      manifests_create },
    { "manifest", "sign", "FILE", approve_options, "sign a manifest as administrator",
      "Says in words what is signed, then signs. Needs no service and no trust file: may run on a\n"
      "machine of its own. Example:\n\n"
      "  cloister manifest sign manifest.bin --key admin.pem -o admin.sig\n",
      manifests_sign },
    { "manifest", "show", "FILE", no_options, "show a manifest",
      "Example:\n\n  cloister manifest show manifest.bin\n", manifests_show },
    { "manifest", "apply", "FILE", apply_options, "put a manifest in force",
      "With as many signatures as the configuration asks for. The service keeps it and applies it\n"
      "again after each restart. Example:\n\n"
      "  cloister manifest apply manifest.bin --signature a.sig --signature b.sig\n",
      manifests_apply },
    { "tls", "create", NULL, tls_create_options, "make a TLS key in the enclave",
      "The key is made in the enclave and never leaves it; the data plane is served with it once "
      "a\n"
      "certificate is installed. Its fingerprint is printed only when the receipt verifies here.\n"
      "Example:\n\n  cloister tls create --name 2027\n",
      tlskey_create },
    { "tls", "list", NULL, no_options, "list TLS keys, each receipt verified",
      "UNVERIFIED stands in place of a fingerprint whose receipt does not verify; the exit code "
      "is\n"
      "then 4. Example:\n\n  cloister tls list\n",
      tlskey_list },
    { "tls", "csr", "NAME", tls_csr_options, "request a certificate for a TLS key",
      "Signed by the key in the enclave. It is given out only when it is of the key whose receipt\n"
      "verifies, and for these names alone: hand it to your authority. Example:\n\n"
      "  cloister tls csr 2027 --host signer.example --host 10.0.0.1 -o signer.csr\n",
      tlscert_csr },
    { "tls", "install", "NAME", tls_install_options, "serve the data plane with a TLS key",
      "From now on, also after restarts; connections that are open go on. The certificate must be\n"
      "of that key: of an authority, or signed by the key itself. Examples:\n\n"
      "  cloister tls install 2027 --certificate signer.pem\n"
      "  cloister tls install 2027 --host signer.example -o signer.pem\n",
      tlscert_install },
    { "tls", "delete", "NAME", no_options, "forget a TLS key that is not in use",
      "Its sealed record is erased from the service's store. Example:\n\n"
      "  cloister tls delete 2026\n",
      tlskey_delete },
    { "tls", "import", NULL, tls_import_options, "bring a server's key into the enclave",
      "For migration: key (P-256) and certificates of a PKCS#12 file, opened here, the key sealed "
      "to\n"
      "an enclave that verifies. The data plane is served with it at once. It is marked\n"
      "`exposed`: who has a copy can be this server, so no attestation names it. Replace it soon.\n"
      "Example:\n\n"
      "  cloister tls import --name old --pkcs12 server.p12\n",
      tlsimport_pkcs12 },
    { "token", "new", NULL, token_options, "make a bearer token for the data plane",
      "Random, made here, and known to nobody else: the manifest has its SHA-256 alone (clients,\n"
      "token_sha256). Clients send it as `Authorization: Bearer TOKEN`. Example:\n\n"
      "  cloister token new -o monitoring.token\n",
      token_new },
    { "seal", NULL, NULL, no_options, "wipe every key from the enclave, now",
      "For emergencies: nothing signs until administrators unseal. Nothing is lost: the sealed\n"
      "records stay. Without administrators in the configuration only a restart opens it again.\n"
      "Example:\n\n  cloister seal\n",
      unsealing_seal },
    { "unseal", "request", NULL, request_options, "write what administrators are to sign",
      "Asks the sealed enclave which boot it is, verified by attestation. Example:\n\n"
      "  cloister unseal request -o request.json\n",
      unsealing_request },
    { "unseal", "sign", "REQUEST", approve_options, "approve unsealing as administrator",
      "Good for this boot and this sealing only. Needs no service. Example:\n\n"
      "  cloister unseal sign request.json --key admin.pem -o admin.sig\n",
      unsealing_sign },
    { "unseal", "apply", NULL, apply_options, "let the enclave open its keys again",
      "With as many signatures as the configuration asks for. Example:\n\n"
      "  cloister unseal apply --signature a.sig --signature b.sig\n",
      unsealing_apply },
    { "status", NULL, NULL, no_options, "what the service says about itself",
      "The parent's words, not verified: `cloister attest verify` verifies. Example:\n\n"
      "  cloister status --json\n",
      service_status },
    { "attest", "show", "[FILE]", attest_show_options, "show an attestation document",
      "Reads without verifying. Without FILE a document is fetched from the service. Example:\n\n"
      "  cloister attest show document.cbor\n",
      attestation_show },
    { "attest", "verify", "[FILE|URL]", verify_options, "verify an enclave, or a document of one",
      "https://HOST[:PORT]: connects, asks for a document with a random nonce, and checks that "
      "this\n"
      "very connection ends in the enclave; each check is a line. The certificate is not judged:\n"
      "the attestation takes its place. Without FILE and URL the document is fetched from the\n"
      "service and has to be of now. A FILE (also base64) is judged at its own time. With PCR0\n"
      "alone the code is known but not its configuration: exit code 5. --keyset is for URLs: "
      "without\n"
      "administrators, who can make a keyset of his own knows the keys in it. Examples:\n\n"
      "  cloister attest verify https://signer.example:9000 --pcr0 4f1c... --config C.bin\n"
      "  cloister attest verify document.cbor --pcr0 4f1c... --config C.bin\n",
      attestation_verify },
    { "image", "build", NULL, image_options, "write an enclave image (EIF)",
      "Puts kernel and enclave program together as AWS's nitro-cli would, without Docker, and\n"
      "prints the PCRs for key policy and trust file. The same files give the same image, byte "
      "for\n"
      "byte; a signature is new each time. Example:\n\n"
      "  cloister image build --kernel bzImage --init cloister-enclave -o signer.eif\n",
      image_build },
    { "image", "describe", "FILE", no_options, "show what an enclave image says and measures",
      "Any image of AWS's format, versions 2 to 4. The PCRs are computed here. Example:\n\n"
      "  cloister image describe signer.eif\n",
      imageview_describe },
    { "image", "verify", "FILE", image_verify_options, "compare an enclave image with its PCR0",
      "Checks form, checksum and signature, and that PCR0 is one that you trust. With nothing to\n"
      "compare PCR0 with: exit code 5. Example:\n\n"
      "  cloister image verify signer.eif --pcr0 4f1c...\n",
      imageview_verify },
    { "version", NULL, NULL, no_options, "program, version and trust anchors",
      "DEVELOPMENT as anchors means: built for a laptop, trusts no real enclave. Example:\n\n"
      "  cloister version\n",
      service_version },
};
const size_t commands_table_len = ARRAY_LEN(commands_table);
