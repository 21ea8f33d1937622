/** Rows of schedules and of their history. */
import type { PoolClient } from 'pg'
import type { Event } from '../../../model/run/event.ts'
import { scheduleScope, type CatchUp, type ScheduleState } from '../../../model/share/schedule.ts'
import { SluiceError, type ErrorInfo } from '../../../shared/errors.ts'
import { shellQuote } from '../../../shared/shell.ts'
import type { QueuedStore } from '../../../model/share/queue-port.ts'
import type {
  DueSchedule,
  ScheduleTimes,
  Schedule,
  ScheduleStore,
  ScheduledRun,
  ScheduleSpec,
} from '../../../model/share/schedule-port.ts'
import { ALERTS, isAlertUnconfirmed } from './alerts.ts'
import { isOtherDatabase } from './identity.ts'
import { queueJsonbText } from './json.ts'
import { hasWorker, ms, readClock } from './read-state.ts'
import type { QueuePool } from './pool.ts'
import { QUEUE_SCHEMA, RUNS_TABLE } from './schema.ts'
import { submitRun } from './jobs.ts'

const SCHEDULES = `${QUEUE_SCHEMA}.sluice_schedules`
const HISTORY = `${QUEUE_SCHEMA}.sluice_schedule_runs`
/** Number of history lines, with their runs, that are kept for each schedule. */
const KEPT = 500

/** SQL: id of the active run of the schedule `s`; NULL if there is none. */
const RUNNING = `(SELECT h.run_id FROM ${HISTORY} h JOIN ${RUNS_TABLE} r USING (run_id) WHERE h.name = s.name AND r.status = 'running' LIMIT 1)`

type Row = Readonly<Record<'name' | 'command_line' | 'rule' | 'actor' | 'host' | 'since_ms', string>> &
  Readonly<Record<'mark' | 'queue' | 'next_ms' | 'next_period' | 'running', string | null>> & {
    readonly words: readonly string[]
    readonly catch_up: CatchUp
    readonly stores: readonly QueuedStore[]
    readonly confirmed: unknown
    readonly slots: number
    readonly added: number
    readonly state: ScheduleState
    readonly wanted: boolean
    readonly elsewhere: boolean
    readonly has_worker: boolean
    readonly error: ErrorInfo | null
  }

type HistoryRow = Omit<ScheduledRun, 'dueAt'> & { readonly name: string; readonly dueAt: string | null }

export class PostgresSchedules implements ScheduleStore {
  readonly #pool: QueuePool
  readonly #isThere: () => Promise<boolean>

  /** @param isThere returns true if the tables of schedules exist: a read-only session does not create them */
  constructor(pool: QueuePool, isThere: () => Promise<boolean>) {
    this.#pool = pool
    this.#isThere = isThere
  }

  async now(): Promise<number> {
    return Math.floor(await readClock(this.#pool))
  }

  async add(spec: ScheduleSpec, { since, next }: ScheduleTimes, replace: boolean): Promise<boolean> {
    const { name, words, commandLine, rule, catchUp, stores, confirmed, mark, slots, queue, actor, host } = spec
    const values = [
      name,
      JSON.stringify(words),
      commandLine,
      rule,
      catchUp,
      JSON.stringify(stores),
      confirmed === null ? null : JSON.stringify(confirmed),
      mark,
      slots,
      queue,
      actor,
      host,
      since,
      next?.at ?? null,
      next?.period ?? null,
      await this.#pool.identity.read(),
    ]
    const { rowCount } = replace
      ? await this.#pool.ask(
          `UPDATE ${SCHEDULES} SET words = $2, command_line = $3, rule = $4, catch_up = $5, stores = $6, confirmed = $7, mark = $8, slots = $9,
             queue = $10, actor = $11, host = $12, since_ms = $13, next_ms = $14, next_period = $15, confirmed_in = $16, state = 'on', error = NULL, wanted = false, added_at = clock_timestamp()
           WHERE name = $1`,
          values,
        )
      : await this.#pool.ask(
          `INSERT INTO ${SCHEDULES} (name, words, command_line, rule, catch_up, stores, confirmed, mark, slots, queue, actor, host, since_ms, next_ms, next_period, confirmed_in)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) ON CONFLICT DO NOTHING`,
          values,
        )
    return rowCount === 1
  }

