// SPDX-License-Identifier: Apache-2.0
/**
 * Why something was refused. `code` says what the caller can do about it:
 *
 * - `malformed`: not in the agreed form;
 * - `unsupported`: well formed, but of a version or kind that this package does not know;
 * - `untrusted`: does not verify, or is not what was pinned;
 * - `expired`: not valid at the time in question;
 * - `usage`: the caller's own arguments are wrong or pin nothing;
 * - `unreachable`: no answer, or not in time (only where something is asked over a network).
 *
 * @typedef {'malformed'|'unsupported'|'untrusted'|'expired'|'usage'|'unreachable'} VerifyCode
 */

/** The only error that bad input causes. */
export class VerifyError extends Error {
  /**
   * @param {VerifyCode} code
   * @param {string} field which part of the input, for example `pcrs` or `cabundle[1]`
   * @param {string} what what was expected, or what is wrong
   */
  constructor(code, field, what) {
    super(`${field}: ${what}`);
    this.name = 'VerifyError';
    /** @type {VerifyCode} */
    this.code = code;
    /** @type {string} */
    this.field = field;
  }
}

/**
 * Throws unless `condition` holds.
 * @param {unknown} condition
 * @param {VerifyCode} code
 * @param {string} field
 * @param {string} what
 * @returns {asserts condition}
 */
export function ensure(condition, code, field, what) {
  if (!condition) throw new VerifyError(code, field, what);
}
