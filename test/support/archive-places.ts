/**
 * Small tables to archive, as native partitions of PostgreSQL or as plain tables, and the commands that a user would
 * run.
 */
import { join } from 'node:path'
import { perform, type Place, type Ran } from './copy-systems.ts'
import { Observer } from './archive-observer.ts'
import type { Operation } from '../../src/app/operations/list.ts'

export const TABLE = 'bookings'
/** Quarters that are archived, each with its first day and the day after its last. */
export const QUARTERS: readonly (readonly [from: string, to: string])[] = [
  ['2020-01-01', '2020-04-01'],
  ['2020-04-01', '2020-07-01'],
]
const KEPT = ['2090-01-01', '2091-01-01'] as const

/**
 * `native`: partitions of PostgreSQL. `divided`: the archived partitions are partitioned themselves. `plain`: one
 * table.
 */
export type Form = 'native' | 'divided' | 'plain'

/**
 * The first partition has two levels of tables below it, one table in another schema; the second one has one level with
 * a default partition.
 */
const DIVIDED: readonly { readonly by: string; readonly tables: readonly string[] }[] = [
  {
    by: ' PARTITION BY HASH (id)',
    tables: [
      `CREATE TABLE ${TABLE}_0_a PARTITION OF ${TABLE}_0 FOR VALUES WITH (MODULUS 2, REMAINDER 0)`,
      `CREATE TABLE ${TABLE}_0_b PARTITION OF ${TABLE}_0 FOR VALUES WITH (MODULUS 2, REMAINDER 1) PARTITION BY RANGE (id)`,
      `CREATE TABLE side.low PARTITION OF ${TABLE}_0_b FOR VALUES FROM (MINVALUE) TO (100)`,
      `CREATE TABLE ${TABLE}_0_high PARTITION OF ${TABLE}_0_b FOR VALUES FROM (100) TO (MAXVALUE)`,
    ],
  },
  {
    by: ' PARTITION BY RANGE (id)',
    tables: [
      `CREATE TABLE ${TABLE}_1_low PARTITION OF ${TABLE}_1 FOR VALUES FROM (MINVALUE) TO (100050)`,
      `CREATE TABLE ${TABLE}_1_rest PARTITION OF ${TABLE}_1 DEFAULT`,
    ],
  },
]

export type Archived = {
  readonly place: Place
  readonly form: Form
  /** Folder that archives are given, and the one that this table's lies in. */
  readonly to: string
  readonly archive: string
  /** Partitions that are archived in parallel; default 1. */
  readonly workers?: number
}

/** @param rows rows per partition */
export async function makeBookings(place: Place, form: Form, to: string, rows = 300): Promise<Archived> {
  const isSqlite = place.system === 'sqlite'
  const columns = isSqlite
    ? 'id INTEGER PRIMARY KEY, at DATETIME NOT NULL, note TEXT, amount TEXT'
    : `id bigint NOT NULL, at ${place.system === 'mysql' ? 'datetime' : 'timestamp(0)'} NOT NULL, note varchar(400), amount numeric(12,2)`
  if (form !== 'plain') {
    await place.sql(`CREATE TABLE ${TABLE} (${columns}, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)`)
    for (const [i, [from, end]] of [...QUARTERS, KEPT].entries()) {
      const by = form === 'native' ? '' : (DIVIDED[i]?.by ?? '')
      await place.sql(`CREATE TABLE ${TABLE}_${i} PARTITION OF ${TABLE} FOR VALUES FROM ('${from}') TO ('${end}')${by}`)
    }
    if (form === 'divided') await place.sql('CREATE SCHEMA side', ...DIVIDED.flatMap(({ tables }) => tables))
  } else await place.sql(`CREATE TABLE ${TABLE} (${columns}${isSqlite ? '' : ', PRIMARY KEY (id)'})`)
  for (const [i, [from]] of [...QUARTERS, KEPT].entries()) {
    const values = Array.from({ length: rows }, (_, n) => {
      const at = new Date(Date.parse(`${from}T00:00:00Z`) + n * 3_600_000).toISOString().slice(0, 19).replace('T', ' ')
      const note = n % 7 === 0 ? 'NULL' : `'row ${n} of ${i}, ${(n * 7919).toString(36)}'`
      return `(${i * 100_000 + n}, '${at}', ${note}, ${n % 5 === 0 ? 'NULL' : `'${n}.25'`})`
    })
    await place.sql(`INSERT INTO ${TABLE} VALUES ${values.join(', ')}`)
  }
  const folder = place.system === 'postgresql' ? `public.${TABLE}` : TABLE
  return { place, form, to, archive: join(to, folder) }
}

export function observe({ place, archive }: Archived): Promise<Observer> {
  return Observer.open({ url: place.url, table: TABLE, archive })
}

const RUN = { kind: 'archive', tables: [TABLE], asText: [], detach: true, drop: false, dryRun: false } as const

/** Commands that a user runs for an archive, in this order. */
export function commandsOf({
  place,
  form,
  to,
  workers,
}: Pick<Archived, 'form' | 'to' | 'workers'> & { readonly place: Pick<Place, 'url'> }): Readonly<
  Record<'run' | 'drop' | 'restore' | 'verify' | 'query' | 'sweep', Operation>
> {
  const run = {
    ...RUN,
    from: place.url,
    to,
    partitions: [],
    olderThan: '8q',
    graceMs: 0,
    ...(form === 'plain' ? { by: 'at' } : {}),
    ...(workers === undefined ? {} : { workers }),
  }
  return {
    run,
    drop: { ...run, drop: true, confirm: TABLE },
    restore: { kind: 'restore', from: place.url, table: TABLE, partitions: ['2020-Q1', '2020-Q2'], dryRun: false },
    verify: { kind: 'archive-verify', from: place.url, tables: [], partitions: [], deep: false },
    sweep: { kind: 'archive-sweep', from: place.url, tables: [], olderThanMs: 0, dryRun: false },
    query: {
      kind: 'query',
      from: place.url,
      table: TABLE,
      query: `SELECT count(*) AS n, sum(id) AS s FROM ${TABLE}`,
      limit: 10,
      format: 'table',
    },
  }
}

/** Count and sum of the ids, as `sluice query` returns them. */
export async function countedBy(query: Operation): Promise<{ readonly ran: Ran; readonly counted: string }> {
  const ran = await perform(query)
  const rows = ran.events.flatMap((event) => (event.type === 'row' ? [event.values.map(String).join(' ')] : []))
  return { ran, counted: rows.join('; ') || `${ran.finished.error?.code}: ${ran.finished.error?.message}` }
}

export function countOf(rows: ReadonlyMap<string, string>): string {
  return `${rows.size} ${[...rows.keys()].reduce((sum, id) => sum + Number(id), 0)}`
}

/** Runs the query repeatedly until the work is done. @returns the results that differ from `wanted` */
export async function askedMeanwhile(
  query: Operation,
  wanted: string,
  work: Promise<unknown>,
): Promise<readonly string[]> {
  let over = false
  work.finally(() => (over = true)).catch(() => undefined)
  const wrong: string[] = []
  do {
    const { counted } = await countedBy(query)
    if (counted !== wanted) wrong.push(counted)
  } while (!over)
  return wrong
}
