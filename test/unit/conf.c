// SPDX-License-Identifier: Apache-2.0
// parent/conf.h: settings that are taken, and for everything else the line, the key and the reason.
#include "parent/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expect.h"
#include "fake_parent.h"

#define NEEDED                                                                \
    "listen = unix:///run/c.sock\ntoken_file=/t\nenclave = vsock://16:5000\n" \
    "configuration = /c\nstore = /s\n"

static void defaults(void **state)
{
    struct conf conf;
    struct conf_problem problem;

    (void)state;
    expect_ok("least", conf_parse(&conf, BYTES_LIT("# comment\n\n" NEEDED), &problem));
    assert_string_equal(conf.imds, "http://169.254.169.254");
    assert_string_equal(conf.token_file, "/t");
    assert_int_equal(conf.enclave.kind, ADDR_VSOCK);
    assert_int_equal(conf.log_level, LOG_INFO);
    assert_int_equal(conf.connections, 4096);
    assert_false(conf.metrics_open);
    assert_string_equal(conf.node, "");
    assert_int_equal(conf.relays, 0);
    assert_int_equal(conf.tunnel_listen.kind, 0);
    assert_int_equal(conf.tunnel.kind, 0);
    assert_int_equal(conf.tunnel_connections, 4096);
    assert_int_equal(conf.tunnel_drain_s, 10);
    assert_true(conf.tunnel_adds_source);
}

static void everything(void **state)
{
    struct conf conf;
    struct conf_problem problem;

    (void)state;
    expect_ok("all",
              conf_parse(&conf,
                         BYTES_LIT(NEEDED "imds = http://127.0.0.1:1\nrole = my-role\n"
                                          "relay_listen = unix:///run/link/\n"
                                          "relay = a.b tcp://127.0.0.1:99\n"
                                          "relay = c.d   tcp://127.0.0.1:98\n"
                                          "node = http://127.0.0.1:8545/path\n"
                                          "connections = 16\nmetrics = open\nlog_level = debug\n"
                                          "tunnel_listen = tcp://0.0.0.0:9000\n"
                                          "tunnel = vsock://16:9000\ntunnel_connections = 17\n"
                                          "tunnel_source = none\ntunnel_drain = 0\n"),
                         &problem));
    assert_int_equal(conf.tunnel_listen.kind, ADDR_TCP);
    assert_int_equal(conf.tunnel.cid, 16);
    assert_int_equal(conf.tunnel_connections, 17);
    assert_int_equal(conf.tunnel_drain_s, 0);
    assert_false(conf.tunnel_adds_source);
    assert_int_equal(conf.relays, 2);
    assert_string_equal(conf.relay[1].host, "c.d");
    assert_int_equal(conf.relay[1].target.port, 98);
    assert_int_equal(conf.log_level, LOG_DEBUG);
    assert_int_equal(conf.connections, 16);
    assert_true(conf.metrics_open);
}

