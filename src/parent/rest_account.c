// SPDX-License-Identifier: Apache-2.0
// Accounts as JSON. The address shown is a claim of this untrusted machine: clients compute it from
// the record and verify the receipt, which always stand beside it.
#include "parent/rest_account.h"

#include "base/hex.h"
#include "base/must.h"
#include "parent/rest_query.h"
#include "parent/stamp.h"

#include <string.h>

#define PAGE_DEFAULT 50U
#define PAGE_MAX     100U

static const char *account_state(const struct store_account *account)
{
    if (account->delete_ms)
        return "delete_scheduled";
    return account->disabled ? "disabled" : "active";
}

void rest_account_write(struct jw *jw, const struct store_account *account)
{
    char created[STAMP_TEXT];

    stamp_text(created, account->created_ms);
    jw_key(jw, "account");
    jw_cstring(jw, account->id);
    jw_key(jw, "user");
    jw_cstring(jw, account->user);
    jw_key(jw, "name");
    jw_cstring(jw, account->name);
    jw_key(jw, "address");
    jw_cstring(jw, account->address);
    jw_key(jw, "keyset");
    jw_cstring(jw, account->keyset);
    jw_key(jw, "policy");
    jw_cstring(jw, account->policy);
    jw_key(jw, "created");
    jw_cstring(jw, created);
    jw_key(jw, "record_b64");
    jw_base64(jw, account->record);
    jw_key(jw, "receipt_b64");
    jw_base64(jw, account->receipt);
    jw_key(jw, "nonce");
    if (account->nonce.n)
        jw_hex(jw, account->nonce);
    else
        jw_null(jw);
    jw_key(jw, "state");
    jw_cstring(jw, account_state(account));
    if (account->delete_ms) {
        char at[STAMP_TEXT];

        stamp_text(at, account->delete_ms);
        jw_key(jw, "delete_at");
        jw_cstring(jw, at);
    }
}

static void account_write(struct jw *jw, const struct store_account *account)
{
    jw_object(jw);
    rest_account_write(jw, account);
    jw_object_end(jw);
}

static bool account_text(char out[static STORE_TEXT_MAX + 1], const struct json *value)
{
    struct bytes text = json_string(value);

    return accounts_check_text(text) && bytes_to_str(text, out, STORE_TEXT_MAX + 1);
}

struct err rest_account_read_nonce(uint8_t nonce[static NONCE_BYTES_MAX], size_t *n,
                                   const struct json *value)
{
    *n = 0;
    if (!value)
        return OK;
    ENSURE(value->type == JSON_STRING &&
               !hex_decode_0x(nonce, NONCE_BYTES_MAX, n, json_string(value)).code,
           ERR_MALFORMED, "nonce: expected 0x and at most 64 bytes of hex");
    return OK;
}

struct err rest_account_read_wish(struct rest_call *call, struct rest_account_wish *out)
{
    static const char *const known[] = { "user", "name", "unrestricted", "keyset", "nonce", NULL };
    const struct json *keyset = json_get(call->body, "keyset");
    struct accounts_request *request = &out->request;

    *out = (struct rest_account_wish) { .request = { .user = out->user, .name = out->name } };
    TRY(rest_call_only(call, known));
    ENSURE(account_text(out->user, json_get(call->body, "user")), ERR_MALFORMED,
           "user: expected 1 to 128 bytes of text without control characters");
    ENSURE(account_text(out->name, json_get(call->body, "name")), ERR_MALFORMED,
           "name: expected 1 to 128 bytes of text without control characters");
    ENSURE(json_is_true(json_get(call->body, "unrestricted")), ERR_MALFORMED,
           "unrestricted: expected true (an account without a policy signs anything)");
    request->keyset = json_string(keyset);
    ENSURE(!keyset || request->keyset.n, ERR_MALFORMED, "keyset: expected the name of a keyset");
    TRY(rest_account_read_nonce(request->nonce, &request->nonce_len,
                                json_get(call->body, "nonce")));
    request->has_nonce = request->nonce_len > 0;
    return OK;
}

struct err rest_account_create(struct rest_call *call)
{
    AUTO(store_account_free) struct store_account account = { 0 };
    const struct accounts accounts = { call->rest->store, call->rest->link, call->rest->config };
    struct rest_account_wish wish;
    bool created;

    TRY(rest_account_read_wish(call, &wish));
    TRY(accounts_create(&accounts, &wish.request, &account, &created, &call->detail));
    account_write(&call->jw, &account);
    call->status = created ? 201 : 200;
    return OK;
}

struct err rest_account_show(struct rest_call *call)
{
    AUTO(store_account_free) struct store_account account = { 0 };

    TRY(store_account_get(call->rest->store, &account, call->id));
    account_write(&call->jw, &account);
    return OK;
}

struct account_page {
    struct rest_call *call;
    unsigned limit, shown;
    char last[ID_TEXT];
    bool more;
};

// Writes one row. A row past the limit, or one that does not fit the answer any more (records may
// be long), is left for the next page.
static bool account_row(void *context, const struct store_account *account)
{
    struct account_page *page = context;
    struct wr *wr = page->call->jw.wr;
    struct jw jw = page->call->jw;
    size_t len = wr->len;

    page->more = page->shown == page->limit;
    if (page->more)
        return false;
    account_write(&page->call->jw, account);
    if (wr->bad || wr->cap - wr->len < 128) { // room for `next` and the end
        wr->bad = page->shown == 0;
        wr->len = len;
        page->call->jw = jw;
        page->more = true;
        return false;
    }
    page->shown++;
    memcpy(page->last, account->id, sizeof(page->last));
    return true;
}

static struct err account_read_page(struct rest_call *call, struct store_account_query *query,
                                    struct account_page *page)
{
    AUTO(store_account_free) struct store_account after = { 0 };
    char text[ID_TEXT];
    struct u256 limit = u256_of(PAGE_DEFAULT);

    TRY(rest_query_get(call->query, "limit", text, sizeof(text)));
    ENSURE((!text[0] || !u256_parse_decimal(&limit, bytes_str(text)).code) &&
               !u256_is_zero(limit) && u256_compare(limit, u256_of(PAGE_MAX)) <= 0,
           ERR_MALFORMED, "limit: expected 1 to 100");
    page->limit = (unsigned)limit.limb[0];
    query->limit = page->limit + 1;
    TRY(rest_query_get(call->query, "after", text, sizeof(text)));
    if (!text[0])
        return OK;
    TRY(store_account_get(call->rest->store, &after, text));
    query->after = after.seq;
    return OK;
}

struct err rest_account_list(struct rest_call *call)
{
    char user[STORE_TEXT_MAX + 1];
    struct account_page page = { .call = call };
    struct store_account_query query = { .user = user, .each = account_row, .context = &page };

    TRY(rest_query_get(call->query, "user", user, sizeof(user)));
    TRY(account_read_page(call, &query, &page));
    jw_object(&call->jw);
    jw_key(&call->jw, "accounts");
    jw_array(&call->jw);
    TRY(store_account_list(call->rest->store, &query));
    jw_array_end(&call->jw);
    if (page.more) {
        jw_key(&call->jw, "next");
        jw_cstring(&call->jw, page.last);
    }
    jw_object_end(&call->jw);
    return OK;
}
