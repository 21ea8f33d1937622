/** A failed request: the message of the API or the network, and whether the request may have been executed. */

export type D1FailureKind =
  /** The statement or its values were refused; nothing of the request took effect. */
  | 'sql'
  | 'auth'
  /** There is no such database or account. */
  | 'missing'
  /** Too many requests; to be sent again later. */
  | 'rate'
  /** The day's allowance of a free account is used up. */
  | 'quota'
  | 'space'
  | 'tls'
  /** The request or its answer is larger than D1 can process, or than the caller accepts. */
  | 'size'
  /** The database is overloaded, or the API is failing. */
  | 'server'
  | 'network'

export type FailureFacts = {
  readonly kind: D1FailureKind
  readonly message: string
  /** False if the request may have been executed in spite of the failure. */
  readonly settled: boolean
  readonly status?: number
  readonly code?: number
  readonly waitMs?: number
  readonly cause?: unknown
}

export class D1Failure extends Error {
  override readonly name = 'D1Failure'
  readonly kind: D1FailureKind
  /** True if nothing of the request took effect. */
  readonly settled: boolean
  readonly status: number | null
  readonly code: number | null
  /** How long the API asks to wait, in milliseconds. */
  readonly waitMs: number | null

  constructor({ kind, message, settled, status, code, waitMs, cause }: FailureFacts) {
    super(message, cause === undefined ? undefined : { cause })
    this.kind = kind
    this.settled = settled
    this.status = status ?? null
    this.code = code ?? null
    this.waitMs = waitMs ?? null
  }

  /** True if the message has a code of SQLite, so that the SQL of the request is the cause. */
  get namesStatement(): boolean {
    return SQLITE.test(this.message)
  }

  /** True if the same request may succeed later without any change. */
  get isTransient(): boolean {
    return this.kind === 'rate' || this.kind === 'server' || this.kind === 'network'
  }
}

const AUTH_CODES: ReadonlySet<number> = new Set([6003, 6111, 9106, 9109, 10000, 10001])
/** Messages from the list of errors in D1's documentation: the cause is transient, and the outcome is unknown. */
const TRANSIENT =
  /network connection lost|caused object to be reset|reset because its code|transient issue|client disconnected|overloaded|queued for too long|too many requests queued|internal error|starting up D1 DB/i
const SIZE = /exceeded its (?:memory|CPU(?: time)?) limit|operation exceeded timeout|D1_ERROR: out of memory/i
const SPACE =
  /exceeded maximum (?:db|account) (?:size|storage)|maximum (?:db size|account storage)|SQLITE_FULL|database or disk is full/i
const QUOTA =
  /(?:daily|free).{0,60}(?:limit|quota|rows? (?:read|written))|exceeded.{0,60}rows? (?:read|written)|limit.{0,60}reset.{0,30}midnight/i
/** D1's messages about a statement end with SQLite's code. */
const SQLITE = /SQLITE_[A-Z_]+/
/**
 * Codes of SQLite that are not about the statement: the file is in use, or cannot be read for now. The transaction was
 * rolled back.
 */
const SQLITE_TRANSIENT = /: SQLITE_(?:BUSY|LOCKED|INTERRUPT|IOERR|PROTOCOL)(?:_[A-Z]+)?(?: \(extended: [A-Z_]+\))?$/
const SQLITE_MEMORY = /: SQLITE_NOMEM(?: \(extended: [A-Z_]+\))?$/

/** Maps an error answer. */
export function refusedBy(status: number, headers: Headers, errors: readonly ApiError[]): D1Failure {
  const [first] = errors
  const message = first?.message ?? `HTTP ${status}`
  const facts = { message, status, ...(first === undefined ? {} : { code: first.code }) }
  const code = first?.code ?? 0
  if (status === 429) {
    const waitMs = retryAfter(headers)
    return new D1Failure({ ...facts, kind: 'rate', settled: true, ...(waitMs === null ? {} : { waitMs }) })
  }
  // Checked before the other patterns: the message may quote the user's text.
  if (SQLITE.test(message) && status < 500) {
    if (SQLITE_TRANSIENT.test(message)) return new D1Failure({ ...facts, kind: 'server', settled: true })
    if (SQLITE_MEMORY.test(message)) return new D1Failure({ ...facts, kind: 'size', settled: true })
    return new D1Failure({ ...facts, kind: SPACE.test(message) ? 'space' : 'sql', settled: true })
  }
  if (SPACE.test(message)) return new D1Failure({ ...facts, kind: 'space', settled: status < 500 })
  if (QUOTA.test(message)) return new D1Failure({ ...facts, kind: 'quota', settled: status < 500 })
  if (status === 413) return new D1Failure({ ...facts, kind: 'size', settled: true })
  if (SIZE.test(message)) return new D1Failure({ ...facts, kind: 'size', settled: false })
  if (status >= 500 || status === 408 || TRANSIENT.test(message))
    return new D1Failure({ ...facts, kind: 'server', settled: false })
  if (status === 401 || status === 403 || AUTH_CODES.has(code))
    return new D1Failure({ ...facts, kind: 'auth', settled: true })
  if (status === 404 || code === 7400) return new D1Failure({ ...facts, kind: 'missing', settled: true })
  return new D1Failure({ ...facts, kind: 'sql', settled: true })
}

export type ApiError = { readonly code: number; readonly message: string }

function retryAfter(headers: Headers): number | null {
  const written = headers.get('retry-after') ?? ''
  const seconds = /^\d{1,6}$/.test(written) ? Number(written) : (Date.parse(written) - Date.now()) / 1000
  return Number.isNaN(seconds) ? null : Math.max(0, seconds * 1000)
}

/** Codes of a connection that was never made. */
const NOT_SENT =
  /^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|ENETDOWN|UND_ERR_CONNECT_TIMEOUT)$/
const CERTIFICATE = /^(?:CERT_|ERR_TLS_|ERR_SSL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(?:GET|VERIFY)_|EPROTO$)/

/** Maps the error of a request that got no answer, or only a part of an answer. */
export function brokenBy(thrown: unknown): D1Failure {
  const { code, message } = innermost(thrown)
  if (CERTIFICATE.test(code))
    return new D1Failure({ kind: 'tls', message: `${message} (${code})`, settled: true, cause: thrown })
  return new D1Failure({
    kind: 'network',
    message: `${message} (${code})`,
    settled: NOT_SENT.test(code),
    cause: thrown,
  })
}

/** Code and message of the innermost cause, which the message of `fetch` itself does not contain. */
function innermost(thrown: unknown): { readonly code: string; readonly message: string } {
  let found = { code: 'unknown', message: String(thrown) }
  for (let at = thrown, depth = 0; at instanceof Error && depth < 5; depth++) {
    const code = 'code' in at && typeof at.code === 'string' ? at.code : at.name
    found = { code, message: at.message === '' ? found.message : at.message }
    at = at instanceof AggregateError && at.errors.length > 0 ? (at.errors[0] as unknown) : at.cause
  }
  return found
}
