// SPDX-License-Identifier: Apache-2.0
// verifyEndpoint against servers of the test's own: one that does as the enclave does, one that passes
// another's documents on, and ones that are slow, endless, or no HTTP at all.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import https from 'node:https';
import net from 'node:net';
import test from 'node:test';
import tls from 'node:tls';
import { connection, Maker } from '../../../test/verify/cases.mjs';
import * as k from '../../../test/verify/pki.mjs';
import * as verify from '../src/index.js';
import { pinnedAgent, verifyEndpoint } from '../src/node.js';

const maker = new Maker(Math.floor(Date.now() / 1000) * 1000);
const PATIENCE = 400; // ms, for servers that never end
const { pcr16, ...noConfiguration } = maker.trust;

/** A key of TLS with a certificate that nobody would trust: other names, long expired. */
function identity() {
  const key = k.newKey('P-384');
  const name = k.name('nobody.test');
  const der = k.certificate({
    ca: false, from: Date.UTC(2001, 0), until: Date.UTC(2002, 0), subject: name, issuer: name, key, issuerKey: key,
  });
  return {
    key: key.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    cert: `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
    spki: createHash('sha256').update(k.spki(key.point)).digest(),
  };
}

const mine = identity();
const other = identity();
const KEYSET = Buffer.alloc(16, 0x5e);

/** user_data and nonce of a document for a connection with this key. */
function document(spki, nonce, { keyset = KEYSET, ...more } = {}) {
  const body = connection(maker, (bytes) => bytes);
  const text = Buffer.from('cloister-tls-1\0');
  const status = verify.parseDocument(body.document).userData.subarray(text.length + 32 + 16);
  const fields = { user_data: k.cBytes(Buffer.concat([text, spki, keyset, status])), nonce: k.cBytes(nonce), ...more.fields };
  return maker.document({ ...more, fields }).toString('base64');
}

async function served(server, work) {
  const sockets = new Set();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  });
  server.on('tlsClientError', () => {});
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  try {
    return await work(`https://127.0.0.1:${server.address().port}`, server.address().port);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => { server.close(resolve); });
  }
}

const nonceOf = (request) => Buffer.from(new URL(request.url, 'https://x').searchParams.get('nonce'), 'hex');
const answering = (handler, who = mine) => https.createServer({ ...who }, handler);
const saying = (make, who = mine) => answering((request, response) => {
  response.end(JSON.stringify({ document_b64: make(nonceOf(request)) }));
}, who);
const trust = { ...maker.trust, timeoutMs: 10000 };
const refused = (code, pattern) => (error) => {
  assert.ok(error instanceof verify.VerifyError, `${error}`);
  assert.equal(error.code, code, error.message);
  assert.match(error.message, pattern);
  return true;
};

test('a connection that ends inside', async () => {
  const paths = [];
  const server = answering((request, response) => {
    paths.push(request.url);
    response.end(JSON.stringify({ document_b64: document(mine.spki, nonceOf(request)) }));
  });
  await served(server, async (url) => {
    const found = await verifyEndpoint(url, trust);
    assert.equal(found.spkiSha256, mine.spki.toString('hex'));
    assert.equal(found.phase, 'READY');
    assert.equal(found.attestation.nonce.length, 32);
    const again = await verifyEndpoint(new URL(url), { ...trust, nonce: '0x'.padEnd(34, 'ab') });
    assert.equal(verify.kindOf(again.attestation.userData), 'tls');
    await verifyEndpoint(url, { ...noConfiguration, anyConfiguration: true });
    assert.equal(found.keyset, '5e'.repeat(16));
  });
  assert.match(paths[0], /^\/attestation\?nonce=[0-9a-f]{64}$/);
  assert.notEqual(paths[0], paths[2]);
  assert.equal(paths[1], `/attestation?nonce=${'ab'.repeat(16)}`);
});

