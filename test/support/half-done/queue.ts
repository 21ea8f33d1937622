/**
 * Half-done work in a queue: a run whose worker was killed, one that no worker has taken, and a schedule that is due.
 */
import { expect } from 'vitest'
import type { WorkerStage } from '../worker-stage.ts'
import type { Place } from '../copy-systems.ts'
import type { PostgresServer } from '../servers/postgresql.ts'

const ROWS = 120
/** Databases of the stage; their fixtures have the same names. */
export const SIDES = ['source', 'target', 'queue'] as const

/** @returns the command for a run of one table */
const copyOf = (table: string): readonly string[] =>
  `copy --from shop --to cold --table ${table} --checkpoint-size 10 --workers 1`.split(' ')

const table = (name: string): string =>
  `CREATE TABLE ${name} (id int PRIMARY KEY, note text); INSERT INTO ${name} SELECT g, md5(g::text) FROM generate_series(1, ${ROWS}) g`

function serverOf(stage: WorkerStage, side: (typeof SIDES)[number]): PostgresServer {
  return side === 'queue' ? stage.queue : stage.data
}

/** A database of the stage, to dump into a fixture or to load one into. */
export function placeOf(stage: WorkerStage, side: (typeof SIDES)[number]): Place {
  const server = serverOf(stage, side)
  return {
    system: 'postgresql',
    url: server.url(side),
    sql: async (...statements) => {
      for (const one of statements) await stage.ask(server, side, one)
    },
    rows: async (query) =>
      (await stage.ask<Record<string, string | number | boolean | null>>(server, side, query)).map((row) =>
        Object.values(row).map((value) => (value === null ? null : String(value))),
      ),
  }
}

/** Leaves the work in a stage whose databases are empty. */
export async function leaveQueue(stage: WorkerStage): Promise<void> {
  await stage.ask(stage.data, 'source', ['begun', 'waiting', 'same'].map(table).join(';'))
  await stage.ask(stage.data, 'target', table('same'))
  await stage.distribute(...copyOf('begun'), '--rate', '20', '--tasks', '2')
  const worker = stage.worker({ host: 'gone' })
  await stage.until('some chunks', async () => (await stage.chunksDone()) >= 3)
  worker.signal('SIGKILL')
  await worker.ended
  await stage.distribute(...copyOf('waiting'), '--tasks', '1')
  const command = 'diff --from shop --to cold --table same'.split(' ')
  const { code, err } = await stage.sluice('schedule', 'add', 'daily', '--every', 'day', '--', ...command)
  if (code !== 0) throw new Error(err)
  const due = 'UPDATE sluice_queue.sluice_schedules SET since_ms = since_ms - 86400000 * 2::bigint, next_ms = 0'
  await stage.ask(stage.queue, 'queue', due)
}

/** Makes names of stores in the queue refer to the databases of this stage. */
export async function meantHere(stage: WorkerStage, identities: ReadonlyMap<string, string>): Promise<void> {
  const here = JSON.stringify([...identities].map(([name, identity]) => ({ name, identity, label: name })))
  const meant = `(SELECT jsonb_agg(h) FROM jsonb_array_elements('${here.replaceAll("'", "''")}') h WHERE h ->> 'name' IN (SELECT s ->> 'name' FROM jsonb_array_elements(stores) s))`
  for (const of of ['sluice_runs', 'sluice_schedules'])
    await stage.ask(stage.queue, 'queue', `UPDATE sluice_queue.${of} SET stores = ${meant}`)
}

/**
 * Follows the hints of `runs --distributed` for runs of an earlier program: stops them, and runs their commands again.
 */
export async function finishQueue(stage: WorkerStage): Promise<void> {
  const waits = async (): Promise<readonly string[]> => {
    const { events } = await stage.sluice('runs', '--distributed')
    return events.flatMap((event) =>
      event.type === 'log' ? [...event.message.matchAll(/^the run (\d+) waits/g)].flatMap(([, run]) => run ?? []) : [],
    )
  }
  const worker = stage.worker({ args: ['--concurrency', '2'] })
  let old: readonly string[] = []
  await stage.until('both runs wait', async () => (old = await waits()).length === 2)
  for (const run of old) expect((await stage.sluice('ctl', run, 'stop', '--distributed')).code).toBe(0)
  // A sweep ends the run whose worker is lost.
  for (const run of old) await stage.until('it is stopped', async () => (await stage.run(run)).status === 'stopped')
  const fresh = [await stage.distribute(...copyOf('begun')), await stage.distribute(...copyOf('waiting'))]
  for (const run of fresh) {
    await stage.until('the end', async () => (await stage.run(run)).status !== 'running')
    expect(await stage.run(run)).toMatchObject({ status: 'ok', exitCode: 0, error: null })
  }
  for (const name of ['begun', 'waiting']) {
    const sums = `SELECT count(*) || md5(string_agg(id || note, ',' ORDER BY id)) AS sum FROM ${name}`
    const there = await stage.ask<{ sum: string }>(stage.data, 'target', sums)
    expect(there).toEqual(await stage.ask(stage.data, 'source', sums))
    expect(there[0]?.sum).toMatch(new RegExp(`^${ROWS}`))
  }
  const history = `SELECT r.status, h.period FROM sluice_queue.sluice_schedule_runs h JOIN sluice_queue.sluice_runs r USING (run_id) WHERE h.name = 'daily'`
  const ran = async (): Promise<readonly { status: string; period: string | null }[]> =>
    await stage.ask(stage.queue, 'queue', history)
  await stage.until('the schedule has run', async () => (await ran()).some(({ status }) => status !== 'running'))
  expect((await ran()).map(({ status }) => status)).toEqual(['ok'])
  const state = 'SELECT state, error, next_ms > 0 AS later FROM sluice_queue.sluice_schedules'
  expect(await stage.ask(stage.queue, 'queue', state)).toEqual([{ state: 'on', error: null, later: true }])
  worker.signal('SIGTERM')
  expect(await worker.ended).toBe(0)
}
