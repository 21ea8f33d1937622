/** A database with a hostile name whose tables have been copied to another one of the same server. */
import { randomBytes } from 'node:crypto'
import type { PartitionDecommissionDatabaseOperation } from '../../src/partition/operations/partition-decommission-database/declaration.ts'
import type { Event } from '../../src/model/run/event.ts'
import type { DecommissionFindingEvent } from '../../src/model/partition/events.ts'
import { copyOf, makePlace, perform, postgresAt, type Place } from '../support/copy-systems.ts'

export const DAY = 86_400_000
export const SCHEMA = `"We""ird .x"`
export const TABLE_SQL = `${SCHEMA}."Book'ings"`
/** A schema with a dot is quoted. */
export const TABLE_TEXT = `"We""ird .x".Book'ings`

export type Moved = {
  readonly name: string
  readonly old: Place
  readonly to: Place
  /** Another database of the server, for queries about the old one. */
  readonly server: Place
}

export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

export function urlOf(server: string, database: string): string {
  const url = new URL(server)
  url.pathname = `/${encodeURIComponent(database)}`
  return url.href
}

/** @param folder for systems whose databases are files */
export async function makeOld(folder: string): Promise<Moved> {
  const to = await makePlace('postgresql', folder)
  const name = `Old "d' b ${randomBytes(4).toString('hex')}`
  await to.sql(`CREATE DATABASE ${quoted(name)} CONNECTION LIMIT 17`)
  const old = postgresAt(urlOf(to.url, name))
  await old.sql(
    `CREATE SCHEMA ${SCHEMA}`,
    `CREATE TABLE ${TABLE_SQL} ("Id" int PRIMARY KEY, "no te" text)`,
    `INSERT INTO ${TABLE_SQL} SELECT i, 'n' || i FROM generate_series(1, 300) i`,
    `CREATE VIEW ${SCHEMA}."v iew" AS SELECT * FROM ${TABLE_SQL}`,
    'CREATE TABLE plain (a int PRIMARY KEY)',
  )
  return { name, old, to, server: to }
}

/** Copies both tables. */
export async function copyAll({ old, to }: Moved): Promise<void> {
  for (const table of [TABLE_TEXT, 'public.plain']) {
    const { finished } = await perform(copyOf(old, to, table))
    if (finished.error !== undefined) throw new Error(finished.error.message)
  }
}

export const retire = (
  { old, to }: Pick<Moved, 'old' | 'to'>,
  more: Partial<PartitionDecommissionDatabaseOperation> = {},
): PartitionDecommissionDatabaseOperation => ({
  kind: 'partition-decommission-database',
  from: old.url,
  to: to.url,
  leave: [],
  graceMs: 7 * DAY,
  inactive: false,
  undo: false,
  budgetMs: 10_000,
  dryRun: false,
  ...more,
})

export const findings = (events: readonly Event[], about?: string): readonly DecommissionFindingEvent[] =>
  events
    .filter((event) => event.type === 'decommission.finding')
    .filter((event) => about === undefined || event.about === about)

export const steps = (events: readonly Event[]): readonly string[] =>
  events.filter((event) => event.type === 'decommission.step').map(({ step, status }) => `${step} ${status}`)

export const STEPS = 'SELECT step FROM migration_database_decommissions ORDER BY done_ms, step_no'

/** Whether the database accepts connections, and its connection limit; no row if it does not exist. */
export function standing({ server, name }: Moved): Promise<readonly (readonly (string | null)[])[]> {
  return server.rows(
    `SELECT datallowconn, datconnlimit FROM pg_database WHERE datname = '${name.replaceAll("'", "''")}'`,
  )
}
