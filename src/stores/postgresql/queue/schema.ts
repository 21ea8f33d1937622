/** Creates and upgrades the tables of a queue. They have their own schema, as the tables of graphile-worker do. */
import type { Pool, QueryResult, QueryResultRow } from 'pg'
import { SluiceError } from '../../../shared/errors.ts'
import { sqlStateOf } from '../server/server-errors.ts'
import { unlessMadeMeanwhile } from '../server/made-meanwhile.ts'
import { isOtherDatabase, QueueIdentity, type AskPostgres } from './identity.ts'

/** Schema of `sluice_runs` and the other tables of a queue. */
export const QUEUE_SCHEMA = 'sluice_queue'
export const RUNS_TABLE = `${QUEUE_SCHEMA}.sluice_runs`
export const SLOTS_TABLE = `${QUEUE_SCHEMA}.sluice_run_slots`
export const WORKERS_TABLE = `${QUEUE_SCHEMA}.sluice_workers`
export const REFUSALS_TABLE = `${QUEUE_SCHEMA}.sluice_run_refusals`

const VERSION = 8
const WITH_SCHEDULES = 2
const WITH_DRAINS = 3
const WITH_TABLES = 4
const WITH_TOTALS = 5
const WITH_CONFIRMED_IN = 6
const WITH_COUNTED_ENDS = 7

/**
 * SQL condition: the task `s` waits for a call (column `compares`, since version 3). `to_jsonb` also works on the older
 * queue that a read-only session may find.
 */
export const ON_CALL = "coalesce((to_jsonb(s) ->> 'compares'::text)::boolean, false)"
/** SQL condition, for all versions of a queue: the worker `w` was asked to take no more work. */
export const DRAIN_WANTED = "coalesce((to_jsonb(w) ->> 'drain_wanted'::text)::boolean, false)"
/**
 * SQL for all versions of a queue: rows, and chunks, in the ledger of the run `r`. NULL if no task has read the ledger.
 */
export const LEDGER_ROWS = "(to_jsonb(r) ->> 'ledger_rows'::text)::bigint"
export const LEDGER_CHUNKS = "(to_jsonb(r) ->> 'ledger_chunks'::text)::int"
/** SQL condition: the ledger of the run `r` was last read before its end. False in a queue before version 7. */
export const COUNT_IS_DUE =
  "(to_jsonb(r) ? 'counted_end'::text AND r.ended_at IS NOT NULL AND to_jsonb(r) ->> 'ledger_rows'::text IS NOT NULL AND (to_jsonb(r) ->> 'counted_end'::text)::timestamptz IS DISTINCT FROM r.ended_at)"
/** SQL for all versions of a queue: rows of chunks that the task `s` has open. */
export const OPEN_ROWS = "coalesce((to_jsonb(s) ->> 'open_rows'::text)::bigint, 0)"

/** Tables and columns of the queue that exist: each version adds some. */
export type QueueTables = {
  readonly runs: boolean
  readonly schedules: boolean
  /** True if workers can be asked to take no more work. */
  readonly drains: boolean
  /** True if tasks list the tables by which they can be steered. */
  readonly tables: boolean
  /** True if runs record the database in which they may start. */
  readonly confirmedRuns: boolean
}

/** The schemas of sluice and of graphile-worker. */
const SCHEMAS = [QUEUE_SCHEMA, 'graphile_worker']
/** Longest wait for a lock while part of the queue is created, ms. It is shorter than the time limit of a statement. */
const LOCK_MS = 10_000
type Asked = {
  query<R extends QueryResultRow>(text: string, values?: unknown[]): Promise<Pick<QueryResult<R>, 'rows'>>
}
const VERSION_TABLE = `${QUEUE_SCHEMA}.sluice_queue_version`

