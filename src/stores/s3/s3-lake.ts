/** A lake in a bucket: folders are the parts of keys between slashes. */
import { mayHoldTables } from '../../model/lake/lake-store.ts'
import type { DatabaseFile, FolderState, LakeItem, LakeStore, TableFolders } from '../../model/lake/lake-store.ts'
import { bucketPlace, parseLakeUrl, s3Path } from '../../model/lake/lake-url.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { asSluiceError, SluiceError } from '../../shared/errors.ts'
import { noCounts, sharedClient, type S3Client } from './client.ts'
import { listFolders, type FolderNames } from './list-folders.ts'
import { listPages } from './list.ts'

const LOG = '_delta_log/'
/** Number of folders that are inspected at the same time. */
const PARALLEL = 8

class S3Lake implements LakeStore {
  readonly root: string
  readonly identity: string
  readonly parallel = PARALLEL
  readonly #bucket: string
  readonly #client: S3Client
  readonly #counts = noCounts()
  readonly #folders = new Map<string, Promise<FolderState>>()

  constructor(root: string, identity: string, bucket: string, client: S3Client) {
    this.root = root
    this.identity = identity
    this.#bucket = bucket
    this.#client = client
  }

  async inspect(path: string, signal: AbortSignal): Promise<FolderState> {
    const folder = this.#folders.get(path) ?? this.#ask(path, signal)
    this.#folders.delete(path)
    return folder
  }

  async isPlainFolder(path: string, signal: AbortSignal): Promise<boolean> {
    this.prefetch(path, signal, false)
    return (await this.#folders.get(path))?.is === 'folder'
  }

  prefetch(path: string, signal: AbortSignal, nested: boolean): void {
    if (this.#folders.has(path)) return
    const folder = this.#ask(path, signal)
    const ahead = folder.then(async (found) => (nested && found.is === 'table' ? found.folders(signal) : undefined))
    // The caller of `inspect` gets the error of `folder`.
    ahead.catch(() => undefined)
    this.#folders.set(path, folder)
  }

  /** Database files are searched only on this machine: in a bucket, each would cost a request for its first bytes. */
  databaseFile(): DatabaseFile | null {
    return null
  }

  async #ask(path: string, signal: AbortSignal): Promise<FolderState> {
    try {
      return await this.#list(path, signal)
    } catch (error) {
      throwIfAborted(signal)
      const failure = asSluiceError(error)
      if (failure.code === 'SOURCE_DENIED') return { is: 'denied', error: failure }
      throw error
    }
  }

  async #list(path: string, signal: AbortSignal): Promise<FolderState> {
    const prefix = prefixOf(path)
    const request = { bucket: this.#bucket, prefix, delimiter: '/', signal, counts: this.#counts }
    const log = prefix + LOG
    const names: string[] = []
    let keys = 0
    let isFirst = true
    const pages = listPages(this.#client, request)
    for (let page = await pages.next(); page.done !== true; page = await pages.next()) {
      const { objects, prefixes, next } = page.value
      keys += objects.length
      for (const found of prefixes) names.push(found.slice(prefix.length, -1))
      // A table's folder may contain a million files. A request for the log by its name finds the table at once.
      if (prefixes.includes(log) || (isFirst && next !== null && (await this.#holds(log, signal)))) {
        return this.#table(prefix, listFolders(this.#client, request, { pages, page: page.value, names }))
      }
      isFirst = false
    }
    if (path === this.root && names.length === 0 && keys === 0) throw nothingBelow(path)
    return { is: 'folder', items: this.#foldersOf(prefix, names) }
  }

  /** State of a folder with a table. Its other folders are listed once, when they are requested. */
  #table(prefix: string, rest: () => Promise<FolderNames>): FolderState {
    let listed: Promise<TableFolders> | null = null
    const list = async (): Promise<TableFolders> => {
      const { names, unseen } = await rest()
      return { items: this.#foldersOf(prefix, names.filter(mayHoldTables)), unseen }
    }
    return { is: 'table', folders: () => (listed ??= list()) }
  }

  #foldersOf(prefix: string, names: readonly string[]): readonly LakeItem[] {
    return [...new Set(names)]
      .filter((name) => name !== '' && !name.startsWith('.'))
      .toSorted((a, b) => (a < b ? -1 : 1))
      .map((name): LakeItem => ({ kind: 'folder', name, path: s3Path(this.#bucket, prefix + name) }))
  }

  async #holds(prefix: string, signal: AbortSignal): Promise<boolean> {
    const request = { bucket: this.#bucket, prefix, maxKeys: 1, signal, counts: this.#counts }
    for await (const page of listPages(this.#client, request)) return page.objects.length > 0
    return false
  }
}

function prefixOf(path: string): string {
  const place = parseLakeUrl(path)
  return place.kind === 'bucket' && place.prefix !== '' ? `${place.prefix}/` : ''
}

function nothingBelow(where: string): SluiceError {
  return new SluiceError('NO_SUCH_PATH', `there are no objects below ${where}`, {
    where,
    hint: 'check the bucket and the prefix; upper and lower case matter',
  })
}

/** @throws SluiceError BAD_CONFIG, UNSUPPORTED_URL if it is not an `s3://` URL */
export function openS3Lake(url: string, client: S3Client = sharedClient()): LakeStore {
  const place = bucketPlace(url)
  return new S3Lake(s3Path(place.bucket, place.prefix), place.root, place.bucket, client)
}
