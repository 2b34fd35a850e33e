// SPDX-License-Identifier: Apache-2.0
// The server is whoever answers: its answer is bounded in size and time, and the exchange happens
// on the connection whose key was taken, or not at all.
#include "cli/endpoint.h"

#include "base/base64.h"
#include "base/hex.h"
#include "base/must.h"
#include "crypto/anchors.h"
#include "net/client.h"
#include "net/json.h"
#include "verify/userdata.h"

#include <string.h>

#define ANSWER_MAX 65536U // a document is 16 KiB, as base64 in JSON 22 KiB
#define NODES_MAX  64U
#define TARGET_MAX 256U

static uint8_t answer_buf[ANSWER_MAX];
static uint8_t document_buf[DOCUMENT_MAX];

bool endpoint_is_url(const char *text)
{
    return strstr(text, "://") != NULL;
}

// In place of a second connection: it would have a key that nobody has looked at.
static FALLIBLE refuse_dial(void *context, int *fd, struct deadline until)
{
    (void)context;
    (void)fd;
    (void)until;
    return FAIL(ERR_CLOSED, "the server closed the connection before it answered");
}

static FALLIBLE parse_url(struct addr *addr, char host[static 256], const char *url)
{
    char path[256];
    bool is_https = false;

    TRY(client_parse_url(url, addr, &is_https, host, path));
    ENSURE(is_https && strcmp(path, "/") == 0, ERR_MALFORMED, "expected https://HOST[:PORT]");
    return OK;
}

struct err endpoint_check_url(const char *url)
{
    char host[256];
    struct addr addr;

    return parse_url(&addr, host, url);
}

static FALLIBLE connect_to(struct client *client, const char *url, struct tls_context *tls,
                           struct deadline until)
{
    struct wire_peer peer = { tls, client->host, 0 };
    char host[256];
    struct addr addr;
    int fd = -1;

    TRY(parse_url(&addr, host, url));
    client_init(client, NULL, host, tls);
    client->dial = refuse_dial;
    TRY(addr_dial(&fd, &addr, until));
    return stream_connect(&client->wire, fd, &peer, until);
}

static FALLIBLE check_status(unsigned status)
{
    ENSURE(status < 300 || status > 399, ERR_UNTRUSTED,
           "the server redirects: a document belongs to the connection over which it came");
    ENSURE(status != 429 && status != 503, ERR_UNREACHABLE,
           "the server has no time for a document now: try again");
    ENSURE(status != 403, ERR_UNTRUSTED,
           "the server does not answer under this name: take one of its certificate's, or have "
           "this one admitted (manifest create --host)");
    ENSURE(status == 200, ERR_UNTRUSTED,
           "the server gives no document: is this the data plane of a Cloister enclave?");
    return OK;
}

static FALLIBLE read_answer(struct bytes *document, const struct client_response *response)
{
    static struct json nodes[NODES_MAX];
    size_t offset = (size_t)(response->body.p - answer_buf), n = 0;
    const struct json *root = NULL;

    TRY(check_status(response->head.status));
    TRY(json_parse(&root, nodes, NODES_MAX, answer_buf + offset, response->body.n));
    ENSURE(!base64_decode(document_buf, sizeof(document_buf), &n,
                          json_string(json_get(root, "document_b64")))
                   .code &&
               n > 0,
           ERR_UNTRUSTED, "the server's answer: expected a document in document_b64");
    *document = bytes_of(document_buf, n);
    return OK;
}

static FALLIBLE ask(struct endpoint *out, struct client *client, struct bytes nonce,
                    struct deadline until)
{
    const struct http_field accept = { BYTES_LIT("Accept"), BYTES_LIT("application/json") };
    char target[TARGET_MAX] = { 0 };
    struct wr wr = wr_of(target, sizeof(target) - 1);
    struct client_request request = { "GET", target, &accept, 1, BYTES_NONE };
    struct client_response response;

    wr_str(&wr, "/attestation?nonce=");
    hex_write_0x(&wr, nonce);
    TRY(wr_end(&wr));
    TRY(client_call(client, &request, answer_buf, sizeof(answer_buf), &response, until));
    out->status = response.head.status;
    return read_answer(&out->document, &response);
}

struct err endpoint_fetch(struct endpoint *out, const char *url, struct bytes nonce,
                          struct deadline until)
{
    AUTO(tls_context_free) struct tls_context *tls = NULL;
    AUTO(client_done) struct client client = { 0 };

    *out = (struct endpoint) { .document = BYTES_NONE };
    TRY(tls_client_new_unjudged(&tls));
    TRY(connect_to(&client, url, tls, until));
    TRY(wire_peer_spki(client.wire, out->spki_sha256));
    return ask(out, &client, nonce, until);
}

