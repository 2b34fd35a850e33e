// SPDX-License-Identifier: Apache-2.0
// Documents, receipts and status under a PKI of the test's own: the table that test/verify/agree.mjs
// also puts before the C library. Genuine documents are read from VECTORS_DIR.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { genuineCases, Maker, ownCases } from '../../../test/verify/cases.mjs';
import * as verify from '../src/index.js';

const vectors = process.env.VECTORS_DIR
  ?? path.join(path.dirname(fileURLToPath(import.meta.url)), '../../../../shared/vectors');
const ask = {
  document: ({ document, trust }) => verify.verifyDocument(document, trust),
  account: ({ document, record, trust }) => verify.verifyAccount({ document, record }, trust),
  keyset: ({ document, record, trust }) => verify.verifyKeyset({ document, record }, trust),
  status: ({ document, trust }) => verify.verifyStatus(document, trust),
  tls: ({ document, spki, trust }) => verify.verifyTls({ document, spkiSha256: spki }, trust),
};

async function verdict(one) {
  try {
    await ask[one.kind](one);
    return 'ok';
  } catch (error) {
    if (!(error instanceof verify.VerifyError)) throw error;
    assert.ok(error.field && error.message.startsWith(`${error.field}: `));
    return error.code;
  }
}

async function all(cases) {
  for (const one of cases) {
    const found = await verdict(one);
    const fits = one.expect === 'refused' ? !['ok', 'usage'].includes(found) : found === one.expect;
    assert.ok(fits, `${one.name}: ${found}, expected ${one.expect}`);
  }
}

const maker = new Maker(Math.floor(Date.now() / 1000) * 1000);
const genuine = genuineCases(vectors);

test('made to measure', () => all(ownCases(maker)));
test('genuine documents', { skip: genuine.length === 0 && 'no vectors' }, () => all(genuine));

test('pins and input as text', async () => {
  const { document, trust } = ownCases(maker)[0];
  const text = { root: trust.root.toString('hex'), pcr0: [`0x${trust.pcr0[0].toString('hex').toUpperCase()}`], pcr16: trust.pcr16.toString('hex') };
  const found = await verify.verifyDocument(document.toString('base64'), { ...text, at: new Date(maker.at) });

  assert.equal(found.moduleId, 'i-0-enc0');
  assert.deepEqual(verify.pcrsAsHex(found), { pcr0: 'a0'.repeat(48), pcr16: 'c0'.repeat(48) });
  for (const [wrong, pattern] of [
    [{ ...text, root: 'ab' }, /^root: expected 32 bytes/], [{ ...text, pcr0: ['ab'] }, /^pcr0: expected 48 bytes/],
    [{ ...text, pcr0: text.pcr0[0] }, /^pcr0: expected an array/], [{ ...text, pcr16: 'zz' }, /^pcr16: expected hex/],
    [{ ...text, at: 'now' }, /^at: /], [{ ...text, at: new Date(NaN) }, /^at: /], [{ ...text, nonce: '' }, /^nonce: /],
    [{ ...text, configuration: new Uint8Array(1) }, /not both/], [{}, /root/],
  ]) {
    await assert.rejects(verify.verifyDocument(document, wrong), (error) => error instanceof verify.VerifyError
      && pattern.test(error.message) && ['usage', 'untrusted'].includes(error.code), String(pattern));
  }
  await assert.rejects(verify.verifyDocument('no base64!', text), { code: 'malformed', field: 'document' });
  await assert.rejects(verify.verifyDocument(/** @type {never} */ (7), text), { code: 'usage', field: 'document' });
});

test('bytes that are changed meanwhile do not matter', async () => {
  const { document, trust } = ownCases(maker)[0];
  const mine = Uint8Array.from(document);
  const pending = verify.verifyDocument(mine, trust);

  mine.fill(0);
  assert.equal((await pending).moduleId, 'i-0-enc0');
});

test('parsing does not verify, and says what there is', async () => {
  const one = ownCases(maker).find(({ name }) => name === 'signed by another key');
  const found = verify.parseDocument(one.document);

  assert.equal(found.timestamp, maker.at);
  assert.equal(found.pcrs.size, 17);
  assert.equal(found.nonce, null);
  assert.equal(found.cabundle.length, 4);
});