test('in pieces, and with a status line of its own', async () => {
  const server = tls.createServer({ ...mine }, (socket) => {
    socket.once('data', (head) => {
      const nonce = Buffer.from(/nonce=([0-9a-f]+)/.exec(head.toString('latin1'))[1], 'hex');
      const body = JSON.stringify({ more: [1, { a: null }], document_b64: document(mine.spki, nonce) });
      socket.write('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\n');
      for (const part of [body.slice(0, 5), body.slice(5)]) socket.write(`${part.length.toString(16)}\r\n${part}\r\n`);
      socket.end('0\r\n\r\n');
    });
  });
  await served(server, (url) => verifyEndpoint(url, trust));
});

test('the keyset of its key', async () => {
  const server = saying((nonce) => document(mine.spki, nonce));
  await served(server, async (url) => {
    for (const keyset of ['5e'.repeat(16), `0x${'5E'.repeat(16)}`, Uint8Array.from(KEYSET)]) {
      await verifyEndpoint(url, { ...trust, keyset });
    }
    for (const keyset of ['5f'.repeat(16), `${'5e'.repeat(15)}5f`, new Uint8Array(16)]) {
      await assert.rejects(verifyEndpoint(url, { ...trust, keyset }), refused('untrusted', /^user_data.keyset: /));
    }
  });
  const forged = saying((nonce) => document(mine.spki, nonce, { keyset: Buffer.alloc(16, 0x66) }));
  await served(forged, async (url) => {
    await assert.rejects(verifyEndpoint(url, { ...trust, keyset: '5e'.repeat(16) }), refused('untrusted', /^user_data.keyset: /));
    assert.equal((await verifyEndpoint(url, trust)).keyset, '66'.repeat(16));
  });
  for (const size of [15, 17]) {
    const wrong = saying((nonce) => document(mine.spki, nonce, { keyset: Buffer.alloc(size, 0x5e) }));
    await served(wrong, (url) => assert.rejects(verifyEndpoint(url, trust), refused('malformed', /user_data/)));
  }
});

test('documents that say something else', async (t) => {
  const recorded = document(mine.spki, Buffer.alloc(32, 7));
  const long = Date.now() - 301000;
  for (const [name, make, code, pattern] of [
    ['of another connection, passed on', (nonce) => document(other.spki, nonce), 'untrusted', /another key|not the key of this/],
    ['recorded before', () => recorded, 'untrusted', /^nonce: /],
    ['without a nonce', (nonce) => document(mine.spki, nonce, { fields: { nonce: k.NULL } }), 'untrusted', /^nonce: /],
    ['five minutes old', (nonce) => document(mine.spki, nonce, { at: long }), 'expired', /five minutes/],
    ['of another image', (nonce) => document(mine.spki, nonce, { pcrs: new Map(maker.pcrs).set(0, Buffer.alloc(48, 1)) }), 'untrusted', /image/],
    ['of another configuration', (nonce) => document(mine.spki, nonce, { pcrs: new Map(maker.pcrs).set(16, Buffer.alloc(48, 1)) }), 'untrusted', /configuration/],
    ['of a debug enclave', (nonce) => document(mine.spki, nonce, { pcrs: new Map(maker.pcrs).set(0, Buffer.alloc(48)) }), 'untrusted', /debug/],
    ['signed by somebody else', (nonce) => document(mine.spki, nonce, { key: maker.pki.keys[2] }), 'untrusted', /^signature: /],
    ['about something else', (nonce) => maker.document({ fields: { nonce: k.cBytes(nonce) } }).toString('base64'), 'untrusted', /user_data/],
    ['cut', (nonce) => document(mine.spki, nonce).slice(0, 400), 'malformed', /CBOR|COSE|payload/],
    ['no base64', () => 'no base64!', 'malformed', /base64/],
    ['empty', () => '', 'malformed', /./],
    ['a number', () => 7, 'malformed', /document_b64/],
  ]) {
    await t.test(name, () => served(saying(make), (url) => assert.rejects(verifyEndpoint(url, trust), refused(code, pattern))));
  }
  await t.test('under another root', () => served(saying((nonce) => document(mine.spki, nonce)), (url) => (
    assert.rejects(verifyEndpoint(url, { ...trust, root: Buffer.alloc(32, 1) }), refused('untrusted', /root/)))));
});