const TABLES = `
  CREATE TABLE ${QUEUE_SCHEMA}.sluice_queue_version (version int PRIMARY KEY);
  INSERT INTO ${QUEUE_SCHEMA}.sluice_queue_version VALUES (1);
  CREATE TABLE ${QUEUE_SCHEMA}.sluice_runs (
    run_id text PRIMARY KEY, kind text NOT NULL, takes_turns boolean NOT NULL, operation jsonb NOT NULL, stores jsonb NOT NULL, command_line text NOT NULL,
    source text, target text, program text NOT NULL, actor text NOT NULL, host text NOT NULL, queue text,
    begun_at timestamptz NOT NULL DEFAULT now(), ended_at timestamptz,
    status text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'ok', 'failed', 'refused', 'stopped')),
    exit_code int, error jsonb, wishes jsonb NOT NULL DEFAULT '{}');
  CREATE INDEX sluice_runs_by_time ON ${QUEUE_SCHEMA}.sluice_runs (begun_at DESC);
  CREATE TABLE ${QUEUE_SCHEMA}.sluice_workers (
    worker_id text PRIMARY KEY, host text NOT NULL, pid int NOT NULL, program text NOT NULL, concurrency int NOT NULL, queues text[] NOT NULL,
    begun_at timestamptz NOT NULL DEFAULT now(), beat_at timestamptz NOT NULL DEFAULT now(), draining boolean NOT NULL DEFAULT false, ended_at timestamptz);
  CREATE TABLE ${QUEUE_SCHEMA}.sluice_run_slots (
    run_id text NOT NULL REFERENCES ${QUEUE_SCHEMA}.sluice_runs ON DELETE CASCADE, slot_no int NOT NULL, about text NOT NULL, operation jsonb,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'working', 'ended')), fence int NOT NULL DEFAULT 0, turns int NOT NULL DEFAULT 0,
    rests int NOT NULL DEFAULT 0, worker_id text, ledger_run text, begun_at timestamptz, beat_at timestamptz, ended_at timestamptz,
    earlier_rows bigint NOT NULL DEFAULT 0, earlier_chunks int NOT NULL DEFAULT 0, turn_rows bigint NOT NULL DEFAULT 0, turn_chunks int NOT NULL DEFAULT 0,
    rate double precision NOT NULL DEFAULT 0, exit_code int, error jsonb,
    PRIMARY KEY (run_id, slot_no));
  CREATE INDEX sluice_run_slots_open ON ${QUEUE_SCHEMA}.sluice_run_slots (state) WHERE state <> 'ended';
  CREATE TABLE ${QUEUE_SCHEMA}.sluice_run_refusals (
    run_id text NOT NULL REFERENCES ${QUEUE_SCHEMA}.sluice_runs ON DELETE CASCADE, worker_id text NOT NULL, host text NOT NULL, error jsonb NOT NULL,
    refused_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (run_id, worker_id));
`

/** Version 2. Times that are compared are ms since the epoch: a timestamp would round them. */
const SCHEDULES = `
  ALTER TABLE ${QUEUE_SCHEMA}.sluice_runs ADD COLUMN mark text;
  CREATE TABLE ${QUEUE_SCHEMA}.sluice_schedules (
    name text PRIMARY KEY, words jsonb NOT NULL, command_line text NOT NULL, rule text NOT NULL, catch_up text NOT NULL, stores jsonb NOT NULL,
    confirmed jsonb, mark text, slots int NOT NULL, queue text, actor text NOT NULL, host text NOT NULL, added_at timestamptz NOT NULL DEFAULT now(),
    state text NOT NULL DEFAULT 'on' CHECK (state IN ('on', 'paused', 'void')), error jsonb,
    since_ms bigint NOT NULL, next_ms bigint, next_period text, wanted boolean NOT NULL DEFAULT false);
  CREATE TABLE ${QUEUE_SCHEMA}.sluice_schedule_runs (
    name text NOT NULL REFERENCES ${QUEUE_SCHEMA}.sluice_schedules ON DELETE CASCADE ON UPDATE CASCADE, no bigint GENERATED ALWAYS AS IDENTITY,
    period text, due_ms bigint, at timestamptz NOT NULL DEFAULT clock_timestamp(), run_id text REFERENCES ${QUEUE_SCHEMA}.sluice_runs ON DELETE SET NULL,
    note text, PRIMARY KEY (name, no));
  CREATE UNIQUE INDEX sluice_schedule_periods ON ${QUEUE_SCHEMA}.sluice_schedule_runs (name, period, due_ms) WHERE run_id IS NOT NULL AND period IS NOT NULL;
  CREATE INDEX sluice_schedule_of_run ON ${QUEUE_SCHEMA}.sluice_schedule_runs (run_id);
  CREATE TABLE ${QUEUE_SCHEMA}.sluice_run_output (
    run_id text NOT NULL REFERENCES ${QUEUE_SCHEMA}.sluice_runs ON DELETE CASCADE, slot_no int NOT NULL, events text NOT NULL, PRIMARY KEY (run_id, slot_no));
  UPDATE ${QUEUE_SCHEMA}.sluice_queue_version SET version = 2;
`

