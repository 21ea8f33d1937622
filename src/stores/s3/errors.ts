/**
 * Maps answers of S3 and network errors to SluiceErrors. They contain code and request id, but nothing of the request.
 */
import { sourceGone } from '../../model/lake/missing-file.ts'
import { SluiceError } from '../../shared/errors.ts'
import { tagText } from './xml.ts'

/** An error answer, with its body read. */
export type S3Refusal = {
  readonly status: number
  /** S3's own code, or a code for the status if there is no body (as for HEAD). */
  readonly code: string
  readonly requestId: string | null
  /** Region of the bucket, if S3 names one. */
  readonly region: string | null
  readonly retryAfterMs: number | null
  /** Excerpt of an answer that is not from S3, such as a proxy's page. */
  readonly foreign: string | null
}

const BY_STATUS: Readonly<Record<number, string>> = {
  301: 'PermanentRedirect',
  403: 'AccessDenied',
  404: 'NoSuchKey',
  412: 'PreconditionFailed',
  416: 'InvalidRange',
  429: 'TooManyRequests',
  503: 'SlowDown',
}

const LONGEST_WAIT_MS = 30_000

export function s3Refusal(status: number, headers: Headers, body: string): S3Refusal {
  const after = headers.get('retry-after')
  const seconds = after === null ? Number.NaN : Number(after)
  return {
    status,
    code: tagText(body, 'Code') ?? BY_STATUS[status] ?? `HTTP ${status}`,
    requestId: headers.get('x-amz-request-id') ?? tagText(body, 'RequestId'),
    region: headers.get('x-amz-bucket-region') ?? tagText(body, 'Region'),
    foreign: body !== '' && tagText(body, 'Code') === null ? answerExcerpt(status, headers, body) : null,
    retryAfterMs: Number.isFinite(seconds) ? Math.min(LONGEST_WAIT_MS, Math.max(0, seconds * 1000)) : null,
  }
}

/** Maximum number of characters of a foreign answer that an error repeats. */
const FIRST = 80

/** Status, type and first characters of an answer. */
function answerExcerpt(status: number, headers: Headers, body: string): string {
  const type = headers.get('content-type')?.split(';', 1)[0] ?? 'no content type'
  return `HTTP ${status}, ${type}, ${body === '' ? 'an empty body' : JSON.stringify(body.slice(0, FIRST))}`
}

/** Error for an endpoint whose answer is not from S3. @param where URI of the object or prefix */
export function foreignAnswer(
  where: string,
  answer: { readonly status: number; readonly headers: Headers },
  body: string,
): SluiceError {
  return foreignError(where, answerExcerpt(answer.status, answer.headers, body))
}

function foreignError(where: string, said: string): SluiceError {
  return new SluiceError('SOURCE_IO', 'the endpoint does not answer like S3', {
    where,
    reason: said,
    hint: 'check AWS_ENDPOINT_URL_S3: a proxy, a sign-in page or another service may have answered',
  })
}

/** True if the same request may succeed a little later. */
export function isTransient({ status, code }: S3Refusal): boolean {
  if (status === 429 || status === 408 || status === 500 || status === 502 || status === 503 || status === 504)
    return true
  return code === 'RequestTimeout' || code === 'SlowDown' || code === 'InternalError'
}

/** True if a refusal may mean that the request must be sent to another region. */
export function mayBeOtherRegion({ status, code }: S3Refusal): boolean {
  return status === 301 || status === 307 || status === 400 || code === 'AuthorizationHeaderMalformed'
}

/** Codes for keys that were rotated: they have expired, or were deleted after new keys were created. */
const KEYS_ENDED: ReadonlySet<string> = new Set([
  'ExpiredToken',
  'ExpiredTokenException',
  'TokenRefreshRequired',
  'InvalidToken',
  'InvalidAccessKeyId',
])

/** True if newer credentials may help. */
export function wantsNewKeys({ code }: S3Refusal): boolean {
  return KEYS_ENDED.has(code)
}

