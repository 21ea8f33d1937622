/** Partitioned tables of PostgreSQL, and new partitions for them. */
import type { Made, MakeRequest, MaintenanceStore, RangedTable } from '../../src/model/partition/maintenance-port.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import { SIGNAL, type Psql } from './copy-postgresql-kit.ts'

export function maintenanceOf(store: CopyStore): MaintenanceStore {
  const maintenance = store.offers.maintenance
  if (maintenance === undefined) throw new Error('this store makes no partitions')
  return maintenance
}

export async function look(store: CopyStore, name: string, schema = 'public'): Promise<RangedTable> {
  const table = await maintenanceOf(store).inspect({ schema, name }, false, SIGNAL)
  if (table === null) throw new Error(`${name} is not partitioned`)
  return table
}

/** @param options name, lower bound, upper bound */
export async function make(
  store: CopyStore,
  table: RangedTable,
  options: readonly (readonly [string, string, string])[],
  more: Partial<MakeRequest> = {},
): Promise<Made> {
  return maintenanceOf(store).make({
    table,
    partitions: options.map(([name, from, to]) => ({ name: { name }, from, to })),
    lockTimeoutMs: 100,
    retryLimitMs: 10_000,
    signal: SIGNAL,
    ...more,
  })
}

/** Writes with a pause between two writes, until it is stopped; reports the duration of the longest in ms. */
export async function writing(
  side: Psql,
  sql: (n: number) => string,
  restMs = 2,
): Promise<{ stop(): Promise<{ readonly longest: number; readonly count: number }> }> {
  let longest = 0
  let count = 0
  const on = { value: true }
  const run = (async () => {
    while (on.value) {
      const since = performance.now()
      await side.run(sql(count))
      longest = Math.max(longest, performance.now() - since)
      count++
      await new Promise((resolve) => setTimeout(resolve, restMs))
    }
  })()
  run.catch(() => undefined)
  return Promise.resolve({
    stop: async () => {
      on.value = false
      await run
      return { longest, count }
    },
  })
}

/** Objects of sluice that are not attached: tables, functions, triggers. */
export async function leftOvers(direct: Psql): Promise<unknown[]> {
  return (
    await direct.rows(
      `SELECT relname FROM pg_class WHERE relname LIKE 'sluice%' UNION ALL SELECT proname FROM pg_proc WHERE proname LIKE 'sluice%'
       UNION ALL SELECT tgname FROM pg_trigger WHERE tgname LIKE 'sluice%' UNION ALL SELECT conname FROM pg_constraint WHERE conname LIKE 'sluice%'`,
    )
  ).flat()
}

/**
 * A table `t` whose default partition holds rows of the third quarter of 2024, and as many of 2030.
 * @param key constraints of the table
 */
export async function withRest(direct: Psql, key: string, rows = 3000): Promise<void> {
  await direct.run(`CREATE TABLE t (id bigint NOT NULL, at timestamptz NOT NULL, qty int, total int, ${key}) PARTITION BY RANGE (at);
      CREATE TABLE t_q2 PARTITION OF t FOR VALUES FROM ('2024-04-01') TO ('2024-07-01'); CREATE TABLE t_rest PARTITION OF t DEFAULT;
      INSERT INTO t SELECT i, '2024-07-05', i, 2 * i FROM generate_series(1, ${rows}) i; INSERT INTO t SELECT i, '2030-07-05', i, 2 * i FROM generate_series(1, ${rows}) i`)
}