  async list(name?: string): Promise<readonly Schedule[]> {
    return (await this.#isThere()) ? await this.#read('$2::text IS NULL OR s.name = $2', [name ?? null]) : []
  }

  async history(name: string, limit: number): Promise<readonly ScheduledRun[]> {
    return (await this.#isThere()) ? (await this.#lines([name], limit)).map(lineOf) : []
  }

  async pause(name: string): Promise<boolean> {
    return await this.#changed(`UPDATE ${SCHEDULES} SET state = 'paused' WHERE name = $1 AND state = 'on'`, [name])
  }

  async resume(name: string, { since, next }: ScheduleTimes): Promise<boolean> {
    return await this.#changed(
      `UPDATE ${SCHEDULES} s SET state = 'on', error = NULL, since_ms = $2, next_ms = $3, next_period = $4, confirmed_in = $5
       WHERE name = $1 AND (state = 'paused' OR (state = 'on' AND ${isOtherDatabase('$5', 's')}))`,
      [name, since, next?.at ?? null, next?.period ?? null, await this.#pool.identity.read()],
    )
  }

  async remove(name: string): Promise<boolean> {
    return await this.#pool.transaction(async (client) => {
      const { rowCount } = await client.query(`DELETE FROM ${SCHEDULES} WHERE name = $1`, [name])
      // A queue of version 2 has no alerts.
      const { rows } = await client.query<{ there: boolean }>(
        `SELECT pg_catalog.to_regclass('${ALERTS}') IS NOT NULL AS there`,
      )
      // A later schedule of this name must not inherit the alerts of this one.
      if (rowCount === 1 && rows[0]?.there === true)
        await client.query(`DELETE FROM ${ALERTS} WHERE about = $1`, [scheduleScope(name)])
      return rowCount === 1
    })
  }

  async requestRun(name: string): Promise<boolean> {
    return await this.#changed(
      `UPDATE ${SCHEDULES} s SET wanted = true WHERE name = $1 AND state <> 'void' AND NOT ${isOtherDatabase('$2', 's')}`,
      [name, await this.#pool.identity.read()],
    )
  }

  async unconfirmed(): Promise<readonly Schedule[]> {
    return (await this.#isThere()) ? await this.#read(`s.state = 'on' AND ${isOtherDatabase('$1', 's')}`, []) : []
  }

  async refused(): Promise<number> {
    return (await this.#isThere()) ? (await this.#read(`s.state <> 'paused' AND s.error IS NOT NULL`, [])).length : 0
  }

  async recovered(): Promise<readonly Schedule[]> {
    // The newest history line must have a run: a skipped time clears the error, but starts no run. The run may be a
    // minute older than the alert, because another worker may have started it just before the alert was noted.
    const isBegun = `(SELECT h.run_id IS NOT NULL AND h.at > a.since - interval '1 minute' FROM ${HISTORY} h WHERE h.name = s.name ORDER BY h.no DESC LIMIT 1)`
    const alertSql = `SELECT FROM ${ALERTS} a WHERE a.about = $2 || s.name AND a.cause = 'failed' AND (${isBegun} OR s.added_at > a.since)`
    return await this.#read(`s.error IS NULL AND NOT ${isOtherDatabase('$1', 's')} AND EXISTS (${alertSql})`, [
      scheduleScope(''),
    ])
  }

