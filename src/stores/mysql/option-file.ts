/** User and password of MySQL's option file. Source: MySQL's manual, "Using Option Files". */
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileText, isOpen, sectionOf } from '../common/option-file.ts'

export type ClientLogin = { readonly user: string | null; readonly password: string | null }

const NOTHING: ClientLogin = { user: null, password: null }
const ESCAPED: Readonly<Record<string, string>> = { b: '\b', t: '\t', n: '\n', r: '\r', s: ' ' }

/**
 * What `[client]` of `~/.my.cnf` has for this host and user, read at each call. A file that others can read is passed over. Where it names a host or a user, what it has is for
 * those alone: a password goes nowhere else.
 */
export function clientLogin(env: NodeJS.ProcessEnv, host: string, user?: string): ClientLogin {
  const text = fileText(join(env['HOME'] ?? homedir(), '.my.cnf'), isOpen)
  const client = text === null ? null : sectionOf(text, 'client')
  if (client === null) return NOTHING
  const [itsHost, itsUser, password] = ['host', 'user', 'password'].map((name) => valueOf(client.get(name)))
  const isOther = (its: string | null | undefined, wanted: string | undefined): boolean =>
    its != null && wanted !== undefined && its !== wanted
  if (isOther(itsHost, host) || isOther(itsUser, user)) return NOTHING
  return { user: itsUser ?? null, password: password ?? null }
}

/** A value without its quotes, comment and escapes. */
function valueOf(written: string | undefined): string | null {
  if (written === undefined || written === '') return null
  const quoted = /^(["'])(.*)\1\s*(?:#.*)?$/.exec(written)
  const value = quoted?.[2] ?? written.replace(/\s*#.*$/, '')
  return value.replace(/\\(.)/g, (all, one: string) => ESCAPED[one] ?? (one === '\\' ? '\\' : all))
}
