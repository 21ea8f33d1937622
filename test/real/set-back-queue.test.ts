/**
 * A queue, the ledger of a shared run, and the alerts that were sent, with one of them restored to each earlier step:
 * the results are the table of docs/dev/set-back.md.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { POSTGRES_MISSING, POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import { makeOrders, WorkerStage } from '../support/worker-stage.ts'
import { written } from './set-back-kit.ts'

const ROWS = 4000
const COPY = ['--from', 'shop', '--to', 'cold', '--table', 'orders', '--checkpoint-size', '200', '--workers', '1']

/** The files of a whole server, restored in place as from a backup. */
class ServerSide {
  readonly name: string
  readonly #server: PostgresServer

  constructor(name: string, server: PostgresServer) {
    this.name = name
    this.#server = server
  }

  async keep(step: string): Promise<void> {
    const { dataFolder } = this.#server
    await this.#server.stop()
    rmSync(this.#kept(step), { recursive: true, force: true })
    execFileSync('cp', ['-a', dataFolder, this.#kept(step)])
    await this.#server.restart()
  }

  async setBack(step: string): Promise<void> {
    const { dataFolder } = this.#server
    await this.#server.stop()
    rmSync(dataFolder, { recursive: true, force: true })
    execFileSync('cp', ['-a', this.#kept(step), dataFolder])
    await this.#server.restart()
  }

  #kept(step: string): string {
    return `${this.#server.dataFolder}.${step}`
  }
}

describe.skipIf(!POSTGRES_OWN)(
  `a side of a shared run that is restored to an earlier step ${POSTGRES_MISSING}`,
  { timeout: 900_000 },
  () => {
    let target: PostgresServer
    let stage: WorkerStage
    beforeAll(async () => {
      target = await startPostgres({ cluster: 'set back' })
      await target.createDatabase('cold')
      const url = `${target.url('cold').replace(/@[^/]*\//, `@localhost:${target.port}/`)}?host=${encodeURIComponent(target.socketFolder)}`
      stage = await WorkerStage.open([], { cold: url })
      await makeOrders(stage, ROWS)
    }, 120_000)
    afterAll(async () => {
      await stage?.[Symbol.asyncDispose]()
      await target?.[Symbol.asyncDispose]()
    })

    const cold = (sql: string) => stage.ask<{ n: string }>(target, 'cold', sql)
    const rowsThere = async (): Promise<number> =>
      Number(
        (await cold('SELECT count(DISTINCT id)::text || count(*)::text AS n FROM orders').catch(() => []))[0]?.n ?? 0,
      )
    const isWhole = async (): Promise<boolean> => (await rowsThere()) === Number(`${ROWS}${ROWS}`)

    /** Works until no task waits. */
    async function drained(): Promise<void> {
      const worker = stage.worker({ args: ['--idle', '3s'] })
      expect(await worker.ended).toBe(0)
    }

    /**
     * What a user does who inspects the run: waits for its end, resumes it, or starts it again.
     * @returns what had to be done
     */
    async function settled(run: string, ...alert: readonly string[]): Promise<readonly string[]> {
      const did: string[] = []
      await drained()
      const look = await stage.sluice('runs', '--distributed', '--run', run)
      if (look.code !== 0) {
        did.push('begun anew')
        await stage.distribute('copy', ...COPY, ...alert)
        await drained()
      }
      if (!(await isWhole())) {
        did.push('then copy')
        expect((await stage.sluice('copy', ...COPY)).code).toBe(0)
      }
      return did
    }

    test('queue, and target with the ledger', async () => {
      const sides = [new ServerSide('queue', stage.queue), new ServerSide('target and ledger', target)]
      const every = async (what: 'keep' | 'setBack', step: string): Promise<void> => {
        for (const side of sides) await side[what](step)
      }
      let run = ''
      const steps = [
        [
          'submitted',
          async () => void (run = await stage.distribute('copy', ...COPY, '--rate', '400', '--tasks', '1')),
        ],
        [
          'half',
          async () => {
            const worker = stage.worker()
            const done = `SELECT count(*)::text AS n FROM migration_checkpoints WHERE status = 'completed'`
            await stage.until('some chunks', async () => Number((await cold(done).catch(() => []))[0]?.n ?? 0) > 3)
            worker.signal('SIGTERM')
            await worker.ended
          },
        ],
        [
          'ended',
          async () => {
            await stage.sluice('ctl', run, 'rate', 'off', '--distributed')
            await drained()
          },
        ],
      ] as const
      const lines: string[] = []
      await every('keep', 'nothing')
      const done = ['nothing']
      for (const [step, perform] of steps) {
        await perform()
        await every('keep', step)
        for (const side of sides)
          for (const earlier of done) {
            await every('setBack', step)
            await side.setBack(earlier)
            const did = await settled(run)
            expect(await isWhole(), `${side.name} from ${step} back to ${earlier}`).toBe(true)
            lines.push(`queue | ${side.name} | ${step} | ${earlier} | ${['whole', ...did].join(', ')}`)
          }
        await every('setBack', step)
        done.push(step)
      }
      expect(lines).toEqual(written('queue'))
    })

    test('queue, and alerts that were sent', async () => {
      await stage.forgetRuns()
      await cold('DROP SCHEMA public CASCADE; CREATE SCHEMA public')
      await cold('CREATE TABLE orders (id int PRIMARY KEY, note text, amount numeric)')
      const file = join(stage.folder, 'sent')
      const alert = [
        '--alert',
        'stuck>4s',
        '--alert-command',
        `echo "$SLUICE_ALERT_CAUSE $SLUICE_ALERT_STATE" >> ${file}`,
      ]
      const sent = (): string[] => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [])
      const queue = new ServerSide('queue', stage.queue)
      await queue.keep('nothing')
      const lock = new pg.Client({ connectionString: target.url('cold') })
      lock.on('error', () => undefined)
      await lock.connect()
      await lock.query('BEGIN; LOCK TABLE orders IN EXCLUSIVE MODE')
      const run = await stage.distribute('copy', ...COPY, '--tasks', '1', ...alert)
      const worker = stage.worker()
      await stage.until('the alert', () => sent().includes('stuck raised') || sent())
      worker.signal('SIGKILL')
      await worker.ended
      await queue.keep('raised')
      await lock.query('COMMIT')
      await lock.end()

      const lines: string[] = []
      /** @returns causes whose end was not sent */
      const open = (): string[] => {
        const last = new Map(sent().map((line) => line.split(' ') as [string, string]))
        return [...last].flatMap(([cause, state]) => (state === 'raised' ? [`${cause} stays raised`] : []))
      }
      const tried = async (step: string, earlier: string): Promise<void> => {
        await queue.setBack(earlier)
        // The task of a killed worker is taken after thirty seconds.
        const other = stage.worker()
        const isThere = (await stage.sluice('runs', '--distributed', '--run', run)).code === 0
        if (isThere) await stage.until('the end', async () => (await stage.run(run)).status !== 'running')
        // The alert of a run that has ended is checked once more.
        const stands = `SELECT FROM sluice_queue.sluice_alerts`
        if (isThere)
          await stage.until('no alert stands', async () => (await stage.ask(stage.queue, 'queue', stands)).length === 0)
        other.signal('SIGTERM')
        await other.ended
        const did = await settled(run, ...alert)
        expect(await isWhole()).toBe(true)
        lines.push(`alerts | queue | ${step} | ${earlier} | ${['whole', ...did, ...open()].join(', ')}`)
      }
      await tried('raised', 'nothing')
      await tried('raised', 'raised')
      await queue.keep('cleared')
      await tried('cleared', 'nothing')
      await tried('cleared', 'raised')
      expect(lines).toEqual(written('alerts'))
    })
  },
)
