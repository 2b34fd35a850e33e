// SPDX-License-Identifier: Apache-2.0
// For Node only, and apart from the rest of the package, which runs in browsers, too: asks an enclave for
// its document over a TLS connection and verifies that this very connection ends inside. The server is
// whoever answers: its answer is bounded in size and time, nothing is followed anywhere else, and nothing
// in it is believed before the document verified.
import { createHash, randomBytes } from 'node:crypto';
import https from 'node:https';
import tls from 'node:tls';
import { equal, fromHex, pinned, toHex } from './bytes.js';
import { ensure, VerifyError } from './errors.js';
import { verifyTls } from './receipts.js';

const ANSWER_MAX = 65536;
const TIMEOUT_MS = 15000;

/** The certificate is not judged: the attested key takes the place of its chain and names. */
const UNJUDGED = { rejectUnauthorized: false, checkServerIdentity: () => undefined, minVersion: 'TLSv1.2' };

/**
 * SHA-256 of the key that the peer of a TLS connection has proved to have.
 * @param {import('node:tls').TLSSocket} socket
 * @returns {Uint8Array}
 */
function keyOf(socket) {
  const certificate = socket.getPeerX509Certificate?.();

  ensure(certificate, 'untrusted', 'connection', 'the server has shown no certificate');
  const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
  return Uint8Array.from(createHash('sha256').update(spki).digest());
}

/**
 * What went wrong below HTTP, in the package's words.
 * @param {Error & {code?: string}} error
 * @returns {VerifyError}
 */
function worded(error) {
  if (error instanceof VerifyError) return error;
  const code = error.code ?? '';

  if (code.startsWith('HPE_')) return new VerifyError('malformed', 'answer', 'is no HTTP');
  return new VerifyError('unreachable', 'connection', code ? `failed (${code})` : 'failed');
}

/**
 * @param {string|URL} url
 * @returns {URL}
 */
function endpointOf(url) {
  const usage = new VerifyError('usage', 'url', 'expected https://HOST[:PORT]');
  let parsed;

  try {
    parsed = new URL(url);
  } catch {
    throw usage;
  }
  if (parsed.protocol !== 'https:' || `${parsed.origin}/` !== parsed.href) throw usage;
  return parsed;
}

/** @param {import('node:http').IncomingMessage} response */
function checkHead({ statusCode = 0 }) {
  ensure(statusCode < 300 || statusCode > 399, 'untrusted', 'answer',
    'redirects elsewhere: a document belongs to the connection over which it came');
  ensure(statusCode !== 503 && statusCode !== 429, 'unreachable', 'answer',
    `has status ${statusCode}: the enclave has no time for documents now`);
  ensure(statusCode !== 403, 'untrusted', 'answer',
    'has status 403: the server does not answer under this name; take one of its certificate\'s');
  ensure(statusCode === 200, 'untrusted', 'answer',
    `has status ${statusCode}, expected 200: is this the data plane of a Cloister enclave?`);
}

/**
 * The base64 text of the document in an answer.
 * @param {Buffer} body
 * @returns {string}
 */
function documentIn(body) {
  let parsed;

  try {
    parsed = JSON.parse(body.toString('utf8'));
  } catch {
    throw new VerifyError('malformed', 'answer', 'expected JSON');
  }
  ensure(typeof parsed?.document_b64 === 'string', 'malformed', 'answer', 'expected document_b64');
  return parsed.document_b64;
}

/**
 * One exchange over a connection of its own.
 * @param {URL} url
 * @param {Uint8Array} nonce
 * @param {number} timeoutMs
 * @returns {Promise<{document: string, spkiSha256: Uint8Array}>}
 */
