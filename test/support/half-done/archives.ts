/**
 * Archives that killed programs have left in each state: one table per state, with two years that go into the archive
 * and one that stays.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import type { Operation } from '../../../src/app/operations/list.ts'
import { startArchiver } from '../../fault/archive-kit.ts'
import type { Place } from '../copy-systems.ts'
import { ELSEWHERE } from './copies.ts'

export type Form = 'native' | 'plain'
export const ROWS = 8
const YEARS = [2019, 2020, 2090] as const

type Stage = 'run' | 'drop' | 'restore'
type Left = {
  /** Commands in this order; the last one is killed at `at`, if given. */
  readonly did: readonly Stage[]
  readonly at?: string
  readonly when?: 'before' | 'after'
  /** Ledger state of the first partition; `plain`: the state of a plain table, if it differs. */
  readonly state: readonly [native: string, plain?: string]
}

/** By table name. */
export const LEFT: Readonly<Record<string, Left>> = {
  planned: { did: ['run'], at: 'state EXPORTING', when: 'before', state: ['PLANNED'] },
  exporting: { did: ['run'], at: 'COMMIT state EXPORTING', when: 'after', state: ['EXPORTING'] },
  exported: { did: ['run'], at: 'COMMIT state EXPORTED', when: 'after', state: ['EXPORTED'] },
  verified: { did: ['run'], at: 'COMMIT state VERIFIED', when: 'after', state: ['VERIFIED'] },
  landed: { did: ['run'], at: 'COMMIT state PUBLISHED', when: 'before', state: ['VERIFIED'] },
  published: { did: ['run'], at: 'COMMIT state PUBLISHED', when: 'after', state: ['PUBLISHED'] },
  detaching: { did: ['run'], at: 'COMMIT state DETACHED', when: 'before', state: ['DETACHING', 'PUBLISHED'] },
  detached: { did: ['run'], at: 'COMMIT state DETACHED', when: 'after', state: ['DETACHED'] },
  dropping: { did: ['run', 'drop'], at: 'COMMIT state DROPPED', when: 'before', state: ['DETACHED'] },
  dropped: { did: ['run', 'drop'], state: ['DROPPED'] },
  restoring: {
    did: ['run', 'drop', 'restore'],
    at: 'COMMIT state RESTORED',
    when: 'before',
    state: ['DROPPED', 'DETACHED'],
  },
  restored: { did: ['run', 'drop', 'restore'], state: ['RESTORED'] },
}

export function operationOf(stage: Stage, form: Form, from: string, table: string, to: string): Operation {
  const partitions = ['2019', '2020']
  if (stage === 'restore') return { kind: 'restore', from, table, partitions, dryRun: false }
  return {
    kind: 'archive',
    from,
    to,
    tables: [table],
    partitions: [],
    olderThan: '5y',
    calendar: { unit: 'year', firstMonth: 1, yearOffset: 0, firstWeekday: 1, zone: 'UTC' },
    asText: [],
    detach: true,
    drop: stage === 'drop',
    ...(stage === 'drop' ? { confirm: table } : {}),
    ...(form === 'plain' ? { by: 'at' } : {}),
    graceMs: 0,
    dryRun: false,
  }
}

async function makeTable(place: Place, form: Form, table: string): Promise<void> {
  const columns =
    place.system === 'sqlite'
      ? 'id INTEGER PRIMARY KEY, at DATETIME NOT NULL, note TEXT'
      : 'id bigint NOT NULL, at timestamp(0) NOT NULL, note text'
  if (form === 'native') {
    await place.sql(`CREATE TABLE ${table} (${columns}, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)`)
    for (const year of YEARS) {
      const bound = `FROM ('${year}-01-01') TO ('${year + 1}-01-01')`
      await place.sql(`CREATE TABLE ${table}_${year} PARTITION OF ${table} FOR VALUES ${bound}`)
    }
  } else await place.sql(`CREATE TABLE ${table} (${columns}${place.system === 'sqlite' ? '' : ', PRIMARY KEY (id)'})`)
  for (const year of YEARS) {
    const rows = Array.from({ length: ROWS }, (_, n) => {
      return `(${year * 100 + n}, '${year}-0${1 + n}-05 10:00:00', ${n % 3 === 0 ? 'NULL' : `'row ${n} — é'`})`
    })
    await place.sql(`INSERT INTO ${table} VALUES ${rows.join(', ')}`)
  }
}