/** Version 3: tasks that compare rows of a stream, rows of open chunks, requests to drain workers, and alerts. */
const COMPARERS_AND_ALERTS = `
  CREATE TABLE ${QUEUE_SCHEMA}.sluice_alerts (
    key_digest text PRIMARY KEY, about text NOT NULL, cause text NOT NULL, table_name text NOT NULL, since timestamptz NOT NULL DEFAULT clock_timestamp());
  ALTER TABLE ${QUEUE_SCHEMA}.sluice_workers ADD COLUMN drain_wanted boolean NOT NULL DEFAULT false;
  ALTER TABLE ${QUEUE_SCHEMA}.sluice_run_slots ADD COLUMN compares boolean NOT NULL DEFAULT false, ADD COLUMN open_rows bigint NOT NULL DEFAULT 0;
  UPDATE ${QUEUE_SCHEMA}.sluice_queue_version SET version = 3;
`

/** Version 4: tables by which a task can be steered, from its newest plan; NULL before it has planned. */
const STEERED_TABLES = `
  ALTER TABLE ${QUEUE_SCHEMA}.sluice_run_slots ADD COLUMN tables text[];
  UPDATE ${QUEUE_SCHEMA}.sluice_queue_version SET version = 4;
`

/**
 * Version 5. Runs: rows and chunks in the ledger of the target, and the time at which it was read (ms since the epoch,
 * by the clock of the ledger). Tasks: the chunks that a task works on, and its lost worker. Alerts: run and chunks.
 */
const TOTALS_AND_LOSSES = `
  ALTER TABLE ${QUEUE_SCHEMA}.sluice_runs ADD COLUMN ledger_rows bigint, ADD COLUMN ledger_chunks int, ADD COLUMN ledger_ms bigint;
  ALTER TABLE ${QUEUE_SCHEMA}.sluice_run_slots ADD COLUMN open_chunks jsonb NOT NULL DEFAULT '[]', ADD COLUMN lost jsonb;
  ALTER TABLE ${QUEUE_SCHEMA}.sluice_alerts ADD COLUMN run_id text, ADD COLUMN chunks jsonb NOT NULL DEFAULT '[]';
  UPDATE ${QUEUE_SCHEMA}.sluice_queue_version SET version = 5;
`

/**
 * Version 6: identity of the database in which a schedule was confirmed; for existing schedules, of this database. The
 * upgrade to version 7 adds the timeline to it.
 */
const CONFIRMED_IN = `
  ALTER TABLE ${QUEUE_SCHEMA}.sluice_schedules ADD COLUMN confirmed_in jsonb;
  UPDATE ${QUEUE_SCHEMA}.sluice_queue_version SET version = 6;
`

/**
 * Version 7. `counted_at`: when the ledger of a run was last read, by the clock of this database. `counted_end`: the
 * end of the run, if the ledger was read again after it. A run that succeeds reads its ledger before it ends.
 */
const COUNTED_ENDS = `
  ALTER TABLE ${QUEUE_SCHEMA}.sluice_runs ADD COLUMN counted_at timestamptz, ADD COLUMN counted_end timestamptz;
  UPDATE ${QUEUE_SCHEMA}.sluice_runs SET counted_end = ended_at WHERE status = 'ok';
  UPDATE ${QUEUE_SCHEMA}.sluice_queue_version SET version = 7;
`

/**
 * Version 8. Tasks: the error until a worker has reported it. Workers: the count of sent heartbeats, and the time since
 * which a worker reaches the queue again (NULL before its first gap). Runs: the database of submission or confirmation.
 * Existing runs get this database, unless the schedules show that the queue is a copy: an active schedule was confirmed
 * in another database, and no schedule in this one. NULL: a worker of version 7 submitted the run after the upgrade.
 * Only running workers of version 7 take such a run, because its program cannot open a queue of version 8.
 */
