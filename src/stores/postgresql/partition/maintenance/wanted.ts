/** Partitions to create that do not exist yet. */
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { NewPartition, RangedTable, RangePartition } from '../../../../model/partition/maintenance-port.ts'
import type { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'

export type WantedPeriods = {
  readonly missing: readonly NewPartition[]
  /** Requested partitions for which a partition with the same bounds exists. */
  readonly there: readonly NewPartition[]
}

/**
 * Splits the requested partitions into missing and existing ones.
 * @param now current state of the table
 * @param options with bounds as the server prints them
 * @throws SluiceError TABLE_REFUSED if another partition overlaps the bounds, or another table has the name
 */
export async function stillWanted(
  session: CopySession,
  now: RangedTable,
  options: readonly NewPartition[],
): Promise<WantedPeriods> {
  const bounded = now.partitions.filter(({ isDefault }) => !isDefault)
  const there = new Set<NewPartition>()
  for (const [request, partition] of await meetings(session, now, options, bounded)) {
    if (request.from === partition.from && request.to === partition.to) there.add(request)
    else throw overlapping(now, request, partition)
  }
  const missing = options.filter((requested) => !there.has(requested))
  for (const requested of missing) await refuseTaken(session, requested, bounded)
  return { missing, there: [...there] }
}

/** The partitions with bounds in the form that the server prints. Their schema defaults to the schema of the table. */
export async function canonicalOptions(
  session: CopySession,
  { table, column }: RangedTable,
  options: readonly NewPartition[],
): Promise<readonly NewPartition[]> {
  if (options.length === 0) return []
  const values = options.map(({ from, to }, i) => `(${i}, ${literal(from)}, ${literal(to)})`)
  const text = (bound: string): string => `CAST(${bound} AS ${column.native})::text`
  const rows = await session.ask(
    `SELECT ${text('low')}, ${text('high')} FROM (VALUES ${values.join(', ')}) AS v (n, low, high) ORDER BY n`,
  )
  return options.map((request, i) => ({
    name: { schema: request.name.schema ?? table.schema ?? 'public', name: request.name.name },
    from: rows[i]?.[0] ?? request.from,
    to: rows[i]?.[1] ?? request.to,
  }))
}

async function meetings(
  session: CopySession,
  { column: { native } }: RangedTable,
  options: readonly NewPartition[],
  partitions: readonly RangePartition[],
): Promise<readonly (readonly [NewPartition, RangePartition])[]> {
  if (options.length === 0 || partitions.length === 0) return []
  const bound = (text: string | null): string => `CAST(${text === null ? 'NULL' : literal(text)} AS ${native})`
  const list = (all: readonly { readonly from: string | null; readonly to: string | null }[]): string =>
    all.map(({ from, to }, i) => `(${i}, ${bound(from)}, ${bound(to)})`).join(', ')
  const rows = await session.ask(
    `SELECT w.n, p.n FROM (VALUES ${list(options)}) AS w (n, low, high) JOIN (VALUES ${list(partitions)}) AS p (n, low, high)
       ON (p.low IS NULL OR p.low < w.high) AND (p.high IS NULL OR p.high > w.low) ORDER BY 1, 2`,
  )
  return rows.flatMap(([w, p]): readonly (readonly [NewPartition, RangePartition])[] => {
    const [request, partition] = [options[Number(w)], partitions[Number(p)]]
    return request === undefined || partition === undefined ? [] : [[request, partition]]
  })
}

/** Refuses names that are taken. Relations and types of a schema share one namespace, since every table is a type. */
async function refuseTaken(
  session: CopySession,
  { name, from, to }: NewPartition,
  partitions: readonly RangePartition[],
): Promise<void> {
  const place = `(SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = ${literal(name.schema ?? '')})`
  const rows = await session.ask(
    `SELECT FROM pg_catalog.pg_class WHERE relname = ${literal(name.name)} AND relnamespace = ${place}
     UNION ALL SELECT FROM pg_catalog.pg_type WHERE typname = ${literal(name.name)} AND typnamespace = ${place}`,
  )
  if (rows.length === 0) return
  const own = partitions.find((one) => sameName(one.name, name))
  throw new SluiceError(
    'TABLE_REFUSED',
    own === undefined
      ? `partition ${tableText(name)} cannot be created: another table or type has this name`
      : `the partition ${tableText(name)} has other bounds: from ${own.from ?? 'the beginning'} to ${own.to ?? 'the end'}`,
    {
      where: tableText(name),
      reason: `the new partition from ${from} to ${to} needs the name ${tableText(name)}`,
      hint: `rename the existing ${own === undefined ? 'table or type' : 'partition'}, then run the same command again`,
    },
  )
}

function sameName(a: TableName, b: TableName): boolean {
  return a.schema === b.schema && a.name === b.name
}

function overlapping({ table }: RangedTable, options: NewPartition, partition: RangePartition): SluiceError {
  const { from, to } = partition
  return new SluiceError(
    'TABLE_REFUSED',
    `partition ${tableText(options.name)} cannot be created: ${tableText(partition.name)} overlaps it`,
    {
      where: tableText(table),
      reason: `the bounds of ${tableText(partition.name)} are from ${from ?? 'the beginning'} to ${to ?? 'the end'}; the required ones are from ${options.from} to ${options.to}`,
      hint: `detach ${tableText(partition.name)}, or use a calendar in which a period has its bounds`,
    },
  )
}
