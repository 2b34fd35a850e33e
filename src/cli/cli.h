// SPDX-License-Identifier: Apache-2.0
// What every command is given: its arguments, the trust file, the service, and the answer that it
// writes. One object for the whole run, in static memory. Who may include it: cli.
#pragma once

#include "cli/args.h"
#include "cli/out.h"
#include "cli/rest.h"
#include "cli/trust.h"

// The program's exit codes, part of its interface (doc/cloister.1).
enum cli_exit {
    CLI_DONE = 0,
    CLI_REFUSED = 1,     // the service or a check said no, or a file is not in the agreed form
    CLI_USAGE = 2,       // the command line
    CLI_UNREACHABLE = 3, // no service, no enclave, no answer in time
    CLI_UNVERIFIED = 4,  // a receipt or document is missing or does not verify
    CLI_DEPLOYMENT = 5,  // the code verifies, but no configuration was given to compare with
};

struct cli {
    struct args args;
    enum cli_exit exit; // of a command that returns OK
    bool is_usage;      // the error that is returned is one of the command line
    char where[192];    // the file, line or field that the error is about, or empty
    struct trust trust;
    struct rest rest;
    struct out out;
};

// An error of the command line: text as for FAIL.
#define CLI_USAGE_ERROR(cli, text) ((cli)->is_usage = true, FAIL(ERR_MALFORMED, text))

// Reads the trust file of --trust, or the default one. A default one that does not exist leaves
// the trust empty, unless `is_required`.
FALLIBLE cli_load_trust(struct cli *cli, bool is_required);
// The values of --pcr0, in place of the trust file's. They bring their configuration along, or
// there is none. Without the option the trust file's stay.
FALLIBLE cli_read_pcr0(struct cli *cli);
// Loads the trust file and prepares the connection.
FALLIBLE cli_open_service(struct cli *cli);
// Prepares the connection of the trust file that is loaded.
FALLIBLE cli_open_rest(struct cli *cli);
// Reads a whole file, or standard input for "-".
FALLIBLE cli_read(struct cli *cli, const char *path, struct wr *out);
// The positional argument; a usage error when it is missing.
FALLIBLE cli_word(struct cli *cli, const char **out);
// The value of an option; a usage error that names it when it was not given.
FALLIBLE cli_need(struct cli *cli, const char *name, const char **out);
// A value of hex digits with 0x or without, into out[cap].
FALLIBLE cli_hex(uint8_t *out, size_t cap, size_t *n, const char *text);
// A 16-byte random nonce.
#define CLI_NONCE_BYTES 16
void cli_nonce(uint8_t out[static CLI_NONCE_BYTES]);
// Milliseconds since 1970 by the system's clock.
uint64_t cli_now_ms(void);
