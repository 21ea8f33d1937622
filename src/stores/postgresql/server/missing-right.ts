/** Finds the right that a refusal of the server is about, and the statement that grants it. */
import { quotedName } from '../../../shared/sql-text.ts'

const REFUSED = /^permission denied for (schema|table|view|materialized view|sequence|database) (.+)$/
const NOT_OWNER = /^must be owner of /
const RESERVED = /^must be owner of (function|sequence) .*\bsluice_/

/** By kind of object: its name in GRANT (`on`), and the rights that a reading and a writing login need. */
const RIGHTS: Readonly<Record<string, { readonly on: string; readonly read: string; readonly write: string }>> = {
  schema: { on: 'SCHEMA', read: 'USAGE', write: 'USAGE, CREATE' },
  sequence: { on: 'SEQUENCE', read: 'SELECT', write: 'SELECT, UPDATE' },
  database: { on: 'DATABASE', read: 'CONNECT', write: 'CREATE' },
}
const OF_TABLE = { on: 'TABLE', read: 'SELECT', write: 'SELECT, INSERT, UPDATE, DELETE' }

/** @returns the hint for an object that another role created under a reserved name; null for other messages */
export function reservedHint(message: string): string | null {
  const [, kind] = RESERVED.exec(message) ?? []
  if (kind === undefined) return null
  return `sluice reserves this name, and does not use an object that another role could replace: DROP ${kind.toUpperCase()} it, or connect as its owner if you trust that role`
}

/**
 * @param message of an error with SQLSTATE 42501
 * @returns the hint; null if the message names no right, as in other languages than English
 */
export function missingRight(message: string, user: string, use: 'read' | 'write'): string | null {
  const reserved = reservedHint(message)
  if (reserved !== null) return reserved
  if (NOT_OWNER.test(message)) return 'connect as its owner, or as a role that is a member of the owner'
  const [, what = '', name = ''] = REFUSED.exec(message) ?? []
  if (name === '') return null
  const { on, ...rights } = RIGHTS[what] ?? OF_TABLE
  return `as the owner: GRANT ${rights[use]} ON ${on} ${quotedName(name)} TO ${quotedName(user)}`
}
