// SPDX-License-Identifier: Apache-2.0
// The small parts against published values: RFC 8949 appendix A, the Keccak team's and EIP-55's
// vectors, PROTOCOL.md's formulas computed another way.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { fromBase64, fromHex, Reader, toHex } from '../src/bytes.js';
import { CborReader } from '../src/cbor.js';
import { DerReader, TAG } from '../src/der.js';
import { addressOf, decompress, keccak256 } from '../src/ethereum.js';
import { measureConfiguration, VerifyError } from '../src/index.js';
import { kindOf, tagHash } from '../src/tags.js';

const hex = (digits) => fromHex(digits, 'test');
const refused = (work, code, pattern) => assert.throws(work, (error) => error instanceof VerifyError
  && error.code === code && pattern.test(error.message));

test('hex and base64', () => {
  assert.equal(toHex(hex('0x00ffAB')), '00ffab');
  assert.equal(toHex(fromBase64(' AP+r\n', 'x')), '00ffab');
  assert.equal(fromBase64('', 'x').length, 0);
  for (const bad of ['0', '0g', 'x0', '0x0', ' 00']) refused(() => fromHex(bad, 'pin'), 'usage', /^pin: /);
  for (const bad of ['A', 'AAA', 'AAAA=', 'A===', 'AA-_', 'AAAA AAAA', '====']) {
    refused(() => fromBase64(bad, 'doc'), 'malformed', /^doc: expected base64/);
  }
});

test('structures end where they end', () => {
  const reader = new Reader(hex('0102030405060708090a'), 'thing');
  assert.equal(reader.uint(2), 0x0102);
  assert.equal(reader.u64(), 0x030405060708090an);
  reader.end();
  refused(() => reader.uint(1, 'more'), 'malformed', /thing\.more: ends too early/);
  refused(() => new Reader(hex('00'), 'thing').end(), 'malformed', /after its end/);
  refused(() => new Reader(hex('05'), 'thing').variable(1, 4, 'name'), 'malformed', /thing\.name: expected at most 4/);
  refused(() => new Reader(hex('ffffffffffffffff'), 'thing').safe('ms'), 'malformed', /2\^53/);
});

test('CBOR integers of RFC 8949, shortest form only', () => {
  const good = { '00': 0, 17: 23, 1818: 24, '18ff': 255, 190100: 256, '1a00010000': 65536, '1b000000e8d4a51000': 1e12, '1b001fffffffffffff': 2 ** 53 - 1 };
  for (const [digits, value] of Object.entries(good)) {
    const cbor = new CborReader(hex(digits));
    assert.equal(cbor.uint('n'), value);
    cbor.end('n');
  }
  for (const bad of ['1800', '1817', '190017', '1900ff', '1a0000ffff', '1b00000000ffffffff', '1b0020000000000000', '1c', '1f', '20', '40', 'f6', '', '18']) {
    refused(() => new CborReader(hex(bad)).uint('n'), 'malformed', /^n: /);
  }
});

test('CBOR strings and maps', () => {
  assert.equal(new CborReader(hex('62c3bc')).text('t'), '\u00fc');
  assert.equal(toHex(new CborReader(hex('4401020304')).byteString('b')), '01020304');
  assert.equal(new CborReader(hex('f6')).byteStringOrNull('b'), null);
  for (const bad of ['61ff', '62c328', '7f6161ff', '6261', '780161']) {
    refused(() => new CborReader(hex(bad)).text('t'), 'malformed', /^t: /);
  }
  for (const bad of ['5f4101ff', '580101', '4201', '5bffffffffffffffff', '6101', 'f7']) {
    refused(() => new CborReader(hex(bad)).byteStringOrNull('b'), 'malformed', /^b: /);
  }
  for (const [digits, pairs] of [['a0', 0], ['a201020304', 2], ['bf01020304ff', 2], ['bfff', 0]]) {
    const cbor = new CborReader(hex(digits));
    let n = 0;
    cbor.map('m', () => { cbor.uint('k'); cbor.uint('v'); n += 1; });
    cbor.end('m');
    assert.equal(n, pairs);
  }
  for (const bad of ['bf0102', 'a20102', 'bf01ff', '80']) {
    const cbor = new CborReader(hex(bad));
    refused(() => cbor.map('m', () => { cbor.uint('k'); cbor.uint('v'); }), 'malformed', /: /);
  }
});

test('DER has one encoding', () => {
  assert.equal(toHex(new DerReader(hex('0203018000'), 'c').unsigned()), '018000');
  assert.equal(toHex(new DerReader(hex('02020080'), 'c').unsigned()), '80');
  for (const bad of ['0200', '02020001', '020180', '0281027f00', '02', '0202', '028001', '1f0100', '0303']) {
    refused(() => new DerReader(hex(bad), 'c').unsigned(), 'untrusted', /^c: /);
  }
  for (const bad of ['308100', '30820001', '3080', '3083000001', '30010200']) {
    refused(() => { const r = new DerReader(hex(bad), 'c'); r.next(TAG.sequence); r.end(); }, 'untrusted', /^c: /);
  }
});

test('Keccak-256', () => {
  const vectors = { // the Keccak reference and Ethereum's own
    '': 'c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470',
    abc: '4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45',
    'transfer(address,uint256)': 'a9059cbb2ab09eb219583f4a59a5d0623ade346d962bcd4e46b11da047c9049b',
  };
  for (const [text, digest] of Object.entries(vectors)) {
    assert.equal(toHex(keccak256(new TextEncoder().encode(text))), digest);
  }
  const lengths = [135, 136, 137, 272].map((n) => toHex(keccak256(new Uint8Array(n))));
  assert.equal(new Set(lengths).size, lengths.length);
});

test('addresses', () => {
  const keys = { // compressed key of a private key -> address, as go-ethereum and ethers compute it
    '0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798': '0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf',
    '02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5': '0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF',
    '02f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9': '0x6813Eb9362372EEF6200f3b1dbC3f819671cBA69',
  };
  for (const [key, address] of Object.entries(keys)) assert.equal(addressOf(hex(key)), address);
  const odd = decompress(hex('0379be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798'));
  assert.equal(toHex(odd.subarray(32)), 'b7c52588d95c3b9aa25b0403f1eef75702e84bb7597aabe663b82f6f04ef2777');
  const x = '79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798';
  for (const bad of [`04${x}`, `00${x}`, `02${x}00`, `02${x.slice(2)}`, `02${'00'.repeat(31)}05`,
    '02fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f', '']) {
    refused(() => decompress(hex(bad)), 'malformed', /public key: expected a point/);
  }
});

test('tagged hashes and the measurement', async () => {
  const digest = createHash('sha256').update('cloister-receipt-1\0').update(hex('00000003010203')).digest('hex');
  assert.equal(toHex(await tagHash('cloister-receipt-1', hex('010203'))), digest);
  const inner = createHash('sha384').update('cloister-config-1\0').update('bytes').digest();
  const pcr16 = createHash('sha384').update(Buffer.alloc(48)).update(inner).digest('hex');
  assert.equal(toHex(await measureConfiguration(new TextEncoder().encode('bytes'))), pcr16);
  assert.equal(kindOf(new TextEncoder().encode('cloister-status-2\0...')), 'status');
  assert.equal(kindOf(new TextEncoder().encode('cloister-status-2')), null);
  assert.equal(kindOf(null), null);
});