// -- the checks in words --------------------------------------------------------------------------

struct table {
    struct out *out;
    bool is_over; // what follows would say something about bytes that nobody signed
};

static void say(const struct table *table, const char *check, bool is_ok, const char *good,
                const char *bad)
{
    const char *result = is_ok ? "ok" : "FAILED";
    struct bytes cells[] = { bytes_str(check), bytes_str(table->is_over ? "not reached" : result),
                             bytes_str(table->is_over ? "the document is not believed"
                                       : is_ok        ? good
                                                      : bad) };

    out_row(table->out, cells);
}

static bool is_trusted_image(const struct proof_trust *trust, const struct attest *doc)
{
    for (size_t i = 0; i < trust->pcr0_len; i++)
        if (doc->pcr_present & 1U &&
            bytes_equal(BYTES_OF(doc->pcr[0]), bytes_of(trust->pcr0[i], ATTEST_PCR_BYTES)))
            return true;
    return false;
}

static void say_configuration(const struct table *table, const struct proof_trust *trust,
                              const struct attest *doc)
{
    const struct bytes open[] = {
        BYTES_LIT("configuration"), BYTES_LIT("not compared"),
        BYTES_LIT("anybody may start this code under a configuration of his own: give --config")
    };

    if (!trust->pcr16 && !table->is_over) {
        out_row(table->out, open);
        return;
    }
    say(table, "configuration",
        trust->pcr16 && doc->pcr_present & 1U << 16 &&
            bytes_equal(BYTES_OF(doc->pcr[16]), bytes_of(trust->pcr16, ATTEST_PCR_BYTES)),
        "PCR16: it runs under the configuration that you trust",
        "PCR16: it runs under another configuration than the one that you trust");
}

static void say_keyset(const struct table *table, const struct proof_tls *asked,
                       const struct id *keyset)
{
    const struct bytes open[] = {
        BYTES_LIT("keyset"), BYTES_LIT("not compared"),
        BYTES_LIT("without administrators, who makes a keyset of his own knows its keys: give "
                  "--keyset")
    };

    if (asked->keyset_len == 0 && !table->is_over) {
        out_row(table->out, open);
        return;
    }
    say(table, "keyset", keyset && proof_takes_keyset(asked, keyset),
        "its key was generated in a keyset that you trust",
        keyset ? "its key is of another keyset than you trust: who made that one may know it"
               : "the document names none");
}

static void say_key(const struct table *table, const struct attest *doc,
                    const struct proof_tls *asked)
{
    struct receipt_status status;
    struct receipt_tls key;
    bool is_tls = !doc->has_public_key && !userdata_read_tls(&status, &key, doc->user_data).code;

    say(table, "key",
        is_tls && bytes_equal(BYTES_OF(key.spki_sha256), bytes_of(asked->spki_sha256, 32)),
        "the document names the key of this very connection, as one that was generated inside",
        is_tls ? "of another connection: somebody stands between you and the enclave"
               : "the document is not about a key of TLS connections");
    say_keyset(table, asked, is_tls ? &key.keyset : NULL);
}

void endpoint_explain(struct out *out, const struct proof_trust *trust,
                      const struct proof_tls *asked)
{
    static const struct out_column columns[] = { { "check", 15 },
                                                 { "result", 14 },
                                                 { "meaning", 0 } };
    const struct bytes certificate[] = {
        BYTES_LIT("certificate"), BYTES_LIT("not judged"),
        BYTES_LIT(
            "its names and its chain count for nothing here: the checks below replace them")
    };
    struct table table = { out, false };
    struct attest doc = { 0 };
    struct err err = proof_check_signature(trust, asked->document, asked->now_ms, &doc);

    out_table(out, "checks", columns, ARRAY_LEN(columns));
    out_row(out, certificate);
    say(&table, "document", !err.code,
        anchors_this.development ? "signed by the DEVELOPMENT platform: proves nothing about AWS"
                                 : "signed by AWS's Nitro platform for an enclave of it",
        err_text(err));
    table.is_over = err.code != ERR_NONE;
    say(&table, "time", !table.is_over && !attest_fresh(&doc, asked->now_ms).code,
        "made within five minutes of now",
        "too old, or the clocks differ by more than five minutes");
    say(&table, "nonce", doc.has_nonce && bytes_equal(doc.nonce, asked->nonce),
        "made for this request: nobody had it in store", "made for another request: a replay");
    say(&table, "code", is_trusted_image(trust, &doc), "PCR0: it runs an image that you trust",
        "PCR0: it runs another image than those that you trust");
    say_configuration(&table, trust, &doc);
    say_key(&table, &doc, asked);
    out_table_end(out);
}
