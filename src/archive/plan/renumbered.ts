/** Finds the new identities of partitions, by names and bounds, in a database that was loaded from a dump. */
import { isOtherDatabase } from '../ledger/other-database.ts'
import { hasLeft, type ArchivedPartition, type ArchiveRecord } from '../ledger/record.ts'
import type { ArchiveContext } from '../steps/context.ts'
import type { LedgerDatabase } from '../../model/run/ledger-port.ts'
import type { NumberedName } from '../../model/archive/port.ts'
import { tableText } from '../../model/copy/column-type.ts'
import { equalDigests } from '../../model/copy/rows.ts'
import { asSluiceError } from '../../shared/errors.ts'
import type { ArchiveFinding } from '../steps/find-damage.ts'
import { originNow } from '../work/require-origin.ts'
import { digestNow, expectedNow } from './not-removed.ts'

/** Identity that no table has; recorded for a table that is not found. */
const NONE = '0'

/** @property unclear findings by label: partitions for which several tables may be the detached one */
export type Renumbered = { readonly record: ArchiveRecord; readonly unclear: ReadonlyMap<string, ArchiveFinding> }

/** The record with partition identities looked up in this database; unchanged if the ledger is of this database. */
export async function renumbered(context: ArchiveContext, record: ArchiveRecord): Promise<Renumbered> {
  const unclear = new Map<string, ArchiveFinding>()
  if (!isOtherDatabase(record.origin, await originNow(context))) return { record, unclear }
  const { store, table, interrupt } = context
  const partitions = store.offers.partitions
  if (partitions === undefined) return { record, unclear }
  const natives = (await partitions.list(table, interrupt.abort))?.partitions ?? []
  const numberOf = async (one: ArchivedPartition): Promise<string | null> => {
    if (one.native === null || one.state === 'DROPPED' || one.state === 'EXPIRED') return null
    const { table: noted, identity } = one.native
    const out = hasLeft(one)
    const same = natives.find(({ isDefault, from, to }) => !isDefault && from === one.from && to === one.to)
    if (!out && same !== undefined) return same.identity
    // With `leaving`, the table may still be attached: `leaving` is recorded before the detach begins.
    const tables = out || one.leaving ? await partitions.detachedTables(noted, identity, interrupt.abort) : []
    const left = tables.length > 1 ? await withProvedRows(context, one, tables) : tables
    if (left.length === 1) return left[0]?.identity ?? NONE
    if (tables.length > 1) unclear.set(one.label, unclearTable(one.label, left.length > 1 ? left : tables))
    return NONE
  }
  const all: ArchivedPartition[] = []
  for (const one of record.partitions) {
    const identity = await numberOf(one)
    all.push(identity === null || one.native === null ? one : { ...one, native: { ...one.native, identity } })
  }
  return { record: { ...record, partitions: all }, unclear }
}

/**
 * Returns those tables whose rows have the digest of the archived rows.
 * @param tables tables that may be the detached table
 * @throws SluiceError SOURCE_DENIED if the login has no right to read a table: it may be the detached one
 */
async function withProvedRows(
  context: ArchiveContext,
  one: ArchivedPartition,
  tables: readonly NumberedName[],
): Promise<readonly NumberedName[]> {
  const out = { ...one, state: 'DETACHED' } as const
  const expected = await expectedNow(context, out)
  const equal: NumberedName[] = []
  for (const native of tables) {
    try {
      const rows = await digestNow(context, { ...out, native })
      if (rows !== null && equalDigests(rows, expected)) equal.push(native)
    } catch (thrown) {
      // Ignore other errors: a table of another archive has other columns and types, so these columns cannot be read.
      const error = asSluiceError(thrown)
      if (error.kind === 'stopped' || error.retryable || error.code === 'INTERNAL' || error.code === 'SOURCE_DENIED')
        throw error
    }
  }
  return equal
}

function unclearTable(partition: string, tables: readonly NumberedName[]): ArchiveFinding {
  const names = tables.map((one) => tableText(one.table)).join(' and ')
  return {
    finding: 'differs from the source',
    partition,
    detail: `its detached table is one of ${names}, and neither names nor rows show which: they were not compared`,
  }
}

/** Records the identities of partitions, in one transaction. */
export async function recordIdentities(database: LedgerDatabase, { table, partitions }: ArchiveRecord): Promise<void> {
  await database.batch(
    partitions.flatMap(({ label, native }) =>
      native === null
        ? []
        : [
            {
              sql: 'UPDATE migration_archive_partitions SET native_identity = ? WHERE schema_name = ? AND table_name = ? AND partition_name = ?',
              parameters: [native.identity, table.schema ?? '', table.name, label],
            },
          ],
    ),
  )
}
