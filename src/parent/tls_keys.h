// SPDX-License-Identifier: Apache-2.0
// TLS keys of the data plane: made and used in the enclave, their records, receipts and
// certificates kept here. The one in use is opened again whenever the enclave has lost it. Who may
// include it: parent.
#pragma once

#include "parent/enclave_link.h"
#include "parent/store_tls.h"
#include "proto/config.h"

#define TLS_KEYS_DAYS     397U // of a self-signed certificate when nobody says
#define TLS_KEYS_DAYS_MAX 3650U

struct tls_keys;

FALLIBLE tls_keys_new(struct tls_keys **out, struct store *store, struct enclave_link *link,
                      const struct config *config);
// Accepts NULL inside.
void tls_keys_free(struct tls_keys **keys);

struct tls_keys_request {
    const char *name;               // config_name_ok
    struct bytes keyset;            // name; none: the first one of the purpose tls
    uint8_t nonce[NONCE_BYTES_MAX]; // for the receipt
    size_t nonce_len;
};

// The key of this request: made now (*created), or the stored one when the same request came
// before. ERR_EXISTS when the name was used with other content. On disk when this returns. `detail`
// receives the enclave's words, as in all that follows. Release *out with store_tls_free.
FALLIBLE tls_keys_create(struct tls_keys *keys, const struct tls_keys_request *request,
                         struct store_tls *out, bool *created, struct detail *detail);
// Fills the row (id, SPKI, record, receipt, creation) from the enclave's answer, which must be of
// row->keyset, and of row->id unless that is empty, and stores it. ERR_EXISTS.
FALLIBLE tls_keys_take(struct tls_keys *keys, struct store_tls *row, const struct json *result,
                       struct bytes nonce);
// The names as a JSON array; here as everywhere, each is followed by a newline.
void tls_keys_write_names(struct jw *jw, struct bytes names);
// A certificate request for the names: `csr_pem` of the reply, which has the enclave's words, too.
FALLIBLE tls_keys_csr(struct tls_keys *keys, const char *name, struct bytes names,
                      struct enclave_link_reply *reply);
// Puts into use a chain, or, when that is empty, a self-signed certificate for the names: in the
// enclave first, which judges them, then in the store. Nothing changes when the enclave refuses.
struct tls_keys_wish {
    struct bytes chain, names;
    unsigned days;
};
FALLIBLE tls_keys_install(struct tls_keys *keys, const char *name, const struct tls_keys_wish *wish,
                          struct store_tls *out, struct detail *detail);
// Compares the key in use with `tls` of the enclave's status and opens it when it is another one.
// A self-signed certificate is made anew when a third of its time is left; of others an expiry that
// comes near is logged once a day. ERR_EXPIRED: it has passed.
FALLIBLE tls_keys_keep(struct tls_keys *keys, const struct json *status, struct detail *detail);
