/** Partitions with static values only: their key ends with the partition key. */
import type { RowKey } from '../../../model/copy/row-key.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import { longBytes } from '../long-bytes.ts'
import { tableName } from './names.ts'
import { selected } from './selected.ts'
import type { TableShape } from './shape.ts'

/**
 * Whether a key may be that of such a partition. Older versions wrote it with empty texts, like that of a row whose
 * clustering key is empty texts: a partition can only have one of the two.
 * @param partition number of columns of the partition key
 */
export function isSharedBound(bound: RowKey, partition: number): boolean {
  return bound.length > partition && bound.slice(partition).every((text) => text === null || text === '')
}

export function hasStatics({ columns }: TableShape): boolean {
  return [...columns.values()].some(({ part }) => part === 'static')
}

/** Runs a statement and returns its rows. */
export type Run = (cql: string, parameters: readonly (Buffer | null)[]) => Promise<readonly (readonly unknown[])[]>

/**
 * Removes the static values of a partition that has no rows, with the latest of their write times.
 * @param partition values of its key
 * @returns true if it was such a partition, or did not exist
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
  // Collections have no readable write time.
  await write(`DELETE ${names} FROM ${tableName(table)} WHERE ${where}`, partition)
  return true
}
