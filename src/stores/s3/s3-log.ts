/** A Delta log in a bucket. */
import type { FileEntry, LogListingEntry, LogObject, LogStore, RequestCounts } from '../../model/lake/log-store.ts'
import { bucketPlace, s3Path } from '../../model/lake/lake-url.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { Route } from '../../model/run/route.ts'
import { Ahead } from './ahead.ts'
import { readChunks, readWhole } from './body.ts'
import { noCounts, routedClient, sharedClient, type MutableRequestCounts, type S3Client } from './client.ts'
import { Copies } from './copies.ts'
import { listPages } from './list.ts'
import { Spool } from './spool.ts'

export type S3LogOptions = {
  /** Default: one client for the whole process, set up from its environment. */
  readonly client?: S3Client
  /** Route to the store, if not direct; ignored if `client` is given. */
  readonly route?: Route | undefined
}

/** Larger objects are not fetched in advance. */
const AHEAD_BYTES = 4 << 20
const CHUNK = 1 << 21

type Listed = { readonly size: number; readonly etag: string | null }

class S3Log implements LogStore {
  readonly root: string
  readonly label: string
  readonly pagedListing = true
  readonly #bucket: string
  readonly #prefix: string
  readonly #client: S3Client
  readonly #counts: MutableRequestCounts = noCounts()
  /** Facts of each object from the newest listing. */
  readonly #listed = new Map<string, Listed>()
  readonly #spool = new Spool()
  readonly #copies: Copies
  readonly #ahead: Ahead<Buffer>
  #keep = false

  constructor(url: string, options: S3LogOptions) {
    const place = bucketPlace(url)
    this.root = place.root
    this.label = s3Path(place.bucket, place.prefix)
    this.#bucket = place.bucket
    this.#prefix = place.prefix === '' ? '' : `${place.prefix}/`
    this.#client = options.client ?? (options.route === undefined ? sharedClient() : routedClient(options.route))
    this.#copies = new Copies(this.#client)
    this.#ahead = new Ahead((path, signal) => this.#whole(path, signal))
  }

  get requests(): RequestCounts {
    return this.#counts
  }

  get #common(): { readonly bucket: string; readonly counts: MutableRequestCounts } {
    return { bucket: this.#bucket, counts: this.#counts }
  }

