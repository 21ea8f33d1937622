/** `discover URL`: tables of a database, their sizes, and whether a copy of them can be resumed. */
import {
  keyMayBeNull,
  noKeyText,
  tableText,
  type RingSpec,
  type TableSpec,
} from '../../../../model/copy/column-type.ts'
import { dec, type RelationEvent } from '../../../../model/run/event.ts'
import { redactUrl } from '../../../../shared/redact.ts'
import type { CopyStore } from '../../../../model/copy/port.ts'
import {
  filledTables,
  streamsByTable,
  ledgerTableKey,
  type FilledTable,
  type TargetStream,
} from '../../ledger/read-tables.ts'
import { hasLedger } from '../../ledger/schema.ts'
import { openSourceStore } from '../../open-stores.ts'
import { isLedgerTable, isOwnLedgerTable } from '../../../../stores/common/ledger-tables.ts'
import type { Ending, RunOf } from '../../../run/run-context.ts'
import type { discoverDatabase, DiscoverDatabaseOperation } from './declaration.ts'

type DiscoverDatabaseRun = RunOf<typeof discoverDatabase>

export async function performDiscoverDatabase(
  { url, tables: patterns }: DiscoverDatabaseOperation,
  run: DiscoverDatabaseRun,
): Promise<Ending> {
  await using store = await openSourceStore(url)
  const found = new Map<string, TableSpec>()
  for (const pattern of patterns) {
    for (const table of await store.tables(pattern, run.interrupt.abort)) {
      const isOwn = isLedgerTable(table.table) && isOwnLedgerTable(table)
      if (!isOwn || !pattern.includes('*')) found.set(tableText(table.table), table)
    }
  }
  const { filled, followed } = await ledgerOf(store)
  let bytes = 0n
  for (const [name, table] of found) {
    bytes += table.bytes
    const note = noteOf(table)
    run.emit({
      type: 'relation',
      table: name,
      rows: dec(table.rows),
      estimated: true,
      bytes: dec(table.bytes),
      key: table.key,
      columns: table.columns.map(({ name: column, native, nullable }) => ({ name: column, type: native, nullable })),
      ...(table.partitioning === undefined ? {} : { partitioning: table.partitioning }),
      ...(table.ring === undefined ? {} : { ring: ringOf(table.ring) }),
      resumable: table.key.length > 0,
      ...filledBy(filled.get(ledgerTableKey(table.table.schema, table.table.name))),
      ...followedBy(followed.get(ledgerTableKey(table.table.schema, table.table.name))),
      ...(note === null ? {} : { note }),
    })
  }
  return { totals: { tables: dec(found.size), bytes: dec(bytes) } }
}

type Reported = {
  readonly filled: ReadonlyMap<string, FilledTable>
  readonly followed: ReadonlyMap<string, TargetStream>
}

/**
 * Ledger records by table. Empty if the ledger cannot be read or has an old version, so that tables are still listed.
 */
async function ledgerOf(store: CopyStore): Promise<Reported> {
  const none: Reported = { filled: new Map(), followed: new Map() }
  try {
    await using ledger = await store.ledger()
    if (!(await hasLedger(ledger))) return none
    const filled = await filledTables(ledger)
    // A ledger that no stream has used lacks the tables of streams.
    const followed = await streamsByTable(ledger).catch(() => none.followed)
    return { filled, followed }
  } catch {
    return none
  }
}

function filledBy(table: FilledTable | undefined): Pick<RelationEvent, 'filled'> {
  if (table === undefined) return {}
  const { rows, chunks, done, proved, lastMs, source } = table
  return {
    filled: {
      rows: dec(rows),
      chunks: dec(chunks),
      done: dec(done),
      proved: dec(proved),
      ...(lastMs === null ? {} : { at: new Date(lastMs).toISOString() }),
      ...(source === null ? {} : { source: redactUrl(source) }),
    },
  }
}

function followedBy(table: TargetStream | undefined): Pick<RelationEvent, 'followed'> {
  return table === undefined ? {} : { followed: { ...table, stream: dec(BigInt(table.stream)) } }
}

function ringOf({ partitioner, columns }: RingSpec): Pick<RingSpec, 'partitioner' | 'columns'> {
  return { partitioner, columns }
}

function noteOf(table: TableSpec): string | null {
  if (table.key.length === 0) return `it ${noKeyText(table)}: an interrupted copy of it restarts`
  const nullable = keyMayBeNull(table)
  return nullable.length === 0 ? null : `rows whose ${nullable.join(', ')} is NULL are one chunk`
}
