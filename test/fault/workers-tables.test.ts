/**
 * Single tables of a distributed run are steered from anywhere: paused, resumed, skipped, retried. The results are
 * counted in the target.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Event } from '../../src/model/run/event.ts'
import { POSTGRES_MISSING, POSTGRES_OWN } from '../support/servers/postgresql.ts'
import { WorkerStage, type TestWorker } from '../support/worker-stage.ts'

const ROWS = 20_000
const CHUNK = 100
const COPY = ['copy', '--from', 'shop', '--to', 'cold', '--checkpoint-size', String(CHUNK), '--workers', '1']
const BOTH = [...COPY, '--tables', 'a,b', '--tasks', '2']

describe.skipIf(!POSTGRES_OWN)(`single tables of a distributed run ${POSTGRES_MISSING}`, { timeout: 240_000 }, () => {
  let stage: WorkerStage
  const workers: TestWorker[] = []
  const worker = (): TestWorker => {
    const one = stage.worker()
    workers.push(one)
    return one
  }
  beforeAll(async () => {
    stage = await WorkerStage.open(['wal_level=logical', 'max_replication_slots=10', 'max_wal_senders=10'])
  }, 120_000)
  afterAll(async () => {
    await stage?.[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    await stage.forgetRuns()
    const made = ['a', 'b'].map(
      (name) =>
        `DROP TABLE IF EXISTS ${name}; CREATE TABLE ${name} AS SELECT g AS id, md5(g::text) AS note FROM generate_series(1, ${ROWS}) g; ALTER TABLE ${name} ADD PRIMARY KEY (id); ANALYZE ${name}`,
    )
    await stage.ask(stage.data, 'source', made.join(';'))
    await stage.ask(stage.data, 'target', 'DROP SCHEMA public CASCADE; CREATE SCHEMA public')
  })
  afterEach(async () => {
    for (const one of workers.splice(0)) {
      one.signal('SIGKILL')
      await one.ended
    }
  })

  const ctl = async (run: string, ...words: readonly string[]) =>
    await stage.sluice('ctl', run, ...words, '--distributed')
  async function steer(run: string, ...words: readonly string[]): Promise<void> {
    const { code, err } = await ctl(run, ...words)
    expect([words, code], err).toEqual([words, 0])
  }
  async function refused(run: string, ...words: readonly string[]): Promise<string> {
    const { code, err } = await ctl(run, ...words)
    expect([words, code], err).toEqual([words, 2])
    return err
  }

  /** Completed chunks of a table in the ledger of the target. @param open counts running chunks instead */
  async function chunks(table: string, open = false): Promise<number> {
    try {
      const [row] = await stage.ask<{ n: number }>(
        stage.data,
        'target',
        `SELECT count(*)::int AS n FROM migration_checkpoints WHERE table_name = '${table}' AND status = '${open ? 'running' : 'completed'}'`,
      )
      return row?.n ?? 0
    } catch {
      // The ledger does not exist yet.
      return 0
    }
  }

  /** Paused tables, as `runs` reports them. */
  async function held(run: string): Promise<readonly string[]> {
    const { code, events } = await stage.sluice('runs', '--distributed', '--run', run)
    expect(code).toBe(0)
    return events.flatMap((event) =>
      event.type === 'shared.table' ? [`${event.table} ${event.held}, ${event.unheard} have not heard`] : [],
    )
  }

  async function sums(table: string): Promise<readonly unknown[]> {
    const sql = `SELECT count(*) || ' ' || md5(string_agg(id || note, ',' ORDER BY id)) AS sum FROM ${table}`
    const both = [await stage.ask(stage.data, 'source', sql), await stage.ask(stage.data, 'target', sql)]
    return both.map(([row]) => row?.['sum'])
  }
  async function expectEqual(...tables: readonly string[]): Promise<void> {
    for (const table of tables) {
      const [source, target] = await sums(table)
      expect(target, table).toBe(source)
    }
  }
  const ended = async (run: string): Promise<void> =>
    await stage.until('the end', async () => (await stage.run(run)).status !== 'running', 120_000)

  test('one is paused and resumed while the other continues; skipped, it ends the run as on one machine', async () => {
    // So slow that no table ends before it is skipped.
    const run = await stage.distribute(...BOTH, '--rate', '600')
    const two = [worker(), worker()]
    await stage.until('two at work', () => two.every(({ slots }) => slots.includes('begun')))
    await stage.until('chunks of a', async () => (await chunks('a')) > 5)
    expect(await refused(run, 'pause', 'nowhere')).toContain(`the run ${run} has no table nowhere`)
    expect(await refused(run, 'lanes', '2')).toContain('does not replicate changes and has no apply workers')
    await steer(run, 'pause', 'a')
    await stage.until('both have heard', async () => (await held(run)).includes('public.a paused, 0 have not heard'))
    await stage.until('chunks that were begun are done', async () => (await chunks('a', true)) === 0)
    // A chunk that was claimed while the pause was heard still begins.
    const other = await chunks('b')
    await stage.until('b goes on', async () => (await chunks('b')) > other + 5)
    const before = await chunks('a')
    await stage.until('b goes on further', async () => (await chunks('b')) > other + 20)
    expect(await chunks('a')).toBe(before)
    await steer(run, 'resume', 'a')
    expect(await held(run)).toEqual([])
    await stage.until('a goes on', async () => (await chunks('a')) > before + 5)
    await steer(run, 'skip', 'a', 'rate', 'off')
    await ended(run)
    expect(await stage.run(run)).toMatchObject({
      status: 'stopped',
      exitCode: 75,
      error: { code: 'STOPPED', message: 'skipped on request, and so not finished: public.a' },
      slots: { queued: 0, working: 0, ended: 2 },
    })
    await expectEqual('b')
    expect(await chunks('a')).toBeLessThan(ROWS / CHUNK)
    const listed = await stage.sluice('runs', '--distributed')
    expect(listed.events.find((event) => event.type === 'shared.run')).toMatchObject({
      status: 'stopped',
      error: expect.stringContaining('skipped on request, and so not finished: public.a') as string,
    })
    expect(await refused(run, 'resume', 'a')).toContain(`the run ${run} has ended: stopped`)
    // Resuming the ended run copies everything.
    await steer(run, 'resume')
    await ended(run)
    expect(await stage.run(run)).toMatchObject({ status: 'ok', exitCode: 0 })
    await expectEqual('a', 'b')
  })

  test('a request from before a task begins is applied by every worker that takes the task', async () => {
    const run = await stage.distribute(...COPY, '--tables', 'a,b', '--tasks', '1')
    expect(await refused(run, 'pause', 'nowhere')).toContain('has no table nowhere')
    await steer(run, 'pause', 'public.a')
    const first = worker()
    await stage.until('all of b', async () => (await chunks('b')) === ROWS / CHUNK)
    expect(await chunks('a')).toBe(0)
    first.signal('SIGTERM')
    expect(await first.ended).toBe(0)
    const second = worker()
    await stage.until('the second has it', () => second.slots.includes('begun'))
    await stage.until('its plan is known', async () => (await stage.run(run)).slotRuns.length > 0)
    // A chunk of its own would be visible in the ledger.
    await stage.until('it has heard', async () => (await held(run)).some((line) => line.endsWith('0 have not heard')))
    expect([await chunks('a'), await chunks('a', true)]).toEqual([0, 0])
    await steer(run, 'resume', 'a')
    await ended(run)
    expect(await stage.run(run)).toMatchObject({ status: 'ok', exitCode: 0 })
    await expectEqual('a', 'b')
  })

  test('a failed table is retried, and its second result counts', async () => {
    await stage.ask(
      stage.data,
      'target',
      `CREATE TABLE a (id int PRIMARY KEY, note text); INSERT INTO a VALUES (150, 'in the way')`,
    )
    const run = await stage.distribute(...BOTH)
    await steer(run, 'pause', 'b')
    const two = [worker(), worker()]
    const failed = async (): Promise<number> => {
      try {
        const sql = `SELECT count(*)::int AS n FROM migration_checkpoints WHERE table_name = 'a' AND status = 'failed'`
        return (await stage.ask<{ n: number }>(stage.data, 'target', sql))[0]?.n ?? 0
      } catch {
        return 0
      }
    }
    await stage.until('a chunk has failed', async () => (await failed()) === 1)
    await stage.until('the others are done', async () => (await chunks('a')) === ROWS / CHUNK - 1)
    await stage.until('two at work', () => two.every(({ slots }) => slots.includes('begun')))
    await stage.ask(stage.data, 'target', 'DELETE FROM a WHERE id = 150')
    await steer(run, 'retry', 'a')
    await stage.until('it is done', async () => (await chunks('a')) === ROWS / CHUNK)
    await steer(run, 'resume', 'b')
    await ended(run)
    expect(await stage.run(run)).toMatchObject({ status: 'ok', exitCode: 0 })
    await expectEqual('a', 'b')
  })

  test('apply workers of a stream can be steered at any time; single tables of a stream cannot', async () => {
    const run = await stage.distribute(...COPY, '--follow', '--tables', 'a,b', '--tasks', '2')
    await steer(run, 'lanes', '2')
    const first = worker()
    const lanes = async (): Promise<number> => {
      const sql = `SELECT count(*)::int AS n FROM migration_stream_lanes`
      return (await stage.ask<{ n: number }>(stage.data, 'target', sql).catch(() => []))[0]?.n ?? 0
    }
    let no = 0
    const change = async (): Promise<void> => {
      no += 1
      const pair = `INSERT INTO a VALUES (${ROWS + no}, 'new'); INSERT INTO b VALUES (${ROWS + no}, 'new')`
      await stage.ask(stage.data, 'source', `BEGIN; ${pair}; COMMIT`)
    }
    const until = async (wanted: number): Promise<void> =>
      await stage.until(`${wanted} lanes`, async () => {
        await change()
        return (await lanes()) === wanted
      })
    await until(2)
    await stage.until('the queue knows that it follows', async () => {
      const sql = `SELECT tables = '{}' AS follows FROM sluice_queue.sluice_run_slots WHERE slot_no = 1`
      return (await stage.ask<{ follows: boolean }>(stage.queue, 'queue', sql))[0]?.follows === true
    })
    expect(await refused(run, 'pause', 'a')).toContain(
      'pause of one table is not possible in a run that replicates changes',
    )
    await steer(run, 'lanes', '1')
    await until(1)
    await steer(run, 'lanes', '2')
    await until(2)
    // The next worker that runs the stream keeps their number.
    first.signal('SIGTERM')
    expect(await first.ended).toBe(0)
    worker()
    await change()
    await stage.until('the next one applies changes', async () => {
      const [source, target] = await sums('a')
      return source === target
    })
    expect(await lanes()).toBe(2)
    const reported: Event | undefined = (await ctl(run)).events.find((event) => event.type === 'columns')
    expect(reported).toMatchObject({ columns: expect.arrayContaining(['lanes', 'pausedTables']) as string[] })
    await steer(run, 'stop')
    await ended(run)
    await expectEqual('a', 'b')
  })
})
