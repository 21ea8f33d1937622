/** Partitions of a table that have their own archives: queries and archives of the table do not include their rows. */
import { readArchive, type ArchivedPartition } from '../ledger/record.ts'
import { isPublished } from '../../model/archive/state.ts'
import { tableText, type TableName, type TableSpec } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import { restoreCommand } from '../steps/refusals.ts'
import { shellQuote } from '../../shared/shell.ts'
import type { Run } from '../../engine/run/run-context.ts'
import { namesNow, type LedgerSource } from '../work/find-archive.ts'

/** @property rowsAreOut true if some rows are in the archive and no longer in the partitioned table */
type OwnArchive = { readonly name: string; readonly labels: readonly string[]; readonly rowsAreOut: boolean }

/** @throws SluiceError TABLE_REFUSED if the answer would lack rows of the table */
export async function refuseToAnswer(sought: LedgerSource, table: TableSpec, signal: AbortSignal): Promise<void> {
  const own = (await archivesBelow(sought, table.table, signal)).filter(({ rowsAreOut }) => rowsAreOut)
  const [first] = own
  if (first === undefined) return
  throw new SluiceError(
    'TABLE_REFUSED',
    `${tableText(table.table)} cannot be queried: some of its partitions have their own archives: ${namesOf(own)}`,
    {
      where: sought.store.label,
      reason: 'rows archived from them are only in those archives, and would be missing in the answer',
      hint: `query each partition by its own name, or restore its rows: ${restoreOf(first)}`,
    },
  )
}

/**
 * Warns if the table is a partition of another table, which will lack the removed rows.
 * @param isNew true if nothing of the table is archived yet
 * @throws SluiceError TABLE_REFUSED if partitions of the table, or its parent, have archives
 */
export async function refuseTwoArchives(
  sought: LedgerSource,
  { table }: TableSpec,
  isNew: boolean,
  { emit, interrupt }: Pick<Run<'log'>, 'emit' | 'interrupt'>,
): Promise<void> {
  const { abort } = interrupt
  const own = await archivesBelow(sought, table, abort)
  const [first] = own
  const name = tableText(table)
  if (first !== undefined) {
    throw new SluiceError(
      'TABLE_REFUSED',
      `${name} cannot be archived: some of its partitions have their own archives: ${namesOf(own)}`,
      {
        where: name,
        reason: `an archive of ${name} would have these rows twice, or not at all`,
        hint: `to archive ${name} as a whole, restore the rows of these archives first: ${restoreOf(first)}; otherwise, archive each partition separately, as before`,
      },
    )
  }
  const partitions = sought.store.offers.partitions
  const above = (await partitions?.relatives(table, [], abort))?.above ?? []
  if (above.length === 0 || ((await partitions?.inheritance(table, abort))?.parents ?? []).length > 0) return
  const [archived] = isNew ? await published(sought, above, abort) : []
  if (archived !== undefined) {
    throw new SluiceError(
      'TABLE_REFUSED',
      `${name} cannot have its own archive: it is a partition of ${archived.name}, which has an archive`,
      {
        where: name,
        reason: `rows that are archived under the name ${name} are missing in all queries of ${archived.name}`,
        hint: `archive it with the other partitions: sluice archive run --table ${shellQuote(archived.name)}`,
      },
    )
  }
  const names = above.map(tableText).join(', ')
  const message = `it is a partition of ${names}: rows that are archived and dropped are missing in ${names} too, and ${names} cannot be archived as long as ${name} has its own archive`
  emit({ type: 'log', level: 'warn', table: name, message })
}

/** Text about archives that an erasure in the table does not cover; null if there are none. */
export async function notErased(sought: LedgerSource, table: TableSpec, signal: AbortSignal): Promise<string | null> {
  const own = await archivesBelow(sought, table.table, signal)
  return own.length === 0 ? null : `archives of partitions, each of which needs a separate erasure: ${namesOf(own)}`
}

/** Archives of partitions at any depth. Inheritance children are separate tables. */
async function archivesBelow(
  sought: LedgerSource,
  table: TableName,
  signal: AbortSignal,
): Promise<readonly OwnArchive[]> {
  const partitions = sought.store.offers.partitions
  const { below } = (await partitions?.relatives(table, [], signal)) ?? { below: [] }
  if (below.length === 0 || ((await partitions?.inheritance(table, signal))?.heirs ?? []).length > 0) return []
  return published(sought, below, signal)
}

/** Archives with published files, of tables that now have these names. */
async function published(
  { store, ledgers }: LedgerSource,
  tables: readonly TableName[],
  signal: AbortSignal,
): Promise<readonly OwnArchive[]> {
  const all = await ledgers.tables(signal)
  if (all.length === 0) return []
  const names = await namesNow({ store, ledgers }, all, signal)
  const asked = new Set(tables.map(tableText))
  const found: OwnArchive[] = []
  for (const { table } of all) {
    const name = tableText(names.get(tableText(table)) ?? table)
    if (!asked.has(name)) continue
    const record = await readArchive((await ledgers.of(table, signal)).database, table)
    const there = (record?.partitions ?? []).filter(holdsFiles)
    if (there.length === 0) continue
    found.push({ name, labels: there.map(({ label }) => label), rowsAreOut: there.some(hasRowsOut) })
  }
  return found
}

function holdsFiles({ state, sweptMs, retracted, version }: ArchivedPartition): boolean {
  return (
    isPublished(state) ||
    (state === 'EXPIRED' && sweptMs === null) ||
    (state === 'RESTORED' && version !== null && !retracted)
  )
}

/** True if some rows are no longer in the table. False for an expired partition, which is no longer in the archive. */
function hasRowsOut({ state, native, removed, away, leaving, restoring }: ArchivedPartition): boolean {
  if (state === 'EXPIRED') return false
  return (
    state === 'DROPPED' ||
    away ||
    leaving ||
    restoring ||
    removed.rows > 0n ||
    (state === 'DETACHED' && native !== null)
  )
}

function namesOf(own: readonly OwnArchive[]): string {
  return own.map(({ name, labels }) => `${name} (${labels.join(', ')})`).join(', ')
}

function restoreOf({ name, labels: [first = '', ...rest] }: OwnArchive): string {
  return restoreCommand(name, { label: first }, ...rest.flatMap((label) => ['--partition', label]))
}
