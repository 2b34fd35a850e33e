// SPDX-License-Identifier: Apache-2.0
// The trust file: where the service is, and what its user knows about it beforehand. Lines are
// `key = value`; blank lines and lines that start with # are skipped. It is the user's own file on
// the user's own machine: the only thing that receipts and attestation are compared with.
// Who may include it: cli.
#pragma once

#include "cli/proof.h"
#include "proto/config.h"

#define TRUST_FILE_MAX 65536U
#define TRUST_PATH_MAX 1024U
#define TRUST_PCR0_MAX 16U // old and new images during an upgrade, with room to spare

struct trust {
    char url[256]; // unix:///path or http://127.0.0.1:PORT; empty: none
    char token_file[TRUST_PATH_MAX];
    struct id keyset[CONFIG_KEYSETS]; // an account must be of one of these; none: of any
    size_t keyset_len;
    char configuration[TRUST_PATH_MAX]; // path of the canonical form; empty: none
    uint8_t pcr0[TRUST_PCR0_MAX][48];
    size_t pcr0_len;
    // From the configuration's file, when there is one.
    bool has_config;
    uint8_t config_bytes[CONFIG_BYTES_MAX];
    struct config config; // views into config_bytes: a struct trust is not copied
    uint8_t pcr16[48];
};

// `line` is where an error was found; 0 when it is about the whole file.
// Reads the text of a trust file. Relative paths are put behind `folder`. ERR_MALFORMED says what
// was expected of the line.
FALLIBLE trust_parse(struct trust *out, struct bytes text, const char *folder, unsigned *line);
// Reads the file and the configuration that it names.
FALLIBLE trust_load(struct trust *out, const char *path, unsigned *line);
// Reads a canonical configuration into `trust`, in place of the one it had.
FALLIBLE trust_load_config(struct trust *trust, const char *path);
// "~/.config/cloister/trust" of the user that runs the program (from the user database: the
// environment is not an input). ERR_NOT_FOUND when the user has no home.
FALLIBLE trust_default_path(char out[static TRUST_PATH_MAX]);
// What receipts are checked against. ERR_UNTRUSTED when PCR0 or the configuration is missing.
FALLIBLE trust_receipts(struct proof_trust *out, const struct trust *trust);
