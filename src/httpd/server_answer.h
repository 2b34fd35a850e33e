// SPDX-License-Identifier: Apache-2.0
// Answers as bytes. Who may include it: httpd.
#pragma once

#include "httpd/server_conn.h"

// What an answer says beside its response.
struct server_answer {
    struct bytes id;     // of the request; may be empty
    const char *date;    // IMF-fixdate
    bool closes;         // the connection ends with it
    bool has_no_content; // to HEAD
};

// Writes head and body into new memory, which is the caller's (`out->p`; NULL: out of memory).
// A response without a status becomes 204, one whose body overflowed 500.
void server_answer_write(struct wr *out, struct server_response *response,
                         const struct server_answer *answer);
// Fills in an error, JSON or text as `head` (NULL: JSON) says; 503 asks the client to come again.
// response->body must have 512 bytes.
void server_answer_error(struct server_response *response, const struct http_head *head,
                         unsigned status, struct err err);
// The date of now (RFC 9110 5.6.7), made once a second. `clock` starts with zeroes.
const char *server_answer_date(struct server_answer_clock *clock);
