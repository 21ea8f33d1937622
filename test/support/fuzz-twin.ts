/**
 * The reference implementation of reader and importer: reads all lines of some files forward into maps. It shares with
 * src only the names of paths and deletion vectors, and the Parquet reader.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { AddAction, DeletionVectorDescriptor, MetadataAction, ProtocolAction } from '../../src/delta/actions.ts'
import type { CheckpointFiles } from '../../src/delta/listing.ts'
import { canonicalPath, dvId } from '../../src/delta/paths.ts'
import { parquetRows } from '../../src/engine/run/registry.ts'

const NEVER = new AbortController().signal
const EMPTY_SCHEMA = '{"type":"struct","fields":[]}'

/** The contents of a version in a form in which two readings can be compared. */
export type Picture = {
  /** One text per file, sorted. */
  readonly files: readonly string[]
  readonly protocol: string
  readonly metadata: string
  readonly txns: readonly string[]
  readonly domains: readonly string[]
}

type Named = { readonly path: string; readonly deletionVector?: DeletionVectorDescriptor | null }

/** An object of the log with unchecked fields. */
type Loose = {
  readonly add?: AddAction | null
  readonly remove?: Named | null
  readonly protocol?: ProtocolAction | null
  readonly metaData?: MetadataAction | null
  readonly txn?: { readonly appId: string; readonly version: number } | null
  readonly domainMetadata?: {
    readonly domain: string
    readonly configuration?: string
    readonly removed?: boolean
  } | null
  readonly sidecar?: Named | null
}

export function fileText(
  path: string,
  dv: string | null,
  add: Pick<AddAction, 'size' | 'modificationTime' | 'partitionValues' | 'stats' | 'deletionVector'>,
): string {
  const values = Object.entries(add.partitionValues ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1))
  const { size, modificationTime, stats, deletionVector } = add
  return JSON.stringify([path, dv, size, modificationTime, values, stats ?? null, deletionVector?.cardinality ?? null])
}

export function protocolText(p: ProtocolAction | null | undefined): string {
  if (p === null || p === undefined) return 'none'
  return JSON.stringify([p.minReaderVersion, p.minWriterVersion, p.readerFeatures ?? [], p.writerFeatures ?? []])
}

export function metadataText(m: MetadataAction | null | undefined): string {
  if (m === null || m === undefined) return 'none'
  return JSON.stringify([m.id, m.schemaString ?? EMPTY_SCHEMA, m.partitionColumns ?? [], m.configuration ?? {}])
}

export function pairs(of: Iterable<readonly [string, string]>): readonly string[] {
  return [...of].map(([name, value]) => JSON.stringify([name, value])).toSorted()
}

/**
 * JSON objects of a file by trial: one line, or as many lines as form one object.
 * @throws Error if a part of the file forms none
 */
export function objectsOf(bytes: Buffer): readonly Loose[] {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  const found: Loose[] = []
  let held = ''
  for (const line of text.split('\n')) {
    held += `${line}\n`
    if (held.trim() === '') {
      held = ''
      continue
    }
    let parsed: unknown
    try {
      parsed = JSON.parse(held)
    } catch {
      continue
    }
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw new Error('no object')
    found.push(parsed)
    held = ''
  }
  if (held !== '') throw new Error('the file ends within an object')
  return found
}

const words = (text: string): readonly string[] => text.split(' ')
const COLUMNS = [
  { column: 'add', fields: words('path size modificationTime partitionValues stats deletionVector') },
  { column: 'remove', fields: words('path deletionVector') },
  { column: 'protocol', fields: words('minReaderVersion minWriterVersion readerFeatures writerFeatures') },
  { column: 'metaData', fields: words('id schemaString partitionColumns configuration') },
  { column: 'txn', fields: words('appId version') },
  { column: 'domainMetadata', fields: words('domain configuration removed') },
  { column: 'sidecar', fields: words('path') },
]

/** @throws SluiceError BAD_CHECKPOINT */
export async function parquetObjects(file: string): Promise<readonly Loose[]> {
  const found: Loose[] = []
  for await (const bytes of (await parquetRows()).lines(file, COLUMNS, NEVER)) found.push(...objectsOf(bytes))
  return found
}

class NewTable {
  readonly #root: string
  /**
   * A file that a checkpoint lists twice counts twice: no reader checks for that, because remembering every row would
   * cost too much.
   */
  readonly #files = new Map<string, readonly string[]>()
  readonly #txns = new Map<string, string>()
  readonly #domains = new Map<string, string | null>()
  #protocol: ProtocolAction | null = null
  #metadata: MetadataAction | null = null

  constructor(root: string) {
    this.#root = root
  }

  take(object: Loose, ofCheckpoint: boolean): void {
    const { add, remove, protocol, metaData, txn, domainMetadata } = object
    if (add) {
      const [path, dv] = [canonicalPath(add.path, this.#root), dvId(add.deletionVector)]
      const key = JSON.stringify([path, dv])
      const twins = ofCheckpoint ? (this.#files.get(key) ?? []) : []
      this.#files.set(key, [...twins, fileText(path, dv, add)])
    }
    if (remove) {
      this.#files.delete(JSON.stringify([canonicalPath(remove.path, this.#root), dvId(remove.deletionVector)]))
    }
    if (protocol) this.#protocol = protocol
    if (metaData) this.#metadata = metaData
    if (txn) this.#txns.set(txn.appId, String(txn.version))
    if (domainMetadata) {
      const { domain, configuration, removed } = domainMetadata
      this.#domains.set(domain, removed === true ? null : (configuration ?? ''))
    }
  }

  picture(): Picture {
    const domains = [...this.#domains].flatMap(([name, value]) => (value === null ? [] : [[name, value] as const]))
    return {
      files: [...this.#files.values()].flat().toSorted(),
      protocol: protocolText(this.#protocol),
      metadata: metadataText(this.#metadata),
      txns: pairs(this.#txns),
      domains: pairs(domains),
    }
  }
}

/**
 * The version that results from a checkpoint (or none) and some commits.
 * @throws SluiceError BAD_CHECKPOINT; Error if a file is not a log
 */
export async function naivePicture(
  folder: string,
  root: string,
  from: { readonly checkpoint: CheckpointFiles | null; readonly commits: readonly string[] },
): Promise<Picture> {
  const reference = new NewTable(root)
  const log = join(folder, '_delta_log')
  const sidecars: string[] = []
  for (const { name } of from.checkpoint?.files ?? []) {
    const file = join(log, name)
    for (const object of name.endsWith('.json') ? objectsOf(readFileSync(file)) : await parquetObjects(file)) {
      reference.take(object, true)
      if (object.sidecar) sidecars.push(object.sidecar.path)
    }
  }
  for (const name of sidecars) {
    for (const object of await parquetObjects(join(log, '_sidecars', name))) reference.take(object, true)
  }
  for (const name of from.commits)
    for (const object of objectsOf(readFileSync(join(log, name)))) reference.take(object, false)
  return reference.picture()
}
