/** A cutover between two databases that meets another cutover, the end of its stream, or a renamed table. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CopyOperation } from '../../src/engine/copy/operations/copy/declaration.ts'
import type { CutoverOperation } from '../../src/engine/follow/operations/cutover/declaration.ts'
import type { FollowOperation } from '../../src/engine/follow/operations/follow/declaration.ts'
import type { Event } from '../../src/model/run/event.ts'
import { copyOf, perform, placeOn, type Place, type Ran } from '../support/copy-systems.ts'
import { startFollowServer } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'
import { of, startCopy, untilFrozen } from './copy-kit.ts'

let server: PostgresServer

beforeAll(async () => {
  if (POSTGRES_OWN) server = await startFollowServer()
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
})

const MAKE = 'CREATE TABLE t (id bigint PRIMARY KEY, email text)'

async function place(...statements: readonly string[]): Promise<Place> {
  const made = await placeOn('postgresql', server.url())
  await made.sql(...statements)
  return made
}

const filled = (): Promise<Place> => place(MAKE, `INSERT INTO t SELECT i, 'e' || i FROM generate_series(1, 200) i`)

type Streamed = { readonly stream: string; readonly copy: CopyOperation }

/** Copies table `t` and follows it. */
async function streamed(source: Place, target: Place, toTable?: string): Promise<Streamed> {
  const options = toTable === undefined ? {} : { toTable }
  const copy: CopyOperation = { ...copyOf(source, target, 'public.t', options), follow: { until: 'caught-up' } }
  const { finished, events } = await perform(copy)
  expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0 })
  return { stream: of(events, 'follow.started')[0]?.stream ?? '', copy }
}

function cutover(
  stream: string,
  source: Place,
  target: Place,
  more: Partial<Omit<CutoverOperation, 'kind'>> = {},
): CutoverOperation {
  return {
    kind: 'cutover',
    stream,
    from: source.url,
    to: target.url,
    triesForMs: 60_000,
    unsigned: true,
    revert: false,
    keepSessions: false,
    stay: false,
    dryRun: false,
    confirm: 't',
    ...more,
  }
}

function follow(stream: string, source: Place, target: Place, end: boolean): FollowOperation {
  return { kind: 'follow', stream, from: source.url, to: target.url, end, untilCaughtUp: !end, untilEqual: false }
}

const steps = (events: readonly Event[]): readonly string[] => of(events, 'cutover.step').map(({ step }) => step)

async function isOpen(side: Place, table = 't'): Promise<boolean> {
  return await side.sql(`UPDATE ${table} SET email = email WHERE id = 1`).then(
    () => true,
    (error: unknown) => {
      if (/is closed: its rows follow|is about to take the writes/.test((error as Error).message)) return false
      throw error
    },
  )
}

async function statuses(side: Place): Promise<readonly (string | null)[]> {
  return (await side.rows('SELECT status FROM migration_switches ORDER BY begun_ms')).map(([status]) => status ?? null)
}

function expectDone({ finished }: Ran): void {
  expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0 })
}

