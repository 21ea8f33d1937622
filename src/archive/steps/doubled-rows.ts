/**
 * Compares a partition with the other partitions of its table: no row may be archived twice, and only one part of a
 * plain table's period may be in progress.
 */
import { join } from 'node:path'
import type { InspectedFile } from '../../model/archive/archived-file.ts'
import type { KeyedFiles, SameKeys } from '../../model/archive/parquet-port.ts'
import type { StoredColumn } from '../../model/archive/stored-column.ts'
import { isPublished } from '../../model/archive/state.ts'
import { SluiceError } from '../../shared/errors.ts'
import { shellQuote } from '../../shared/shell.ts'
import type { PartitionTable } from '../../model/archive/port.ts'
import { isInProgress, otherParts } from '../ledger/parts.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import { fitNow, type ArchiveContext } from './context.ts'
import { localFiles } from './local-files.ts'
import { restoreCommand, partitionError } from './refusals.ts'
import { keysText } from './named-rows.ts'

export type NeighbourParts = {
  /** All parts of a partition's period, from the current ledger. */
  readonly parts: (of: Pick<ArchivedPartition, 'period'>) => Promise<readonly ArchivedPartition[]>
  /** Detached periods of a plain table, from the current ledger: their archived rows are still in the table. */
  readonly detached: () => Promise<readonly ArchivedPartition[]>
  /** Detached periods with fewer rows in the table than archived; empty if counting takes more than about a second. */
  readonly shrunken: () => Promise<readonly ArchivedPartition[]>
  /** Rows of the source whose keys are in files of other partitions; null if table or files lack a key column. */
  readonly doubled: (
    partition: ArchivedPartition,
    others: readonly ArchivedPartition[],
    native: PartitionTable | null,
  ) => Promise<SameKeys | null>
}

/**
 * Refuses a second part in progress: in a plain table, rows between the bounds belong to one part. The caller has the
 * claim of the period, so no other program starts another part.
 * @throws SluiceError PARTITION_STATE
 */
export async function refuseOtherOpen(
  { name }: ArchiveContext,
  partition: ArchivedPartition,
  { parts }: NeighbourParts,
): Promise<void> {
  const open = otherParts(partition, await parts(partition)).find((one) => one.native === null && isInProgress(one))
  if (open === undefined) return
  throw partitionError('PARTITION_STATE', name, partition, `cannot continue while ${open.label} is open`, {
    reason: `${open.label} is ${open.state}: only one part of a period can be in progress`,
    hint: `archive ${open.label} to DROPPED, or restore it: ${restoreCommand(name, open)}`,
  })
}

/**
 * Call before anything is written.
 * @throws SluiceError PARTITION_CHANGED if keys of its rows are already archived; UNSUPPORTED_KEY if this cannot be
 * checked
 */
export async function refuseDoubledRows(
  context: ArchiveContext,
  partition: ArchivedPartition,
  native: PartitionTable | null,
  periodParts: NeighbourParts,
): Promise<void> {
  await refuseDoubled(context, partition, periodParts, async (others) =>
    context.table.key.length === 0 ? null : await periodParts.doubled(partition, others, native),
  )
}

/**
 * `refuseDoubledRows` for the files just proved: their rows will be published, and later removed from the source.
 * @param folder folder of the files
 * @throws as `refuseDoubledRows`; SOURCE_IO
 */
export async function refuseDoubledFiles(
  context: ArchiveContext,
  partition: ArchivedPartition,
  files: readonly Pick<InspectedFile, 'name'>[],
  folder: string,
  periodParts: NeighbourParts,
): Promise<void> {
  const paths = files.map(({ name }) => join(folder, name))
  await refuseDoubled(context, partition, periodParts, (others) => sameKeys(context, { ...partition, paths }, others))
}

/** @param find finds rows whose keys are also in files of the other partitions; returns null if it cannot check */
async function refuseDoubled(
  context: ArchiveContext,
  partition: ArchivedPartition,
  periodParts: NeighbourParts,
  find: (others: readonly ArchivedPartition[]) => Promise<SameKeys | null>,
): Promise<void> {
  for (const others of await overlapCandidates(context, partition, periodParts)) {
    if (others.length === 0) continue
    const found = await find(others)
    if (found === null) throw uncheckableError(context, partition, others)
    if (found.rows > 0n) throw doubledKeys(context, partition, others, found)
  }
}