/** Ids of a complete table. */
export const IDS = YEARS.flatMap((year) => Array.from({ length: ROWS }, (_, n) => String(year * 100 + n)))
export const KEPT = IDS.slice(-ROWS)

/** @param to folder for the archives */
export async function leaveArchives(place: Place, form: Form, to: string): Promise<void> {
  for (const [name, { did, at, when, state }] of Object.entries(LEFT)) {
    const table = `t_${name}`
    await makeTable(place, form, table)
    for (const [i, stage] of did.entries()) {
      const dies = i === did.length - 1 && at !== undefined && when !== undefined ? { at, when } : {}
      const ended = await startArchiver(operationOf(stage, form, place.url, table, to), { host: ELSEWHERE, ...dies })
        .ended
      if ((ended.signal === 'SIGKILL') !== 'at' in dies || (ended.finished?.exitCode ?? 0) !== 0)
        throw new Error(`${name} ended by itself: ${JSON.stringify([ended.finished, ended.steps])}`)
    }
    const [[is] = []] = await place.rows(
      `SELECT state FROM migration_archive_partitions WHERE table_name = '${table}' AND partition_name = '2019'`,
    )
    const [native, plain = native] = state
    if (is !== (form === 'native' ? native : plain)) throw new Error(`${name} is ${is}, and not ${state.join(' or ')}`)
  }
}

/**
 * OIDs of tables belong to a server: replaces the old ones in the ledger and in names of detached tables by those of
 * this server.
 */
const NUMBERS = `DO $$
DECLARE one record; own oid; aside text;
BEGIN
  FOR one IN SELECT * FROM migration_archive_partitions LOOP
    aside := format('%s_%s', one.native_table, one.native_identity);
    own := to_regclass(format('sluice_archived.%I', aside));
    IF own IS NOT NULL THEN
      EXECUTE format('ALTER TABLE sluice_archived.%I RENAME TO %I', aside, format('%s_%s', one.native_table, own));
    ELSE
      own := to_regclass(format('%I.%I', one.native_schema, one.native_table));
    END IF;
    UPDATE migration_archive_partitions SET native_identity = coalesce(own::text, native_identity)
      WHERE table_name = one.table_name AND partition_name = one.partition_name;
  END LOOP;
  UPDATE migration_archives SET stored = regexp_replace(stored, '"numbersOf":"[0-9]+"', format('"numbersOf":"%s"', to_regclass(format('%I.%I', schema_name, table_name))::oid));
END $$`

/** Records in the ledger that the archives belong to this database, which is a copy of the original one. */
export async function adoptHere(place: Place): Promise<void> {
  if (place.system === 'sqlite') {
    const { ino } = statSync(place.url.replace('sqlite:///', ''), { bigint: true })
    return place.sql(`UPDATE migration_archives SET origin = '{"file":"${ino}"}'`)
  }
  await place.sql(
    NUMBERS,
    `UPDATE migration_archives SET origin = (SELECT json_build_object('system', system_identifier::text, 'database',
       (SELECT oid::text FROM pg_database WHERE datname = current_database()))::text FROM pg_control_system())`,
  )
}

/** Ids in the active files of a Delta table, read from its log and with DuckDB. */
export async function archivedIds(archive: string): Promise<readonly string[]> {
  const log = join(archive, '_delta_log')
  const active = new Set<string>()
  for (const name of existsSync(log) ? readdirSync(log).toSorted() : []) {
    if (!/^\d{20}\.json$/.test(name)) continue
    for (const line of readFileSync(join(log, name), 'utf8').trimEnd().split('\n')) {
      const { add, remove } = JSON.parse(line) as { add?: { path: string }; remove?: { path: string } }
      if (remove !== undefined) active.delete(remove.path)
      if (add !== undefined) active.add(add.path)
    }
  }
  if (active.size === 0) return []
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  const files = [...active].map((path) => `'${join(archive, decodeURIComponent(path))}'`).join(', ')
  const reader = await connection.runAndReadAll(`SELECT CAST(id AS VARCHAR) FROM read_parquet([${files}]) ORDER BY id`)
  const ids = reader.getRows().map(([id]) => String(id))
  connection.closeSync()
  instance.closeSync()
  return ids
}