describe.skipIf(!POSTGRES_OWN)(`a cutover that meets another command ${POSTGRES_MISSING}`, () => {
  test('is refused for a table that a cutover of another stream has closed', { timeout: 240_000 }, async () => {
    const [source, a, b] = [await filled(), await place(MAKE), await place(MAKE)]
    await source.sql('CREATE TABLE t2 (id bigint, email text, CONSTRAINT t2_key PRIMARY KEY (id))')
    const [toA, toB] = [await streamed(source, a), await streamed(source, b)]
    const within = await streamed(source, source, 't2')
    const refused = async (): Promise<void> => {
      for (const dryRun of [true, false])
        for (const operation of [
          cutover(toB.stream, source, b, { dryRun }),
          cutover(within.stream, source, source, { dryRun }),
        ]) {
          const { finished, events } = await perform(operation)
          expect([finished.error?.code, steps(events)], JSON.stringify(finished)).toEqual(['NOT_SWITCHABLE', []])
          expect(finished.error?.message).toMatch(/another cutover has closed/)
        }
    }
    expectDone(await perform(cutover(toA.stream, source, a)))
    await refused()
    expect([await isOpen(source), await isOpen(a)]).toEqual([false, true])

    // Opened by hand, the table still gets the rows of the reverse stream.
    await source.sql('DROP TRIGGER " sluice_parked" ON t')
    const again = await perform(cutover(toB.stream, source, b, { dryRun: true }))
    expect(again.finished.error?.message).toMatch(/stream \d+ writes into it/)
    const before = await perform(cutover(toA.stream, source, a))
    expectDone(before)
    const warned = of(before.events, 'log').filter(({ level }) => level === 'warn')
    expect(warned).toMatchObject([{ message: expect.stringMatching(/^public\.t of .* is not closed/) as string }])
  })

  test.each([
    ['follow --end', 'SIGKILL'],
    ['copy --restart', 'SIGKILL'],
    ['copy --restart', null],
  ] as const)(
    '%s that waited for the lease of a cutover, which ended with %s, leaves both tables to the cutover',
    { timeout: 240_000 },
    async (command, signal) => {
      const [source, target] = [await filled(), await place(MAKE)]
      const { stream, copy } = await streamed(source, target)
      const child = startCopy(cutover(stream, source, target), {
        host: 'there',
        leaseMs: 8000,
        frozenBy: { type: 'follow.started', times: 1 },
        ...(signal === null ? {} : { killedBy: { type: 'cutover.step', times: 2 } }),
      })
      await child.until('follow.started')
      await untilFrozen(child)
      const restart = { ...copy, restart: true, confirm: new URL(target.url).pathname.slice(1) }
      let isWaiting = false
      const ending = perform(command === 'copy --restart' ? restart : follow(stream, source, target, true), {
        onEvent: (event) => {
          if (event.type === 'log' && event.message.includes('waiting until its lease ends')) isWaiting = true
        },
      })
      while (!isWaiting) await Promise.race([sleep(20), ending.then(() => Promise.reject(new Error('it has ended')))])
      child.process.kill('SIGCONT')
      expect((await child.ended).signal).toBe(signal)
      expect((await ending).finished.error?.code).toBe('LEDGER_BUSY')
      expectDone(await perform(cutover(stream, source, target)))
      expect([await isOpen(source), await isOpen(target)]).toEqual([false, true])
      expect(await target.rows('SELECT count(*) FROM t')).toEqual([['200']])
    },
  )

  test.each([
    ['closed', 2],
    ['proved', 3],
  ])('killed at %s, it opens the source also under another name', { timeout: 240_000 }, async (_, times) => {
    const [source, target] = [await filled(), await place(MAKE)]
    const { stream } = await streamed(source, target)
    const child = startCopy(cutover(stream, source, target), { killedBy: { type: 'cutover.step', times } })
    expect((await child.ended).signal).toBe('SIGKILL')
    await source.sql('ALTER TABLE t RENAME TO t_x', ...(times === 2 ? [MAKE] : []))
    expect(await isOpen(source, 't_x')).toBe(false)
    const { finished, events } = await perform(cutover(stream, source, target))
    expect(finished.exitCode, JSON.stringify(finished)).not.toBe(0)
    expect(steps(events)).toContain('taken back')
    expect([await isOpen(source, 't_x'), await statuses(target)]).toEqual([true, ['given up']])
  })

  test('killed, it is given up by the same command if the stream cannot go on', { timeout: 240_000 }, async () => {
    const [source, target] = [await filled(), await place(MAKE)]
    const { stream } = await streamed(source, target)
    const child = startCopy(cutover(stream, source, target), { killedBy: { type: 'cutover.step', times: 2 } })
    expect((await child.ended).signal).toBe('SIGKILL')
    const drop = (): Promise<unknown> => source.rows(`SELECT pg_drop_replication_slot('sluice_${stream}')`)
    for (let isGone = false; !isGone; await sleep(200)) isGone = await drop().then(() => true, () => false) // prettier-ignore
    const halted = await perform(follow(stream, source, target, false))
    expect(halted.finished.error?.code).toBe('SLOT_LOST')
    const { finished, events } = await perform(cutover(stream, source, target))
    expect([finished.error?.code, steps(events)]).toEqual(['STREAM_HALTED', ['taken back', 'given up']])
    expect([await isOpen(source), await statuses(target)]).toEqual([true, ['given up']])
    expectDone(await perform(follow(stream, source, target, true)))
  })
})
