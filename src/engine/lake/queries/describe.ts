/** Schema, features and overview of a table. */
import { lastFsck } from '../../../catalog/fsck-findings.ts'
import { domainsAt, stateAt, txnsAt } from '../../../catalog/query/state.ts'
import { featureNames, readerRefusal } from '../../../delta/features.ts'
import { listLog } from '../../../delta/listing.ts'
import { schemaOf, typeText, type Field, type StructType } from '../../../delta/schema.ts'
import type { DomainMetadataAction, MetadataAction, ProtocolAction, TxnAction } from '../../../delta/actions.ts'
import type { SqlDatabase } from '../../../model/run/sql-port.ts'
import type { Feature, Overview, SchemaField, TableRow } from '../../../model/lake/answers.ts'
import { openLake } from '../../run/registry.ts'
import type { AsOf } from '../../../model/lake/as-of.ts'
import type { Located } from './located.ts'
import { snapshotAt } from '../table-source.ts'
import { runsOf } from './recorded-runs.ts'

export type DeclaredTable = {
  readonly protocol: ProtocolAction | null
  readonly metadata: MetadataAction | null
  readonly txns: readonly TxnAction[]
  readonly domains: readonly DomainMetadataAction[]
}

/** Protocol, metadata, transactions and domains of the located version. */
export async function declaredTable(located: Located, signal: AbortSignal): Promise<DeclaredTable> {
  if (located.from === 'log') {
    const snapshot = await located.table.snapshot({}, { allowRefused: true })
    const state = await snapshot.state(signal)
    const domains = [...state.domains.values()].filter((domain) => !domain.removed)
    return { protocol: state.protocol, metadata: state.metadata, txns: [...state.txns.values()], domains }
  }
  const { database, table } = located
  const { protocol, metadata } = await stateAt(database, table.tableId, table.version)
  return {
    protocol,
    metadata,
    txns: await txnsAt(database, table.tableId, table.version),
    domains: await domainsAt(database, table.tableId, table.version),
  }
}

/** Protocol and metadata only, which reads less of a log. */
export async function logHead(
  located: Located,
  asOf: AsOf,
  signal: AbortSignal,
): Promise<Pick<DeclaredTable, 'protocol' | 'metadata'>> {
  if (located.from === 'log') return (await snapshotAt(located.table, asOf)).head(signal)
  return stateAt(located.database, located.table.tableId, located.table.version)
}

export function schemaFields({ protocol, metadata }: DeclaredTable): readonly SchemaField[] {
  if (protocol === null || metadata === null) return []
  const partitions = new Set((metadata.partitionColumns ?? []).map((name) => name.toLowerCase()))
  const fields: SchemaField[] = []
  const walk = (struct: StructType, prefix: string, depth: number): void => {
    for (const field of struct.fields) {
      const path = prefix === '' ? field.name : `${prefix}.${field.name}`
      fields.push({
        path,
        depth,
        type: field.type.kind === 'struct' ? 'struct' : typeText(field.type),
        nullable: field.nullable,
        partition: depth === 0 && partitions.has(field.name.toLowerCase()),
        notes: notesOf(field),
      })
      if (field.type.kind === 'struct') walk(field.type, path, depth + 1)
    }
  }
  walk(schemaOf(protocol, metadata), '', 0)
  return fields
}

const NOTED_KEYS = [
  'delta.generationExpression',
  'CURRENT_DEFAULT',
  'delta.identity.start',
  'delta.invariants',
  'comment',
] as const

