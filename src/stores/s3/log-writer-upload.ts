/** Uploads files to a bucket: small files in one request, others in parts. Only a few parts are in memory at a time. */
import { createHash } from 'node:crypto'
import { open, type FileHandle } from 'node:fs/promises'
import { s3Path } from '../../model/lake/lake-url.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import { readPieces } from './body.ts'
import { bodyText, type MutableRequestCounts, type S3Client } from './client.ts'
import { tagText } from './xml.ts'

const MB = 1 << 20
export type UploadSizes = {
  /** Largest file that is sent in one request, bytes. */
  readonly single: number
  /** Bytes per part. Parts are larger if the file would otherwise have more parts than S3 allows. */
  readonly part: number
}
export const UPLOAD_SIZES: UploadSizes = { single: 8 * MB, part: 8 * MB }
const MOST_PARTS = 9_000
/** Number of parts that are sent at the same time. */
const PARALLEL_PARTS = 3
/** Time limit for removing the parts of a failed upload, ms. */
const ABORT_MS = 10_000

export type S3Object = {
  readonly client: S3Client
  readonly bucket: string
  readonly key: string
  readonly counts: MutableRequestCounts
}

/**
 * Uploads a file under a name that no other program uses.
 * @throws SluiceError TARGET_IO if another object has the name, or the file changes meanwhile; errors of the client
 */
export async function uploadFile(
  at: S3Object,
  file: string,
  signal: AbortSignal,
  sizes: UploadSizes = UPLOAD_SIZES,
): Promise<void> {
  await using handle = await open(file, 'r')
  const { size } = await handle.stat()
  const isPlaced =
    size <= sizes.single
      ? await putWhole(at, await readAt(handle, 0, size, file), signal)
      : await putParts(at, handle, { file, size, part: partSize(size, sizes.part) }, signal)
  if (!isPlaced) await refuseOther(at, handle, size, signal)
  await checkSize(at, size, signal)
}

export function md5Of(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('base64')
}

function partSize(size: number, least: number): number {
  return size <= least * MOST_PARTS ? least : Math.ceil(size / MOST_PARTS / MB) * MB
}

/** Writes an object if none has its name. @returns 200, or one of the statuses `also` */
export function putOnce(
  { client, ...at }: S3Object,
  body: Buffer,
  signal: AbortSignal,
  also: readonly number[],
): Promise<number> {
  const headers = { 'content-md5': md5Of(body), 'if-none-match': '*' }
  const request = { ...at, kind: 'writes', method: 'PUT', headers, body, signal } as const
  return client.request(request, async (answer) => bodyText(answer).then(() => answer.status), also)
}

/** @returns false if an object of that name exists */
async function putWhole(to: S3Object, body: Buffer, signal: AbortSignal): Promise<boolean> {
  const { client, ...at } = to
  for (let attempt = 1; ; attempt++) {
    const status = await putOnce(to, body, signal, [409, 412])
    if (status !== 409) return status !== 412
    if (attempt >= client.rule.tries) throw busy(at)
    await client.pause(attempt, null, signal)
  }
}

type Source = { readonly file: string; readonly size: number; readonly part: number }

/** @returns false if it is unknown whether the upload was completed, or an object of that name exists */
async function putParts(at: S3Object, handle: FileHandle, source: Source, signal: AbortSignal): Promise<boolean> {
  const uploadId = await begin(at, signal)
  try {
    const etags = await sendParts(at, handle, source, uploadId, signal)
    const isComplete = await complete(at, uploadId, etags, signal)
    if (!isComplete) await abortUpload(at, uploadId)
    return isComplete
  } catch (error) {
    await abortUpload(at, uploadId)
    throw error
  }
}

async function begin({ client, ...at }: S3Object, signal: AbortSignal): Promise<string> {
  const request = { ...at, kind: 'writes', method: 'POST', query: { uploads: '' }, signal } as const
  return client.request(request, async (answer) => {
    const id = tagText(await bodyText(answer), 'UploadId')
    if (id === null) throw new Error('the store did not return an upload id')
    return id
  })
}

