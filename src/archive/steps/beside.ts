/** A partition beside the others of its table: no row is archived twice, and of a period of a plain table one part is on its way at a time. */
import { join } from 'node:path'
import type { ExaminedFile } from '../../model/archive/archived-file.ts'
import type { KeyedFiles, SameKeys } from '../../model/archive/parquet-port.ts'
import type { StoredColumn } from '../../model/archive/stored-column.ts'
import { isPublished } from '../../model/archive/state.ts'
import { SluiceError } from '../../shared/errors.ts'
import { shellQuote } from '../../shared/shell.ts'
import type { PartitionTable } from '../../model/archive/port.ts'
import { isOpen, otherParts } from '../ledger/parts.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import { fitNow, type ArchiveContext } from './context.ts'
import { localFiles } from './local-files.ts'
import { restoreCommand } from './refusals.ts'

export type Beside = {
  /** Parts of the period of a partition, itself among them, as the ledger has them now. */
  readonly parts: (of: Pick<ArchivedPartition, 'period'>) => Promise<readonly ArchivedPartition[]>
  /** Periods of a plain table whose archived rows still stand in it, as the ledger has them now. */
  readonly detached: () => Promise<readonly ArchivedPartition[]>
  /** Those of them of which the table has fewer rows by now, by a count; none where counting takes more than about a second. */
  readonly shrunken: () => Promise<readonly ArchivedPartition[]>
  /** Rows of the source that files of other partitions have too, by key; null where the key is missing on a side. */
  readonly doubled: (
    partition: ArchivedPartition,
    others: readonly ArchivedPartition[],
    native: PartitionTable | null,
  ) => Promise<SameKeys | null>
}

/**
 * Rows between the bounds of a plain table are those of one part. Whoever goes on holds the period, so that no other program begins another one.
 * @throws SluiceError PARTITION_STATE
 */
export async function refuseOpenBeside(
  { name }: ArchiveContext,
  partition: ArchivedPartition,
  { parts }: Beside,
): Promise<void> {
  const open = otherParts(partition, await parts(partition)).find((one) => one.native === null && isOpen(one))
  if (open === undefined) return
  throw new SluiceError('PARTITION_STATE', `${partition.label} of ${name} cannot go on beside ${open.label}`, {
    where: `${name}, ${partition.label}`,
    reason: `${open.label} is ${open.state}: rows of one period belong to one part at a time`,
    hint: `let ${open.label} come to DROPPED, or bring it back: ${restoreCommand(name, open)}`,
  })
}

/** Before anything is written. @throws SluiceError PARTITION_CHANGED where keys of its rows are archived already; UNSUPPORTED_KEY where nobody can tell */
export async function refuseDoubledRows(
  context: ArchiveContext,
  partition: ArchivedPartition,
  native: PartitionTable | null,
  beside: Beside,
): Promise<void> {
  await refuseDoubled(context, partition, beside, async (others) =>
    context.table.key.length === 0 ? null : await beside.doubled(partition, others, native),
  )
}

/**
 * Of the files that have just been proved, so that nothing can come between: what they hold is what is published, and what leaves the source.
 * @param folder where they stand
 * @throws as `refuseDoubledRows`; SOURCE_IO
 */
export async function refuseDoubledFiles(
  context: ArchiveContext,
  partition: ArchivedPartition,
  files: readonly Pick<ExaminedFile, 'name'>[],
  folder: string,
  beside: Beside,
): Promise<void> {
  const paths = files.map(({ name }) => join(folder, name))
  await refuseDoubled(context, partition, beside, (others) => sameKeys(context, { ...partition, paths }, others))
}

/** @param find rows that files of these others have too, by key; null where nobody can tell */
async function refuseDoubled(
  context: ArchiveContext,
  partition: ArchivedPartition,
  beside: Beside,
  find: (others: readonly ArchivedPartition[]) => Promise<SameKeys | null>,
): Promise<void> {
  for (const others of await mayHaveThem(context, partition, beside)) {
    if (others.length === 0) continue
    const found = await find(others)
    if (found === null) throw untold(context, partition, others)
    if (found.rows > 0n) throw doubledKeys(context, partition, others, found)
  }
}

