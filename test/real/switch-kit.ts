/** Helpers for cutovers between two tables of PostgreSQL. */
import type { TableName } from '../../src/model/copy/column-type.ts'
import type { Closing } from '../../src/model/run/ledger-port.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { SwitchAttempt, SwitchFinding, SwitchRequest, SwitchStore } from '../../src/model/follow/switch-port.ts'
import { SIGNAL, tableNamed, type Psql } from './copy-postgresql-kit.ts'

export const LIMITS = { lockTimeoutMs: 900 }

/** Closes no ledger: there is none. */
export const NOTHING: Closing = {
  statements: [],
  guard: { sql: 'SELECT 1', parameters: [] },
  landed: { sql: 'SELECT 1 WHERE false', parameters: [] },
}

/** Of rows without numbered columns. */
export const NO_VALUES = { text: '[]' }

export function switchesOf(store: CopyStore): SwitchStore {
  const switches = store.offers.switches
  if (switches === undefined) throw new Error('no tables of this store change places')
  return switches
}

export function request(from: string, to: string, oldTable: string, schema = 'public'): SwitchRequest {
  return { from: { schema, name: from }, to: { schema, name: to }, oldTable }
}

/**
 * Makes the partitioned table as `partition plan` prints it, with a partition for each year, and rows of the old one.
 */
export async function makeNewTable(
  store: CopyStore,
  sql: Psql,
  { schema, name }: TableName,
  { by = 'at', twin: newTable = `${name}_partitioned`, years = [2024, 2025] } = {},
): Promise<void> {
  const table = await tableNamed(store, `${schema ?? 'public'}.${name}`)
  const column = table.columns.find((one) => one.name === by)
  const plan = store.offers.partitionPlan
  if (column === undefined || plan === undefined) throw new Error(`nothing partitions ${name} by ${by}`)
  const partitions = years.map((year) => ({
    name: `${newTable}_${year}`,
    from: `${year}-01-01`,
    to: `${year + 1}-01-01`,
  }))
  for (const one of (await plan.newTable({ table, column, kind: 'timestamptz' }, newTable, partitions, SIGNAL)).all) {
    await sql.run(one)
  }
}

/** Opens a cutover, and retries as long as other sessions keep the lock. */
export async function opened(store: CopyStore, wanted: SwitchRequest, tries = 60): Promise<SwitchAttempt> {
  for (let n = 0; n < tries; n++) {
    const attempt = await switchesOf(store).open(wanted, LIMITS, SIGNAL)
    if (attempt !== null) return attempt
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error('the lock is not to be had')
}

/**
 * One cutover.
 * @param drain brings the other table up to date while no session writes
 */
export async function turn(
  store: CopyStore,
  wanted: SwitchRequest,
  drain: (attempt: SwitchAttempt) => Promise<void> = async () => undefined,
): Promise<{ readonly made: readonly SwitchFinding[]; readonly waitedMs: number }> {
  await using attempt = await opened(store, wanted)
  await drain(attempt)
  const made = await attempt.exchange(await switchesOf(store).furthest(wanted, SIGNAL))
  const end = await attempt.commit(NOTHING)
  if (end !== 'committed') throw new Error(`the switch was ${end}`)
  return { made, waitedMs: attempt.waitedMs() }
}

/** Names of sluice's objects in a database. */
export async function ours(sql: Psql): Promise<readonly string[]> {
  const rows = await sql.rows(
    `SELECT 'function ' || proname FROM pg_proc WHERE proname ~ 'sluice' UNION ALL SELECT 'trigger on ' || tgrelid::regclass FROM pg_trigger WHERE tgname ~ 'sluice'
     UNION ALL SELECT 'relation ' || relname FROM pg_class WHERE relname ~ 'sluice' ORDER BY 1`,
  )
  return rows.map(([name]) => String(name))
}