async function sendParts(
  { client, ...at }: S3Object,
  handle: FileHandle,
  { file, size, part }: Source,
  uploadId: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const etags: string[] = new Array<string>(Math.ceil(size / part)).fill('')
  const failed = new AbortController()
  const either = AbortSignal.any([signal, failed.signal])
  let next = 0
  const runWorker = async (): Promise<void> => {
    while (next < etags.length) {
      throwIfAborted(either)
      const number = next++
      const body = await readAt(handle, number * part, Math.min(part, size - number * part), file)
      const query = { partNumber: String(number + 1), uploadId }
      const headers = { 'content-md5': md5Of(body) }
      etags[number] = await client.request(
        { ...at, kind: 'writes', method: 'PUT', query, headers, body, signal: either },
        async (answer) => {
          await bodyText(answer)
          const etag = answer.headers.get('etag')
          if (etag === null) throw new Error('the store did not return an ETag for a part')
          return etag
        },
      )
    }
  }
  const ended = await Promise.allSettled(
    Array.from({ length: PARALLEL_PARTS }, () =>
      runWorker().catch((error: unknown) => {
        if (!failed.signal.aborted) failed.abort(error)
        throw error
      }),
    ),
  )
  throwIfAborted(signal)
  if (ended.some(({ status }) => status === 'rejected')) throw failed.signal.reason
  return etags
}

/** An answer with status 200 may still contain an error. */
async function complete(
  { client, ...at }: S3Object,
  uploadId: string,
  etags: readonly string[],
  signal: AbortSignal,
): Promise<boolean> {
  const parts = etags.map((etag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${etag}</ETag></Part>`)
  const body = Buffer.from(`<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`)
  const headers = { 'content-type': 'application/xml', 'if-none-match': '*' }
  for (let attempt = 1; ; attempt++) {
    const { status, code } = await client.request(
      { ...at, kind: 'writes', method: 'POST', query: { uploadId }, headers, body, signal },
      async (answer) => {
        const text = await bodyText(answer)
        return { status: answer.status, code: text.includes('<Error>') ? (tagText(text, 'Code') ?? 'unknown') : null }
      },
      // 404: an earlier request, whose answer was lost, has completed the upload, so the upload no longer exists.
      [404, 409, 412],
    )
    if (status === 404 || status === 412) return false
    if (status === 200 && code === null) return true
    if (attempt >= client.rule.tries) {
      throw new SluiceError('TARGET_IO', `the upload cannot be completed: ${code ?? 'Conflict'}`, {
        where: s3Path(at.bucket, at.key),
        retryable: true,
      })
    }
    await client.pause(attempt, null, signal)
  }
}

/** Removes the parts of a failed upload: they cost money, and only this program has the upload's id. */
async function abortUpload({ client, ...at }: S3Object, uploadId: string): Promise<void> {
  const signal = AbortSignal.timeout(ABORT_MS)
  const request = { ...at, kind: 'writes', method: 'DELETE', query: { uploadId }, signal } as const
  await client.request(request, bodyText, [204, 404]).catch(() => undefined)
}

/**
 * Refuses an existing object whose bytes differ from the file. An object with the same bytes is from this writer: the
 * reply was lost, or an earlier attempt wrote it.
 */
async function refuseOther(at: S3Object, handle: FileHandle, size: number, signal: AbortSignal): Promise<void> {
  let position = 0
  for await (const piece of readPieces(at.client, { ...at, signal })) {
    if (position + piece.length > size) throw other(at)
    if (!(await readAt(handle, position, piece.length, at.key)).equals(piece)) throw other(at)
    position += piece.length
  }
  if (position !== size) throw other(at)
}

async function checkSize({ client, ...at }: S3Object, size: number, signal: AbortSignal): Promise<void> {
  const length = await client.request({ ...at, kind: 'heads', signal }, async ({ headers, cancel }) => {
    cancel()
    return headers.get('content-length')
  })
  if (Number(length) === size) return
  throw new SluiceError('TARGET_IO', `the uploaded object has ${String(length)} bytes instead of ${size}`, {
    where: s3Path(at.bucket, at.key),
  })
}

async function readAt(handle: FileHandle, position: number, length: number, where: string): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length)
  let got = 0
  while (got < length) {
    const { bytesRead } = await handle.read(bytes, got, length - got, position + got)
    if (bytesRead === 0) throw new SluiceError('SOURCE_IO', 'the file became shorter while it was read', { where })
    got += bytesRead
  }
  return bytes
}

function other({ bucket, key }: S3Object): SluiceError {
  return new SluiceError('TARGET_IO', 'the object cannot be written: another object already has this name', {
    where: s3Path(bucket, key),
    reason: 'files in an archive are never overwritten',
  })
}

function busy({ bucket, key }: Pick<S3Object, 'bucket' | 'key'>): SluiceError {
  return new SluiceError(
    'TARGET_IO',
    'the object cannot be written: other programs write to the same name at the same time',
    {
      where: s3Path(bucket, key),
      retryable: true,
    },
  )
}