const CONFIRMED_RUNS = `
  ALTER TABLE ${QUEUE_SCHEMA}.sluice_run_slots ADD COLUMN unreported jsonb;
  ALTER TABLE ${QUEUE_SCHEMA}.sluice_workers ADD COLUMN reached_at timestamptz;
  ALTER TABLE ${QUEUE_SCHEMA}.sluice_workers ADD COLUMN beats int NOT NULL DEFAULT 0;
  ALTER TABLE ${QUEUE_SCHEMA}.sluice_runs ADD COLUMN confirmed_in jsonb;
  UPDATE ${QUEUE_SCHEMA}.sluice_queue_version SET version = 8;
`

/** Creates the schemas that are missing. The caller checks who owns them. @throws SluiceError TARGET_BUSY */
export async function makeSchemas(pool: Pool, label: string): Promise<void> {
  for (const schema of SCHEMAS) {
    await unlessMadeMeanwhile(async () => {
      const { rowCount } = await pool.query('SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1', [schema])
      if (rowCount !== 0) return
      await withLockTimeout(
        pool,
        label,
        'catalog',
        async (client) => void (await client.query(`CREATE SCHEMA ${schema}`)),
      )
    })
  }
}

/**
 * Creates or upgrades the tables, in one transaction. Programs that do this at once wait for each other. They use no
 * lock that any login may take, such as an advisory one, so only roles with a right to the queue can block them.
 * @throws SluiceError LEDGER_NEWER for tables of a newer program, TARGET_BUSY
 */
export async function prepareQueue(pool: Pool, label: string): Promise<void> {
  // Read before the transaction: a query that a service refuses would abort it.
  const identity = await new QueueIdentity((text) => pool.query(text)).read()
  await unlessMadeMeanwhile(async () => {
    const there = await isThere(pool)
    if (there && (await versionNow(pool, label)) === VERSION) return
    await withLockTimeout(pool, label, there ? 'queue' : 'catalog', async (client) => {
      // Lock before the version is read: two sessions that had both read it would wait for each other's lock.
      await client.query(there ? `LOCK TABLE ${VERSION_TABLE} IN ACCESS EXCLUSIVE MODE` : TABLES)
      await bringUp(client, await versionNow(client, label), identity)
    })
  })
}

/**
 * Adds a primary key that older programs did not create: with a publication of all tables, the server refuses changes
 * of a table without a key.
 */
const KEYED = `DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_index WHERE indrelid = '${VERSION_TABLE}'::pg_catalog.regclass::oid AND indisprimary) THEN
    ALTER TABLE ${VERSION_TABLE} ADD PRIMARY KEY (version);
  END IF;
END $$`

/** Upgrades the tables from a version to the version of this program. */
async function bringUp(client: Asked, version: number, identity: string): Promise<void> {
  if (version < VERSION) await client.query(KEYED)
  if (version < WITH_SCHEDULES) await client.query(SCHEDULES)
  if (version < WITH_DRAINS) await client.query(COMPARERS_AND_ALERTS)
  if (version < WITH_TABLES) await client.query(STEERED_TABLES)
  if (version < WITH_TOTALS) await client.query(TOTALS_AND_LOSSES)
  if (version < WITH_CONFIRMED_IN) {
    await client.query(CONFIRMED_IN)
    await client.query(`UPDATE ${QUEUE_SCHEMA}.sluice_schedules SET confirmed_in = $1`, [identity])
  }
  if (version < WITH_COUNTED_ENDS) {
    await client.query(COUNTED_ENDS)
    await client.query(
      `UPDATE ${QUEUE_SCHEMA}.sluice_schedules s SET confirmed_in = $1 WHERE NOT ${isOtherDatabase('$1', 's')}`,
      [identity],
    )
  }
  if (version < VERSION) {
    await client.query(CONFIRMED_RUNS)
    await client.query(
      `UPDATE ${QUEUE_SCHEMA}.sluice_runs
       SET confirmed_in = coalesce((SELECT s.confirmed_in FROM ${QUEUE_SCHEMA}.sluice_schedules s WHERE s.state = 'on' AND ${isOtherDatabase('$1', 's')}
         AND NOT EXISTS (SELECT FROM ${QUEUE_SCHEMA}.sluice_schedules s WHERE NOT ${isOtherDatabase('$1', 's')}) LIMIT 1), $1::jsonb)`,
      [identity],
    )
  }
}

