#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plants one violation at a time into a copy of test/tidy/clean and checks that tools/tidy finds it,
at its line and under its name, and finds nothing else. Prints TAP."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TIDY = os.path.join(HERE, '..', '..', 'tools', 'tidy')
SPDX = '// SPDX-License-Identifier: Apache-2.0\n'
ROUTES = '## 12. Data\n\n| path | method |\n|---|---|\n| `/up?n=N` | GET |\n| `/v1/ID/sign` | POST |\n'
PROTOCOL = '## 1. Control\n\n| method | phases |\n|---|---|\n| `hello` | any |\n| `key.open` | any |\n'


MESSAGES = ('## 2. Vault\n\n| type | name |\n|---|---|\n| 1 | STATUS |\n| 2 | SEAL |\n')
# Every name of every row of BANNED that has several, each in a component where it is banned.
EVERYWHERE = ('strcpy', 'strncpy', 'strcat', 'strncat', 'stpcpy', 'stpncpy', 'gets', 'strtok', 'sprintf',
              'vsprintf', 'atoi', 'atol', 'atoll', 'atof', 'getenv', 'secure_getenv', 'setenv', 'putenv',
              'rand', 'srand', 'random', 'srandom', 'drand48', 'rand_r', 'alloca', 'system', 'popen',
              'wordexp')
IN_THE_VAULT = ('malloc', 'calloc', 'realloc', 'reallocarray', 'free', 'strdup', 'strndup',
                'aligned_alloc', 'posix_memalign', 'printf', 'fprintf', 'snprintf', 'vdprintf', 'syslog',
                'vsyslog', 'perror', 'memcmp')


def each_call(path, names):
    """A case: one call of each of the names, each to be found."""
    calls = function('void a(void)', ''.join(f'    {name}(0);\n' for name in names))
    return {path: calls}, tuple(f'{path}:{number}: banned: {name}:'
                                for number, name in enumerate(names, 6))