const DENIED_HINTS: Readonly<Record<string, string>> = {
  AccessDenied: 'the credentials need s3:ListBucket on the bucket and s3:GetObject on its objects',
  SignatureDoesNotMatch: 'the secret key does not belong to the key id, or a proxy changes requests',
  InvalidAccessKeyId: 'the store does not know this key id: check the credentials and the endpoint',
  RequestTimeTooSkewed: 'set the clock of this machine',
  ExpiredToken: 'sign in again: the temporary credentials have ended',
  ExpiredTokenException: 'sign in again: the temporary credentials have ended',
  TokenRefreshRequired: 'sign in again: the temporary credentials have ended',
  InvalidToken: 'the session token does not belong to the key id',
}

/** @param where URI of the object or prefix */
export function refusalError(refusal: S3Refusal, where: string, tries: number): SluiceError {
  const { status, code, requestId } = refusal
  const id = requestId === null ? '' : `, request ${requestId}`
  const reason = `S3 said ${code} (HTTP ${status}${id})`
  if (code === 'NoSuchBucket') {
    return new SluiceError('NO_SUCH_PATH', 'there is no such bucket', {
      where,
      reason,
      hint: 'check the name, and AWS_ENDPOINT_URL_S3 if the store is not AWS',
    })
  }
  if (refusal.foreign !== null && (status === 404 || (status >= 300 && status < 400)))
    return foreignError(where, refusal.foreign)
  if (status >= 300 && status < 400 && refusal.region === null) return foreignError(where, `HTTP ${status}, a redirect`)
  if (status === 404) return sourceGone('object', where, { reason })
  if (status === 412) {
    return new SluiceError('LOG_CHANGED', 'the object was replaced while it was read', {
      where,
      reason,
      hint: 'run the same command again while no program rewrites the log',
      retryable: true,
    })
  }
  if (status === 401 || status === 403 || DENIED_HINTS[code] !== undefined) {
    const hint = DENIED_HINTS[code] ?? DENIED_HINTS['AccessDenied'] ?? ''
    // Ended keys are a refused login, which newer keys end: it is no missing right.
    const denied = wantsNewKeys(refusal) ? 'CONNECT_FAILED' : 'SOURCE_DENIED'
    return new SluiceError(denied, `S3 refuses access: ${code}`, { where, reason, hint, kind: 'source' })
  }
  const { region } = refusal
  // AWS names the bucket's region also in refusals that are not about the region.
  const isOfRegion = status !== 400 || code === 'AuthorizationHeaderMalformed' || code === 'HTTP 400'
  if (isOfRegion && mayBeOtherRegion(refusal) && region !== null) {
    return new SluiceError('SOURCE_IO', `the bucket is in the region ${region}, which this endpoint does not serve`, {
      where,
      reason,
      hint: `set AWS_REGION=${region}; if AWS_ENDPOINT_URL_S3 or the profile names an endpoint of another region, change it to ${region}, too`,
    })
  }
  const retryable = isTransient(refusal)
  return new SluiceError('SOURCE_IO', `S3 returned the error ${code}${tries > 1 ? ` after ${tries} tries` : ''}`, {
    where,
    reason,
    retryable,
    ...(retryable ? { hint: 'run the same command again a little later' } : {}),
  })
}

/** Certificate errors: another attempt cannot succeed. */
const CERTIFICATE = /^(?:CERT_|ERR_TLS_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(?:GET|VERIFY)_)/

function causeCode(error: unknown): string {
  for (let at = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth++) {
    if ('code' in at && typeof at.code === 'string' && at.code !== '') return at.code
    if (at instanceof AggregateError && at.errors.length > 0) return causeCode(at.errors[0])
  }
  return error instanceof Error ? error.name : 'unknown'
}

/** Error for a request without an answer, or with an incomplete one. */
export function connectionError(error: unknown, where: string, tries: number): SluiceError {
  if (error instanceof SluiceError) return error
  const code = causeCode(error)
  if (CERTIFICATE.test(code)) {
    return new SluiceError('TLS_FAILED', "the store's certificate was not accepted", {
      where,
      reason: code,
      kind: 'source',
      hint: 'for your own certificate, set NODE_EXTRA_CA_CERTS to the file of its authority',
      cause: error,
    })
  }
  return new SluiceError(
    'SOURCE_IO',
    `the connection to S3 failed: ${code}${tries > 1 ? `, after ${tries} tries` : ''}`,
    {
      where,
      retryable: true,
      hint: 'check the network and AWS_ENDPOINT_URL_S3, then run the same command again',
      cause: error,
    },
  )
}
