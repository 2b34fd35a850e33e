// SPDX-License-Identifier: Apache-2.0
// The table of commands. Help teaches by an example that works; the options in it are the very
// ones that the parser takes.
#include "cli/commands.h"

#include "base/must.h"
#include "cli/account.h"
#include "cli/attestation.h"
#include "cli/deployment.h"
#include "cli/service.h"
#include "cli/transact.h"

#include <stdio.h>
#include <string.h>

#define END                               \
    {                                     \
        NULL, NULL, ARGS_FLAG, NULL, NULL \
    }

static const struct args_option common[] = {
    { "trust", NULL, ARGS_VALUE, "FILE", "trust file, else ~/.config/cloister/trust" },
    { "json", NULL, ARGS_FLAG, NULL, "one JSON object on standard output" },
    { "help", "h", ARGS_FLAG, NULL, "this text" },
    END,
};
const struct args_option *const commands_common = common;

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
    { "nonce", NULL, ARGS_VALUE, "HEX", "the nonce that the document must carry" },
    { "allow-debug", NULL, ARGS_FLAG, NULL, "accept debug mode, which protects nothing" },
    END,
};

static const struct commands_entry table[] = {
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
    { "status", NULL, NULL, no_options, "what the service says about itself",
      "The parent's words, not verified: `cloister attest verify` verifies. Example:\n\n"
      "  cloister status --json\n",
      service_status },
    { "attest", "show", "[FILE]", attest_show_options, "show an attestation document",
      "Reads without verifying. Without FILE a document is fetched from the service. Example:\n\n"
      "  cloister attest show document.cbor\n",
      attestation_show },
    { "attest", "verify", "[FILE]", verify_options, "verify an attestation document",
      "Without FILE a fresh document with a random nonce is fetched and has to be of now. A FILE\n"
      "(also base64) is judged at its own time and needs no service. With PCR0 alone the code is\n"
      "known but not its configuration: exit code 5. Example:\n\n"
      "  cloister attest verify document.cbor --pcr0 4f1c... --config configuration.bin\n",
      attestation_verify },
    { "version", NULL, NULL, no_options, "program, version and trust anchors",
      "DEVELOPMENT as anchors means: built for a laptop, trusts no real enclave. Example:\n\n"
      "  cloister version\n",
      service_version },
};

const struct commands_entry *commands_find(char *const *argv, int *words)
{
    for (size_t i = 0; argv[0] && i < ARRAY_LEN(table); i++) {
        if (strcmp(table[i].noun, argv[0]) != 0)
            continue;
        *words = table[i].verb ? 2 : 1;
        if (!table[i].verb || (argv[1] && strcmp(table[i].verb, argv[1]) == 0))
            return &table[i];
    }
    return NULL;
}

bool commands_has_noun(const char *noun)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (strcmp(table[i].noun, noun) == 0)
            return true;
    return false;
}

static void print_line(const struct commands_entry *command)
{
    char left[64];

    (void)snprintf(left, sizeof(left), "%s%s%s%s%s", command->noun, command->verb ? " " : "",
                   command->verb ? command->verb : "", command->word ? " " : "",
                   command->word ? command->word : "");
    printf("  %-24s %s\n", left, command->summary);
}

static void print_options(const struct args_option *options)
{
    for (; options->name; options++) {
        char left[64];

        (void)snprintf(left, sizeof(left), "%s%s%s--%s%s%s", options->letter ? "-" : "",
                       options->letter ? options->letter : "", options->letter ? ", " : "",
                       options->name, options->value ? " " : "",
                       options->value ? options->value : "");
        printf("  %-26s %s%s\n", left, options->help,
               options->kind == ARGS_REPEATED ? "; may be repeated" : "");
    }
}

void commands_help_all(void)
{
    puts("cloister: Ethereum keys that live and sign only inside a Nitro Enclave\n\n"
         "usage: cloister NOUN VERB [OPTIONS]; cloister NOUN VERB --help\n");
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        print_line(&table[i]);
    puts("\nOptions of every command:");
    print_options(common);
    puts("\nThe trust file says where the service is and what you know about it:\n\n"
         "  url = unix:///run/cloister/rest.sock\n"
         "  token_file = token\n"
         "  pcr0 = 96 hex digits of the image that you built or trust\n"
         "  keyset = 32 hex digits; optional: take accounts of these keysets only\n"
         "  configuration = configuration.bin\n\n"
         "Exit codes: 0 done, 1 refused, 2 usage, 3 unreachable, 4 UNVERIFIED,\n"
         "5 code ok but deployment unverified. Example:\n\n"
         "  cloister account create --user alice --name main --unrestricted");
}

void commands_help_noun(const char *noun)
{
    const struct commands_entry *first = NULL;

    printf("usage: cloister %s VERB [OPTIONS]; cloister %s VERB --help\n\n", noun, noun);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (strcmp(table[i].noun, noun) != 0)
            continue;
        first = first ? first : &table[i];
        print_line(&table[i]);
    }
    if (first)
        printf("\n%s", first->text);
}

void commands_say_verbs(const char *noun)
{
    const char *before = "";

    (void)fprintf(stderr, "cloister %s: expected a verb: ", noun);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (strcmp(table[i].noun, noun) != 0 || !table[i].verb)
            continue;
        (void)fprintf(stderr, "%s%s", before, table[i].verb);
        before = ", ";
    }
    (void)fprintf(stderr, "; see cloister %s --help\n", noun);
}

void commands_help(const struct commands_entry *command)
{
    printf("cloister %s%s%s: %s\n\nusage: cloister %s%s%s%s%s [OPTIONS]\n\n", command->noun,
           command->verb ? " " : "", command->verb ? command->verb : "", command->summary,
           command->noun, command->verb ? " " : "", command->verb ? command->verb : "",
           command->word ? " " : "", command->word ? command->word : "");
    print_options(command->options);
    print_options(common);
    printf("\n%s", command->text);
}
