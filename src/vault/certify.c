// SPDX-License-Identifier: Apache-2.0
#include "vault/certify.h"

#include <string.h>

#define TBS_BYTES_MAX 6144 // 16 names of 253 bytes, and less than 500 around them
#define COMMON_MAX    64U  // X.520's upper bound
#define HOUR_S        3600U
#define DAY_S         86400U
#define UTC_TIME_END  2050U // later years are written as GeneralizedTime (RFC 5280 4.1.2.5)

enum tag {
    TAG_INTEGER = 0x02,
    TAG_BIT_STRING = 0x03,
    TAG_OCTET_STRING = 0x04,
    TAG_UTF8_STRING = 0x0c,
    TAG_UTC_TIME = 0x17,
    TAG_GENERALIZED_TIME = 0x18,
    TAG_SEQUENCE = 0x30,
    TAG_SET = 0x31,
    TAG_CONTEXT = 0x80,
    TAG_CONSTRUCTED = 0x20
};

// ecdsa-with-SHA256, without parameters (RFC 5758 3.2).
#define ALGORITHM "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"
// basicConstraints (critical): not a CA. keyUsage (critical): digitalSignature. extKeyUsage:
// serverAuth.
#define NO_CA     "\x30\x0c\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x02\x30\x00"
#define KEY_USAGE "\x30\x0e\x06\x03\x55\x1d\x0f\x01\x01\xff\x04\x04\x03\x02\x07\x80"
#define SERVER \
    "\x30\x13\x06\x03\x55\x1d\x25\x04\x0c\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01"
#define ID_SAN     "\x06\x03\x55\x1d\x11"
#define ID_COMMON  "\x06\x03\x55\x04\x03"
#define ID_REQUEST "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e" // extensionRequest (RFC 2985)

// Begins a value; der_end puts the length of what was written since before it (X.690 8.1.3).
static size_t der_begin(struct wr *wr, unsigned tag)
{
    wr_u8(wr, (uint8_t)tag);
    return wr->len;
}

static void der_end(struct wr *wr, size_t at)
{
    size_t n = wr->len - at, head = n < 0x80 ? 1 : n < 0x100 ? 2 : 3;
    struct wr length = { 0 };

    if (!wr_room(wr, head))
        return;
    memmove(wr->p + at + head, wr->p + at, n);
    length = wr_of(wr->p + at, head);
    if (head > 1)
        wr_u8(&length, (uint8_t)(0x80 | (head - 1)));
    if (head > 2)
        wr_u8(&length, (uint8_t)(n >> 8));
    wr_u8(&length, (uint8_t)n);
}

static void der_put(struct wr *wr, unsigned tag, struct bytes content)
{
    size_t at = der_begin(wr, tag);

    wr_bytes(wr, content);
    der_end(wr, at);
}

// One common name: the first DNS name that fits. Clients go by subjectAltName; but an issuer must
// have a name, and authorities like one in requests.
static void write_subject(struct wr *wr, const struct msg_tls_certify *what)
{
    struct bytes common = BYTES_LIT("cloister");
    size_t name = der_begin(wr, TAG_SEQUENCE);
    size_t set = der_begin(wr, TAG_SET);
    size_t attribute = der_begin(wr, TAG_SEQUENCE);

    for (size_t i = what->names; i-- > 0;)
        if (what->name[i].type == MSG_TLS_DNS && what->name[i].name.n <= COMMON_MAX)
            common = what->name[i].name;
    wr_bytes(wr, BYTES_LIT(ID_COMMON));
    der_put(wr, TAG_UTF8_STRING, common);
    der_end(wr, attribute);
    der_end(wr, set);
    der_end(wr, name);
}

static void write_names(struct wr *wr, const struct msg_tls_certify *what)
{
    size_t extension = der_begin(wr, TAG_SEQUENCE);
    size_t value, names;

    wr_bytes(wr, BYTES_LIT(ID_SAN));
    value = der_begin(wr, TAG_OCTET_STRING);
    names = der_begin(wr, TAG_SEQUENCE);
    for (size_t i = 0; i < what->names; i++) // GeneralName: dNSName 2, iPAddress 7
        der_put(wr, TAG_CONTEXT | (what->name[i].type == MSG_TLS_DNS ? 2 : 7), what->name[i].name);
    der_end(wr, names);
    der_end(wr, value);
    der_end(wr, extension);
}

static void write_extensions(struct wr *wr, const struct msg_tls_certify *what)
{
    size_t at = der_begin(wr, TAG_SEQUENCE);

    wr_bytes(wr, BYTES_LIT(NO_CA));
    wr_bytes(wr, BYTES_LIT(KEY_USAGE));
    wr_bytes(wr, BYTES_LIT(SERVER));
    write_names(wr, what);
    der_end(wr, at);
}

