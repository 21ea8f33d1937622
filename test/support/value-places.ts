/** Small tables that are archived by the values of a column, and the commands that a user would run. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { Operation } from '../../src/app/operations/list.ts'
import type { ArchivedEvent, ArchivePlanEvent } from '../../src/model/archive/events.ts'
import type { Event } from '../../src/model/run/event.ts'
import { countedBy } from './archive-places.ts'
import { perform, type Place, type Ran } from './copy-systems.ts'

export const ORDERS = 'orders'

export type Orders = {
  readonly place: Place
  /** Parent folder of archives, and the folder of this table's archive. */
  readonly to: string
  readonly archive: string
  /** Id and value, as the database prints it. */
  readonly rows: Map<number, string | null>
}

/** Value as an SQL literal; null becomes NULL. */
export type Literal = (value: string | null) => string

export const textLiteral: Literal = (value) => (value === null ? 'NULL' : `'${value.replaceAll("'", "''")}'`)

/** A text of any characters as a literal; in MySQL a backslash is an escape character. */
export const bytesLiteral: Literal = (value) =>
  value === null ? 'NULL' : `CONVERT(X'${Buffer.from(value).toString('hex')}' USING utf8mb4)`

/** @param type of the column `region` @param values of the rows, whose ids begin at 1 */
export async function makeOrders(
  place: Place,
  folder: string,
  type: string,
  values: readonly (string | null)[],
  literal: Literal = place.system === 'mysql' ? bytesLiteral : textLiteral,
): Promise<Orders> {
  const key = place.system === 'sqlite' ? 'id INTEGER PRIMARY KEY' : 'id bigint PRIMARY KEY'
  const text = place.system === 'mysql' ? 'varchar(60)' : 'TEXT'
  await place.sql(`CREATE TABLE ${ORDERS} (${key}, region ${type}, note ${text})`)
  const to = join(folder, `archive-${randomBytes(4).toString('hex')}`)
  const database = new URL(place.url).pathname.slice(1)
  const schemas = { postgresql: 'public.', mysql: `${database}.`, sqlite: '', duckdb: '', d1: '' }
  const archive = join(to, `${schemas[place.system]}${ORDERS}`)
  const made: Orders = { place, to, archive, rows: new Map() }
  await addOrders(made, values, literal)
  return made
}

export async function addOrders(
  { place, rows }: Orders,
  values: readonly (string | null)[],
  literal: Literal = place.system === 'mysql' ? bytesLiteral : textLiteral,
): Promise<void> {
  if (values.length === 0) return
  const first = Math.max(0, ...rows.keys()) + 1
  const lines = values.map((value, i) => `(${first + i}, ${literal(value)}, 'row ${first + i}')`)
  await place.sql(`INSERT INTO ${ORDERS} VALUES ${lines.join(', ')}`)
  for (const [i, value] of values.entries()) rows.set(first + i, value)
}

const RUN = { kind: 'archive', tables: [ORDERS], asText: [], detach: true, drop: false, dryRun: false } as const

export function orderCommands({
  place,
  to,
}: Pick<Orders, 'place' | 'to'>): Readonly<
  Record<'plan' | 'run' | 'drop' | 'restore' | 'verify' | 'query' | 'list', Operation>
> {
  const from = place.url
  const run = { ...RUN, from, to, byValue: 'region', partitions: [], graceMs: 0 }
  return {
    plan: { ...run, dryRun: true },
    run,
    drop: { ...run, drop: true, confirm: ORDERS },
    restore: { kind: 'restore', from, table: ORDERS, partitions: [], dryRun: false },
    verify: { kind: 'archive-verify', from, tables: [], partitions: [], deep: true },
    list: { kind: 'archive-list', from, tables: [], count: true },
    query: {
      kind: 'query',
      from,
      table: ORDERS,
      query: `SELECT count(*) AS n, sum(id) AS s FROM ${ORDERS}`,
      limit: 10,
      format: 'table',
    },
  }
}

export function named(operation: Operation, ...partitions: readonly string[]): Operation {
  return { ...operation, partitions } as Operation
}

/** @throws Error if it fails */
export async function done(operation: Operation): Promise<Ran> {
  const ran = await perform(operation)
  if (ran.finished.exitCode !== 0) throw new Error(JSON.stringify(ran.finished.error ?? ran.finished))
  return ran
}

/** Count and sum of the ids: the result of `sluice query`, and the expected one. */
export async function whole(orders: Orders): Promise<readonly [counted: string, wanted: string]> {
  const { counted } = await countedBy(orderCommands(orders).query)
  return [counted, `${orders.rows.size} ${[...orders.rows.keys()].reduce((sum, id) => sum + id, 0)}`]
}

export function plannedValues({ events }: Ran): readonly string[] {
  return events
    .filter((event): event is Event & ArchivePlanEvent => event.type === 'archive.planned')
    .map(
      ({ partition, status, rows, note }) => `${partition} ${status} ${rows}${note === undefined ? '' : `: ${note}`}`,
    )
}

export async function listedValues(orders: Orders): Promise<readonly string[]> {
  const { events } = await done(orderCommands(orders).list)
  return events
    .filter((event): event is Event & ArchivedEvent => event.type === 'archived')
    .map(
      ({ partition, state, rows, surplus }) =>
        `${partition} ${state} ${rows ?? '-'}${surplus === undefined ? '' : ` ${surplus}`}`,
    )
    .toSorted()
}