static const struct {
    const char *name, *text, *key, *what;
    unsigned line;
} refusals[] = {
    { "no equals", "listen\n", "", "key = value", 1 },
    { "unknown key", NEEDED "lissten = x\n", "lissten", "not a key", 6 },
    { "twice", "store = /a\n\nstore = /b\n", "store", "given twice", 3 },
    { "no value", "store = \n", "store", "expected a value", 1 },
    { "missing key", "store = /a\n", "listen", "expected a line", 0 },
    { "empty file", "", "listen", "expected a line", 0 },
    { "public address", "listen = tcp://0.0.0.0:80\n", "listen", "loopback", 1 },
    { "public name", "listen = tcp://example.com:80\n", "listen", "loopback", 1 },
    { "vsock listen", "listen = vsock://ANY:80\n", "listen", "", 1 },
    { "bad address", "enclave = 16:5000\n", "enclave", "vsock://CID:PORT", 1 },
    { "bad url", "node = ftp://x\n", "node", "http://HOST", 1 },
    { "bad level", "log_level = loud\n", "log_level", "debug, info", 1 },
    { "too few connections", "connections = 15\n", "connections", "16 to 4096", 1 },
    { "too many connections", "connections = 4097\n", "connections", "16 to 4096", 1 },
    { "connections are no number", "connections = many\n", "connections", "16 to 4096", 1 },
    { "half-open metrics", "metrics = ajar\n", "metrics", "token or open", 1 },
    { "tunnel from vsock", "tunnel_listen = vsock://ANY:1\n", "tunnel_listen", "tcp://", 1 },
    { "tunnel to a network", "tunnel = tcp://a.b:1\n", "tunnel", "vsock://CID", 1 },
    { "tunnel to nowhere", NEEDED "tunnel_listen = tcp://a:1\n", "tunnel", "together", 0 },
    { "tunnel for nobody", NEEDED "tunnel = unix:///t\n", "tunnel", "together", 0 },
    { "too few clients", "tunnel_connections = 1\n", "tunnel_connections", "16 to 4096", 1 },
    { "bad source", "tunnel_source = v1\n", "tunnel_source", "header or none", 1 },
    { "endless drain", "tunnel_drain = 301\n", "tunnel_drain", "0 to 300", 1 },
    { "bad role", "role = a/b\n", "role", "IAM role", 1 },
    { "relay prefix without slash", "relay_listen = unix:///dir\n", "relay_listen", "slash", 1 },
    { "relay tcp prefix", "relay_listen = tcp://127.0.0.1:1\n", "relay_listen", "vsock://ANY", 1 },
    { "relay without target", "relay = a.b\n", "relay", "HOST tcp", 1 },
    { "relay to vsock", "relay = a.b vsock://3:4\n", "relay", "HOST tcp", 1 },
    { "relay twice", "relay = a tcp://b:1\nrelay = a tcp://c:1\n", "relay", "host twice", 2 },
    { "control character", "store = /a\001\n", "store", "control", 1 },
    { "carriage return", "store = /a\r\n", "store", "control", 1 },
};

static void refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        struct conf conf;
        struct conf_problem problem;
        struct err err = conf_parse(&conf, bytes_str(refusals[i].text), &problem);

        expect_err(refusals[i].name, err, ERR_MALFORMED, refusals[i].what);
        assert_string_equal(problem.key, refusals[i].key);
        assert_int_equal(problem.line, refusals[i].line);
    }
}

static void refused_nul_and_length(void **state)
{
    struct conf conf;
    struct conf_problem problem;
    char text[1200];

    (void)state;
    expect_err("NUL", conf_parse(&conf, bytes_of("store=\0x\n", 9), &problem), ERR_MALFORMED,
               "line of text");
    memset(text, 'a', sizeof(text));
    expect_err("long line", conf_parse(&conf, BYTES_OF(text), &problem), ERR_MALFORMED,
               "at most 1023");
    assert_int_equal(problem.line, 1);
}

static void file_and_configuration(void **state)
{
    char dir[64], path[128];
    uint8_t buf[CONFIG_BYTES_MAX];
    struct conf conf = { .relays = 0 };
    struct conf_problem problem;
    struct bytes canonical;
    struct config config;
    FILE *file;

    (void)state;
    fake_dir(dir);
    fake_path(path, sizeof(path), dir, "conf");
    expect_err("no file", conf_read(&conf, path, &problem), ERR_NOT_FOUND, "opened");
    canonical = fake_configuration(buf, &config);
    file = fopen(path, "w");
    assert_int_equal(fwrite(canonical.p, 1, canonical.n, file), canonical.n);
    (void)fclose(file);
    (void)snprintf(conf.configuration, sizeof(conf.configuration), "%s", path);
    expect_ok("configuration", conf_load_configuration(&conf, buf, &canonical, &config));
    assert_int_equal(config.hosts, 1);
    conf.relays = 1;
    (void)snprintf(conf.relay[0].host, sizeof(conf.relay[0].host), "other.amazonaws.com");
    expect_err("foreign relay", conf_load_configuration(&conf, buf, &canonical, &config),
               ERR_NOT_FOUND, "relay");
    fake_dir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(everything),
        cmocka_unit_test(refused),
        cmocka_unit_test(refused_nul_and_length),
        cmocka_unit_test(file_and_configuration),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