/**
 * Rows of files of one partition whose key stands in files of others.
 * @param one with the absolute paths of its files, where they are here already
 * @returns null where the key is not whole on a side
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
  const paths = local.paths.map((path) => join(local.folder, path))
  const keyed: KeyedFiles[] = []
  let from = fetched.length
  for (const [i, { files }] of others.entries()) {
    keyed.push({ files: paths.slice(from, from + files.length), key: keys[i] ?? [] })
    from += files.length
  }
  const parquet = await context.parquet()
  const own = { files: one.paths ?? paths.slice(0, fetched.length), key }
  return parquet.sameKeys(own, keyed, context.interrupt.abort)
}

/** Columns of files that are the key of the table now; null where one is missing. */
function keyOf(context: ArchiveContext, partition: ArchivedPartition): readonly StoredColumn[] | null {
  const { shared } = fitNow(context, partition)
  const key = context.table.key.flatMap((name) => shared.find(({ now }) => now.name === name)?.file ?? [])
  return key.length === 0 || key.length < context.table.key.length ? null : key
}

/** What may hold rows of the partition in the archive, too: other parts of its period, and periods whose rows somebody has moved. */
async function mayHaveThem(
  context: ArchiveContext,
  partition: ArchivedPartition,
  beside: Beside,
): Promise<readonly (readonly ArchivedPartition[])[]> {
  const { label, period } = partition
  const published = otherParts(partition, await beside.parts(partition)).filter(
    ({ state, version }) => version !== null && isPublished(state),
  )
  const moved = (await mayBeMovedFrom(context, partition, beside)).filter(
    (one) => one.label !== label && one.period !== period,
  )
  return [published, moved]
}

/**
 * Detached periods whose drop is refused, and would never be told why, once a row that was moved here has left with this partition. Most periods are archived one after
 * the other and nobody moves a row: those that still have as many rows as were archived are compared with late rows only, which are few.
 */
async function mayBeMovedFrom(
  { table }: ArchiveContext,
  { part }: ArchivedPartition,
  { detached, shrunken }: Beside,
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
  const many = `${rows} ${rows === 1n ? 'row stands' : 'rows stand'} under a key that is archived already`
  const named = `${keys.join('; ')}${rows > BigInt(keys.length) ? ' …' : ''}`
  const [first = partition] = others
  const moved = `where they were moved here, ${restoreCommand(name, first, '--as-changed')} takes their old period out of the archive as it is now; `
  return new SluiceError('PARTITION_CHANGED', `${partition.label} of ${name}: ${many}: ${named}`, {
    where: `${name}, ${partition.label}`,
    reason: `a row of ${others.map(({ label }) => label).join(', ')} would be in the archive twice, so nothing was taken out of the table`,
    hint: `${first.period === partition.period ? '' : moved}give these rows other keys, or take them out of the table; ${restoreCommand(name, first, '--dry-run')} says whether they are the archived ones`,
  })
}

function untold(
  { name }: ArchiveContext,
  partition: ArchivedPartition,
  others: readonly ArchivedPartition[],
): SluiceError {
  const [first] = others
  return new SluiceError(
    'UNSUPPORTED_KEY',
    `rows of ${partition.label} of ${name} cannot be told from those that are archived already`,
    {
      where: `${name}, ${partition.label}`,
      reason: `the table has no key, or files of ${others.map(({ label }) => label).join(', ')} lack a column of it`,
      hint: `give the table a primary key; where it has one, bring the period back and archive it as a whole: ${restoreCommand(name, first ?? partition)}, then sluice archive run --table ${shellQuote(name)} --partition ${shellQuote(partition.period)}`,
    },
  )
}
