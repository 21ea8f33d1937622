/** The folder of a Delta table in a bucket, for writing. That only one of two has a name is left to the store, which is asked first whether it can. */
import { randomUUID } from 'node:crypto'
import type { LogWriter } from '../../model/lake/log-writer.ts'
import { parseLakeUrl, s3Path } from '../../model/lake/lake-url.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import { tablePath } from '../common/table-path.ts'
import { readWhole } from './body.ts'
import { noCounts, sharedClient, textOf, type S3Client } from './client.ts'
import { listPages } from './list.ts'
import { ofTarget, overwrites } from './log-writer-errors.ts'
import { md5Of, UPLOAD_SIZES, uploadFile, type S3Object, type UploadSizes } from './log-writer-upload.ts'

export type S3WriterOptions = {
  /** Default: one for all of this process, set up from its environment. */
  readonly client?: S3Client
  readonly sizes?: UploadSizes
}

/** Prefixes of which a store has shown that it heeds If-None-Match. */
const heeded = new WeakMap<S3Client, Set<string>>()

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
    const place = parseLakeUrl(url)
    if (place.kind !== 'bucket') throw new SluiceError('BAD_CONFIG', 'this is no URL of a bucket', { where: url })
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
      await this.#proven(signal)
      for (let attempt = 1; ; attempt++) {
        const status = await this.#putOnce(at, bytes, signal).catch(async (error: unknown) => {
          throwIfAborted(signal)
          // The last answer may have got lost, too: what stands there tells.
          if (!(error instanceof SluiceError) || !error.retryable) throw error
          if ((await this.#read(at, signal).catch(() => null))?.equals(bytes) === true) return 200
          throw error
        })
        if (status === 200) return 'written'
        if (status === 412) {
          const found = await this.#read(at, signal)
          if (found !== null) return found.equals(bytes) ? 'written' : 'exists'
        }
        // Two at the same time, or somebody has just removed it: the store asks for another try.
        if (attempt >= this.#client.rule.tries) {
          throw new SluiceError('TARGET_IO', 'others write under this name all the time', {
            where: s3Path(at.bucket, at.key),
            retryable: true,
          })
        }
        await this.#client.pause(attempt, null, signal)
      }
    })
  }

  async ready(signal: AbortSignal): Promise<void> {
    await this.#guarded(signal, () => this.#proven(signal))
  }

  async put(path: string, bytes: Buffer, signal: AbortSignal): Promise<void> {
    await this.#guarded(signal, async () => {
      const { client, ...at } = this.#at(path)
      const headers = { 'content-md5': md5Of(bytes) }
      await client.request({ ...at, kind: 'writes', method: 'PUT', headers, body: bytes, signal }, textOf)
    })
  }

  async upload(path: string, file: string, signal: AbortSignal): Promise<void> {
    await this.#guarded(signal, async () => {
      const at = this.#at(path)
      // Much is about to be brought there for a commit that a store which cannot be trusted is never given.
      await this.#proven(signal)
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
          // A folder that a console has made is an object without a name.
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

  /** @returns 200, 409, 412 or 501 */
  async #putOnce({ client, ...at }: S3Object, body: Buffer, signal: AbortSignal): Promise<number> {
    const headers = { 'content-md5': md5Of(body), 'if-none-match': '*' }
    return client.request(
      { ...at, kind: 'writes', method: 'PUT', headers, body, signal },
      async (answer) => {
        await textOf(answer)
        return answer.status
      },
      [409, 412, 501],
    )
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
    await client.request({ ...at, kind: 'writes', method: 'DELETE', signal }, textOf, [204, 404])
  }

  /** Asks once for each prefix. @throws SluiceError UNSUPPORTED_URL */
  async #proven(signal: AbortSignal): Promise<void> {
    const known = heeded.get(this.#client) ?? new Set<string>()
    if (known.has(this.root)) return
    await this.#probe(signal)
    heeded.set(this.#client, known.add(this.root))
  }

  /** Two objects of one name, where a store that can be trusted takes the first only. */
  async #probe(signal: AbortSignal): Promise<void> {
    const at = this.#at(`.tmp-probe-${randomUUID()}`)
    try {
      for (let attempt = 1; attempt <= this.#client.rule.tries; attempt++) {
        const first = await this.#putOnce(at, Buffer.from('first'), signal)
        if (first === 501) throw overwrites(this.label, 'it answers 501')
        // Who is told already that it is there needs no second try: the answer to the first one got lost.
        const answer = first === 412 ? first : await this.#putOnce(at, Buffer.from('second'), signal)
        if (answer === 412) return
        if (answer === 200 && first === 200) throw overwrites(this.label, 'it took a second object of one name')
        await this.#client.pause(attempt, null, signal)
      }
      throw overwrites(this.label, 'it answers 409 every time')
    } finally {
      await this.#remove(at, AbortSignal.timeout(10_000)).catch(() => undefined)
    }
  }
}

/**
 * The table at an `s3://bucket/prefix` URL. Nothing is asked of the store before something is written.
 * @throws SluiceError BAD_CONFIG, UNSUPPORTED_URL for what is no such URL
 */
export function openS3LogWriter(url: string, options: S3WriterOptions = {}): LogWriter {
  return new S3LogWriter(url, options)
}
