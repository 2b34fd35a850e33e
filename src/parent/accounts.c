// SPDX-License-Identifier: Apache-2.0
// A creation in the enclave keeps nothing there, so that one whose answer is lost costs nothing:
// the store decides which account exists. Of two creations at once one row is written, and both
// callers get it. The enclave's answer must be the record that was asked for; whether its address
// and receipt are genuine is checked by the caller, off this machine.
#include "parent/accounts.h"

#include "base/must.h"
#include "parent/keysets.h"
#include "parent/log.h"
#include "parent/stamp.h"
#include "proto/tag.h"

#include <stdio.h>
#include <string.h>

#define ACCOUNTS_CALL_MS     10000
#define ACCOUNTS_TAG_REQUEST "cloisterd-account-1"

static struct err accounts_make(const struct accounts *accounts,
                                const struct accounts_request *request, struct store_account *row,
                                struct detail *detail);

bool accounts_check_text(struct bytes text)
{
    if (text.n == 0 || text.n > STORE_TEXT_MAX)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        bool c1 = text.p[i] == 0xc2 && i + 1 < text.n && text.p[i + 1] < 0xa0;

        if (text.p[i] < 0x20 || text.p[i] == 0x7f || c1)
            return false;
    }
    return true;
}

static struct bytes accounts_nonce(const struct accounts_request *request)
{
    return bytes_of(request->nonce, request->has_nonce ? request->nonce_len : 0);
}

static void accounts_hash(uint8_t out[static 32], const struct accounts_request *request,
                          struct bytes keyset)
{
    uint8_t has_nonce = request->has_nonce;
    const struct bytes fields[] = { bytes_str(request->user), bytes_str(request->name), keyset,
                                    BYTES_OF(has_nonce), accounts_nonce(request) };

    tag_hash(out, ACCOUNTS_TAG_REQUEST, fields, ARRAY_LEN(fields));
}

// The stored account of the request; ERR_NOT_FOUND when there is none.
static struct err accounts_stored(const struct accounts *accounts, struct store_account *out,
                                  const struct store_account *row)
{
    TRY(store_account_find(accounts->store, out, row->user, row->name));
    if (memcmp(out->request_hash, row->request_hash, sizeof(row->request_hash)) == 0)
        return OK;
    store_account_free(out);
    return FAIL(ERR_EXISTS,
                "name: this user already has an account of this name, with other content or nonce");
}

struct err accounts_create(const struct accounts *accounts, const struct accounts_request *request,
                           struct store_account *out, bool *created, struct detail *detail)
{
    AUTO(store_account_free) struct store_account row = { 0 };
    const struct keysets keysets = { accounts->store, accounts->config };
    struct bytes keyset = request->keyset;
    struct err err;

    *created = false;
    TRY(keysets_name(&keysets, CONFIG_ACCOUNTS, &keyset));
    (void)snprintf(row.user, sizeof(row.user), "%s", request->user);
    (void)snprintf(row.name, sizeof(row.name), "%s", request->name);
    accounts_hash(row.request_hash, request, keyset);
    err = accounts_stored(accounts, out, &row);
    if (err.code != ERR_NOT_FOUND)
        return err;
    TRY(keysets_find(&keysets, CONFIG_ACCOUNTS, keyset, row.keyset));
    TRY(accounts_make(accounts, request, &row, detail));
    err = store_account_add(accounts->store, &row);
    if (err.code == ERR_EXISTS) // somebody was faster: theirs is the account
        return accounts_stored(accounts, out, &row);
    TRY(err);
    *created = true;
    *out = row;
    row.block = NULL;
    log_event(LOG_INFO, "accounts", "created", "account", out->id);
    return OK;
}

static bool accounts_record_fits(const struct accounts *accounts, const struct store_account *row)
{
    const struct keysets keysets = { accounts->store, accounts->config };

    return keysets_record_fits(
        &keysets, &(struct keysets_key) { row->id, row->keyset, RECORD_ACCOUNT, RECORD_SECP256K1 },
        row->record);
}

struct err accounts_use(const struct accounts *accounts, struct store_account *out, const char *id)
{
    TRY(store_account_usable(accounts->store, id));
    TRY(store_account_get(accounts->store, out, id));
    ENSURE(accounts_record_fits(accounts, out), ERR_CORRUPT,
           "store: the record of this account is another one's");
    return OK;
}

struct err accounts_check_sender(const struct store_account *row, const struct json *result)
{
    uint8_t sender[ADDRESS_BYTES], address[ADDRESS_BYTES];

    ENSURE(!address_parse(sender, json_string(json_get(result, "from"))).code &&
               !address_parse(address, bytes_str(row->address)).code &&
               memcmp(sender, address, sizeof(sender)) == 0,
           ERR_CORRUPT,
           "store: the address of this account is not the one that its record signs as");
    return OK;
}

static struct err accounts_check(const struct accounts *accounts, struct store_account *row,
                                 const struct json *result)
{
    struct bytes id = json_string(json_get(result, "account"));
    uint8_t address[ADDRESS_BYTES];

    ENSURE((!row->id[0] || bytes_equal_str(id, row->id)) &&
               bytes_to_str(id, row->id, sizeof(row->id)) && accounts_record_fits(accounts, row),
           ERR_MISMATCH, "the enclave answered the record of another account");
    TRY(address_parse(address, json_string(json_get(result, "address"))));
    address_text(row->address, address);
    return OK;
}

struct err accounts_take(const struct accounts *accounts, struct store_account *row,
                         const struct json *result, struct bytes nonce)
{
    TRY(keysets_hold(
        &(struct keysets_given) { &row->block, &row->record, &row->receipt, &row->nonce }, result,
        nonce));
    TRY(accounts_check(accounts, row, result));
    (void)snprintf(row->policy, sizeof(row->policy), "unrestricted");
    row->created_ms = stamp_now_ms();
    return OK;
}

static struct err accounts_make(const struct accounts *accounts,
                                const struct accounts_request *request, struct store_account *row,
                                struct detail *detail)
{
    AUTO(enclave_link_free_reply) struct enclave_link_reply reply = { 0 };
    uint8_t params[512];
    struct wr wr = WR_OF(params);
    struct jw jw = jw_of(&wr);
    struct err err;

    jw_object(&jw);
    jw_key(&jw, "keyset");
    jw_cstring(&jw, row->keyset);
    jw_key(&jw, "unrestricted");
    jw_bool(&jw, true);
    if (request->has_nonce) {
        jw_key(&jw, "nonce");
        jw_hex(&jw, accounts_nonce(request));
    }
    jw_object_end(&jw);
    err = enclave_link_call(accounts->link, &reply, "account.create", wr_done(&wr),
                            deadline_in(ACCOUNTS_CALL_MS));
    if (err.code)
        *detail = reply.detail;
    TRY(err);
    return accounts_take(accounts, row, reply.result, accounts_nonce(request));
}
