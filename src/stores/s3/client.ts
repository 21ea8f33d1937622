/** Sends signed requests to S3. Transient errors are retried, all others thrown at once. */
import { AwsV4Signer } from 'aws4fetch'
import { createHash } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { s3Path } from '../../model/lake/lake-url.ts'
import { requestBegins, requestEnds, type RequestCounts } from '../../model/lake/log-store.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { Route } from '../../model/run/route.ts'
import { CredentialSource, findCredentials, type Credentials } from './credentials.ts'
import { endpointOf, objectUrl, queryText, type Endpoint } from './endpoint.ts'
import {
  connectionError,
  isTransient,
  mayBeOtherRegion,
  refusalError,
  s3Refusal,
  wantsNewKeys,
  type S3Refusal,
} from './errors.ts'
import { readProfile, type Env } from './profile.ts'
import { routedFetch, type Fetch, type FetchAnswer } from './routed-fetch.ts'

export type MutableRequestCounts = { -readonly [K in keyof RequestCounts]: RequestCounts[K] }

export const noCounts = (): MutableRequestCounts => ({ lists: 0, gets: 0, heads: 0, bytes: 0, inSequence: 0 })

export type S3Request = {
  /** `writes` are not counted, because readers make none. */
  readonly kind: 'lists' | 'gets' | 'heads' | 'writes'
  /** Only for `writes`. */
  readonly method?: 'PUT' | 'POST' | 'DELETE'
  /** Only for `writes`. */
  readonly body?: Buffer
  readonly bucket: string
  /** Key of the object, decoded; empty for the bucket itself. */
  readonly key: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly signal: AbortSignal
  readonly counts: MutableRequestCounts
}

export type S3Answer = {
  readonly status: number
  readonly headers: Headers
  /** The body. The caller must read it to its end, or call `cancel`. It ends early only with an error. */
  readonly body: AsyncIterable<Buffer>
  readonly cancel: () => void
}

export type RetryRule = { readonly tries: number; readonly baseMs: number; readonly idleMs: number }

/**
 * The pauses between six tries are together at most about 6 s. `idleMs`: a store that sends nothing for this time has
 * failed.
 */
export const RETRIES: RetryRule = { tries: 6, baseMs: 100, idleMs: 30_000 }

/**
 * Lowest expected rate of an upload, bytes per ms. The time limit for an answer is extended by the time for the body at
 * this rate.
 */
const SLOWEST_UPLOAD = 50
const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

class Stalled extends Error {
  override readonly name = 'StalledTransfer'
}

type Setup = { readonly endpoint: Endpoint; readonly credentials: CredentialSource }

/** Client of S3. One per process is enough: it keeps credentials, regions of buckets and signing keys. */
export class S3Client {
  readonly #env: Env
  readonly #rule: RetryRule
  readonly #fetch: Fetch
  readonly #regions = new Map<string, string>()
  readonly #signingKeys = new Map<string, ArrayBuffer>()
  #setup: Promise<Setup> | null = null

  constructor(env: Env, rule: RetryRule = RETRIES, fetchBy: Fetch = fetch) {
    this.#env = env
    this.#rule = rule
    this.#fetch = fetchBy
  }

  get rule(): RetryRule {
    return this.#rule
  }

