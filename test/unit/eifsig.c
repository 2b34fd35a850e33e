// SPDX-License-Identifier: Apache-2.0
// cli/eifsig.h, cli/codesign.h: signing an image and verifying it, and sections, certificates and
// keys of which something is wrong. That other code verifies what is signed here, and the reverse,
// is test/system/image.py's matter. The keys are made up for this file.
#include "cli/eifsig.h"

#include "base/cbor.h"
#include "base/hex.h"
#include "base/must.h"
#include "crypto/openssl/libcrypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expect.h"

// A key and certificate on P-384, another key, a certificate on P-256, and one whose curve is
// P-384's in numbers in place of its name.
static const char cert_text[] = "-----BEGIN CERTIFICATE-----\n"
                                "MIIB4TCCAWigAwIBAgIUbNP5WrZg9JtCKX93/2Ov/xMst6gwCgYIKoZIzj0EAwMw\n"
                                "JzEQMA4GA1UECgwHRXhhbXBsZTETMBEGA1UEAwwKaW1hZ2UgdGVzdDAgFw0yNjEx\n"
                                "MjExMjA1NDNaGA8yMTI2MTAyODEyMDU0M1owJzEQMA4GA1UECgwHRXhhbXBsZTET\n"
                                "MBEGA1UEAwwKaW1hZ2UgdGVzdDB2MBAGByqGSM49AgEGBSuBBAAiA2IABJNoEr5e\n"
                                "EsK5APlnQHj7aUsVSmIJiwYFInk44omHTXdxQ66sJf2kp6eq/biTQt1sPhGeJoFc\n"
                                "P/zFpo12doIuGGh5G15jC+8g/1AP78l/qW1AJUHh9ZKIw7/+satzpOtLm6NTMFEw\n"
                                "HQYDVR0OBBYEFOURPwYk4JseEP0yV4uxc6wOBwmGMB8GA1UdIwQYMBaAFOURPwYk\n"
                                "4JseEP0yV4uxc6wOBwmGMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwMDZwAw\n"
                                "ZAIwO8yT0QYk+YGCYx2de84DAst0Ls32ZNchN+qtnP99HftgT2E6h2TSYEqVb4oo\n"
                                "o7QtAjAnfL+69zkOHArqdxblRWxZbyerfMIq3GtDTM/kOYrjMcmLOM4qhoutPqJs\n"
                                "RuOfEJc=\n"
                                "-----END CERTIFICATE-----\n";
static const char key_text[] = "-----BEGIN PRIVATE KEY-----\n"
                               "MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDC1Jc8waFnjdobaiQNH\n"
                               "IdwZCDLFughV5lVfNST2GsmT093pYKrdL0gVL2HBWcljS5uhZANiAASTaBK+XhLC\n"
                               "uQD5Z0B4+2lLFUpiCYsGBSJ5OOKJh013cUOurCX9pKenqv24k0LdbD4RniaBXD/8\n"
                               "xaaNdnaCLhhoeRteYwvvIP9QD+/Jf6ltQCVB4fWSiMO//rGrc6TrS5s=\n"
                               "-----END PRIVATE KEY-----\n";
