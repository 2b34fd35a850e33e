// SPDX-License-Identifier: Apache-2.0
// How a connection through a tunnel begins: a PROXY header or none, then a TLS record. Who may
// include it: httpd.
#pragma once

#include "httpd/server_input.h"
#include "net/proxy2.h"

enum server_intro_result { SERVER_INTRO_MORE, SERVER_INTRO_DONE, SERVER_INTRO_BAD };

// Looks at the first bytes of a connection. DONE: the header (if any) and the first record are
// there, `source` is set, and *tls are the bytes from the record on. A record that does not fit the
// first block counts when that is full.
enum server_intro_result server_intro_look(const struct server_input *input,
                                           char source[static PROXY2_TEXT_MAX], struct bytes *tls);
