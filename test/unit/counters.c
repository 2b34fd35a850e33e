// SPDX-License-Identifier: Apache-2.0
// front/counters.h: both forms tell the same numbers, and the text is what Prometheus reads.
#include "front/counters.h"

#include "base/must.h"
#include "front/routes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "expect.h"

static struct counters counters;
static char text[COUNTERS_TEXT_MAX + 1];
static char json[COUNTERS_TEXT_MAX];

static void tell(void)
{
    struct wr text_wr = wr_of(text, COUNTERS_TEXT_MAX), json_wr = wr_of(json, sizeof(json) - 1);
    struct jw jw = jw_of(&json_wr);

    counters_write_text(&text_wr, &counters);
    expect_ok("text", wr_end(&text_wr));
    text[text_wr.len] = 0;
    jw_object(&jw);
    counters_write_json(&jw, &counters);
    jw_object_end(&jw);
    expect_ok("JSON", wr_end(&json_wr));
    json[json_wr.len] = 0;
}

// Every number another one, so that none stands in the place of another.
static void fill(void)
{
    uint64_t next = 1000000000000;

    for (size_t i = 0; i < COUNTERS_ROWS; i++)
        counters.row[i] = next++;
    for (size_t i = 0; i < ERR_CODES; i++) {
        counters.control[i] = next++;
        counters.kms_outcomes[i] = next++;
    }
    for (size_t i = 0; i < ROUTES_ALL * COUNTERS_CLASSES; i++)
        counters.requests[i / COUNTERS_CLASSES][i % COUNTERS_CLASSES] = next++;
}

static bool has(const char *line)
{
    return strstr(text, line) != NULL;
}

static void test_names(void **state)
{
    (void)state;
    counters = (struct counters) { 0 };
    counters.row[COUNTERS_KMS_RETRIES] = 3;
    counters.row[COUNTERS_CONNECTIONS] = 7;
    counters.control[ERR_NONE] = 9;
    counters.control[ERR_PHASE] = 1;
    counters_request(&counters, 0, 200);
    counters_request(&counters, 5, 204);
    counters_request(&counters, 5, 599);
    counters_request(&counters, ROUTES_ALL - 1, 404);
    tell();
    assert_true(has("# HELP cloister_kms_retries_total Attempts after the first one.\n"
                    "# TYPE cloister_kms_retries_total counter\n"
                    "cloister_kms_retries_total 3\n"));
    assert_true(has("# TYPE cloister_data_connections gauge\ncloister_data_connections 7\n"));
    assert_true(has("\ncloister_control_requests_total{outcome=\"ok\"} 9\n"
                    "cloister_control_requests_total{outcome=\"phase\"} 1\n"));
    assert_true(has("\ncloister_data_requests_total{route=\"/upcheck\",status=\"2xx\"} 1\n"));
    assert_true(has("{route=\"/v1/accounts/*/sign-transaction\",status=\"2xx\"} 1\n"));
    assert_true(has("{route=\"/v1/accounts/*/sign-transaction\",status=\"5xx\"} 1\n"));
    assert_true(has("{route=\"other\",status=\"4xx\"} 1\n"));
    assert_non_null(strstr(json, "\"kms_retries_total\":3,"));
    assert_non_null(
        strstr(json, "\"data_requests_total{route=\\\"/upcheck\\\",status=\\\"2xx\\\"}\":1,"));
}

// Each sample once, after its family's HELP and TYPE, its number the same in both forms.
static void test_forms_agree(void **state)
{
    static struct json nodes[256];
    const struct json *root;
    char family[64] = "";
    unsigned samples = 0;

    (void)state;
    fill();
    tell();
    expect_ok("JSON", json_parse(&root, nodes, ARRAY_LEN(nodes), (uint8_t *)json, strlen(json)));
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        char *value = strrchr(line, ' ');
        uint64_t told = 0;

        if (strncmp(line, "# TYPE cloister_", 16) == 0) {
            must(sscanf(line, "# TYPE %63s", family) == 1);
            continue;
        }
        if (line[0] == '#')
            continue;
        assert_int_equal(strncmp(line, family, strlen(family)), 0);
        assert_true(strchr("{ ", line[strlen(family)]) != NULL);
        *value = 0;
        expect_ok(line, json_u64(&told, json_get(root, line + strlen("cloister_"))));
        assert_int_equal(told, strtoull(value + 1, NULL, 10));
        samples++;
    }
    assert_int_equal(samples, root->count);
    assert_int_equal(samples, COUNTERS_ROWS + 2 * ERR_CODES + ROUTES_ALL * COUNTERS_CLASSES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_forms_agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
