// SPDX-License-Identifier: Apache-2.0
// Domain-separated hashes and the structures in user_data (PROTOCOL.md section 7).
import { concat, equal, utf8 } from './bytes.js';
import { sha256 } from './crypto.js';

export const TAG = {
  account: 'cloister-receipt-1',
  keyset: 'cloister-keyset-1',
  status: 'cloister-status-2',
  unconfigured: 'cloister-unconfigured-2',
  import: 'cloister-import-1',
  tls: 'cloister-tls-1',
};

/** @param {number} n */
const u32 = (n) => Uint8Array.of(n >>> 24, n >>> 16 & 255, n >>> 8 & 255, n & 255);

/**
 * SHA-256(tag || 0 || for each field: u32 length || field).
 * @param {string} tag
 * @param {...Uint8Array} fields
 * @returns {Promise<Uint8Array>}
 */
export function tagHash(tag, ...fields) {
  return sha256(concat(utf8(`${tag}\0`), ...fields.flatMap((field) => [u32(field.length), field])));
}

/**
 * What kind of Cloister document this is: its key in TAG, or null.
 * @param {Uint8Array|null} userData
 * @returns {keyof typeof TAG|null}
 */
export function kindOf(userData) {
  const found = Object.entries(TAG).find(([, tag]) => {
    const prefix = utf8(`${tag}\0`);
    return userData && equal(userData.subarray(0, prefix.length), prefix);
  });

  return found ? /** @type {keyof typeof TAG} */ (found[0]) : null;
}

/**
 * user_data behind its tag.
 * @param {Uint8Array} userData
 * @param {keyof typeof TAG} kind
 * @returns {Uint8Array}
 */
export function bodyOf(userData, kind) {
  return userData.subarray(TAG[kind].length + 1);
}