  async unalerted(): Promise<readonly Schedule[]> {
    // A run that was refused at its start raises its own alert.
    const ownAlert = `(SELECT r.error ->> 'code'::text FROM ${HISTORY} h JOIN ${RUNS_TABLE} r USING (run_id) WHERE h.name = s.name ORDER BY h.no DESC LIMIT 1) IS NOT DISTINCT FROM 'SCHEDULE_VOID'::text`
    const alerted = `EXISTS (SELECT FROM ${ALERTS} a WHERE a.about = $2 || s.name AND a.cause = 'failed' AND NOT ${isAlertUnconfirmed('a')})`
    return await this.#read(
      `s.state = 'void' AND s.error IS NOT NULL AND ${RUNNING} IS NULL AND NOT ${ownAlert} AND NOT ${isOtherDatabase('$1', 's')} AND NOT ${alerted}`,
      [scheduleScope('')],
    )
  }

  async due(): Promise<readonly Schedule[]> {
    const isDue = `(s.state = 'on' AND s.next_ms <= ${ms('clock_timestamp()')}) OR (s.wanted AND s.state <> 'void')`
    return await this.#read(`(${isDue}) AND ${RUNNING} IS NULL AND NOT ${isOtherDatabase('$1', 's')}`, [])
  }

  async begin(name: string, begun: DueSchedule): Promise<'begun' | 'runs' | 'moved'> {
    const { found, run, time, passed, since, next } = begun
    const identity = await this.#pool.identity.read()
    return await this.#pool.transaction(async (client) => {
      const { rows } = await client.query<{ state: ScheduleState; since_ms: string; wanted: boolean }>(
        `SELECT state, since_ms, wanted FROM ${SCHEDULES} WHERE name = $1 FOR UPDATE`,
        [name],
      )
      const [row] = rows
      const byHand = run !== null && time === null
      if (row === undefined || row.state === 'void') return 'moved'
      // A paused schedule may still be started by hand. If the schedule was replaced, the given run has the command of
      // the old schedule.
      if ((byHand ? !row.wanted : row.state !== 'on') || Number(row.since_ms) !== found) return 'moved'
      // Checked in a separate statement after the lock: SELECT FOR UPDATE may have waited, and has an older snapshot.
      const running = await client.query(`SELECT FROM ${SCHEDULES} s WHERE s.name = $1 AND ${RUNNING} IS NOT NULL`, [
        name,
      ])
      if (running.rowCount !== 0) return 'runs'
      if (passed !== null) {
        await client.query(`INSERT INTO ${HISTORY} (name, note) VALUES ($1, $2)`, [name, passed])
      }
      // If the server's clock was set back, and the schedule was then added or resumed, the same times are due again.
      // Their runs must not start again.
      const had =
        time === null
          ? null
          : await client.query(
              `SELECT FROM ${HISTORY} WHERE name = $1 AND period = $2 AND due_ms = $3 AND run_id IS NOT NULL`,
              [name, time.period, time.at],
            )
      const isNew = had === null || had.rowCount === 0
      if (run !== null && isNew) {
        await submitRun(client, run, identity)
        const values = [name, time?.period ?? null, time?.at ?? null, run.runId]
        await client.query(`INSERT INTO ${HISTORY} (name, period, due_ms, run_id) VALUES ($1, $2, $3, $4)`, values)
      }
      // A start by hand does not change the next scheduled time.
      if (byHand) await client.query(`UPDATE ${SCHEDULES} SET wanted = false, error = NULL WHERE name = $1`, [name])
      else {
        await client.query(
          `UPDATE ${SCHEDULES} SET since_ms = $2, next_ms = $3, next_period = $4, error = NULL WHERE name = $1`,
          [name, since, next?.at ?? null, next?.period ?? null],
        )
      }
      await forget(client, name)
      return isNew ? 'begun' : 'moved'
    })
  }

  async refuse(
    { name, since, wanted }: Pick<Schedule, 'name' | 'since' | 'wanted'>,
    error: ErrorInfo,
    isVoid: boolean,
  ): Promise<boolean> {
    return await this.#changed(
      `UPDATE ${SCHEDULES} s SET error = $2, state = CASE WHEN $3 THEN 'void' ELSE state END
       WHERE name = $1 AND since_ms = $4 AND (s.wanted OR NOT $5) AND ${RUNNING} IS NULL`,
      [name, queueJsonbText(error), isVoid, since, wanted],
    )
  }

  async refuseRun(runId: string, error: ErrorInfo): Promise<void> {
    // A run that was started before the schedule was replaced does not make the new schedule void.
    await this.#pool.ask(
      `UPDATE ${SCHEDULES} s SET error = $2, state = 'void' FROM ${HISTORY} h WHERE h.name = s.name AND h.run_id = $1 AND h.at >= s.added_at`,
      [runId, queueJsonbText(error)],
    )
  }

  async output(runId: string): Promise<readonly { readonly no: number; readonly events: readonly Event[] }[]> {
    if (!(await this.#isThere())) return []
    const { rows } = await this.#pool.ask<{ slot_no: number; events: string }>(
      `SELECT slot_no, events FROM ${QUEUE_SCHEMA}.sluice_run_output WHERE run_id = $1 ORDER BY slot_no`,
      [runId],
    )
    return rows.map(({ slot_no, events }) => ({ no: slot_no, events: JSON.parse(events) as Event[] }))
  }

  async #changed(text: string, values: readonly unknown[]): Promise<boolean> {
    const { rowCount } = await this.#pool.ask(text, values)
    return rowCount === 1
  }

  /** @param where with values from `$2` on; `$1` is the identity of this database */
  async #read(where: string, values: readonly unknown[]): Promise<readonly Schedule[]> {
    const { rows } = await this.#pool.ask<Row>(
      `SELECT s.*, ${ms('s.added_at')} AS added, ${RUNNING} AS running, ${isOtherDatabase('$1', 's')} AS elsewhere, ${hasWorker('s.queue')} AS has_worker FROM ${SCHEDULES} s WHERE ${where} ORDER BY s.name`,
      [await this.#pool.identity.read(), ...values],
    )
    const lines = await this.#lines(
      rows.map(({ name }) => name),
      1,
    )
    const last = new Map(lines.map((line) => [line.name, lineOf(line)]))
    return rows.map((row) => scheduleOf(row, last.get(row.name) ?? null))
  }

  /** The newest lines of each schedule. */
  async #lines(names: readonly string[], limit: number): Promise<readonly HistoryRow[]> {
    const { rows } = await this.#pool.ask<HistoryRow>(
      `SELECT n.name, h.period, h.due_ms AS "dueAt", ${ms('h.at')} AS at, h.run_id AS "runId", h.note, r.status, r.exit_code AS "exitCode", r.error,
         ${ms('r.ended_at')} AS "endedAt"
       FROM unnest($1::text[]) n (name), LATERAL (SELECT * FROM ${HISTORY} o WHERE o.name = n.name ORDER BY o.no DESC LIMIT $2) h
         LEFT JOIN ${RUNS_TABLE} r USING (run_id)
       ORDER BY n.name, h.no DESC`,
      [names, limit],
    )
    return rows
  }
}

