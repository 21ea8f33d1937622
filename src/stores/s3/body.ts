/** Reads an object's bytes in order. Resumes a broken transfer where it stopped, never with another object's bytes. */
import { s3Path } from '../../model/lake/lake-url.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { MutableRequestCounts, S3Answer, S3Client } from './client.ts'
import { connectionError } from './errors.ts'

/**
 * Size of the chunks for readers, bytes. Bodies arrive in pieces of about 64 KB, which are too small to be split into
 * lines fast.
 */
const CHUNK = 1 << 21

export type ObjectFacts = { readonly size: number; readonly etag: string | null; readonly modified: number }

export type BodyRequest = {
  readonly bucket: string
  readonly key: string
  /** Bytes `start` up to `end` (exclusive); a negative `start` counts from the end of the object. */
  readonly start?: number
  readonly end?: number
  /** The object must still have this ETag. */
  readonly etag?: string | null
  readonly signal: AbortSignal
  readonly counts: MutableRequestCounts
  /** Called once, before the first byte. */
  readonly onFacts?: (facts: ObjectFacts) => void
}

/** Yields pieces as they arrive. @throws SluiceError SOURCE_GONE, LOG_CHANGED, SOURCE_DENIED, SOURCE_IO */
export async function* readPieces(client: S3Client, request: BodyRequest): AsyncGenerator<Buffer> {
  const { bucket, key, signal, counts } = request
  const where = s3Path(bucket, key)
  let at = request.start ?? 0
  let { end } = request
  let etag = request.etag ?? null
  let begun: ObjectFacts | null = null
  let failures = 0
  for (let first = true; ; first = false) {
    const headers: Record<string, string> = {}
    if (at < 0) headers['range'] = `bytes=${at}`
    else if (at > 0 || end !== undefined) headers['range'] = `bytes=${at}-${end === undefined ? '' : end - 1}`
    // If-Match compares strongly and never matches a weak ETag (RFC 9110, 13.1.1). A weak ETag is therefore compared
    // with the ETag of the answer, below.
    if (etag !== null && !etag.startsWith('W/')) headers['if-match'] = etag
    if (end !== undefined && at >= end) return
    const sent = { kind: 'gets', bucket, key, headers, signal, counts } as const
    const answer = await client.request(sent, async (given) => given, [416])
    if (answer.status === 416) {
      answer.cancel()
      // 416 for the first request: the object has no byte at the requested start.
      if (first) return
      throw changed(where)
    }
    const { facts, from } = factsOf(answer, at, where)
    const own = facts.etag
    const isOther = etag !== null && own !== null ? own !== etag : begun !== null && !isLike(begun, facts)
    if (isOther) {
      answer.cancel()
      throw changed(where)
    }
    etag ??= own
    begun ??= facts
    if (first) request.onFacts?.(facts)
    if (at < 0) {
      at = Math.max(0, facts.size + at)
      // Some stores do not support ranges from the end: ask again, with a range from the start.
      if (from !== at) {
        answer.cancel()
        if (facts.size === Infinity) throw noSize(where)
        end = facts.size
        continue
      }
    }
    const stop = Math.min(end ?? facts.size, facts.size)
    end = stop
    if (at >= stop) {
      answer.cancel()
      return
    }
    let position = from
    try {
      for await (const chunk of answer.body) {
        // A store that does not support ranges sends the whole object. Then only the wanted bytes are passed on.
        const wanted = chunk.subarray(Math.max(0, at - position), Math.max(0, stop - position))
        position += chunk.length
        if (wanted.length === 0) continue
        at += wanted.length
        failures = 0
        yield wanted
      }
      if (at >= stop || stop === Infinity) return
      throw new Error(`the body ended at byte ${at} of ${stop}`)
    } catch (error) {
      throwIfAborted(signal)
      const failure = connectionError(error, where, failures + 1)
      if (error instanceof SluiceError || !failure.retryable || ++failures >= client.rule.tries) throw failure
      // Without an ETag, or size and time, it is unknown if the next answer is about the same object.
      if (etag === null && !hasIdentity(begun)) throw failure
      await client.pause(failures, null, signal)
    } finally {
      answer.cancel()
    }
  }
}

/** As `readPieces`, in chunks of up to 2 MB. */
export async function* readChunks(client: S3Client, request: BodyRequest): AsyncGenerator<Buffer> {
  let held: Buffer[] = []
  let length = 0
  for await (const piece of readPieces(client, request)) {
    held.push(piece)
    length += piece.length
    if (length < CHUNK) continue
    const all = held.length === 1 ? piece : Buffer.concat(held, length)
    for (let at = 0; at < all.length; at += CHUNK) yield all.subarray(at, at + CHUNK)
    held = []
    length = 0
  }
  if (length > 0) yield held.length === 1 ? (held[0] as Buffer) : Buffer.concat(held, length)
}

/** Reads a whole object or range at once; for small objects. */
export async function readWhole(
  client: S3Client,
  request: BodyRequest,
): Promise<{ readonly bytes: Buffer; readonly facts: ObjectFacts | null }> {
  let facts: ObjectFacts | null = null
  const pieces: Buffer[] = []
  const onFacts = (given: ObjectFacts): void => void (facts = given)
  for await (const piece of readPieces(client, { ...request, onFacts })) pieces.push(piece)
  return { bytes: pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces), facts }
}

function factsOf(
  answer: S3Answer,
  asked: number,
  where: string,
): { readonly facts: ObjectFacts; readonly from: number } {
  const { headers, status } = answer
  const encoding = headers.get('content-encoding')
  if (encoding !== null && /gzip|br|deflate/i.test(encoding)) {
    answer.cancel()
    throw new SluiceError('SOURCE_IO', `the object cannot be read: it is stored with Content-Encoding ${encoding}`, {
      where,
      hint: 'store the files of the table again without Content-Encoding',
    })
  }
  const etag = headers.get('etag')
  const modified = Date.parse(headers.get('last-modified') ?? '')
  const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(headers.get('content-range') ?? '')
  if (status !== 206) {
    const size = Number(headers.get('content-length') ?? Number.NaN)
    // Without a length, the size is known only at the end of the body.
    return { facts: { size: Number.isNaN(size) ? Infinity : size, etag, modified }, from: 0 }
  }
  const from = Number(range?.[1] ?? Number.NaN)
  const size = Number(range?.[3] ?? Number.NaN)
  if (Number.isNaN(from) || Number.isNaN(size) || (asked >= 0 && from !== asked)) {
    answer.cancel()
    throw new SluiceError('SOURCE_IO', 'the store returned another range than the requested one', { where })
  }
  return { facts: { size, etag, modified }, from }
}

/** True if an object without an ETag has a size and a time, by which it can be recognized. */
function hasIdentity({ size, modified }: ObjectFacts): boolean {
  return size !== Infinity && !Number.isNaN(modified)
}

/** True if two answers without an ETag have the same size and time. */
function isLike(one: ObjectFacts, other: ObjectFacts): boolean {
  return one.size === other.size && Object.is(one.modified, other.modified)
}

function noSize(where: string): SluiceError {
  return new SluiceError('SOURCE_IO', 'the store does not report the size of the object', { where })
}

function changed(where: string): SluiceError {
  return new SluiceError('LOG_CHANGED', 'the object was replaced while it was read', {
    where,
    hint: 'run the same command again while no program rewrites the log',
    retryable: true,
  })
}
