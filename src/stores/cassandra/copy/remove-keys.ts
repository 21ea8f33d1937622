/** Removes rows by their keys, with the time of their latest value, so that later writes are not hidden. */
import type { ChunkRequest } from '../../../model/copy/target-port.ts'
import type { CassandraLink } from '../connect.ts'
import type { Flow } from './flow.ts'
import { tableName } from './names.ts'
import { keyOfBound, partitionOfBound, spellsEmpty } from './proof.ts'
import { selected } from './selected.ts'
import { hasStatics, isSharedBound, removeShared, type Run } from './shared-only.ts'
import type { TableShape } from './shape.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import { longBytes } from '../long-bytes.ts'

/** Removes the rows that the request's range names. @throws errors of the driver */
export async function removeKeys(
  link: CassandraLink,
  request: ChunkRequest,
  shape: TableShape,
  flow: Flow,
): Promise<void> {
  if (request.range.by !== 'keys') throw new Error('only rows that are named can be removed')
  const names = [...shape.partition, ...shape.clustering]
  const key = names.map((name) => `${quotedName(name)} = ?`).join(' AND ')
  const timed = shape.counters
    ? []
    : [...shape.columns].flatMap(([name, { part, manyCells }]) => (part === 'regular' && !manyCells ? [name] : []))
  const times = timed.map((name) => `writetime(${quotedName(name)})`).join(', ')
  const table = tableName(shape.table)
  const run = (cql: string, parameters: readonly (Buffer | null)[], consistency: number) =>
    link.client.execute(cql, [...parameters], { prepare: true, consistency, isIdempotent: true })
  const runAt =
    (consistency: number): Run =>
    async (cql, parameters) =>
      (await run(cql, parameters, consistency)).rows?.map((row) => row.values() as readonly unknown[]) ?? []
  const [read, write] = [runAt(link.readLevel), runAt(link.writeLevel)]
  const mayShare = hasStatics(shape)
  await flow.each(request.range.keys, request.signal, async (bound) => {
    if (mayShare && isSharedBound(bound, shape.partition.length)) {
      const partition = partitionOfBound(request, shape, bound)
      if ((await removeShared(shape, partition, read, write)) || !spellsEmpty(request, shape, bound)) return
    }
    const { values } = keyOfBound(request, shape, bound)
    const there = `SELECT ${[...(times === '' ? [] : [times]), selected(names[0] ?? '')].join(', ')} FROM ${table} WHERE ${key}`
    const [found] = (await run(there, values, link.readLevel)).rows
    if (found === undefined) return
    let latest: bigint | null = null
    for (const time of (found.values() as (bigint | null)[]).slice(0, timed.length))
      if (time !== null && (latest === null || time > latest)) latest = time
    if (latest !== null) {
      await run(`DELETE FROM ${table} USING TIMESTAMP ? WHERE ${key}`, [longBytes(latest), ...values], link.writeLevel)
      const rest = await run(there, values, link.readLevel)
      if (rest.rowLength === 0) return
    }
    // Collections, and rows with nothing but a key, have no readable write time.
    await run(`DELETE FROM ${table} WHERE ${key}`, values, link.writeLevel)
  })
}