/** Deletes old history lines, their runs, and the tasks and output of these runs. */
async function forget(client: PoolClient, name: string): Promise<void> {
  const old = `SELECT h.no, h.run_id FROM ${HISTORY} h WHERE h.name = $1 ORDER BY h.no DESC OFFSET ${KEPT}`
  await client.query(`DELETE FROM ${RUNS_TABLE} r USING (${old}) o WHERE r.run_id = o.run_id`, [name])
  await client.query(`DELETE FROM ${HISTORY} h USING (${old}) o WHERE h.name = $1 AND h.no = o.no`, [name])
}

function scheduleOf(row: Row, last: ScheduledRun | null): Schedule {
  const { name, words, rule, stores, confirmed, mark, slots, queue, actor, host, running } = row
  const isUnconfirmed = row.elsewhere && row.state !== 'void'
  const [state, error] = isUnconfirmed ? (['paused', unconfirmed(name).info()] as const) : [row.state, row.error]
  const next = row.next_ms === null ? null : { period: row.next_period ?? '', at: Number(row.next_ms) }
  return {
    name,
    words,
    commandLine: row.command_line,
    rule,
    catchUp: row.catch_up,
    stores,
    confirmed,
    mark,
    slots,
    queue,
    actor,
    host,
    state,
    wanted: row.wanted,
    hasWorker: row.has_worker,
    error,
    addedAt: row.added,
    since: Number(row.since_ms),
    next,
    running,
    last,
  }
}

/** Error for a schedule in a copy of its queue: runs of one environment may be unwanted in another. */
function unconfirmed(name: string): SluiceError {
  const command = `sluice schedule resume ${shellQuote(name)}`
  return new SluiceError('MISSING_CONFIRM', `schedule ${name} is not confirmed in this database`, {
    reason: `this queue is a copy, or was moved, restored from a backup or promoted while no worker ran; the schedule starts runs here only after ${command}`,
    hint: `run ${command} to confirm it, or sluice schedule remove ${shellQuote(name)} to remove it from this queue`,
  })
}

function lineOf({ name: _, ...line }: HistoryRow): ScheduledRun {
  return { ...line, dueAt: line.dueAt === null ? null : Number(line.dueAt) }
}
