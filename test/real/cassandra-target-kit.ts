/** Common parts of the suites that copy into Cassandra. */
import type { CopyOperation } from '../../src/engine/copy/operations/copy/declaration.ts'
import type { Ran } from '../support/copy-systems.ts'
import type { TestKeyspace } from '../support/servers/cassandra-kit.ts'

/** @param from and `to`: URLs */
export function copyBetween(
  from: string,
  to: string,
  tables: readonly string[],
  more: Partial<CopyOperation> = {},
): CopyOperation {
  return {
    kind: 'copy',
    from,
    to,
    tables,
    rename: {},
    onExisting: 'refuse',
    acceptLossy: [],
    verify: 'chunk',
    workers: 4,
    maxAside: 100,
    restart: false,
    dryRun: false,
    ...more,
  }
}

/** Number of chunks that a run has begun. */
export function started({ events }: Ran): number {
  return events.filter((event) => event.type === 'chunk.started').length
}

/** The failures of a run, with all their texts. */
export function failures({ events, finished }: Ran): string {
  const reported = events.filter(
    ({ type }) => type === 'chunk.failed' || type === 'table.finished' || type === 'row.aside',
  )
  return JSON.stringify([finished.error, ...reported], null, 1)
}

/** Error codes of the tables. */
export function codes({ events }: Ran): readonly (string | undefined)[] {
  return events.flatMap((event) => (event.type === 'table.finished' ? [event.error?.code] : []))
}

/** All rows of a query, sorted. */
export async function texts(keyspace: TestKeyspace, cql: string): Promise<readonly string[]> {
  const rows = await keyspace.rows(cql)
  return rows.map((row) => JSON.stringify(row.values(), plain)).toSorted()
}

function plain(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`
  if (value instanceof Map) return [...value.entries()] as unknown
  return value instanceof Set ? ([...value.values()] as unknown) : value
}