// Somebody with a key of his own between the client and the genuine server.
test('somebody in between', async () => {
  const genuine = saying((nonce) => document(mine.spki, nonce));
  await served(genuine, async (url) => {
    const between = answering((request, response) => {
      https.get(new URL(request.url, url), { rejectUnauthorized: false, agent: false }, (from) => from.pipe(response));
    }, other);
    await served(between, (his) => assert.rejects(verifyEndpoint(his, trust), refused('untrusted', /not the key of this/)));
    await verifyEndpoint(url, trust);
  });
});

test('servers that answer otherwise', async (t) => {
  for (const [name, handler, code, pattern] of [
    ['a redirect', (q, a) => a.writeHead(302, { Location: 'https://127.0.0.1:1/' }).end(), 'untrusted', /redirects/],
    ['a permanent redirect', (q, a) => a.writeHead(308, { Location: '/attestation' }).end(), 'untrusted', /redirects/],
    ['403', (q, a) => a.writeHead(403).end('{}'), 'untrusted', /under this name/],
    ['404', (q, a) => a.writeHead(404).end('{}'), 'untrusted', /status 404/],
    ['500', (q, a) => a.writeHead(500).end('{}'), 'untrusted', /status 500/],
    ['204', (q, a) => a.writeHead(204).end(), 'untrusted', /status 204/],
    ['busy', (q, a) => a.writeHead(503, { 'Retry-After': '1' }).end('{}'), 'unreachable', /no time/],
    ['no JSON', (q, a) => a.end('<html>'), 'malformed', /JSON/],
    ['JSON of something else', (q, a) => a.end('[]'), 'malformed', /document_b64/],
    ['null', (q, a) => a.end('null'), 'malformed', /document_b64/],
    ['nothing', (q, a) => a.end(), 'malformed', /JSON/],
    ['too much', (q, a) => a.end(Buffer.alloc(70000, 0x20)), 'malformed', /at most 65536/],
    ['without an end', (q, a) => {
      const pour = () => { while (a.write(Buffer.alloc(16384, 0x20))); };
      a.on('drain', pour).on('error', () => {});
      pour();
    }, 'malformed', /at most 65536/],
    ['half an answer, closed', (q, a) => { a.writeHead(200, { 'Content-Length': 100 }); a.write('{'); setTimeout(() => a.socket.destroy(), 20); }, 'unreachable', /failed/],
    ['closed', (q, a) => a.socket.destroy(), 'unreachable', /failed/],
    ['half an answer, silent', (q, a) => { a.writeHead(200, { 'Content-Length': 100 }); a.write('{'); }, 'unreachable', /in time/],
    ['silent', () => {}, 'unreachable', /in time/],
    ['a byte at a time', (q, a) => {
      const drip = setInterval(() => a.write(' '), 20);
      a.on('error', () => {});
      q.socket.on('close', () => clearInterval(drip));
      drip.unref(); // Node 18 does not say that such a socket is closed
    }, 'unreachable', /in time/],
  ]) {
    const timeoutMs = pattern.source === 'in time' ? PATIENCE : 10000;
    await t.test(name, () => served(answering(handler), (url) => (
      assert.rejects(verifyEndpoint(url, { ...trust, timeoutMs }), refused(code, pattern)))));
  }
});

