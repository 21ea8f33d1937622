/** A server whose log is decoded, and helpers for streams of it. */
import type { Change, LogPosition } from '../../src/model/copy/change.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { ChangeStream, FollowedTable } from '../../src/model/follow/port.ts'
import { lsnOf } from '../../src/stores/postgresql/server/lsn.ts'
import { openReplicationStream, type StreamOptions } from '../../src/stores/postgresql/follow/replication/stream.ts'
import { postgresSettings } from '../../src/stores/postgresql/server/settings.ts'
import { startPostgres, type PostgresOptions, type PostgresServer } from '../support/servers/postgresql.ts'
import { psql, SIGNAL, tableNamed, type Psql } from './copy-postgresql-kit.ts'

export type LogicalServer = { readonly server: PostgresServer; readonly sql: Psql; readonly url: string }

export async function startLogical(options: Pick<PostgresOptions, 'ssl'> = {}): Promise<LogicalServer> {
  const server = await startPostgres({
    ...options,
    extraSettings: ['wal_level=logical', 'max_wal_senders=20', 'max_replication_slots=60'],
  })
  await server.createDatabase('live')
  const url = server.url('live')
  return { server, url, sql: await psql(url) }
}

/** All columns that the system does not generate, with the names of the key. */
export async function followed(
  store: CopyStore,
  pattern: string,
  more: Partial<FollowedTable> = {},
): Promise<FollowedTable> {
  const table = await tableNamed(store, pattern)
  const columns = table.columns
    .filter((column) => column.generated !== true)
    .map((column) => ({ name: column.name, as: column.type, column }))
  return { table, columns, identity: table.key, ...more }
}

export type Birth = { readonly slot: string; readonly publication: string; readonly start: LogPosition }

let births = 0

/** Creates the publication, then the slot. */
export async function startRecord(sql: Psql, tables: string, more = ''): Promise<Birth> {
  const name = `stream_${process.pid}_${++births}`
  await sql.run(`CREATE PUBLICATION ${name} FOR TABLE ${tables} ${more}`)
  const [[start] = []] = await sql.rows(`SELECT lsn FROM pg_create_logical_replication_slot('${name}', 'pgoutput')`)
  return { slot: name, publication: name, start: lsnOf(String(start)) }
}

export async function endBirth(sql: Psql, { slot, publication }: Birth): Promise<void> {
  await sql.run(`SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '${slot}'`)
  await until(async () => !(await isActive(sql, slot)))
  await sql.run(`SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '${slot}';
    DROP PUBLICATION IF EXISTS ${publication}`)
}

export async function isActive(sql: Psql, slot: string): Promise<boolean> {
  const [[active] = []] = await sql.rows(`SELECT active FROM pg_replication_slots WHERE slot_name = '${slot}'`)
  return active === 't'
}

export function open(
  url: string,
  at: Birth,
  tables: readonly FollowedTable[],
  from: LogPosition = at.start,
  options: Partial<StreamOptions> = {},
): Promise<ChangeStream> {
  return openReplicationStream(postgresSettings(url), at, tables, from, { signal: SIGNAL, ...options })
}

/** Everything up to and including so many commits, without idle positions. */
export async function take(stream: ChangeStream, commits: number): Promise<Change[]> {
  const all: Change[] = []
  const started = Date.now()
  while (all.filter(({ type }) => type === 'commit').length < commits) {
    if (Date.now() - started > 20_000) throw new Error(`only this came: ${JSON.stringify(all, shown)}`)
    all.push(...(await stream.next(1000)).filter(({ type }) => type !== 'idle'))
  }
  return all
}

/** Changes of rows only. */
export function rowsOnly(changes: readonly Change[]): readonly Change[] {
  return changes.filter(({ type }) => type !== 'begin' && type !== 'commit' && type !== 'idle')
}

export function types(changes: readonly Change[]): readonly string[] {
  return changes.map(({ type }) => type)
}

export async function until(found: () => Promise<boolean>, forMs = 20_000): Promise<void> {
  const end = Date.now() + forMs
  while (!(await found())) {
    if (Date.now() > end) throw new Error('what was waited for does not come')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

function shown(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}
