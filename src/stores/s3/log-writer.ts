/**
 * The folder of a Delta table in a bucket, for writing. The store must accept only one of two objects with the same
 * name; this is tested first.
 */
import { randomUUID } from 'node:crypto'
import type { LogWriter } from '../../model/lake/log-writer.ts'
import { bucketPlace, s3Path } from '../../model/lake/lake-url.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import { tablePath } from '../common/table-path.ts'
import { readWhole } from './body.ts'
import { noCounts, sharedClient, bodyText, type S3Client } from './client.ts'
import { listPages } from './list.ts'
import { ofTarget, overwrites } from './log-writer-errors.ts'
import { md5Of, putOnce, UPLOAD_SIZES, uploadFile, type S3Object, type UploadSizes } from './log-writer-upload.ts'

export type S3WriterOptions = {
  /** Default: one client for the whole process, set up from its environment. */
  readonly client?: S3Client
  readonly sizes?: UploadSizes
}

/** Statuses of a store that writes no second object of a name, or knows no If-None-Match. */
const REFUSED = [409, 412, 501]
/** Prefixes whose store was tested and honours If-None-Match. */
const honoured = new WeakMap<S3Client, Set<string>>()

class S3LogWriter implements LogWriter {
  readonly root: string
  readonly label: string
  readonly folder = null
  readonly #bucket: string
  readonly #prefix: string
  readonly #client: S3Client
  readonly #sizes: UploadSizes
  readonly #counts = noCounts()

  constructor(url: string, options: S3WriterOptions) {
    const place = bucketPlace(url)
    this.root = place.root
    this.label = s3Path(place.bucket, place.prefix)
    this.#bucket = place.bucket
    this.#prefix = place.prefix === '' ? '' : `${place.prefix}/`
    this.#client = options.client ?? sharedClient()
    this.#sizes = options.sizes ?? UPLOAD_SIZES
  }

  async putIfAbsent(path: string, bytes: Buffer, signal: AbortSignal): Promise<'written' | 'exists'> {
    return this.#guarded(signal, async () => {
      const at = this.#at(path)
      await this.#testStore(signal)
      for (let attempt = 1; ; attempt++) {
        const status = await putOnce(at, bytes, signal, REFUSED).catch(async (error: unknown) => {
          throwIfAborted(signal)
          // The reply to the last request may be lost too, so read the stored object.
          if (!(error instanceof SluiceError) || !error.retryable) throw error
          if ((await this.#read(at, signal).catch(() => null))?.equals(bytes) === true) return 200
          throw error
        })
        if (status === 200) return 'written'
        if (status === 412) {
          const found = await this.#read(at, signal)
          if (found !== null) return found.equals(bytes) ? 'written' : 'exists'
        }
        // Two programs wrote at the same time, or the object was just removed: the store asks for a retry.
        if (attempt >= this.#client.rule.tries) {
          throw new SluiceError(
            'TARGET_IO',
            'the object cannot be written: other programs write to the same name at the same time',
            {
              where: s3Path(at.bucket, at.key),
              retryable: true,
            },
          )
        }
        await this.#client.pause(attempt, null, signal)
      }
    })
  }

  async ready(signal: AbortSignal): Promise<void> {
    await this.#guarded(signal, () => this.#testStore(signal))
  }

  async put(path: string, bytes: Buffer, signal: AbortSignal): Promise<void> {
    await this.#guarded(signal, async () => {
      const { client, ...at } = this.#at(path)
      const headers = { 'content-md5': md5Of(bytes) }
      await client.request({ ...at, kind: 'writes', method: 'PUT', headers, body: bytes, signal }, bodyText)
    })
  }

  async upload(path: string, file: string, signal: AbortSignal): Promise<void> {
    await this.#guarded(signal, async () => {
      const at = this.#at(path)
      // Test the store before the upload, because the commit that follows must not be sent to an unsafe store.
      await this.#testStore(signal)
      await uploadFile(at, file, signal, this.#sizes)
    })
  }

  async *listAll(
    folder: string,
    signal: AbortSignal,
  ): AsyncGenerator<{ readonly path: string; readonly size: bigint; readonly modified: number }> {
    const { client, ...at } = this.#at(folder === '' ? null : folder)
    const prefix = folder === '' ? at.key : `${at.key}/`
    try {
      for await (const { objects } of listPages(client, { bucket: at.bucket, counts: at.counts, prefix, signal })) {
        throwIfAborted(signal)
        for (const { key, size, modified } of objects) {
          // S3 consoles represent a folder by an object whose key ends with a slash.
          if (!key.endsWith('/')) yield { path: key.slice(this.#prefix.length), size: BigInt(size), modified }
        }
      }
    } catch (error) {
      throw ofTarget(error)
    }
  }

  async remove(path: string, signal: AbortSignal): Promise<void> {
    await this.#guarded(signal, () => this.#remove(this.#at(path), signal))
  }

  async #guarded<T>(signal: AbortSignal, body: () => Promise<T>): Promise<T> {
    throwIfAborted(signal)
    try {
      return await body()
    } catch (error) {
      throwIfAborted(signal)
      throw ofTarget(error)
    }
  }

  #at(path: string | null): S3Object {
    const key = path === null ? this.#prefix : this.#prefix + tablePath(path, this.label)
    return { client: this.#client, bucket: this.#bucket, key, counts: this.#counts }
  }

  async #read({ client, ...at }: S3Object, signal: AbortSignal): Promise<Buffer | null> {
    try {
      return (await readWhole(client, { ...at, signal })).bytes
    } catch (error) {
      if (error instanceof SluiceError && error.code === 'SOURCE_GONE') return null
      throw error
    }
  }

  async #remove({ client, ...at }: S3Object, signal: AbortSignal): Promise<void> {
    await client.request({ ...at, kind: 'writes', method: 'DELETE', signal }, bodyText, [204, 404])
  }

  /** Tests each prefix once. @throws SluiceError UNSUPPORTED_URL */
  async #testStore(signal: AbortSignal): Promise<void> {
    const known = honoured.get(this.#client) ?? new Set<string>()
    if (known.has(this.root)) return
    await this.#probe(signal)
    honoured.set(this.#client, known.add(this.root))
  }

  /** Writes two objects of one name: a safe store accepts only the first. */
  async #probe(signal: AbortSignal): Promise<void> {
    const at = this.#at(`.tmp-probe-${randomUUID()}`)
    try {
      for (let attempt = 1; attempt <= this.#client.rule.tries; attempt++) {
        const first = await putOnce(at, Buffer.from('first'), signal, REFUSED)
        if (first === 501) throw overwrites(this.label, 'it answers 501')
        // 412 for the first object: it exists already, because the answer to its first request was lost.
        const answer = first === 412 ? first : await putOnce(at, Buffer.from('second'), signal, REFUSED)
        if (answer === 412) return
        if (answer === 200 && first === 200)
          throw overwrites(this.label, 'it accepted a second object with the same name')
        await this.#client.pause(attempt, null, signal)
      }
      throw overwrites(this.label, 'it answers 409 every time')
    } finally {
      await this.#remove(at, AbortSignal.timeout(10_000)).catch(() => undefined)
    }
  }
}

/**
 * The table at an `s3://bucket/prefix` URL. Sends no request before the first write.
 * @throws SluiceError BAD_CONFIG, UNSUPPORTED_URL if it is not such a URL
 */
export function openS3LogWriter(url: string, options: S3WriterOptions = {}): LogWriter {
  return new S3LogWriter(url, options)
}
