/** Doctor's verdicts on a server's encryption and connections, for any system. */
import { ok, warn, type Verdict } from '../../model/run/verdict.ts'
import type { ServerOptions } from './preflight-port.ts'

/** @param cipher the server's report on this connection; null for plain text */
export function tlsVerdict(
  cipher: string | null,
  { tls, isLocal }: ServerOptions,
  words: { readonly full: string; readonly ca: string },
): Verdict {
  if (cipher === null) {
    if (isLocal) return ok('not encrypted; it stays on this machine')
    return warn('not encrypted', { cause: `the mode is ${tls.mode}`, hint: `write ${words.full} in the URL` })
  }
  if (tls.options?.rejectUnauthorized !== true) {
    if (isLocal) return ok(`${cipher}, certificate not checked; it stays on this machine`)
    return warn(`${cipher}, but the identity of the server was not checked`, {
      cause: `mode ${tls.mode} without a CA file does not check the certificate of the server`,
      hint: `write ${words.full} in the URL, with ${words.ca}=/path/ca.pem if you use your own CA`,
    })
  }
  if (tls.verifyHost) return ok(`${cipher}, certificate and host checked`)
  return ok(`${cipher}, certificate checked, host name not`)
}

/** @param free connections that this login may still open */
export function connectionsVerdict(free: number, most: number, { poolSize }: ServerOptions): Verdict {
  // A pool for statements, a pool for writes, and up to two connections that hold a lock or read pages.
  const needed = 2 * poolSize + 2
  const found = `${free} of ${most} free; an import uses up to ${needed}`
  if (free >= needed) return ok(found)
  return warn(found, { hint: 'raise the limit at the server, or write a smaller pool_size in the URL' })
}