  /** Key of a path. Refuses the parts `.` and `..`: a URL resolves them, and another object would be requested. */
  #key(path: string): string {
    const key = this.#prefix + path
    if (/(?:^|\/)\.{1,2}(?:\/|$)/.test(key)) {
      throw new SluiceError('PATH_ESCAPES', `the key '${key}' cannot be requested: URLs resolve '.' and '..' in it`, {
        where: this.label,
      })
    }
    return key
  }

  async *list(
    folder: string,
    options: { readonly after?: string; readonly attributes: boolean; readonly signal: AbortSignal },
  ): AsyncIterable<LogListingEntry> {
    const { after, signal } = options
    const prefix = folder === '' ? this.#prefix : `${this.#key(folder)}/`
    const start = after === undefined ? {} : { startAfter: prefix + after }
    const request = { ...this.#common, prefix, delimiter: '/', ...start, signal }
    const inLog = folder.startsWith('_delta_log')
    for await (const { objects } of listPages(this.#client, request)) {
      throwIfAborted(signal)
      for (const { key, size, modified, etag } of objects) {
        const name = key.slice(prefix.length)
        // Consoles of S3 represent a folder by an object with an empty name.
        if (name === '' || name.includes('/')) continue
        // Files of data folders are not recorded: there may be millions of them, and none of them is read.
        if (inLog) this.#listed.set(`${folder}/${name}`, { size, etag })
        yield { name, size, modified, ...(etag === null ? {} : { stamp: etag }) }
      }
    }
  }

  async *listDeep(folder: string, signal: AbortSignal): AsyncIterable<string> {
    const prefix = folder === '' ? this.#prefix : `${this.#key(folder)}/`
    for await (const { objects } of listPages(this.#client, { ...this.#common, prefix, signal })) {
      throwIfAborted(signal)
      for (const { key } of objects) yield key.slice(prefix.length)
    }
  }

  async *listFiles(_enter: (folder: string) => boolean, signal: AbortSignal): AsyncIterable<FileEntry> {
    const prefix = this.#prefix
    for await (const { objects } of listPages(this.#client, { ...this.#common, prefix, signal })) {
      throwIfAborted(signal)
      for (const { key, size, modified } of objects) {
        const name = key.slice(prefix.length)
        if (name !== '' && !name.endsWith('/')) yield { name, size, modified }
      }
    }
  }

  prefetch(paths: readonly string[], options: { readonly signal: AbortSignal; readonly keep?: boolean }): void {
    this.#keep = options.keep ?? false
    const sizes = new Map<string, number>()
    const order = paths.filter((path) => {
      const listed = this.#listed.get(path)
      if (listed === undefined || listed.size > AHEAD_BYTES || this.#spool.has(path, listed.etag)) return false
      sizes.set(path, listed.size)
      return true
    })
    this.#ahead.plan(order, sizes, options.signal)
  }

  async *read(path: string, options: Parameters<LogStore['read']>[1]): AsyncIterable<Buffer> {
    const { signal, start, end, etag } = options
    throwIfAborted(signal)
    if (start === undefined && end === undefined && etag === undefined) {
      const whole = this.#spool.find(path, this.#listed.get(path)?.etag) ?? (await this.#ahead.take(path))
      throwIfAborted(signal)
      if (whole !== null) {
        for (let at = 0; at < whole.length; at += CHUNK) yield whole.subarray(at, at + CHUNK)
        return
      }
    }
    const range = {
      ...(start === undefined ? {} : { start }),
      ...(end === undefined ? {} : { end }),
      ...(etag === undefined ? {} : { etag }),
    }
    yield* readChunks(this.#client, { ...this.#common, key: this.#key(path), ...range, signal })
  }

  async #whole(path: string, signal: AbortSignal): Promise<Buffer> {
    const { bytes, facts } = await readWhole(this.#client, { ...this.#common, key: this.#key(path), signal })
    const etag = facts?.etag ?? null
    if (this.#keep && etag !== null && etag === this.#listed.get(path)?.etag) this.#spool.keep(path, etag, bytes)
    return bytes
  }

  async head(path: string, signal: AbortSignal): Promise<LogObject | null> {
    const request = { ...this.#common, kind: 'heads', key: this.#key(path), signal } as const
    try {
      return await this.#client.request(request, async ({ headers, cancel }) => {
        cancel()
        return {
          size: Number(headers.get('content-length')),
          modified: Date.parse(headers.get('last-modified') ?? ''),
          etag: headers.get('etag'),
        }
      })
    } catch (error) {
      if (error instanceof SluiceError && error.code === 'SOURCE_GONE') return null
      throw error
    }
  }

  async localFile(
    path: string,
    signal: AbortSignal,
    { columns, known }: { readonly columns?: readonly string[]; readonly known?: LogObject } = {},
  ): Promise<AsyncDisposable & { readonly file: string }> {
    throwIfAborted(signal)
    const etag = known?.etag ?? null
    const source = { ...this.#common, key: this.#key(path), ...(etag === null ? {} : { etag }) }
    const listed = known === undefined ? this.#listed.get(path) : { size: known.size, etag }
    return this.#copies.open(source, listed, columns, signal)
  }
}

/**
 * The log of the table at an `s3://bucket/prefix` URL. Sends no request before the first read.
 * @throws SluiceError BAD_CONFIG, UNSUPPORTED_URL if it is not such a URL
 */
export function openS3Log(url: string, options: S3LogOptions = {}): LogStore {
  return new S3Log(url, options)
}