function notesOf(field: Field): readonly string[] {
  const notes: string[] = []
  if (field.physicalName !== field.name) notes.push(`stored as ${field.physicalName}`)
  for (const change of field.typeChanges) notes.push(`was ${typeText(change.from)}`)
  for (const name of NOTED_KEYS) {
    const value = field.metadata[name]
    if (value !== undefined)
      notes.push(`${name.replace(/^delta\./, '')}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
  }
  return notes
}

export function features({ protocol, metadata }: DeclaredTable): readonly Feature[] {
  if (protocol === null || metadata === null) return []
  const refusal = readerRefusal(protocol)
  const reader = new Set(protocol.readerFeatures ?? [])
  const listed = new Set([...reader, ...(protocol.writerFeatures ?? [])])
  return featureNames(protocol, metadata).map((name) => {
    const refused = refusal !== null && refusal.message.includes(`'${name}'`)
    return {
      name,
      side: listed.has(name) ? (reader.has(name) ? 'reader+writer' : 'writer') : 'legacy',
      readable: !refused,
      note: refused ? refusal.message : listed.has(name) ? 'named by the protocol' : 'comes with the protocol version',
    }
  })
}

const SIZE_CLASSES = [
  { label: '< 1 MB', from: 0, to: 1_000_000 },
  { label: '1–16 MB', from: 1_000_000, to: 16_000_000 },
  { label: '16–128 MB', from: 16_000_000, to: 128_000_000 },
  { label: '> 128 MB', from: 128_000_000, to: Number.MAX_SAFE_INTEGER },
] as const
const DAYS = 56
const DAY_MS = 86_400_000

export async function overviewOf(
  table: TableRow,
  located: Located,
  database: SqlDatabase | null,
  signal: AbortSignal,
): Promise<Overview> {
  const state = await declaredTable(located, signal)
  const listing =
    located.from === 'log'
      ? await located.table.listing(signal)
      : await listLog(await openLake(located.path), { signal, attributes: false })
  const inCatalog = located.from === 'catalog' ? located : null
  return {
    table,
    metadataId: state.metadata?.id ?? null,
    description: state.metadata?.description ?? null,
    protocol:
      state.protocol === null
        ? '?'
        : `reader ${state.protocol.minReaderVersion}, writer ${state.protocol.minWriterVersion}`,
    configuration: Object.entries(state.metadata?.configuration ?? {})
      .map(([name, value]): [string, string] => [name, value ?? 'null'])
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
    createdAt: state.metadata?.createdTime ?? null,
    commits: listing.commits.length,
    checkpoints: listing.checkpoints.map(({ version }) => version),
    txns: state.txns.map(({ appId, version }) => ({ appId, version })),
    domains: state.domains.map(({ domain, configuration }) => ({ domain, configuration })),
    lastRuns: database === null ? [] : await runsOf(table, located, database),
    fsck: inCatalog === null ? null : await lastFsck(inCatalog.database, inCatalog.table.tableId),
    fileSizes: inCatalog === null ? null : await sizes(inCatalog),
    commitsPerDay: inCatalog === null ? null : await perDay(inCatalog, table.changed),
  }
}

async function sizes({ database, table }: Extract<Located, { from: 'catalog' }>): Promise<Overview['fileSizes']> {
  const cases = SIZE_CLASSES.map(
    ({ from, to }) => `sum(CASE WHEN size >= ${from} AND size < ${to} THEN 1 ELSE 0 END)`,
  ).join(', ')
  const [row] = await database.all(
    `SELECT ${cases} FROM delta_files WHERE table_id = ? AND added_version <= ? AND (removed_version IS NULL OR removed_version > ?)`,
    [table.tableId, table.version, table.version],
  )
  return SIZE_CLASSES.map(({ label }, i) => ({ label, files: Number(row?.[i] ?? 0) }))
}

/** Commits per day for eight weeks up to the newest commit, oldest first. */
async function perDay(
  { database, table }: Extract<Located, { from: 'catalog' }>,
  newest: number | null,
): Promise<readonly number[] | null> {
  if (newest === null) return null
  const since = newest - DAYS * DAY_MS
  const rows = await database.all(
    'SELECT commit_time FROM delta_commits WHERE table_id = ? AND commit_time > ? AND version <= ?',
    [table.tableId, since, table.version],
  )
  const days = Array<number>(DAYS).fill(0)
  for (const [time] of rows) {
    const day = Math.min(DAYS - 1, Math.floor(((time as number) - since - 1) / DAY_MS))
    if (day >= 0) days[day] = (days[day] ?? 0) + 1
  }
  return days
}
