/** Partitions that hold nothing but static values: their key ends with that of the partition. */
import type { RowKey } from '../../../model/copy/row-key.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import { longBytes } from '../long-bytes.ts'
import { tableName } from './names.ts'
import { selected } from './selected.ts'
import type { TableShape } from './shape.ts'

/**
 * Whether a key may be that of such a partition. Older programs spelled it with empty texts, as that of a row whose clustering key is empty texts: of the
 * two a partition can only have one.
 * @param partition columns of the partition key
 */
export function isSharedBound(bound: RowKey, partition: number): boolean {
  return bound.length > partition && bound.slice(partition).every((text) => text === null || text === '')
}

export function hasStatics({ columns }: TableShape): boolean {
  return [...columns.values()].some(({ part }) => part === 'static')
}

/** Runs a statement, and gives its rows. */
export type Run = (cql: string, parameters: readonly (Buffer | null)[]) => Promise<readonly (readonly unknown[])[]>

/**
 * Takes away the static values of a partition that holds nothing else, at the time of the latest of them.
 * @param partition values of its key
 * @returns whether it was such a partition, or none
 * @throws errors of the driver
 */
export async function removeShared(
  { table, columns, partition: keys, clustering, counters }: TableShape,
  partition: readonly (Buffer | null)[],
  read: Run,
  write: Run,
): Promise<boolean> {
  const statics = [...columns.values()].filter(({ part }) => part === 'static')
  const timed = counters ? [] : statics.filter(({ manyCells }) => !manyCells)
  const times = timed.map(({ name }) => `writetime(${quotedName(name)})`)
  const where = keys.map((name) => `${quotedName(name)} = ?`).join(' AND ')
  const names = statics.map(({ name }) => quotedName(name)).join(', ')
  const what = [selected(clustering[0] ?? ''), ...times, ...statics.map(({ name }) => selected(name))].join(', ')
  const there = `SELECT ${what} FROM ${tableName(table)} WHERE ${where} LIMIT 1`
  const [found] = await read(there, partition)
  if (found === undefined) return true
  if (found[0] != null) return false
  let latest: bigint | null = null
  for (const time of found.slice(1, 1 + timed.length))
    if (typeof time === 'bigint' && (latest === null || time > latest)) latest = time
  if (latest !== null) {
    await write(`DELETE ${names} FROM ${tableName(table)} USING TIMESTAMP ? WHERE ${where}`, [
      longBytes(latest),
      ...partition,
    ])
    if ((await read(there, partition)).length === 0) return true
  }
  // Collections tell no time.
  await write(`DELETE ${names} FROM ${tableName(table)} WHERE ${where}`, partition)
  return true
}