static void write_spki(struct wr *wr, const struct p256_key *key)
{
    uint8_t spki[P256_SPKI_BYTES];

    p256_key_spki(key, spki);
    wr_bytes(wr, BYTES_OF(spki));
}

// CertificationRequestInfo (RFC 2986 4.1).
static void write_request_info(struct wr *wr, const struct certify *certify)
{
    size_t info = der_begin(wr, TAG_SEQUENCE);
    size_t attributes, attribute, values;

    der_put(wr, TAG_INTEGER, BYTES_LIT("\0"));
    write_subject(wr, certify->what);
    write_spki(wr, certify->key);
    attributes = der_begin(wr, TAG_CONTEXT | TAG_CONSTRUCTED | 0);
    attribute = der_begin(wr, TAG_SEQUENCE);
    wr_bytes(wr, BYTES_LIT(ID_REQUEST));
    values = der_begin(wr, TAG_SET);
    write_extensions(wr, certify->what);
    der_end(wr, values);
    der_end(wr, attribute);
    der_end(wr, attributes);
    der_end(wr, info);
}

static void put_digits(struct wr *wr, uint64_t value)
{
    wr_u8(wr, (uint8_t)('0' + value / 10 % 10));
    wr_u8(wr, (uint8_t)('0' + value % 10));
}

static unsigned days_of(uint64_t year, unsigned month)
{
    static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return days[month] + (month == 1 && leap ? 1U : 0U);
}

// Without the library's calendar, which would look for a time zone in files.
static void write_time(struct wr *wr, uint64_t unix_s)
{
    uint64_t days = unix_s / DAY_S, seconds = unix_s % DAY_S, year = 1970;
    unsigned month = 0;
    size_t at;

    while (days >= days_of(year, month)) {
        days -= days_of(year, month);
        month = (month + 1) % 12;
        year += month == 0;
    }
    at = der_begin(wr, year < UTC_TIME_END ? TAG_UTC_TIME : TAG_GENERALIZED_TIME);
    if (year >= UTC_TIME_END)
        put_digits(wr, year / 100);
    put_digits(wr, year);
    put_digits(wr, month + 1);
    put_digits(wr, days + 1);
    put_digits(wr, seconds / HOUR_S);
    put_digits(wr, seconds / 60 % 60);
    put_digits(wr, seconds % 60);
    wr_u8(wr, 'Z');
    der_end(wr, at);
}

// TBSCertificate (RFC 5280 4.1). The first byte of the serial number is neither negative nor zero.
static void write_certificate_info(struct wr *wr, const struct certify *certify)
{
    uint8_t serial[CERTIFY_SERIAL_BYTES];
    size_t info = der_begin(wr, TAG_SEQUENCE);
    size_t at = der_begin(wr, TAG_CONTEXT | TAG_CONSTRUCTED | 0);

    der_put(wr, TAG_INTEGER, BYTES_LIT("\2")); // version 3
    der_end(wr, at);
    memcpy(serial, certify->serial, sizeof(serial));
    serial[0] = (uint8_t)((serial[0] & 0x3f) | 0x40);
    der_put(wr, TAG_INTEGER, BYTES_OF(serial));
    wr_bytes(wr, BYTES_LIT(ALGORITHM));
    write_subject(wr, certify->what); // as issuer
    at = der_begin(wr, TAG_SEQUENCE);
    write_time(wr, certify->now_s - HOUR_S);
    write_time(wr, certify->now_s + (uint64_t)certify->what->days * DAY_S);
    der_end(wr, at);
    write_subject(wr, certify->what);
    write_spki(wr, certify->key);
    at = der_begin(wr, TAG_CONTEXT | TAG_CONSTRUCTED | 3);
    write_extensions(wr, certify->what);
    der_end(wr, at);
    der_end(wr, info);
}

struct err certify_write(struct wr *out, const struct certify *certify)
{
    static uint8_t info[TBS_BYTES_MAX];
    uint8_t signature[P256_SIGNATURE_MAX];
    struct wr wr = WR_OF(info), signature_wr = WR_OF(signature);
    size_t whole, bits;

    if (certify->what->kind == MSG_TLS_REQUEST)
        write_request_info(&wr, certify);
    else
        write_certificate_info(&wr, certify);
    TRY(wr_end(&wr));
    TRY(p256_sign(&signature_wr, certify->key, wr_done(&wr)));
    whole = der_begin(out, TAG_SEQUENCE);
    wr_bytes(out, wr_done(&wr));
    wr_bytes(out, BYTES_LIT(ALGORITHM));
    bits = der_begin(out, TAG_BIT_STRING);
    wr_u8(out, 0); // no unused bits
    wr_bytes(out, wr_done(&signature_wr));
    der_end(out, bits);
    der_end(out, whole);
    return OK;
}