/**
 * Runs a transaction that waits for no lock longer than `LOCK_MS`.
 * @param kept the locks for which the transaction may wait; the error names their holders. `queue`: locks on the
 * version table of an existing queue. `catalog`: locks of sessions that create schemas or tables
 * @throws SluiceError TARGET_BUSY after a lock timeout
 */
async function withLockTimeout(
  pool: Pool,
  label: string,
  kept: 'queue' | 'catalog',
  body: (client: Asked) => Promise<void>,
): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query(`BEGIN; SET LOCAL lock_timeout TO ${LOCK_MS}`)
    await body(client)
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined)
    throw sqlStateOf(error) === '55P03' ? await heldBy(client, label, kept, error) : error
  } finally {
    client.release()
  }
}

const HOLDERS = `SELECT DISTINCT l.pid, a.usename::text AS role, coalesce(a.application_name, '') AS program
  FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
  WHERE l.locktype = 'relation'::text AND l.granted AND l.pid <> pg_catalog.pg_backend_pid()
    AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())`
const KEPT = {
  queue: `l.relation = pg_catalog.to_regclass('${VERSION_TABLE}')::oid`,
  catalog: `l.mode = 'RowExclusiveLock'::text AND l.relation = ANY (ARRAY['pg_catalog.pg_namespace'::pg_catalog.regclass::oid, 'pg_catalog.pg_class'::pg_catalog.regclass::oid])`,
}

async function heldBy(client: Asked, label: string, kept: keyof typeof KEPT, cause: unknown): Promise<SluiceError> {
  const { rows } = await client.query<{ pid: number; role: string | null; program: string }>(
    `${HOLDERS} AND ${KEPT[kept]} ORDER BY 1`,
  )
  const holders = rows.map(
    ({ pid, role, program }) =>
      `process ${pid} of the server, role ${role ?? '?'}${program === '' ? '' : `, ${program}`}`,
  )
  return new SluiceError('TARGET_BUSY', 'another session locks the tables of the queue', {
    where: label,
    reason: holders.length === 0 ? 'that session has ended meanwhile' : holders.join('; '),
    hint: 'wait until that session ends, or end it with pg_terminate_backend, then run the same command again',
    retryable: true,
    cause,
  })
}

/** Reads which parts of the queue exist, and creates nothing. @throws SluiceError LEDGER_NEWER */
export async function findQueueTables(ask: AskPostgres, label: string): Promise<QueueTables> {
  const asked: Asked = { query: (text) => ask(text) }
  if (!(await isThere(asked))) return NOTHING
  const version = await versionNow(asked, label)
  return {
    runs: true,
    schedules: version >= WITH_SCHEDULES,
    drains: version >= WITH_DRAINS,
    tables: version >= WITH_TABLES,
    confirmedRuns: version >= VERSION,
  }
}

const NOTHING: QueueTables = { runs: false, schedules: false, drains: false, tables: false, confirmedRuns: false }
/** All tables of a queue that was just created or upgraded. */
export const ALL_TABLES: QueueTables = { runs: true, schedules: true, drains: true, tables: true, confirmedRuns: true }

/**
 * True if the queue's version table exists. Reads the catalog, because a session that once failed to find a schema by
 * name does not find it later.
 */
async function isThere(client: Asked): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       WHERE n.nspname = '${QUEUE_SCHEMA}' AND c.relname = 'sluice_queue_version') AS found`,
  )
  return rows[0]?.found === true
}

/** @throws SluiceError LEDGER_NEWER */
async function versionNow(client: Asked, label: string): Promise<number> {
  const { rows } = await client.query<{ version: number }>(`SELECT version FROM ${VERSION_TABLE}`)
  const version = rows[0]?.version ?? VERSION
  if (version <= VERSION) return version
  throw new SluiceError('LEDGER_NEWER', 'the queue was written by a newer sluice', {
    where: label,
    reason: `its tables have version ${version}, and this sluice supports version ${VERSION}`,
    hint: 'use the sluice that wrote it, or a newer one',
  })
}