def lines_of_code(path, n):
    """n lines of code in files that are short enough."""
    return {f'{path}/a_{i}.h': SPDX + '#pragma once\n' + ''.join(
        f'extern int a_{i}_{k};\n' for k in range(min(490, n - i * 491) - 1 if n > i * 491 else 0))
        for i in range(n // 491 + 1)}


def function(head, body):
    return f'{SPDX}{head};\n\n{head}\n{{\n{body}}}\n'


def deep(levels):
    out = ''
    for i in range(levels):
        out += '    ' * (i + 1) + f'if (n > {i})\n'
    return out + '    ' * (levels + 1) + 'n++;\n    return n;\n'


# name, {file: content}, the messages that must come (each the start of a line), further arguments
CASES = (
    ('a clean tree', {}, ()),
    ('base includes net', {'src/base/up.c': SPDX + '#include "net/ask.h"\n'},
     ('src/base/up.c:2: direction:',)),
    ('the vault includes net', {'src/vault/up.c': SPDX + '\n#include "net/ask.h"\n'},
     ('src/vault/up.c:3: direction:',)),
    ('a component without a line in tools/deps', {'src/new/a.c': SPDX + '#include "base/sum.h"\n'},
     ('src/new/a.c:2: direction:',)),
    ('an include without its component', {'src/base/a.c': SPDX + '#include "sum.h"\n'},
     ('src/base/a.c:2: direction:',)),
    ('a long file', {'src/base/a.c': SPDX + 500 * '\n'}, ('src/base/a.c:501: file length:',)),
    ('a file of 500 lines', {'src/base/a.c': SPDX + 499 * '\n'}, ()),
    ('a long line', {'src/base/a.c': SPDX + '// ' + 98 * 'x' + '\n'},
     ('src/base/a.c:2: line length:',)),
    ('a long function', {'src/base/a.c': function('void a(void)', 58 * '    ;\n')},
     ('src/base/a.c:4: function length:',)),
    ('a function of 60 lines', {'src/base/a.c': function('void a(void)', 57 * '    ;\n')}, ()),
    ('deep nesting', {'src/base/a.c': function('int a(int n)', deep(4))},
     ('src/base/a.c:9: nesting:',)),
    ('nesting of three levels', {'src/base/a.c': function('int a(int n)', deep(3))}, ()),
    ('six parameters',
     {'src/base/a.c': function('int a(int b, int c, int d, int e, int f, int g)',
                               '    return b + c + d + e + f + g;\n')},
     ('src/base/a.c:4: parameters:',)),
    ('five parameters, one a function',
     {'src/base/a.c': function('int a(int b, int (*c)(int, int), int d, int e, int f)',
                               '    return c(b, d) + e + f;\n')}, ()),
    ('strcpy', {'src/base/a.c': function('void a(char *b)', '    strcpy(b, "c");\n')},
     ('src/base/a.c:6: banned: strcpy',)),
    ('sprintf', {'src/net/a.c': function('void a(char *b)', '    sprintf(b, "c");\n')},
     ('src/net/a.c:6: banned: sprintf',)),
    ('atoi', {'src/net/a.c': function('int a(char *b)', '    return atoi(b);\n')},
     ('src/net/a.c:6: banned: atoi',)),
    ('getenv', {'src/net/a.c': function('char *a(void)', '    return getenv("A");\n')},
     ('src/net/a.c:6: banned: getenv',)),
    ('rand', {'src/net/a.c': function('int a(void)', '    return rand();\n')},
     ('src/net/a.c:6: banned: rand',)),
    ('assert', {'src/net/a.c': SPDX + '#include <assert.h>\nvoid a(void);\n\nvoid a(void)\n{\n'
                               '    assert(1);\n}\n'},
     ('src/net/a.c:2: foreign header: assert.h', 'src/net/a.c:7: banned: assert')),
    ('alloca', {'src/net/a.c': function('void *a(void)', '    return alloca(9);\n')},
     ('src/net/a.c:6: banned: alloca',)),
    ('each banned call', *each_call('src/net/a.c', EVERYWHERE)),
    ('each call that the vault may not make', *each_call('src/vault/a.c', IN_THE_VAULT)),
    ('calls of other names', {'src/vault/a.c': function(
        'void a(void)', '    my_system(0);\n    wr->free(0);\n    a.rand(0);\n    freely(0);\n')}, ()),
    ('a banned call in a comment and in a string', {'src/net/a.c': function(
        'char *a(void)', '    // strcpy(a, b)\n    return "system(1)";\n')}, ()),
    ('memcmp in crypto', {'src/crypto/a.c': function('int a(char *b)', '    return memcmp(b, b, 1);\n')},
     ('src/crypto/a.c:6: banned: memcmp',)),
    ('a struct behind a typedef', {'src/net/a.h': SPDX + '#pragma once\ntypedef struct a { int b; } a_t;\n'},
     ('src/net/a.h:3: banned: typedef struct',)),
    ('an enum behind a typedef', {'src/net/a.h': SPDX + '#pragma once\ntypedef enum { A_B } a_t;\n'},
     ('src/net/a.h:3: banned: typedef enum',)),
    ('a function type behind a typedef',
     {'src/net/a.h': SPDX + '#pragma once\ntypedef void (*a_call)(struct a *a);\n'}, ()),
    ('goto', {'src/net/a.c': function('void a(void)', '    goto out;\nout:;\n')},
     ('src/net/a.c:6: banned: goto',)),
    ('malloc in the vault', {'src/vault/a.c': function('void *a(void)', '    return malloc(9);\n')},
     ('src/vault/a.c:6: banned: malloc',)),
    ('malloc elsewhere', {'src/net/a.c': SPDX + '#include <stdlib.h>\n' +
                          function('void *a(void)', '    return malloc(9);\n')[len(SPDX):]}, ()),
    ('memcmp in the vault',
     {'src/vault/a.c': function('int a(char *b)', '    return memcmp(b, b, 1);\n')},
     ('src/vault/a.c:6: banned: memcmp',)),
    ('memcmp of public bytes in crypto',
     {'src/crypto/a.c': SPDX + '#include <string.h>\n' +
      function('int a(char *b)', '    return memcmp(b, b, 1); // public: a name\n')[len(SPDX):]}, ()),
    ('printf in the vault',
     {'src/vault/a.c': function('void a(int b)', '    dprintf(2, "%d", b);\n')},
     ('src/vault/a.c:6: banned: dprintf',)),
    ('#ifdef', {'src/net/a.c': SPDX + '#ifdef DEBUG\n#endif\n'}, ('src/net/a.c:2: no #if:',)),
    ('OpenSSL in the vault', {'src/vault/a.c': SPDX + '#include <openssl/evp.h>\n'},
     ('src/vault/a.c:2: foreign header:',)),
    ('libsecp256k1 in eth', {'src/eth/a.c': SPDX + '#include <secp256k1_recovery.h>\n'},
     ('src/eth/a.c:2: foreign header:',)),
    ('SQLite in front', {'src/front/a.c': SPDX + '#include <sqlite3.h>\n'},
     ('src/front/a.c:2: foreign header:',)),
    ('nettle outside the tests', {'src/base/a.c': SPDX + '#include <nettle/sha2.h>\n'},
     ('src/base/a.c:2: foreign header:',)),
    ('OpenSSL where it may be', {'src/crypto/openssl/a.h': SPDX + '#pragma once\n#include <openssl/evp.h>\n'},
     ()),
    ('too much trusted code', lines_of_code('src/vault', 10600), ('src:1: budget: base crypto',)),
    ('too much code of net and front', lines_of_code('src/net', 10100), ('src:1: budget: net front',)),
    ('as much code outside', lines_of_code('src/cli', 9100), ()),
    ('no build', {}, ('tools/tidy:1: prefix: no build in elsewhere',), '--build', 'elsewhere'),
    ('a symbol without its prefix', {'src/base/a.c': function('void b(void)', '')},
     ('src/base/a.c:1: prefix: symbol b ',)),
    ('a symbol with its prefix', {'src/base/a.c': function('void a_b(void)', '')}, ()),
    ('an object that the link line chooses', {'src/base/a_b.c': SPDX + 'int a_this = 1;\n'}, ()),
    ('unfinished work', {'src/base/a.c': SPDX + '// TO' + 'DO: the rest\n'},
     ('src/base/a.c:2: unfinished:',)),
    ('no licence line', {'src/base/a.c': '// A file.\n'}, ('src/base/a.c:1: licence:',)),
    ('a header without #pragma once', {'src/base/a.h': SPDX}, ('src/base/a.h:1: header:',)),
    ('a method that PROTOCOL.md does not have',
     {'PROTOCOL.md': PROTOCOL, 'src/front/a.c': SPDX + 'int a[] = {\n    { "hello", PHASE },\n'
      '    { "key.open", PHASE },\n    { "key.give", PHASE },\n};\n'},
     ('src/front/a.c:5: protocol: key.give',)),
    ('a method that the code does not have',
     {'PROTOCOL.md': PROTOCOL, 'src/front/a.c': SPDX + 'int a[] = {\n    { "hello", PHASE },\n};\n'},
     ('PROTOCOL.md:6: protocol: key.open',)),
    ('a message that PROTOCOL.md does not have',
     {'PROTOCOL.md': MESSAGES, 'src/vault/a.c': SPDX + 'int a[] = {\n    { MSG_STATUS, 1 },\n'
      '    { MSG_SEAL, 1 },\n    { MSG_GIVE, 1 },\n};\n'},
     ('src/vault/a.c:5: protocol: GIVE',)),
    ('a message that the code does not have',
     {'PROTOCOL.md': MESSAGES, 'src/vault/a.c': SPDX + 'int a[] = {\n    { MSG_STATUS, 1 },\n};\n'},
     ('PROTOCOL.md:6: protocol: SEAL',)),
    ('a route that PROTOCOL.md does not have',
     {'PROTOCOL.md': ROUTES, 'src/front/a.c': SPDX + 'int a[] = {\n    { "GET", "/up", 1 },\n'
      '    { "POST", "/v1/*/sign", 1 },\n    { "GET", "/v1/keys", 1 },\n};\n'},
     ('src/front/a.c:5: protocol: /v1/keys',)),
    ('a route that the code does not have',
     {'PROTOCOL.md': ROUTES, 'src/front/a.c': SPDX + 'int a[] = {\n    { "GET", "/up", 1 },\n};\n'},
     ('PROTOCOL.md:6: protocol: /v1/*/sign',)),
    ('code without its table', {'PROTOCOL.md': PROTOCOL, 'src/front/a.c': SPDX + 'int a;\n'},
     ('PROTOCOL.md:1: protocol: no table of section 1. in src/front',)),
)


def plant(root, files):
    shutil.copytree(os.path.join(HERE, 'clean'), root)
    for path, content in files.items():
        os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
        with open(os.path.join(root, path), 'w', encoding='utf-8') as f:
            f.write(content)


def compile_all(root):
    """What the compiler accepts is compiled, for nm; planted files need not be valid C."""
    entries = []
    for top, _, names in os.walk(os.path.join(root, 'src')):
        for name in names:
            source = os.path.join(top, name)
            if not name.endswith('.c') or ' ' in source:
                continue
            output = source[:-2] + '.o'
            done = subprocess.run(['gcc', '-w', '-Isrc', '-c', source, '-o', output], cwd=root,
                                  stderr=subprocess.DEVNULL)
            if done.returncode == 0:
                entries.append({'directory': root, 'file': source, 'output': output})
    os.makedirs(os.path.join(root, 'build'))
    with open(os.path.join(root, 'build', 'compile_commands.json'), 'w', encoding='utf-8') as f:
        json.dump(entries, f)


def verdict(files, expected, *arguments):
    """What is wrong with tidy's answer; empty when it is right."""
    with tempfile.TemporaryDirectory() as folder:
        root = os.path.join(os.path.realpath(folder), 'tree')
        plant(root, files)
        compile_all(root)
        done = subprocess.run([TIDY, root, *arguments], text=True, capture_output=True)
    lines = done.stdout.splitlines()[:-1]
    wrong = [f'not found: {e}' for e in expected if not any(line.startswith(e) for line in lines)]
    wrong += [f'also found: {line}' for line in lines
              if not any(line.startswith(e) for e in expected)]
    if done.returncode != (1 if expected else 0):
        wrong.append(f'exit status {done.returncode}: {done.stderr}')
    return wrong


def main():
    failures = 0
    print(f'1..{len(CASES)}')
    for number, (name, files, expected, *arguments) in enumerate(CASES, 1):
        wrong = verdict(files, expected, *arguments)
        failures += bool(wrong)
        name = name.replace('#', 'directive ')
        print(f'{"not " if wrong else ""}ok {number} - {name}', flush=True)
        for line in wrong:
            print('# ' + line)
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
