#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the hand-made inputs of test/fuzz/corpus that are easier to describe than to type.

Deterministic: running it again changes nothing. It never removes a file: inputs that a campaign
found and somebody kept stand beside these.
"""
import hashlib
import os
import sys

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'corpus')
ARN = 'arn:aws:kms:eu-west-1:111122223333:key/12345678-1234-1234-1234-123456789012'
ID = '0123456789abcdef0123456789abcdef'
TO = '0x3535353535353535353535353535353535353535'
LEGACY = ('{"chainId":1,"nonce":9,"gas":21000,"gasPrice":"20000000000","to":"%s",'
          '"value":"1000000000000000000"}' % TO)
FEES = ('{"type":2,"chainId":"0x1","nonce":"0","gas":"0x5208","to":null,"value":0,'
        '"maxFeePerGas":"3","maxPriorityFeePerGas":1,"data":"0x00ff",'
        '"accessList":[{"address":"%s","storageKeys":["0x%s"]}]}' % (TO, '11' * 32))


def write(target, name, content):
    folder = os.path.join(CORPUS, target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), 'wb') as f:
        f.write(content.encode() if isinstance(content, str) else content)


def be(n, size):
    return n.to_bytes(size, 'big')


def var16(b):
    return be(len(b), 2) + b


# -- control: phase, what the vault says (kind, var16)..., lines -------------------------------

def said(*answers):
    return var16(b''.join(bytes([kind]) + var16(body) for kind, body in answers))


def step(kind, blob=b'', record=b''):
    return (bytes([kind]) + be(7, 8) + var16(ARN.encode()) + b'\x04main' + var16(blob) +
            var16(b'document') + b'\x11' * 16 + var16(record))


def status(phase):
    return (bytes([phase]) + b'\xb0' * 16 + be(1800000000000, 8) + be(3, 8) + b'\xab' * 32 +
            b'\x00' * 48 + be(1, 4) + be(4096, 4) + be(1, 8) + be(0, 4) + b'\x00\x01' + b'\x11' * 16 +
            b'\x04main')


def record():
    policy, authorisers = b'\x00\x01\x01', b'\x00\x01\x00'
    return (b'\x00\x01' + b'\xd1' * 16 + b'\x11' * 16 + b'\x22' * 16 + b'\x01\x01' +
            b'\x21\x02' + b'\x33' * 32 + b'\x44' * 32 + b'\x55' * 32 + b'\x01' + be(1, 4) +
            be(1800000000000, 8) + var16(policy) + var16(authorisers) + var16(b'\x66' * 60))


def tls_record():
    """P-256, purpose 3, the policy `nothing`."""
    generator = bytes.fromhex('036b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296')
    policy, authorisers = b'\x00\x01\x00', b'\x00\x01\x00'

    def tagged(tag, field):
        return hashlib.sha256(tag + b'\0' + be(len(field), 4) + field).digest()

    return (b'\x00\x01' + b'\xd1' * 16 + b'\x11' * 16 + b'\x22' * 16 + b'\x03\x03' + b'\x21' +
            generator + tagged(b'cloister-policy-1', policy) +
            tagged(b'cloister-authorisers-1', authorisers) + b'\x01' + be(1, 4) +
            be(1800000000000, 8) + var16(policy) + var16(authorisers) + var16(b'\x66' * 60))


def control():
    def one(name, phase, answers, *lines):
        write('control', name, bytes([phase]) + said(*answers) + '\n'.join(lines).encode())

    signed = b'\x77' * 20 + b'\x01' * 64 + b'\x00'
    one('hello', 0, [], '{"method":"hello","params":{"protocol":[2,1]}}', '{"id":"a","method":"x"}')
    one('status', 2, [(0, status(4))], '{"id":1,"method":"status"}')
    one('configure', 0, [(0, b''), (0, status(2))],
        '{"method":"configure","params":{"config_b64":"AAEC"}}')
    one('credentials', 1, [], '{"method":"set_credentials","params":{"aws_access_key_id":"AKIA",'
        '"aws_secret_access_key":"s","aws_session_token":"t","expiration":"2027-06-01T00:00:00Z"}}')
    one('keyset', 1, [(0, step(1)), (0, step(0, b'', b'record'))],
        '{"id":"k","method":"keyset.create","params":{"name":"main","nonce":"0xaa"}}')
    one('keyset-open', 2, [(0, step(2, b'blob'))],
        '{"method":"keyset.open","params":{"record_b64":"AAEC"}}')
    one('account', 2, [(0, var16(record()) + var16(b'receipt'))],
        '{"id":2,"method":"account.create","params":{"keyset":"%s","unrestricted":true}}' % ID)
    one('account-open', 2, [(0, b'\x22' * 16 + b'\x77' * 20)],
        '{"id":3,"method":"account.open","params":{"record_b64":"AAEC"}}')
    one('sign', 2, [(0, signed)], '{"id":4,"method":"sign_transaction","params":{"account":"%s",'
        '"tx":%s}}' % (ID, LEGACY))
    one('sign-fees', 2, [(0, signed)], '{"method":"sign_transaction","params":{"record_b64":"AAEC",'
        '"tx":%s}}' % FEES)
    one('refused', 2, [(1, b'\x05no'), (2, b'\x00\x00\x00')],
        '{"method":"attestation","params":{"nonce":"0x00"}}', '{"id":9,"method":"attestation"}')
    clients = be(1, 8) + b'\x01' + var16(b'') + var16(b'')
    one('manifest', 1, [(0, step(0)), (0, clients), (0, status(2))],
        '{"id":"m","method":"manifest.apply","params":{"manifest_b64":"AAEC"}}')
    one('seal', 2, [(0, step(0)), (0, clients), (0, status(8))], '{"id":"s","method":"seal","params":{}}')
    one('unseal', 3, [(0, b''), (0, clients), (0, status(2))],
        '{"id":"u","method":"unseal","params":{"approvals_b64":"AAEC"}}')
    one('import-begin', 2, [(0, b'\x22' * 16 + b'\x99' * 32 + var16(b'document'))],
        '{"id":5,"method":"import.begin","params":{"keyset":"%s","unrestricted":true,'
        '"nonce":"0xaa"}}' % ID)
    one('import-finish', 2, [(0, var16(record()) + var16(b'receipt'))],
        '{"id":6,"method":"import.finish","params":{"account":"%s","enc":"0x%s",'
        '"ciphertext_b64":"%s","nonce":"0xaa"}}' % (ID, '99' * 32, 'AAAA' * 53 + 'AA=='))
    tls_key = b'\x22' * 16 + b'\x02' + b'\x6b' * 32 + b'\x01'
    one('tls-create', 2, [(0, var16(tls_record()) + var16(b'receipt'))],
        '{"id":7,"method":"tls.create","params":{"keyset":"%s","nonce":"0xaa"}}' % ID)
    one('tls-csr', 2, [(0, tls_key), (0, b'DER')],
        '{"id":8,"method":"tls.csr","params":{"record_b64":"AAEC","names":["a.b","10.0.0.1","::1"]}}')
    one('tls-open', 2, [(0, tls_key), (0, b'DER')],
        '{"id":9,"method":"tls.open","params":{"record_b64":"AAEC","names":["a.b"],"days":30}}')
    one('tls-chain', 2, [(0, tls_key)], '{"method":"tls.open","params":{"record_b64":"AAEC",'
        '"certificate_pem":"-----BEGIN CERTIFICATE-----\\nAAEC\\n-----END CERTIFICATE-----\\n"}}')
    one('metrics', 2, [], '{"id":"m","method":"metrics"}')
    one('keyset-shares', 1, [(0, step(1)), (0, step(2, b'blob')), (0, step(1)),
                             (0, step(2, b'blob')), (0, step(0, b'', b'record'))],
        '{"method":"keyset.create","params":{"name":"main"}}')
    write('control', 'raw', b'\x06\x00\x00' + var16(b'')[:1] + b'\x00\x00\x12{"method":"hello"}')


# -- data: phase, what the vault says, HTTP requests ------------------------------------------------

def data():
    def one(name, phase, answers, *requests):
        write('data', name, bytes([phase]) + said(*answers) + b''.join(requests))

    def ask(line, *fields, body=b''):
        length = (f'Content-Length: {len(body)}',) if body else ()
        return '\r\n'.join((line + ' HTTP/1.1', 'Host: h', *fields, *length, '', '')).encode() + body

    token, sign = 'Authorization: Bearer opensesame', f'POST /v1/accounts/{ID}/sign-transaction'
    signed = b'\x77' * 20 + b'\x01' * 64 + b'\x00'
    one('upcheck', 2, [], ask('GET /upcheck'), ask('GET /upcheck', 'Accept: application/json'))
    one('healthcheck', 3, [], ask('GET /healthcheck'), ask('GET /version'))
    one('attestation', 2, [(0, b'document')], ask('GET /attestation?nonce=0x' + 'aa' * 16))
    one('metrics', 1, [], ask('GET /metrics', token))
    one('sign', 2, [(0, signed)], ask(sign, token, body=b'{"tx":%s}' % LEGACY.encode()))
    one('sign-fees', 2, [(0, signed)], ask(sign, token, body=b'{"tx":%s}' % FEES.encode()))
    one('sign-record', 2, [(0, signed)], ask(sign, token,
                                             body=b'{"record_b64":"AAEC","tx":%s}' % LEGACY.encode()))
    one('denied', 6, [(0, b'')], ask('GET /metrics', token), ask(sign, token))
    one('cors', 2, [], ask('OPTIONS ' + sign[5:], 'Origin: https://o',
                           'Access-Control-Request-Method: POST'), ask('GET /upcheck', 'Origin: x'))
    one('others', 2, [], ask('PUT /upcheck'), ask('GET /nothing'), ask('HEAD /version'))


# -- vault: phase, then (kind, var8 changes)... -------------------------------------------------

def vault():
    def one(name, phase, *messages):
        write('vault', name, bytes([phase]) + b''.join(
            bytes([kind, len(data)]) + data for kind, data in messages))

    one('unconfigured', 0, (0, b''), (11, b''), (1, b''), (2, b''))
    one('open', 1, (4, b''), (6, b''), (7, b''), (0, b''))
    one('create', 1, (3, b''), (5, b''), (6, b''))
    one('ready', 2, (0, b''), (8, b''), (9, b''), (10, b''))
    one('changed', 2, (8, b'\x00\x20\x01'), (9, b'\x00\x60\x01'), (10, b'\x00\x00\x01\x05'))
    one('import', 2, (16, b''), (17, b''), (17, b''))
    one('governed', 3, (13, b''), (14, b''), (0, b''), (15, b''), (4, b''), (6, b''), (9, b''))
    one('failed', 1, (3, b''), (12, b''), (5, b''))
    one('manifest', 3, (13, b'\x00\x20\x01'), (13, b'\x00\x90\x01'), (9, b''))
    one('sealed', 3, (14, b''), (15, b'\x00\x05\x01'), (15, b''), (0, b''), (4, b''), (6, b''), (9, b''))
    one('import-changed', 2, (16, b''), (17, b'\x00\x30\x01'), (17, b'\x00\x0f\x80'), (17, b'\x01'))
    one('shares', 4, (18, b''), (6, b''), (6, b''), (0, b''))
    one('shares-failed', 4, (18, b''), (12, b''), (6, b''), (6, b''), (18, b''), (12, b''), (12, b''))
    one('shares-create', 4, (3, b''), (5, b''), (6, b''), (5, b''), (6, b''), (5, b''), (6, b''))
    one('shares-changed', 4, (18, b'\x00\xf0\x01'), (6, b'\x00\x80\x01'), (6, b''), (6, b''))
    one('tls', 2, (20, b''), (21, b''), (22, b''), (23, b''), (24, b''), (25, b''))
    one('tls-changed', 2, (20, b''), (21, b'\x00\x12\x01'), (22, b'\x00\x60\x01'), (23, b'\x00\x18\x01'),
        (20, b'\x00\x60\x01'), (24, b'\x00\x05\x01'))
    one('tls-governed', 3, (20, b''), (21, b''), (13, b''), (21, b''), (20, b''), (25, b''), (26, b''))
    one('tls-sealed', 3, (20, b''), (14, b''), (21, b''), (15, b''), (25, b''), (24, b''))
    # With an anchor: 29 to 33 are its outcomes (failed, found, absent, written, conflict), 34 another
    # enclave that writes.
    failed, found, absent, written, conflict = ((29 + n, b'') for n in range(5))
    open_it, manifest_2, seal, unseal = ((4, b''), (6, b'')), (27, b''), (14, b''), (15, b'')
    one('anchored-open', 5, *open_it, found, (0, b''), (9, b''), seal, written)
    one('anchored-old', 5, (34, b'\x04'), *open_it, found, (34, b'\x04'), manifest_2, *open_it, found, written)
    one('anchored-absent', 5, *open_it, absent, *open_it, failed, *open_it, conflict)
    one('anchored-met-sealed', 5, (34, b'\x03'), *open_it, found, unseal, *open_it, found, written, seal, written)
    one('anchored-manifest', 6, manifest_2, written, (0, b''), (28, b''), written, (0, b''))
    one('anchored-manifest-lost', 6, manifest_2, failed, *open_it, found, manifest_2, *open_it, found, written)
    one('anchored-manifest-first', 6, manifest_2, written, seal, conflict, found, written)
    one('anchored-seal-between', 6, manifest_2, (34, b'\x04'), seal, conflict, found, written, unseal,
        manifest_2, *open_it, found, written, seal, written)
    one('anchored-seal-race', 6, seal, (34, b'\x02'), conflict, found, (34, b'\x04'), conflict, found,
        (34, b'\x14'), conflict, found, seal, written, (0, b''))
    one('anchored-seal-again', 6, seal, failed, seal, absent, seal, conflict, absent, seal, written, unseal,
        *open_it, found, seal, written)
    one('anchored-undone', 6, seal, written, unseal, (34, b'\x04'), *open_it, found, seal, conflict, found)
    one('anchored-half-open', 5, *open_it, (34, b'\x00'), found, seal, conflict, found, written, unseal)
    one('anchored-changed', 6, seal, conflict, (30, b'\x00\x40\x01'), seal, conflict, (30, b'\x00\x0a\x01'))
    one('literal', 2, (0x8b, b'\x04\xaa\xbb\xcc\xdd'), (63, b'\x00\x0bbody'), (0x84, record()[:99]))


# -- frames, CBOR -------------------------------------------------------------------------------

def streams():
    def framed(*bodies):
        return b''.join(be(len(body), 4) + body for body in bodies)

    write('frame', 'two', b'\x02' + framed(b'{}', b'{"id":1}'))
    write('frame', 'at-once', b'\xff' + framed(b'{}', b'[]', b'x'))
    write('frame', 'part', b'\x00' + framed(b'{"method":"hello"}')[:-3])
    write('frame', 'empty', b'\x04' + framed(b'{}', b''))
    write('frame', 'longest', b'\x0f' + framed(b'{}') + be(1 << 20, 4) + b'{')
    write('frame', 'too-long', b'\x0f' + framed(b'{}') + be((1 << 20) + 1, 4) + b'{')
    write('cbor', 'numbers', b''.join(cbor(n) for n in (
        0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63, 2**64 - 1, -1, -24, -25, -2**63)))
    write('cbor', 'nested', cbor({'a': [1, {'b': [b'bytes', 'text', None, True, False]}], 'c': {}}))
    write('cbor', 'indefinite', b'\xbf\x61a\x01\x61b\xbf\xff\xff' + cbor(7))
    write('cbor', 'tag', b'\xd2' + cbor([b'', {}]) + b'\xc1\x00')
    write('cbor', 'deep', b'\x81' * 8 + b'\x00')
    write('cbor', 'not-shortest', b'\x82\x00\x18\x17')
    write('cbor', 'long', b'\x5b' + be(2**64 - 1, 8) + b'x')
    write('cbor', 'map-of-all', b'\xbb' + be(2**64 - 1, 8) + b'\x00')


# -- documents, envelopes -----------------------------------------------------------------------

def head(major, n):
    if n < 24:
        return bytes([major << 5 | n])
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if n < 1 << (8 * size):
            return bytes([major << 5 | info]) + be(n, size)
    raise ValueError(n)


def cbor(value):
    if value is None:
        return b'\xf6'
    if isinstance(value, bool):
        return b'\xf5' if value else b'\xf4'
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value)) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b''.join(map(cbor, value))
    return head(5, len(value)) + b''.join(cbor(k) + cbor(v) for k, v in value.items())


def attest():
    fields = {'module_id': 'i-0123456789abcdef0-enc0123456789abcdef', 'digest': 'SHA384',
              'timestamp': 1800000000000, 'pcrs': {i: bytes([i]) * 48 for i in (0, 3, 16)},
              'certificate': b'0leaf', 'cabundle': [b'0root', b'0mid'], 'public_key': None,
              'user_data': b'user', 'nonce': b'nonce'}
    payload = cbor(fields)
    document = cbor([b'\xa1\x01\x38\x22', {}, payload, b'\x01' * 96])
    open_map = b'\xbf' + payload[1:] + b'\xff'
    write('attest', 'document', b'r' + document)
    write('attest', 'cose', b'c' + document)
    write('attest', 'cose-tagged', b'c\xd2' + document)
    write('attest', 'payload', b'p' + payload)
    write('attest', 'payload-open', b'p' + open_map)
    write('attest', 'verify', b'v')
    write('attest', 'verify-signature', b'v\x11\x20\x01')
    write('attest', 'verify-payload', b'v\x00\x30\x80')
    write('hpke', 'genuine', b'c')
    write('hpke', 'changed', b'c\x00\x05\x01')
    write('hpke', 'cut', b'c\x01')
    write('hpke', 'raw', b'r\x04info\x03aad' + b'\x09' + b'\x00' * 31 + b'\x77' * 40)
    write('hpke', 'order-1', b'r\x00\x00' + b'\x01' + b'\x00' * 31 + b'\x77' * 40)
    write('hpke', 'seal', b's\x09' + b'\x00' * 31 + b'info')
    write('hpke', 'seal-order-8', b's' + bytes.fromhex(
        'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800'))
    write('hpke', 'offer', b'o\x00')
    write('hpke', 'offer-terms', b'o\x03\x00\x01\x80')
    write('hpke', 'offer-pcr16', b'o\x03\x00\x20\x80')
    write('hpke', 'offer-document', b'o\x00\x01\x00\x01')
    write('x509', 'genuine', b'\x00')
    write('x509', 'changed', b'\x03\x00\x40\x01')
    write('x509', 'signature', b'\x02\x02\x30\x01')
    write('x509', 'nothing', b'\x07\x30\x03\x02\x01\x00')


def der(tag, content):
    n = len(content)
    size = bytes([n]) if n < 128 else b'\x81' + be(n, 1) if n < 256 else b'\x82' + be(n, 2)
    return bytes([tag]) + size + content


def cms():
    sha256 = der(0x30, bytes.fromhex('0609608648016503040201') + b'\x05\x00')
    mgf = der(0x30, bytes.fromhex('06092a864886f70d010108') + sha256)
    oaep = der(0x30, bytes.fromhex('06092a864886f70d010107') +
               der(0x30, der(0xa0, sha256) + der(0xa1, mgf)))
    info = der(0x30, b'\x02\x01\x02' + der(0x80, b'\x55' * 20) + oaep + der(4, b'\x66' * 256))
    start = (b'\x30\x80' + der(6, bytes.fromhex('2a864886f70d010703')) + b'\xa0\x80\x30\x80' +
             b'\x02\x01\x02' + der(0x31, info) + b'\x30\x80' +
             der(6, bytes.fromhex('2a864886f70d010701')) +
             der(0x30, der(6, bytes.fromhex('60864801650304012a')) + der(4, b'\x77' * 16)))
    end = b'\x00\x00' * 4
    write('cms', 'whole', b'r' + start + der(0x80, b'\x88' * 48) + end)
    write('cms', 'chunks', b'r' + start + b'\xa0\x80' + der(4, b'\x88' * 40) + der(4, b'\x88' * 8) +
          b'\x00\x00' + end)
    write('cms', 'open', b'v')
    write('cms', 'open-changed', b'v\x00\xf0\x01')


# -- what administrators sign -------------------------------------------------------------------

def var8(b):
    return bytes([len(b)]) + b


def client(identity, kind, operations, label, *patterns, certificate=b''):
    return (identity + bytes([kind]) + be(operations, 2) + var8(label) + bytes([len(patterns)]) +
            b''.join(map(var8, patterns)) + var16(certificate))


def messages():
    def one(name, kind, body):
        write('msg', name, be(10 + len(body), 4) + be(kind, 2) + be(7, 8) + body)

    key = b'\x22' * 16
    one('attestation', 10, var8(b'nonce') + var8(key))
    one('tls-key', 0x8012, key + b'\x02' + b'\x77' * 32 + b'\x01')
    one('tls-sign', 19, key + b'\x01' + var8(b'\x88' * 32))
    one('tls-certify', 20, key + b'\x02' + be(397, 2) + b'\x02\x01' + var8(b'signer.example') +
        b'\x02' + var8(b'\x0a\x00\x00\x01'))
    one('clients', 0x8015, be(3, 8) + b'\x01' + var16(client(b'\x01' * 32, 1, 2, b'a', b'*')) +
        var16(b'\x01\x01*'))
    one('denial', 22, b'\x02' + b'\x01' * 32 + var8(b'192.0.2.1:443'))


def manifests():
    def section(kind, *entries):
        content = b''.join(entries)
        return bytes([kind]) + be(len(content), 4) + content

    sections = (section(1, b'\x11' * 48, b'\x12' * 48), section(2, b'\x22' * 16 + be(2, 4)),
                section(3, b'\x33' * 16))
    whole = (b'\x00\x01' + b'\xd1' * 16 + be(3, 8) + be(1800000000000, 8) +
             bytes([len(sections)]) + b''.join(sections))
    approvals = b'\x02' + b'\x00' + b'\x44' * 64 + b'\x02' + b'\x55' * 64
    write('manifest', 'manifest', b'm' + whole)
    write('manifest', 'empty', b'm' + whole[:34] + b'\x00')
    write('manifest', 'clients', b'm' + whole[:34] + b'\x02' + section(
        4, client(bytes(32), 4, 1, b'all'), client(b'\x01' * 32, 1, 3, b'signer.example', b'*'),
        client(b'\x02' * 32, 2, 2, b'token', b'0x52*', b'%s' % ID.encode()),
        client(hashlib.sha256(b'0CA').digest(), 3, 1, b'ca', certificate=b'0CA')) +
        section(5, b'\x01\x01*', b'\x02\x13https://app.example'))
    write('manifest', 'signed', b's' + be(len(whole), 4) + whole + approvals)
    write('manifest', 'approvals', b'a' + approvals)
    item = b'\x01' + b'\x01' * 16 + b'\x02' * 16
    write('anchor', 'created', item + be(1, 8) + bytes(41) + b'\xaa' * 32)
    write('anchor', 'sealed', item + be(9, 8) + be(4, 8) + b'\xdd' * 32 + b'\x01' + b'\xaa' * 32)


# -- texts --------------------------------------------------------------------------------------

def texts():
    answer = '{"CiphertextBlob":"YmxvYg==","CiphertextForRecipient":"Y21z","KeyId":"%s"%s}'
    scrypt = '"kdf":"scrypt","kdfparams":{"dklen":32,"n":%s,"r":%s,"p":%s,"salt":"0102"}'
    pbkdf2 = '"kdf":"pbkdf2","kdfparams":{"dklen":32,"c":%s,"prf":"hmac-sha256","salt":"0102"}'

    def keystore(name, kdf, head='"version":3,"crypto"'):
        write('keystore', name, 'r{%s:{"cipher":"aes-128-ctr","cipherparams":{"iv":"%s"},'
              '"ciphertext":"%s","mac":"%s",%s}}' % (head, '05' * 16, '66' * 32, '77' * 32, kdf))

    keystore('scrypt', scrypt % (2, 1, 1))
    keystore('scrypt-large', scrypt % (1 << 25, 8, 1))
    keystore('scrypt-memory', scrypt % (1 << 21, 8, 1))
    keystore('scrypt-odd', scrypt % (3, 8, 1))
    keystore('pbkdf2', pbkdf2 % 2)
    keystore('pbkdf2-large', pbkdf2 % (1 << 32))
    keystore('first-clients', scrypt % (2, 1, 1), '"id":"x","address":"0x%s","version":"3","Crypto"'
             % ('35' * 20))
    keystore('version-4', scrypt % (2, 1, 1), '"version":4,"crypto"')
    write('keystore', 'genuine', b'c')
    write('keystore', 'changed', b'c\x00\x03\x01')
    write('keystore', 'cut', b'c\x01')
    write('kmsjson', 'generate', 'g' + answer % (ARN, ''))
    write('kmsjson', 'plaintext', 'g' + answer % (ARN, ',"Plaintext":"cA=="'))
    write('kmsjson', 'decrypt', 'd{"CiphertextForRecipient":"Y21z","KeyId":"%s",'
          '"EncryptionAlgorithm":"SYMMETRIC_DEFAULT"}' % ARN)
    write('kmsjson', 'error', 'e{"__type":"com.amazonaws#AccessDeniedException","message":"no\\n"}')
    write('kmsjson', 'error-2', 'e{"__type":"ThrottlingException","Message":"slow"}')
    write('keypolicy', 'attested', '{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":'
          '"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/enclave"},"Action":'
          '["kms:Decrypt","kms:GenerateDataKey"],"Resource":"*","Condition":{"StringEqualsIgnoreCase"'
          ':{"kms:RecipientAttestation:PCR0":"01%s"}}}]}' % ('00' * 47))
    write('keypolicy', 'denied', '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":'
          '"*","Action":"kms:*","Resource":"*","Condition":{"Null":{"kms:RecipientAttestation:'
          'ImageSha384":"true"},"StringNotEquals":{"kms:EncryptionContext:service":["a","b"]}}}]}')
    write('conf', 'all', 'listen = tcp://127.0.0.1:8080\ntoken_file = /etc/cloister/token\n'
          'enclave = vsock://16:5000\nconfiguration = /etc/cloister/C.bin\nstore = /var/s.db\n'
          'imds = http://169.254.169.254\nrole = r\nrelay_listen = vsock://any:8000\n'
          'relay = kms.eu-west-1.amazonaws.com tcp://127.0.0.1:443\nnode = http://127.0.0.1:8545\n'
          'log_level = debug\n')
    write('conf', 'comment', '# nothing\n\nlisten = unix:///run/c.sock\nstore=\nwhat = x\n')
    write('trust', 'file', 'turl = http://127.0.0.1:8080\ntoken_file = token\nkeyset = %s\n'
          'pcr0 = %s\npcr0 = %s\nconfiguration = C.bin\n' % (ID, '00' * 48, 'ab' * 48))
    write('trust', 'config', 'c{"version":1,"deployment":"%s","mode":"parent-trusted","slashing":'
          '"parent-trusted","administrators":{"threshold":0,"keys":[]},"keysets":[{"name":"main",'
          '"purpose":"accounts","threshold":1,"keys":["%s"]}],"networks":[{"name":"dev","chain_id":'
          '31337}],"anchor":{"kind":"none"}}' % (ID, ARN))
    for name, text in (('ether', '0.5ether'), ('gwei', '3 gwei'), ('wei', '0x3b9aca00')):
        write('trust', name, 'a' + text)
    rights = '"operations":["sign_transaction","metrics"],"keys":["*","0xAb*"]'
    write('trust', 'clients', 'j[{"label":"a","token_sha256":"%s",%s},{"label":"b","anyone":true,'
          '"operations":["metrics"]},{"label":"c","certificate_sha256":"%s",%s}]' % (
              '5e' * 32, rights, ':'.join(['8E'] * 32), rights))
    write('trust', 'clients-file', 'j[{"label":"a","authority_pem_file":"ca.pem",%s}]' % rights)
    write('trust', 'known-clients', 'k# clients\n\nweb3signer %s\r\n\tcurl  %s\n' % (
        ':'.join(['8E'] * 32), '5e' * 32))
    for i, (name, text) in enumerate((
            ('base64', 'AAECAw=='), ('hex', '0x00ff'), ('number', '115792089237316195'),
            ('address', '0x9858EfFD232B4033E47d90003D41EC34EcaEda94'), ('id', ID), ('arn', ARN),
            ('url', 'http://[::1]:80/x'), ('time', '2027-06-01T00:00:00Z'))):
        write('text', name, bytes([i]) + text.encode())
    write('text', 'number-hex', b'\x020x%s' % (b'f' * 64))
    write('text', 'time-basic', b'\x0720260101T000000Z')
    write('text', 'time-http', b'\x07Thu, 01 Jan 2026 00:00:00 GMT')
    write('text', 'vsock', b'\x06vsock://16:5000')
    write('text', 'unix', b'\x06unix:///run/x')
    write('receipt', 'status', b'cloister-status-2\x00\x04' + b'\xb0' * 16 + be(3, 8) +
          b'\xab' * 32 + be(1, 8) + b'\xdd' * 32 + be(2, 4) + b'\x01\x01')
    write('receipt', 'unconfigured', b'cloister-unconfigured-2\x00\x01' + b'\xb0' * 16 + be(0, 8) +
          b'\x00' * (32 + 8 + 32 + 4 + 2))
    write('receipt', 'tls', b'cloister-tls-1\x00' + b'\xcd' * 32 + b'\xc5' * 16 + b'\x04' +
          b'\xb0' * 16 + be(3, 8) + b'\xaa' * 32 + be(8, 8) + b'\xbb' * 32 + be(9, 4) + b'\x00\x00')
    write('receipt', 'account', b'cloister-receipt-1\x00' + b'\xab' * 32)
    write('receipt', 'keyset', b'cloister-keyset-1\x00' + b'\xab' * 32)


def http():
    ok = 'HTTP/1.1 200 OK\r\n'
    write('client', 'length', b'\xff' + (ok + 'Content-Length: 2\r\n\r\n{}').encode())
    write('client', 'chunks', b'\xff' + (ok + 'Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n'
                                         '\r\n').encode())
    write('client', 'interim', b'\x01' + ('HTTP/1.1 100 Continue\r\n\r\n' + ok + 'Connection: '
                                          'close\r\n\r\n{}').encode())
    write('client', 'twice', b'\xff' + 2 * (ok + 'Content-Length: 2\r\n\r\n{}').encode())
    write('client', 'none', b'\x02HTTP/1.1 204 No Content\r\n\r\n')

    def rest(name, line, body=''):
        write('rest', name, '%s HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer t\r\n'
              'Idempotency-Key: k\r\n\r\n%s' % (line, body))

    rest('health', 'GET /healthz')
    rest('status', 'GET /v1/status')
    rest('attestation', 'GET /v1/attestation?nonce=0xaa')
    rest('keysets', 'GET /v1/keysets')
    rest('create', 'POST /v1/accounts', '{"user":"bob","name":"main","unrestricted":true,'
         '"nonce":"0xaa","keyset":"main"}')
    rest('again', 'POST /v1/accounts', '{"user":"alice","name":"main","unrestricted":true}')
    rest('list', 'GET /v1/accounts?user=alice&limit=1&after=' + ID)
    rest('show', 'GET /v1/accounts/' + ID)
    rest('tls_create', 'POST /v1/tls-keys', '{"name":"front","keyset":"web","nonce":"0x01"}')
    rest('tls_list', 'GET /v1/tls-keys')
    rest('tls_csr', 'POST /v1/tls-keys/web/csr', '{"names":["a.example","10.0.0.1"]}')
    rest('tls_chain', 'PUT /v1/tls-keys/web/certificate', '{"certificate_pem":"-----BEGIN"}')
    rest('tls_self', 'PUT /v1/tls-keys/web/certificate', '{"names":["a.example"],"days":30}')
    rest('tls_drop', 'DELETE /v1/tls-keys/web')
    rest('tls_import', 'POST /v1/tls-imports', '{"name":"old"}')
    rest('tls_imported', 'POST /v1/tls-imports/' + ID,
         '{"enc":"0x01","ciphertext_b64":"AA==","nonce":"0x02"}')
    rest('sign', 'POST /v1/accounts/%s/sign-transaction' % ID, '{"tx":%s}' % LEGACY)
    rest('send', 'POST /v1/accounts/%s/send-transaction' % ID,
         '{"tx":{"to":"%s","value":"1"},"wait_ms":1}' % TO)


# -- enclave images -----------------------------------------------------------------------------

def images():
    """Small ones of the oracle of test/system, and as much of kernel and program as is looked at."""
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'system'))
    import eif_oracle as eif
    kernel, cmdline = (eif.KERNEL, b'kernel'), (eif.CMDLINE, b'a=b')
    metadata, disk = (eif.METADATA, b'{}'), (eif.RAMDISK, b'disk')
    sections = [kernel, cmdline, metadata, disk, disk]
    write('eif', 'image', b'e' + eif.write(sections))
    write('eif', 'image-signed', b'e' + eif.write([*sections, (eif.SIGNATURE, b'\x81\xa0')]))
    write('eif', 'image-2', b'e' + eif.write([kernel, cmdline, disk], version=2, flags=1))
    write('eif', 'image-damaged', b'E' + eif.write(sections)[:-1] + b'!')
    write('eif', 'signature', b's' + eif.encode([{'signing_certificate': [45, 45, 200],
                                                  'signature': [0x84, 0x44]}]))
    dev = b'070701' + b'%08x' * 13 % (1, 0o40755, 0, 0, 2, 0, 0, 0, 0, 0, 0, 4, 0) + b'dev\0\0\0'
    end = b'070701' + b'%08x' * 13 % (0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 11, 0) + b'TRAILER!!!\0\0\0\0'
    write('eif', 'ramdisk', b'r' + bytes(12) + dev + end + bytes(8) + dev + end)
    boot = bytearray(2600)
    for at, what in ((0x1f1, b'\x03'), (0x1fe, b'\x55\xaa\0\0HdrS\x0f\x02'), (0x20e, b'\x10\0'),
                     (0x210, b'6\x01'), (0x236, b'\x01')):
        boot[at:at + len(what)] = what
    write('eif', 'kernel', b'k' + bytes(boot))
    elf = (b'\x7fELF\2\1\1' + bytes(9) + b'\x03\0\x3e\0' + bytes(12) + b'\x40' + bytes(21) + b'\x38\0' +
           b'\x01\0' + bytes(6) + b'\x01' + bytes(55))
    write('eif', 'program', b'i' + elf)
    write('eif', 'module', b'm' + elf[:16] + b'\x01' + elf[17:])


def virtio():
    """Memory of a guest: head (entries as a power of two, index, offsets of the three rings, where
    the regions meet), then descriptors at 0, available ring at 256, used ring at 512, data at 1024."""
    def little(n, size):
        return n.to_bytes(size, 'little')

    def descriptor(offset, n, flags=0, follows=0):
        return little(0x10000 + offset, 8) + little(n, 4) + little(flags, 2) + little(follows, 2)

    def memory(name, heads, *descriptors, meet=255, at=(0, 256, 512), start=0):
        ring = (little(0, 2) + little((start + len(heads)) % 65536, 2) + bytes(2 * (start % 8)) +
                b''.join(little(h, 2) for h in heads))
        packet = (little(16, 8) + little(3, 8) + little(1234, 4) + little(8000, 4) + little(4, 4) +
                  little(1, 2) + little(5, 2) + little(0, 4) + little(65536, 4) + little(0, 4) + b'data')
        body = b''.join(descriptors).ljust(256, b'\0') + ring.ljust(256, b'\0') + bytes(512) + packet
        write('virtio', name, b'\x03' + be(start, 2) + b''.join(be(o, 2) for o in at) + bytes([meet]) +
              body.ljust(2048, b'\0'))

    memory('packet', [0], descriptor(1024, 48))
    memory('parts', [0], descriptor(1024, 44, 1, 1), descriptor(1068, 4, 1, 2), descriptor(1200, 300, 2))
    memory('two', [0, 1], descriptor(1024, 48), descriptor(1200, 64, 2))
    memory('meet', [0], descriptor(1024, 48, 1, 1), descriptor(1000, 64, 2), meet=128)
    memory('circle', [0], descriptor(1024, 48, 1, 0))
    memory('outside', [0], descriptor(0, 4096))
    memory('indirect', [0], descriptor(1024, 16, 4))
    memory('edge', [0], descriptor(1024, 48), at=(0, 256, 2040))
    memory('over', [0], descriptor(1024, 48), start=0xffff)


if __name__ == '__main__':
    for part in (control, data, vault, streams, attest, cms, messages, manifests, texts, http, images,
                 virtio):
        part()