/**
 * Rows in files of partition `one` whose key is also in files of the partitions `others`.
 * @param one `paths`: absolute paths of its files, if they are already on a local disk
 * @returns null if files lack a key column
 */
export async function sameKeys(
  context: ArchiveContext,
  one: ArchivedPartition & { readonly paths?: readonly string[] },
  others: readonly ArchivedPartition[],
): Promise<SameKeys | null> {
  const key = keyOf(context, one)
  const keys = others.map((other) => keyOf(context, other))
  if (key === null || keys.includes(null)) return null
  const fetched = one.paths === undefined ? one.files : []
  await using local = await localFiles(context, [...fetched, ...others.flatMap(({ files }) => files)])
  const { paths } = local
  const keyed: KeyedFiles[] = []
  let from = fetched.length
  for (const [i, { files }] of others.entries()) {
    keyed.push({ files: paths.slice(from, from + files.length), key: keys[i] ?? [] })
    from += files.length
  }
  const parquet = await context.parquet()
  const own = { files: one.paths ?? paths.slice(0, fetched.length), key }
  return await parquet.sameKeys(own, keyed, context.interrupt.abort)
}

/** Columns of files that form the present key of the table; null if one is missing. */
function keyOf(context: ArchiveContext, partition: ArchivedPartition): readonly StoredColumn[] | null {
  const { shared } = fitNow(context, partition)
  const key = context.table.key.flatMap((name) => shared.find(({ now }) => now.name === name)?.file ?? [])
  return key.length === 0 || key.length < context.table.key.length ? null : key
}

/** Partitions that may have archived the same rows: other parts of the period, and former periods of moved rows. */
async function overlapCandidates(
  context: ArchiveContext,
  partition: ArchivedPartition,
  periodParts: NeighbourParts,
): Promise<readonly (readonly ArchivedPartition[])[]> {
  const { label, period } = partition
  const published = otherParts(partition, await periodParts.parts(partition)).filter(
    ({ state, version }) => version !== null && isPublished(state),
  )
  const moved = (await movedRowSources(context, partition, periodParts)).filter(
    (one) => one.label !== label && one.period !== period,
  )
  return [published, moved]
}

/**
 * Detached periods from which rows may have been moved into this partition. If this partition removed a moved row, the
 * drop of its former period would be refused without an explanation. Moves are rare: a first part is compared only with
 * periods that have fewer rows than archived. A later part has few rows, and is compared with all.
 */
async function movedRowSources(
  { table }: ArchiveContext,
  { part }: ArchivedPartition,
  { detached, shrunken }: NeighbourParts,
): Promise<readonly ArchivedPartition[]> {
  if (part > 1) return await detached()
  return table.key.length === 0 ? [] : await shrunken()
}

function doubledKeys(
  { name }: ArchiveContext,
  partition: ArchivedPartition,
  others: readonly ArchivedPartition[],
  { rows, keys }: SameKeys,
): SluiceError {
  const many = `${rows} ${rows === 1n ? 'row has' : 'rows have'} a key that is already archived`
  const [first = partition] = others
  const moved = `if the rows were moved here, remove their old period from the archive: ${restoreCommand(name, first, '--as-changed')}; otherwise, `
  return new SluiceError(
    'PARTITION_CHANGED',
    `${partition.label} of ${name} cannot be archived: ${many}: ${keysText(rows, keys)}`,
    {
      where: `${name}, ${partition.label}`,
      reason: `a row of ${others.map(({ label }) => label).join(', ')} would be in the archive twice, so nothing was removed from the table`,
      hint: `to see whether these are the archived rows, run ${restoreCommand(name, first, '--dry-run')}; ${first.period === partition.period ? '' : moved}give them other keys, or remove them from the table`,
    },
  )
}

function uncheckableError(
  { name }: ArchiveContext,
  partition: ArchivedPartition,
  others: readonly ArchivedPartition[],
): SluiceError {
  const [first] = others
  return new SluiceError(
    'UNSUPPORTED_KEY',
    `rows of ${partition.label} of ${name} cannot be distinguished from archived ones`,
    {
      where: `${name}, ${partition.label}`,
      reason: `the table has no key, or files of ${others.map(({ label }) => label).join(', ')} lack a column of it`,
      hint: `give the table a primary key; if it has one, restore the period and archive it as a whole: ${restoreCommand(name, first ?? partition)}, then sluice archive run --table ${shellQuote(name)} --partition ${shellQuote(partition.period)}`,
    },
  )
}