  /**
   * Sends a request, and retries until `take` has processed its answer. If a body breaks, `take` is called again with a
   * new answer, so it must start from the beginning each time.
   * @param allowed statuses other than 200 and 206 that count as answers
   * @throws SluiceError SOURCE_GONE, SOURCE_DENIED, SOURCE_IO, LOG_CHANGED, NO_SUCH_PATH, TLS_FAILED; CONNECT_FAILED
   * for keys that have ended; BAD_CONFIG without credentials
   */
  async request<T>(
    request: S3Request,
    take: (answer: S3Answer) => Promise<T>,
    allowed: readonly number[] = [],
  ): Promise<T> {
    const where = s3Path(request.bucket, request.key)
    // Every running request listens to the signal. Without this, Node warns of a leak above ten listeners.
    setMaxListeners(0, request.signal)
    let refused: Credentials | null | undefined
    let moved = false
    for (let attempt = 1; ; attempt++) {
      throwIfAborted(request.signal)
      const credentials = await this.#credentials(refused)
      let waitMs: number | null = null
      try {
        const answer = await this.#send(request, credentials)
        if (answer.status === 200 || answer.status === 206 || allowed.includes(answer.status)) return await take(answer)
        const refusal = s3Refusal(answer.status, answer.headers, await bodyText(answer))
        if (refusal.region !== null && !moved && this.#follow(request.bucket, refusal, refusal.region)) {
          moved = true
          continue
        }
        if (wantsNewKeys(refusal) && refused === undefined) {
          refused = credentials
          continue
        }
        if (!isTransient(refusal) || attempt >= this.#rule.tries) throw refusalError(refusal, where, attempt)
        waitMs = refusal.retryAfterMs
      } catch (error) {
        throwIfAborted(request.signal)
        const failure = connectionError(error, where, attempt)
        if (error instanceof SluiceError || !failure.retryable || attempt >= this.#rule.tries) throw failure
      }
      await this.pause(attempt, waitMs, request.signal)
    }
  }

  /** Waits before another try: exponentially longer, with full jitter, and at least as long as the store asks. */
  async pause(attempt: number, atLeastMs: number | null, signal: AbortSignal): Promise<void> {
    const ceiling = Math.min(20_000, this.#rule.baseMs * 2 ** attempt)
    await sleep((atLeastMs ?? 0) + Math.random() * ceiling, undefined, { signal }).catch(() => undefined)
    throwIfAborted(signal)
  }

  async #ready(): Promise<Setup> {
    this.#setup ??= this.#prepare()
    try {
      return await this.#setup
    } catch (error) {
      this.#setup = null
      throw error
    }
  }

  async #prepare(): Promise<Setup> {
    const profile = await readProfile(this.#env)
    const endpoint = endpointOf(this.#env, profile)
    // The keys of a profile may be replaced in its file while a program runs for days, so the file is read again.
    const load = async (): Promise<Credentials | null> =>
      await findCredentials(this.#env, await readProfile(this.#env), endpoint.region)
    return { endpoint, credentials: new CredentialSource(load) }
  }

  async #credentials(refused: Credentials | null | undefined): Promise<Credentials | null> {
    return (await this.#ready()).credentials.get(refused)
  }

  /** Records the region that a refusal names. @returns true if the request must be sent again, to this region */
  #follow(bucket: string, refusal: S3Refusal, region: string): boolean {
    if (!mayBeOtherRegion(refusal) || this.#regions.get(bucket) === region) return false
    this.#regions.set(bucket, region)
    return true
  }

  async #send(request: S3Request, credentials: Credentials | null): Promise<S3Answer> {
    const { endpoint } = await this.#ready()
    const region = this.#regions.get(request.bucket) ?? endpoint.region
    const url = objectUrl(endpoint, region, request.bucket, request.key, queryText(request.query ?? {}))
    const { body = null } = request
    const method = request.kind === 'heads' ? 'HEAD' : request.kind === 'writes' ? (request.method ?? 'PUT') : 'GET'
    let headers = new Headers(request.headers)
    if (credentials !== null) {
      // The digest is signed: the store refuses a body that changed on the way.
      const digest = body === null ? EMPTY_SHA256 : createHash('sha256').update(body).digest('hex')
      headers.set('x-amz-content-sha256', digest)
      const { accessKeyId, secretAccessKey, sessionToken } = credentials
      const signer = new AwsV4Signer({
        method,
        url,
        headers,
        accessKeyId,
        secretAccessKey,
        ...(sessionToken === undefined ? {} : { sessionToken }),
        service: 's3',
        region,
        cache: this.#signingKeys,
      })
      headers = (await signer.sign()).headers
    }
    // A body that a proxy decompresses has another length than the object, so `identity` is requested. With a range,
    // fetch adds this header itself. A second one would break the signature, although it does not cover the header.
    if (!headers.has('range')) headers.set('accept-encoding', 'identity')
    if (request.kind !== 'writes') request.counts[request.kind]++
    const place = requestBegins(request.counts)
    const watch = new Watch(request.signal, this.#rule.idleMs + (body?.length ?? 0) / SLOWEST_UPLOAD)
    try {
      const response = await this.#fetch(url, { method, headers, body, redirect: 'manual', signal: watch.signal })
      watch.noteActivity()
      requestEnds(request.counts, place)
      const cancel = (): void => watch.abort()
      return { status: response.status, headers: response.headers, body: bodyOf(response, watch, request), cancel }
    } catch (error) {
      watch.end()
      throw watch.stalled ? new Stalled('no answer', { cause: error }) : error
    }
  }
}

/** Ends a transfer if its reader stops, or if nothing was received for `idleMs`. */
class Watch {
  readonly #controller = new AbortController()
  readonly #outer: AbortSignal
  readonly #timer: NodeJS.Timeout
  stalled = false

  constructor(outer: AbortSignal, idleMs: number) {
    this.#outer = outer
    this.#timer = setTimeout(() => {
      this.stalled = true
      this.#controller.abort()
    }, idleMs)
    this.#timer.unref()
    outer.addEventListener('abort', this.abort, { once: true })
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  readonly abort = (): void => {
    this.#controller.abort()
    this.end()
  }

  noteActivity(): void {
    this.#timer.refresh()
  }

  end(): void {
    clearTimeout(this.#timer)
    this.#outer.removeEventListener('abort', this.abort)
  }
}

async function* bodyOf(response: FetchAnswer, watch: Watch, { kind, counts }: S3Request): AsyncGenerator<Buffer> {
  const announced = response.headers.get('content-length')
  let got = 0
  let whole = false
  try {
    for await (const chunk of response.body ?? []) {
      watch.noteActivity()
      got += chunk.byteLength
      counts.bytes += chunk.byteLength
      yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    }
    if (kind !== 'heads' && announced !== null && got !== Number(announced)) {
      throw new Error(`the body has ${got} of ${announced} bytes`)
    }
    whole = true
  } catch (error) {
    throw watch.stalled ? new Stalled('the transfer stalled', { cause: error }) : error
  } finally {
    if (whole) watch.end()
    else watch.abort()
  }
}

/** Reads the whole body as text. */
export async function bodyText(answer: S3Answer): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of answer.body) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

const routed = new WeakMap<Route, S3Client>()

/** Client of this process for a route to a store. Requests for credentials do not use the route. */
export function routedClient(route: Route): S3Client {
  const known = routed.get(route)
  if (known !== undefined) return known
  const client = new S3Client({ ...process.env }, RETRIES, routedFetch(route))
  routed.set(route, client)
  return client
}

let shared: { readonly key: string; readonly client: S3Client } | null = null

/** Client of this process. It is replaced when the settings in the environment change. */
export function sharedClient(): S3Client {
  const key = JSON.stringify(Object.entries(process.env).filter(([name]) => /^(?:AWS_(?!SDK_)|HOME$)/.test(name)))
  if (shared?.key !== key) shared = { key, client: new S3Client({ ...process.env }) }
  return shared.client
}
