// SPDX-License-Identifier: Apache-2.0
// WebCrypto: the browser's, or Node's (18 has it in node:crypto only).

/** @type {Promise<SubtleCrypto>|undefined} */
let found;

async function find() {
  const here = globalThis.crypto?.subtle;

  return here ?? (await import('node:crypto')).webcrypto.subtle;
}

/** @returns {Promise<SubtleCrypto>} */
function subtle() {
  found ??= find();
  return found;
}

/**
 * @param {Uint8Array} bytes
 * @returns {Promise<Uint8Array>} 32 bytes
 */
export async function sha256(bytes) {
  return new Uint8Array(await (await subtle()).digest('SHA-256', bytes));
}

/**
 * @param {Uint8Array} bytes
 * @returns {Promise<Uint8Array>} 48 bytes
 */
export async function sha384(bytes) {
  return new Uint8Array(await (await subtle()).digest('SHA-384', bytes));
}

/**
 * A P-384 key for verification; null when the point is not on the curve.
 * @param {Uint8Array} point SEC 1, uncompressed, 97 bytes
 * @returns {Promise<CryptoKey|null>}
 */
export async function p384Key(point) {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-384' };

  try {
    return await (await subtle()).importKey('raw', point, algorithm, false, ['verify']);
  } catch {
    return null;
  }
}

/**
 * ECDSA with SHA-384.
 * @param {CryptoKey} key
 * @param {Uint8Array} signature r || s, 48 bytes each
 * @param {Uint8Array} message
 * @returns {Promise<boolean>}
 */
export async function es384(key, signature, message) {
  return (await subtle()).verify({ name: 'ECDSA', hash: 'SHA-384' }, key, signature, message);
}
