/** Size of a table, estimated from a sample of its ring and by its servers. Only small tables are counted. */
import type { TableSpec } from '../../../model/copy/column-type.ts'
import { RING_TOKENS, splitTokens } from '../../../model/copy/ring.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { CassandraLink } from '../connect.ts'
import { isTooMuch } from './pages.ts'
import { ringPicture } from './ring-sample.ts'
import { countQuery } from './select.ts'

/** The sample reads two windows in each of four parts of the ring: few rows, even if the table is large. */
const SAMPLE = { splits: 4, sample: 8, seed: 'size' } as const

/** Tables with more rows (estimated) are not counted, even if an exact number is requested: a count reads all rows. */
export const CASSANDRA_COUNT_UP_TO = 100_000n
const COUNT_PARTS = 16
const COUNT_WORKERS = 4

/**
 * Estimated rows and bytes. The rows are exact if the sample has read all of them. Both are 0 if the sample fails: the
 * copy itself reports what cannot be read.
 */
export async function estimatedRows(
  link: CassandraLink,
  spec: Omit<TableSpec, 'rows' | 'bytes'>,
  signal: AbortSignal,
): Promise<{ readonly rows: bigint; readonly bytes: bigint }> {
  const picture = await orNull(ringPicture(link, { ...spec, rows: 0n, bytes: 0n }, SAMPLE, signal))
  if (picture === null) return { rows: 0n, bytes: 0n }
  const { parts } = picture
  const rows = parts.reduce((sum, part) => sum + part.rows, 0)
  const seen = parts.reduce((sum, part) => sum + part.bytes, 0)
  const kept = parts.reduce((sum, { server }) => sum + (server?.bytes ?? 0), 0)
  return { rows: BigInt(Math.round(rows)), bytes: BigInt(Math.round(Math.max(seen, kept))) }
}

/**
 * Counts the rows of a table: splits the ring into parts, and counts a few parts at the same time.
 * @param where the user's condition
 * @returns null if the servers cannot complete the count
 */
export async function countCassandraRows(
  link: CassandraLink,
  table: TableSpec,
  where: string | null,
  signal: AbortSignal,
): Promise<bigint | null> {
  const { ring } = table
  if (ring === undefined) throw new Error('a table of Cassandra lies on a ring')
  const whole = RING_TOKENS[ring.partitioner]
  const parts = splitTokens(whole.low, whole.high, COUNT_PARTS)
  let rows = 0n
  let next = 0
  const runWorker = async (): Promise<void> => {
    for (let part = parts[next++]; part !== undefined; part = parts[next++]) {
      throwIfAborted(signal)
      const { cql, parameters } = countQuery(table, ring, part, where)
      const counted = await link.client.execute(cql, [...parameters], { prepare: true, consistency: link.readLevel })
      rows += BigInt(String(counted.rows[0]?.get(0) ?? 0))
    }
  }
  return orNull(Promise.all(Array.from({ length: COUNT_WORKERS }, runWorker)).then(() => rows))
}

async function orNull<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work
  } catch (thrown) {
    if (isTooMuch(thrown instanceof SluiceError ? thrown.cause : thrown)) return null
    throw thrown
  }
}