function fetchDocument(url, nonce, timeoutMs) {
  return new Promise((resolve, reject) => {
    const target = new URL(`/attestation?nonce=${toHex(nonce)}`, url);
    const request = https.request(target, { agent: false, headers: { Accept: 'application/json' }, ...UNJUDGED });
    const late = setTimeout(() => fail(new VerifyError('unreachable', 'answer', 'did not come in time')), timeoutMs);
    const fail = (/** @type {Error} */ error) => {
      clearTimeout(late);
      request.destroy();
      reject(worded(error));
    };
    const guarded = (/** @type {(value: any) => void} */ step) => (/** @type {any} */ value) => {
      try {
        step(value);
      } catch (error) {
        fail(/** @type {Error} */ (error));
      }
    };

    request.on('error', fail);
    request.on('response', guarded((response) => {
      const spkiSha256 = keyOf(response.socket);
      const parts = [];
      let size = 0;

      checkHead(response);
      response.on('error', fail);
      response.on('data', guarded((part) => {
        size += part.length;
        ensure(size <= ANSWER_MAX, 'malformed', 'answer', `expected at most ${ANSWER_MAX} bytes`);
        parts.push(part);
      }));
      response.on('end', guarded(() => {
        const document = documentIn(Buffer.concat(parts));
        clearTimeout(late);
        resolve({ document, spkiSha256 });
      }));
    }));
    request.end();
  });
}

/**
 * Asks the enclave behind `url` for a document over a TLS connection and verifies it: who made it, when,
 * for which nonce, of which image and configuration, and that it names the key of this very connection.
 * Names and chain of the connection's certificate are not judged.
 *
 * The verdict is about this connection. Make further ones with `pinnedAgent(result.spkiSha256)`, or
 * compare their key with it.
 *
 * @param {string|URL} url `https://HOST[:PORT]`
 * @param {import('./document.js').Trust & {timeoutMs?: number, keyset?: Uint8Array|string}} trust `nonce` is
 *   chosen at random when it is left out; `timeoutMs` is for the whole exchange, 15000 when left out;
 *   `keyset` is the id of the keyset in which the key must have been generated, not compared when left out
 * @returns {Promise<import('./receipts.js').Status & {spkiSha256: string, keyset: string}>} the error of what does not
 *   answer, or not in time, is a VerifyError with the code `unreachable`
 */
export async function verifyEndpoint(url, trust) {
  const { timeoutMs = TIMEOUT_MS, nonce = Uint8Array.from(randomBytes(32)), keyset, ...pins } = trust;
  const wanted = keyset === undefined ? undefined : toHex(pinned(keyset, 16, 'keyset'));
  const chosen = typeof nonce === 'string' ? fromHex(nonce, 'nonce') : nonce;

  ensure(chosen instanceof Uint8Array && chosen.length >= 16 && chosen.length <= 64, 'usage', 'nonce',
    'expected 16 to 64 bytes, as Uint8Array or hex');
  ensure(pins.anyConfiguration || pins.pcr16 !== undefined || pins.configuration !== undefined, 'usage',
    'configuration', 'give configuration or pcr16, or say anyConfiguration');
  const fetched = await fetchDocument(endpointOf(url), chosen, timeoutMs);

  const found = await verifyTls(fetched, { ...pins, nonce: chosen });

  ensure(wanted === undefined || found.keyset === wanted, 'untrusted', 'user_data.keyset',
    'is another keyset than the trusted one');
  return found;
}

/**
 * An agent for `https.request` whose connections all end at this key: others are closed before a byte of a
 * request leaves. Certificates are not judged otherwise.
 * @param {Uint8Array|string} spkiSha256 of `verifyEndpoint`
 * @param {import('node:https').AgentOptions & {timeoutMs?: number}} [options] `timeoutMs` is for a connection
 *   and its handshake, 15000 when left out
 * @returns {import('node:https').Agent}
 */
export function pinnedAgent(spkiSha256, options = {}) {
  const wanted = pinned(spkiSha256, 32, 'spkiSha256');
  const { timeoutMs = TIMEOUT_MS, ...others } = options;
  const agent = new https.Agent({ keepAlive: true, ...others, maxCachedSessions: 0 });

  // The agent hands the connection to a request only in `done`.
  agent.createConnection = (target, done) => {
    const socket = tls.connect({ ...target, ...UNJUDGED });
    const fail = (/** @type {Error} */ error) => {
      clearTimeout(late);
      socket.destroy();
      done(worded(error));
    };
    const late = setTimeout(() => fail(new VerifyError('unreachable', 'connection', 'was not made in time')), timeoutMs);

    socket.once('error', fail);
    socket.once('secureConnect', () => {
      clearTimeout(late);
      socket.off('error', fail);
      try {
        ensure(equal(keyOf(socket), wanted), 'untrusted', 'connection', 'has another key than the pinned one');
        done(null, socket);
      } catch (error) {
        fail(/** @type {Error} */ (error));
      }
    });
  };
  return agent;
}
