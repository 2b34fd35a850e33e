// SPDX-License-Identifier: Apache-2.0
// The settings of cloisterd: one file of `key = value` lines, checked by one table. Nothing here is
// secret (the token stands in a file of its own). Who may include it: parent.
#pragma once

#include "net/addr.h"
#include "parent/log.h"
#include "proto/config.h"

#include <stdio.h>

#define CONF_TEXT 256

// Where the bytes for one host of the measured configuration go.
struct conf_relay {
    char host[HOST_BYTES_MAX + 1];
    struct addr target;
};

struct conf {
    struct addr listen;
    char token_file[CONF_TEXT];
    struct addr enclave;
    char configuration[CONF_TEXT];
    char store[CONF_TEXT];
    char imds[CONF_TEXT];
    char role[CONF_TEXT];         // empty: the instance's only role
    char relay_listen[CONF_TEXT]; // empty: no relay
    struct conf_relay relay[CONFIG_HOSTS];
    size_t relays;
    char node[CONF_TEXT];              // empty: no send-transaction
    unsigned connections;              // of REST at once
    struct addr tunnel_listen, tunnel; // kind 0, both: no tunnel
    unsigned tunnel_connections;
    unsigned tunnel_drain_s;
    bool tunnel_adds_source; // a PROXY header with the client's address
    enum log_level log_level;
    bool metrics_open; // `GET /metrics` without the token
};

// Where in the file the trouble is; line 0: in none (the file itself, or a key that is missing).
struct conf_problem {
    unsigned line;
    char key[64];
};

// Reads and checks the file. On failure `problem` names line and key, the error what was expected.
FALLIBLE conf_read(struct conf *out, const char *path, struct conf_problem *problem);
// The same from bytes in memory.
FALLIBLE conf_parse(struct conf *out, struct bytes text, struct conf_problem *problem);
// The measured configuration (C.bin) of the setting `configuration`. The bytes go to
// buf[CONFIG_BYTES_MAX]; *canonical and *config are views of them. Relay lines for hosts that it
// does not list are refused (ERR_NOT_FOUND).
FALLIBLE conf_load_configuration(const struct conf *conf, uint8_t buf[static CONFIG_BYTES_MAX],
                                 struct bytes *canonical, struct config *config);
// Prints the table of keys to the stream: name, default, meaning.
void conf_print_keys(FILE *out);
