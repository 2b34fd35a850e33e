// SPDX-License-Identifier: Apache-2.0
// `cloister`: the tool of operator, user and auditor, on their own machine. Finds the command in
// the table, reads its options, runs it, and turns errors into one line on standard error and an
// exit code. Reads no environment variable; takes no secret on the command line.
#include "cli/commands.h"
#include "cli/progress.h"
#include "crypto/ecdsa.h"
#include "crypto/openssl/libcrypto.h"

#include <stdio.h>
#include <string.h>

static struct cli cli;

static enum cli_exit exit_of(struct err err)
{
    if (cli.is_usage)
        return CLI_USAGE;
    if (err.code == ERR_UNREACHABLE || err.code == ERR_TIMEOUT || err.code == ERR_CLOSED ||
        err.code == ERR_PHASE)
        return CLI_UNREACHABLE;
    if (err.code == ERR_UNTRUSTED || cli.exit == CLI_UNVERIFIED)
        return CLI_UNVERIFIED;
    return CLI_REFUSED;
}

static int report(struct err err)
{
    enum cli_exit code = exit_of(err);
    bool is_named = code != CLI_USAGE && code != CLI_UNVERIFIED;
    char before[512];

    // Nobody answered: where, says the trust file.
    if (code == CLI_UNREACHABLE && cli.rest.status == 0 && !cli.where[0])
        (void)snprintf(cli.where, sizeof(cli.where), "%.180s: ", cli.trust.url);
    (void)snprintf(before, sizeof(before), "cloister: %s%s%s%s",
                   code == CLI_UNVERIFIED ? "UNVERIFIED: " : "", cli.where,
                   is_named ? err_name(err.code) : "", is_named ? ": " : "");
    out_say(before, cli.rest.message[0] ? bytes_str(cli.rest.message) : bytes_str(err_text(err)));
    return (int)code;
}

static int run(const struct commands_entry *command)
{
    uint8_t seed[32];
    struct err err = libcrypto_init();

    libcrypto_random(seed, sizeof(seed));
    ecdsa_init(seed);
    out_start(&cli.out, args_has(&cli.args, "json"));
    progress_set_quiet(cli.out.is_json);
    if (!err.code)
        err = command->run(&cli);
    rest_done(&cli.rest);
    if (err.code && cli.exit != CLI_UNVERIFIED)
        return report(err);
    if (err.code)
        (void)report(err);
    err = out_end(&cli.out);
    return err.code ? report(err) : (int)cli.exit;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

// No command: help where it was asked for, else what is there instead.
static int without_command(char *const *argv)
{
    if (argv[0] && is_help(argv[0])) {
        commands_help_all();
        return CLI_DONE;
    }
    if (argv[0] && commands_has_noun(argv[0])) {
        bool asked = argv[1] && is_help(argv[1]);

        if (!asked)
            commands_say_verbs(argv[0]);
        else
            commands_help_noun(argv[0]);
        return (int)(asked ? CLI_DONE : CLI_USAGE);
    }
    if (argv[0])
        out_say("cloister: there is no such command (see cloister --help): ", bytes_str(argv[0]));
    else
        out_say("cloister: ", BYTES_LIT("expected a command; see cloister --help"));
    return CLI_USAGE;
}

// Common options may stand before the command: they are moved behind its words.
static int leading_options(char *const *argv)
{
    int n = 0;

    while (argv[n] && argv[n][0] == '-' && argv[n][1] && !is_help(argv[n]))
        n += strcmp(argv[n], "--trust") == 0 && argv[n + 1] ? 2 : 1;
    return n;
}

#define WORDS_MAX 256

int main(int argc, char **argv)
{
    static char *words[WORDS_MAX + 1];
    const struct args_option *tables[2];
    const struct commands_entry *command;
    const char *bad = NULL;
    int lead = argc > 0 ? leading_options(argv + 1) : 0;
    int named = 0;
    int n = 0;
    struct err err;

    if (argc < 1 || argc > WORDS_MAX)
        return CLI_USAGE;
    command = commands_find(argv + 1 + lead, &named);
    if (!command)
        return without_command(argv + 1 + lead);
    for (int i = 0; i < lead; i++)
        words[n++] = argv[1 + i];
    for (int i = 1 + lead + named; i < argc; i++)
        words[n++] = argv[i];
    tables[0] = command->options;
    tables[1] = commands_common;
    err = args_read(&cli.args, words, tables, &bad);
    if (args_has(&cli.args, "help")) {
        commands_help(command);
        return CLI_DONE;
    }
    if (!err.code && cli.args.word && !command->word) {
        bad = cli.args.word;
        err = FAIL(ERR_MALFORMED, "one word too many");
    }
    if (err.code) {
        (void)snprintf(cli.where, sizeof(cli.where), "%.100s: ", bad ? bad : "");
        cli.is_usage = true;
        return report(err);
    }
    return run(command);
}
