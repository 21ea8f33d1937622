/** `discover URL`: the tables of a database, how large they are, and whether a copy of them can be broken off and go on. */
import { tableText, type RingSpec, type TableSpec } from '../../../model/copy/column-type.ts'
import { dec } from '../../../model/event.ts'
import { openSourceStore } from '../../copy/open-stores.ts'
import { isLedgerTable, isOwnLedgerTable } from '../../../stores/ledger-tables.ts'
import type { Ending, RunOf } from '../../run-context.ts'
import type { discoverDatabase as declared, DiscoverDatabaseOperation } from './declaration.ts'

type DiscoverDatabaseRun = RunOf<typeof declared>

export async function discoverDatabase(
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
      ...(note === null ? {} : { note }),
    })
  }
  return { totals: { tables: dec(found.size), bytes: dec(bytes) } }
}

function ringOf({ partitioner, columns }: RingSpec): Pick<RingSpec, 'partitioner' | 'columns'> {
  return { partitioner, columns }
}

function noteOf({ key, columns }: TableSpec): string | null {
  if (key.length === 0) return 'it has no key: an interrupted copy of it begins anew'
  const nullable = key.filter((name) => columns.find((column) => column.name === name)?.nullable === true)
  return nullable.length === 0 ? null : `rows whose ${nullable.join(', ')} is NULL are one chunk`
}
