/** Last copy of a table before its drop: copied in proved chunks, identified by the checksum of all rows. */
import { tableText, type TableName, type TableSpec } from '../../model/copy/column-type.ts'
import type { Digest } from '../../model/copy/rows.ts'
import { SluiceError } from '../../shared/errors.ts'
import { redactUrl } from '../../shared/redact.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import type { DecommissionFinding, KnownRows } from '../../model/partition/decommission-port.ts'
import type { CopyRun } from '../../engine/copy/copy-run.ts'
import type { DecommissionDetail } from './decommission-ledger.ts'
import { targetTableNow } from '../../engine/copy/plan/plan-copy.ts'
import { namesInTarget } from '../../engine/copy/plan/target-name.ts'
import { openCopyStore } from '../../engine/copy/open-stores.ts'
import { startCopy } from '../../engine/copy/operations/copy/start.ts'

type Archived = NonNullable<DecommissionDetail['archive']>

export type ArchiveOptions = {
  readonly from: string
  readonly to: string
  readonly oldTable: TableName
  readonly copies: CopyStore
}

/** Options of the last copy. */
const COPY = {
  kind: 'copy',
  rename: {},
  onExisting: 'refuse',
  acceptLossy: [],
  verify: 'chunk',
  workers: 4,
  maxAside: 0,
  restart: false,
  // Compare the chunks of an earlier copy again: they may be older than the end of the reverse stream.
  again: true,
  dryRun: false,
} as const

/**
 * Copies the old table. The checksum is computed before the copy, so that the drop detects rows that change later.
 * @returns target, and digest of the rows
 * @throws SluiceError any error of the copy; TARGET_DENIED if the target does not confirm that its commits are on disk;
 * BAD_FLAG if the name of the table is ambiguous
 */
export async function lastArchive({ from, to, oldTable, copies }: ArchiveOptions, run: CopyRun): Promise<Archived> {
  const { abort: signal, stop } = run.interrupt
  const table = await specOf(copies, oldTable, signal)
  const { rows, sum } = await digestOf(table, copies, signal)
  const ending = await startCopy({ ...COPY, from, to, tables: [tableText(oldTable)] }, run, null)
  if (ending.error !== undefined) throw ending.error
  if (ending.stopped === true || stop.aborted) {
    throw new SluiceError('STOPPED', 'stopped before the last copy was complete: nothing is dropped', {
      hint: 'run the same command to continue the copy',
    })
  }
  // The drop relies on the copy, so a crash of the target must not lose it.
  await using target = await openCopyStore(to, { mode: 'read' })
  await target.offers.durability?.flushed(signal)
  const copy = await currentCopy({ copies, oldTable }, target, signal)
  if (copy === null) {
    throw new SluiceError('PLAN_CHANGED', `the copy of ${tableText(oldTable)} no longer exists`, {
      where: target.label,
      reason: 'another program removed it; nothing was dropped',
      hint: 'run the same command again to copy the rows once more',
    })
  }
  return { to: redactUrl(to), rows: String(rows), sum, copy: { rows: String(copy.rows), sum: copy.sum } }
}

/**
 * Reads the copy of an earlier run again, since the drop relies on it.
 * @returns a finding, with the verdict `refused` unless the copy is unchanged
 */
export async function lastCopyFinding(
  archived: Archived,
  old: OldRows,
  signal: AbortSignal,
): Promise<DecommissionFinding> {
  const { to } = archived
  const about = { about: 'last copy', object: to }
  const why = await faultOf(archived, old, signal)
  if (why === null) return { verdict: 'fine', ...about, detail: `the copy has its ${archived.rows} rows, unchanged` }
  // A URL with a user usually had a password, which the ledger does not store.
  const password = to.includes('@') ? ' and its password' : ''
  return {
    verdict: 'refused',
    ...about,
    detail: `${why}: the table is not dropped without its last copy`,
    hint: `give --archive again, with the URL of a database${password}: the rows are copied once more before the drop`,
  }
}

/** @returns what is wrong with the copy; null if nothing is */
async function faultOf({ to, rows, copy }: Archived, old: OldRows, signal: AbortSignal): Promise<string | null> {
  try {
    await using target = await openCopyStore(to, { mode: 'read' })
    const now = await currentCopy(old, target, signal)
    if (now === null) return 'it no longer exists'
    const recorded = copy?.rows ?? rows
    if (String(now.rows) !== recorded) return `it had ${recorded} rows, and now has ${now.rows}`
    return copy === undefined || now.sum === copy.sum ? null : 'its rows have changed since they were copied'
  } catch (thrown) {
    if (signal.aborted || !(thrown instanceof SluiceError)) throw thrown
    return `it cannot be read (${thrown.code}: ${thrown.message})`
  }
}

type OldRows = Pick<ArchiveOptions, 'copies' | 'oldTable'>

/** Digest of the copy in the types of its target; null if the copy no longer exists. */
async function currentCopy(
  { copies, oldTable }: OldRows,
  target: CopyStore,
  signal: AbortSignal,
): Promise<Digest | null> {
  for (const name of namesInTarget({ name: oldTable.name }, oldTable, copies, target)) {
    const table = await targetTableNow(name, target, signal)
    if (table !== null) return await digestOf(table, target, signal)
  }
  return null
}

async function digestOf(table: TableSpec, copies: CopyStore, signal: AbortSignal): Promise<Digest> {
  await using view = await copies.source(signal)
  return await view.digest(
    { table, columns: columnsOf(table), range: { by: 'all' }, where: null, ordered: false },
    signal,
  )
}

/** Columns of the old table, and the recorded digest of its rows, for the drop. @throws SluiceError as `lastArchive` */
export async function knownRows(
  copies: CopyStore,
  oldTable: TableName,
  { rows, sum }: Archived,
  signal: AbortSignal,
): Promise<KnownRows> {
  return { columns: columnsOf(await specOf(copies, oldTable, signal)), digest: { rows: BigInt(rows), sum } }
}

function columnsOf({ columns }: TableSpec): KnownRows['columns'] {
  return columns.map((column) => ({ name: column.name, as: column.type, column }))
}

async function specOf(copies: CopyStore, oldTable: TableName, signal: AbortSignal): Promise<TableSpec> {
  const found = await copies.tables(tableText(oldTable), signal)
  const [table] = found
  if (table !== undefined && found.length === 1 && tableText(table.table) === tableText(oldTable)) return table
  throw new SluiceError(
    'BAD_FLAG',
    `${tableText(oldTable)} cannot be selected for a copy: as a pattern, its name matches other tables`,
    {
      hint: 'copy it by hand with sluice copy, and remove --archive',
    },
  )
}
