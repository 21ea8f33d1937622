/** Why no connection was made, as far as the network or the host name explains it. Same texts for every system. */

export type NoConnectionCause = readonly [reason: string, hint: string]

type Failed = {
  /** Error code of the operating system: ECONNREFUSED … */
  readonly code: string
  /** `host:port`, or the path of a socket file. */
  readonly place: string
  /** Time waited for the connection, ms. */
  readonly waitedMs: number
}

const REACHED = 'check that the server can be reached from here: its address, firewalls, and a VPN or tunnel'

const hostOf = (place: string): string => place.replace(/:\d+$/, '')

/** Reason and hint for a failed connection; null if the network is not the cause. */
export function networkCause({ code, place, waitedMs }: Failed): NoConnectionCause | null {
  switch (code) {
    case 'ECONNREFUSED':
      return [`nothing listens at ${place}`, 'start the server, or correct host and port']
    case 'ENOENT':
      return [`there is no socket file at ${place}`, 'start the server, or correct the folder and port of its socket']
    case 'ENOTFOUND':
      return [`the host name cannot be resolved: ${hostOf(place)}`, 'correct the name of the host']
    case 'EAI_AGAIN':
      return [`no name server answered for ${hostOf(place)}`, 'check the network of this machine, and the host name']
    case 'ETIMEDOUT':
      return [`${place} did not answer within ${waitedMs / 1000} s`, REACHED]
    case 'EHOSTUNREACH':
    case 'EHOSTDOWN':
    case 'ENETUNREACH':
    case 'ENETDOWN':
      return [`there is no route to ${place}`, REACHED]
    case 'ECONNRESET':
    case 'EPIPE':
    case 'ECONNABORTED':
      return [
        `${place} ended the connection before it was ready`,
        'check that this is the port of the database, and whether it requires encryption',
      ]
    default:
      return null
  }
}

/** Error code of the network, for one address or for all addresses of a name; null for other errors. */
export function networkCodeOf(error: unknown): string | null {
  if (!(error instanceof Error)) return null
  const { code } = error as NodeJS.ErrnoException
  if (typeof code === 'string') return code
  const first: unknown = error instanceof AggregateError ? error.errors[0] : undefined
  return first === undefined ? null : networkCodeOf(first)
}

/** Hint for a database file that cannot be opened. @param scheme of its URL */
export const fileHint = (scheme: string): string =>
  `check the path: a source must exist, and for a target its folder must exist; an absolute path has four slashes (${scheme}:////srv/data.db)`