test('servers that speak something else', async (t) => {
  for (const [name, server, code, pattern] of [
    ['TLS and no HTTP', tls.createServer({ ...mine }, (s) => s.end('SSH-2.0-x\r\n')), 'malformed', /no HTTP/],
    ['an endless head', tls.createServer({ ...mine }, (s) => { s.on('error', () => {}); s.write(`HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(50000)}`); }), 'malformed', /no HTTP/],
    ['an old TLS', https.createServer({ ...mine, maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' }), 'unreachable', /failed/],
    ['no TLS', net.createServer((s) => { s.on('error', () => {}); s.end('HTTP/1.1 400 Bad Request\r\n\r\n'); }), 'unreachable', /failed/],
    ['a connection that ends', net.createServer((s) => s.destroy()), 'unreachable', /failed/],
    ['a connection that is silent', net.createServer((s) => s.on('error', () => {})), 'unreachable', /in time/],
  ]) {
    const timeoutMs = pattern.source === 'in time' ? PATIENCE : 10000;
    await t.test(name, () => served(server, (url) => (
      assert.rejects(verifyEndpoint(url, { ...trust, timeoutMs }), refused(code, pattern)))));
  }
  await assert.rejects(verifyEndpoint('https://127.0.0.1:1', trust), refused('unreachable', /ECONNREFUSED/));
});

test('what its caller gets wrong', async () => {
  for (const [url, change, pattern] of [
    ['http://127.0.0.1', {}, /^url/], ['https://127.0.0.1/path', {}, /^url/], ['https://u:p@127.0.0.1', {}, /^url/],
    ['https://127.0.0.1/?a', {}, /^url/], ['127.0.0.1:443', {}, /^url/], ['', {}, /^url/],
    ['https://127.0.0.1:1', { nonce: 'ab' }, /^nonce/], ['https://127.0.0.1:1', { nonce: new Uint8Array(65) }, /^nonce/],
    ['https://127.0.0.1:1', { nonce: 'zz' }, /^nonce/], ['https://127.0.0.1:1', { nonce: 7 }, /^nonce/],
    ['https://127.0.0.1:1', { pcr16: undefined }, /^configuration/],
    ...['', '5e', '5e'.repeat(17), 'zz'.repeat(16), new Uint8Array(15), null, 7].map((keyset) => (
      ['https://127.0.0.1:1', { keyset }, /^keyset/])),
  ]) {
    await assert.rejects(verifyEndpoint(url, { ...trust, ...change }), refused('usage', pattern));
  }
  const server = saying((nonce) => document(mine.spki, nonce));
  await served(server, async (url) => {
    await assert.rejects(verifyEndpoint(url, { ...trust, pcr0: [] }), refused('usage', /^pcr0/));
    await assert.rejects(verifyEndpoint(url, { ...trust, anyImage: true }), refused('usage', /^anyImage/));
  });
});

test('an agent for one key', async () => {
  const ask = (url, agent) => new Promise((resolve, reject) => {
    https.get(url, { agent }, (answer) => {
      let text = '';
      answer.on('data', (part) => { text += part; }).on('end', () => resolve(text));
    }).on('error', reject);
  });
  const asked = [];
  const genuine = answering((request, response) => response.end('inside'));
  const false_ = answering((request, response) => { asked.push(request.url); response.end('outside'); }, other);
  const agent = pinnedAgent(mine.spki.toString('hex'));

  await served(genuine, async (url) => {
    assert.equal(await ask(url, agent), 'inside');
    assert.equal(await ask(url, agent), 'inside');
  });
  await served(false_, (url) => assert.rejects(ask(url, agent), refused('untrusted', /another key/)));
  assert.deepEqual(asked, []);
  await assert.rejects(ask('https://127.0.0.1:1', agent), refused('unreachable', /ECONNREFUSED/));
  const hasty = pinnedAgent(mine.spki.toString('hex'), { timeoutMs: 200 });
  const silent = net.createServer((socket) => socket.on('error', () => {}));
  await served(silent, (url) => assert.rejects(ask(url, hasty), refused('unreachable', /in time/)));
  assert.throws(() => pinnedAgent('ab'), refused('usage', /^spkiSha256/));
  agent.destroy();
  hasty.destroy();
});
