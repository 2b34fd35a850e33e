// SPDX-License-Identifier: Apache-2.0
// How a connection through a tunnel begins: a PROXY header or none, then TLS. Who may include it:
// httpd.
#pragma once

#include "httpd/server_input.h"
#include "net/proxy2.h"
#include "net/wire.h"

enum server_intro_result { SERVER_INTRO_MORE, SERVER_INTRO_DONE, SERVER_INTRO_BAD };

// Goes on with the beginning of a plain connection, without taking a byte that is not the header's.
// `input` keeps what is incomplete; DONE: it is empty, `source` is set, and TLS may start.
enum server_intro_result server_intro_step(struct wire *wire, struct server_input *input,
                                           struct server_input_pool *pool,
                                           char source[static PROXY2_TEXT_MAX]);