static const char other_key_text[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDB6jSuWOM3I/nvztlLw\n"
    "Srw1qSTXP1EVnwoHw/nqdj1h1pnWgsOUHjCXsoEch0dvG7OhZANiAAT79C0Dnj+8\n"
    "Wwb9+WXlM6Zd3ti6TPk5cJqJIVmY5A/9lh9uM14I/7rjARH9f/UcQlVpr0f6App4\n"
    "dGOm5t6CDnucX9pmkzWKUw80Sadg6tFaDlqRD/koTJvbNjA0lR/kjLI=\n"
    "-----END PRIVATE KEY-----\n";
static const char p256_cert_text[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBpTCCAUugAwIBAgIUPIa/hbBGT/kGeFbLrk+XVZA1T98wCgYIKoZIzj0EAwMw\n"
    "JzEQMA4GA1UECgwHRXhhbXBsZTETMBEGA1UEAwwKaW1hZ2UgdGVzdDAgFw0yNjEx\n"
    "MjExMjA1NDNaGA8yMTI2MTAyODEyMDU0M1owJzEQMA4GA1UECgwHRXhhbXBsZTET\n"
    "MBEGA1UEAwwKaW1hZ2UgdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABBzY\n"
    "YagCIp7WoqNM+Hh1b0zRTjgk5jtXoRUq/9MFhwGQKhi1j24OzcxZY9eUmBUPDGYR\n"
    "4j5cJj+g2LXRxkVSYEmjUzBRMB0GA1UdDgQWBBSGGqQqYIuc8v6JxU68zTWv//XC\n"
    "zjAfBgNVHSMEGDAWgBSGGqQqYIuc8v6JxU68zTWv//XCzjAPBgNVHRMBAf8EBTAD\n"
    "AQH/MAoGCCqGSM49BAMDA0gAMEUCIQCAWjvPOaaHcE+9Y3ND3i9hkvMixCdzUezc\n"
    "cEK/CYuTTwIgWEEfTVGCioQizlbPUXw2W2IYtZSB41pCojXvQC05c5A=\n"
    "-----END CERTIFICATE-----\n";
static const char p256_key_text[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgTVmdVdL0+/fRIFDk\n"
    "0E7ucLYDori5kxuHUpip1xf27DqhRANCAAQc2GGoAiKe1qKjTPh4dW9M0U44JOY7\n"
    "V6EVKv/TBYcBkCoYtY9uDs3MWWPXlJgVDwxmEeI+XCY/oNi10cZFUmBJ\n"
    "-----END PRIVATE KEY-----\n";
static const char explicit_cert_text[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIDOzCCAsCgAwIBAgIUIPK5QCSu+7rVcXKan0l5fduWeoEwCgYIKoZIzj0EAwMw\n"
    "JzEQMA4GA1UECgwHRXhhbXBsZTETMBEGA1UEAwwKaW1hZ2UgdGVzdDAgFw0yNjEx\n"
    "MjExMjA1NDNaGA8yMTI2MTAyODEyMDU0M1owJzEQMA4GA1UECgwHRXhhbXBsZTET\n"
    "MBEGA1UEAwwKaW1hZ2UgdGVzdDCCAcwwggFkBgcqhkjOPQIBMIIBVwIBATA8Bgcq\n"
    "hkjOPQEBAjEA//////////////////////////////////////////7/////AAAA\n"
    "AAAAAAD/////MHsEMP/////////////////////////////////////////+////\n"
    "/wAAAAAAAAAA/////AQwszEvp+I+5+SYjgVr4/gtGRgdnG7+gUESAxQIj1ATh1rG\n"
    "VjmNii7RnSqFyO3T7CrvAxUAozWSaqMZonodAIlqZ3OkgnrNrHMEYQSqh8oivosF\n"
    "N46xxx7zIK10bh07Younm5hZ90HgglQqOFUC8l2/VSlsOlReOHJ2Crc2F95KliYs\n"
    "b12emL+Sktwp+PQdvSiaFHzp2jETtfC4wApgsc4dfoGdekMdfJDqDl8CMQD/////\n"
    "///////////////////////////HY02B9Dct31gaDbJIsKd67OwZaszFKXMCAQED\n"
    "YgAEXpJXC6kZxn2pA/g+knHzGGjEbIjaXcgnpREXxaHHwXmdFlUxukCUq+aPbeIb\n"
    "REHorvxfKkK+d1XZ+2rzGVcvER3+zRp26Vf+iPQu66h0SyfbeslkTcBuOX8bPuUD\n"
    "ZicBo1MwUTAdBgNVHQ4EFgQUbA8+p6SBZp9dZPMr+yrb8jb3qFUwHwYDVR0jBBgw\n"
    "FoAUbA8+p6SBZp9dZPMr+yrb8jb3qFUwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjO\n"
    "PQQDAwNpADBmAjEA85HyxM62y09Vk5L0jOhomvTfhly0Yh/4KWVPkHcycEozcCE8\n"
    "uVVg/2SBToTchYwFAjEAr8tffc7coiDFJ8TIXgjZ2Jc0tRR0tCeklsDHdYZ7KpIv\n"
    "vFb+1eRTKMT/F6Jf/uxV\n"
    "-----END CERTIFICATE-----\n";
static const char explicit_key_text[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIICDAIBADCCAWQGByqGSM49AgEwggFXAgEBMDwGByqGSM49AQECMQD/////////\n"
    "/////////////////////////////////v////8AAAAAAAAAAP////8wewQw////\n"
    "//////////////////////////////////////7/////AAAAAAAAAAD////8BDCz\n"
    "MS+n4j7n5JiOBWvj+C0ZGB2cbv6BQRIDFAiPUBOHWsZWOY2KLtGdKoXI7dPsKu8D\n"
    "FQCjNZJqoxmieh0AiWpnc6SCes2scwRhBKqHyiK+iwU3jrHHHvMgrXRuHTtii6eb\n"
    "mFn3QeCCVCo4VQLyXb9VKWw6VF44cnYKtzYX3kqWJixvXZ6Yv5KS3Cn49B29KJoU\n"
    "fOnaMRO18LjACmCxzh1+gZ16Qx18kOoOXwIxAP//////////////////////////\n"
    "/////8djTYH0Ny3fWBoNskiwp3rs7BlqzMUpcwIBAQSBnjCBmwIBAQQwE1NSbQLj\n"
    "HmWMSvgbO8AmqcFwUTDpKWIYAcqr5B3/2HRw/g6ntFOvAxIndf6RCaouoWQDYgAE\n"
    "XpJXC6kZxn2pA/g+knHzGGjEbIjaXcgnpREXxaHHwXmdFlUxukCUq+aPbeIbREHo\n"
    "rvxfKkK+d1XZ+2rzGVcvER3+zRp26Vf+iPQu66h0SyfbeslkTcBuOX8bPuUDZicB\n"
    "-----END PRIVATE KEY-----\n";
// What `openssl x509 -outform DER`, and SHA-384 twice, make of the certificate.
#define PCR8                                                           \
    "55e5c591db42f55eab5b9898b1f91bed3ad7ba3833ccf7927eead79f5ad01b57" \
    "0fb8652fa930ad03b738c382bc084857"
#define FROM_S  1795262743 // 2026-11-21T12:05:43Z
#define UNTIL_S 4948862743 // 2126-10-28T12:05:43Z

static const uint8_t pcr0[EIF_PCR_BYTES] = { 1, 2, 3, 200, 24, 255 };
static struct codesign cert;
static struct eifsig sig;
static uint8_t section[EIF_SIGNATURE_MAX];

static int start(void **state)
{
    (void)state;
    expect_ok("libcrypto", libcrypto_init());
    expect_ok("certificate", codesign_read(&cert, bytes_str(cert_text)));
    return 0;
}

static struct bytes signed_section(void)
{
    struct wr wr = WR_OF(section);

    expect_ok("sign", eifsig_write(&wr, &cert, bytes_str(key_text), pcr0));
    return wr_done(&wr);
}

static void round_trip(void **state)
{
    uint8_t other[EIF_PCR_BYTES] = { 1, 2, 3 };
    char digits[2 * EIF_PCR_BYTES + 1];

    (void)state;
    expect_ok("read", eifsig_read(&sig, signed_section()));
    expect_ok("verify", eifsig_verify(&sig, pcr0));
    expect_err("other PCR0", eifsig_verify(&sig, other), ERR_UNTRUSTED, "another image");
    hex_encode(digits, BYTES_OF(sig.pcr8));
    assert_string_equal(digits, PCR8);
    sig.cose.signature[20] ^= 1;
    expect_err("signature", eifsig_verify(&sig, pcr0), ERR_UNTRUSTED, "signature");
}

static void certificates(void **state)
{
    static const struct {
        const char *name, *before, *text, *after;
        enum err_code code;
        const char *what;
    } cases[] = {
        { "good", "", cert_text, "", ERR_NONE, NULL },
        { "text around it", "Bag Attributes\n", cert_text, "\nbye\n", ERR_NONE, NULL },
        { "nothing", "", "", "", ERR_MALFORMED, "PEM" },
        { "no PEM", "", "certificate", "", ERR_MALFORMED, "BEGIN CERTIFICATE" },
        { "a key", "", key_text, "", ERR_MALFORMED, "BEGIN CERTIFICATE" },
        { "no end", cert_text, "-----BEGIN CERTIFICATE-----\n", "MIIB\n", ERR_NONE, NULL },
        { "no base64", "-----BEGIN CERTIFICATE-----\n", "????", "\n-----END CERTIFICATE-----\n",
          ERR_MALFORMED, "BEGIN CERTIFICATE" },
        { "no DER", "-----BEGIN CERTIFICATE-----\n", "AAAA", "\n-----END CERTIFICATE-----\n",
          ERR_MALFORMED, "BEGIN CERTIFICATE" },
        { "two", "", cert_text, cert_text, ERR_MALFORMED, "not a chain" },
        { "P-256", "", p256_cert_text, "", ERR_UNSUPPORTED, "P-384" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[4096];
        struct wr wr = wr_of(text, sizeof(text));
        struct codesign read;

        wr_str(&wr, cases[i].before);
        wr_str(&wr, cases[i].text);
        wr_str(&wr, cases[i].after);
        expect_err(cases[i].name, codesign_read(&read, wr_done(&wr)), cases[i].code, cases[i].what);
    }
}

static void what_it_says(void **state)
{
    uint8_t text[2048];
    struct wr wr = WR_OF(text);

    (void)state;
    assert_string_equal(cert.subject, "CN=image test,O=Example");
    assert_string_equal(cert.issuer, "CN=image test,O=Example");
    assert_int_equal(cert.from_s, FROM_S);
    assert_int_equal(cert.until_s, UNTIL_S);
    expect_ok("first second", codesign_valid(&cert, FROM_S));
    expect_ok("last second", codesign_valid(&cert, UNTIL_S));
    expect_err("early", codesign_valid(&cert, FROM_S - 1), ERR_EXPIRED, "not valid yet");
    expect_err("late", codesign_valid(&cert, UNTIL_S + 1), ERR_EXPIRED, "has expired");
    expect_ok("write", codesign_write(&wr, &cert));
    assert_true(bytes_equal_str(wr_done(&wr), cert_text));
}

static void keys(void **state)
{
    static const struct {
        const char *name, *cert, *key;
        enum err_code code;
        const char *what;
    } cases[] = {
        { "good", cert_text, key_text, ERR_NONE, NULL },
        { "another", cert_text, other_key_text, ERR_MISMATCH, "certificate" },
        { "of P-256", cert_text, p256_key_text, ERR_UNSUPPORTED, "P-384" },
        { "curve in numbers", explicit_cert_text, explicit_key_text, ERR_UNTRUSTED, "P-384" },
        { "none", cert_text, "", ERR_MALFORMED, "PEM" },
        { "a certificate", cert_text, cert_text, ERR_MALFORMED, "PEM" },
        { "cut", cert_text, "-----BEGIN PRIVATE KEY-----\nMIG2", ERR_MALFORMED, "PEM" },
        { "encrypted", cert_text,
          "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n",
          ERR_MALFORMED, "not encrypted" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct codesign of;
        uint8_t raw[CODESIGN_BYTES];

        expect_ok(cases[i].name, codesign_read(&of, bytes_str(cases[i].cert)));
        expect_err(cases[i].name,
                   codesign_sign(raw, &of, bytes_str(cases[i].key), BYTES_LIT("message")),
                   cases[i].code, cases[i].what);
    }
}

// A section from parts, each of which may be another than it should be.
struct parts {
    const char *name;
    uint64_t signatures, pairs;
    const char *first_key, *second_key;
    uint64_t index, last_byte; // of the register; its last byte as written
    size_t register_bytes;
    bool is_byte_string;
    enum err_code code;
    const char *what;
};

#define GOOD_KEYS "signing_certificate", "signature"
#define SECTION   "signature section"

static void put_list(struct wr *wr, struct bytes b)
{
    cbor_put_array(wr, b.n);
    for (size_t i = 0; i < b.n; i++)
        cbor_put_uint(wr, b.p[i]);
}

static void put_payload(struct wr *wr, const struct parts *p)
{
    cbor_put_map(wr, 2);
    cbor_put_text(wr, "register_value");
    cbor_put_array(wr, p->register_bytes);
    for (size_t i = 1; i < p->register_bytes; i++)
        cbor_put_uint(wr, 7);
    cbor_put_uint(wr, p->last_byte);
    cbor_put_text(wr, "register_index");
    cbor_put_uint(wr, p->index);
}

static struct bytes section_of(const struct parts *p)
{
    uint8_t payload[512], document[1024];
    struct wr payload_wr = WR_OF(payload), document_wr = WR_OF(document), wr = WR_OF(section);
    struct cose cose = { .protected_header = COSE_HEADER_ES384 };

    put_payload(&payload_wr, p);
    cose.payload = wr_done(&payload_wr);
    cose_write(&document_wr, &cose);
    cbor_put_array(&wr, p->signatures);
    cbor_put_map(&wr, p->pairs);
    cbor_put_text(&wr, p->first_key);
    put_list(&wr, bytes_str(cert_text));
    cbor_put_text(&wr, p->second_key);
    if (p->is_byte_string)
        cbor_put_bytes(&wr, wr_done(&document_wr));
    else
        put_list(&wr, wr_done(&document_wr));
    return wr_done(&wr);
}

static void sections(void **state)
{
    static const struct parts cases[] = {
        { "good", 1, 2, GOOD_KEYS, 0, 7, 48, false, ERR_NONE, NULL },
        { "none", 0, 2, GOOD_KEYS, 0, 7, 48, false, ERR_UNSUPPORTED, "one signature" },
        { "two", 2, 2, GOOD_KEYS, 0, 7, 48, false, ERR_UNSUPPORTED, "one signature" },
        { "pair missing", 1, 1, GOOD_KEYS, 0, 7, 48, false, ERR_MALFORMED, SECTION },
        { "a third pair", 1, 3, GOOD_KEYS, 0, 7, 48, false, ERR_MALFORMED, SECTION },
        { "unknown key", 1, 2, "signing_certificate", "x", 0, 7, 48, false, ERR_MALFORMED,
          SECTION },
        { "key twice", 1, 2, "signature", "signature", 0, 7, 48, false, ERR_MALFORMED, SECTION },
        { "byte string", 1, 2, GOOD_KEYS, 0, 7, 48, true, ERR_MALFORMED, SECTION },
        { "PCR1", 1, 2, GOOD_KEYS, 1, 7, 48, false, ERR_MALFORMED, "register_index 0" },
        { "47 bytes", 1, 2, GOOD_KEYS, 0, 7, 47, false, ERR_MALFORMED, "48 bytes" },
        { "49 bytes", 1, 2, GOOD_KEYS, 0, 7, 49, false, ERR_MALFORMED, "48 bytes" },
        { "no byte", 1, 2, GOOD_KEYS, 0, 256, 48, false, ERR_MALFORMED, "48 bytes" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_err(cases[i].name, eifsig_read(&sig, section_of(&cases[i])), cases[i].code,
                   cases[i].what);
}

static void cut_or_changed(void **state)
{
    struct bytes all = signed_section();
    const uint8_t *signature = memmem(all.p, all.n, "isignature", 10); // its CBOR head, too

    (void)state;
    assert_non_null(signature);
    for (size_t n = 0; n < all.n; n++)
        assert_true(eifsig_read(&sig, bytes_take(all, n)).code != ERR_NONE);
    expect_err("longer", eifsig_read(&sig, bytes_of(section, all.n + 1)), ERR_MALFORMED, SECTION);
    // Before it is PEM, which allows blanks and line ends of its own.
    for (size_t at = (size_t)(signature - all.p); at < all.n; at++) {
        section[at] ^= 1;
        assert_true(eifsig_read(&sig, all).code || eifsig_verify(&sig, pcr0).code);
        section[at] ^= 1;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),   cmocka_unit_test(certificates),
        cmocka_unit_test(what_it_says), cmocka_unit_test(keys),
        cmocka_unit_test(sections),     cmocka_unit_test(cut_or_changed),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
