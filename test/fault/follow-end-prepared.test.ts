/**
 * A cutover that was killed while it was prepared leaves a slot, a publication and a guard: ending its stream removes
 * them, too.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { perform } from '../support/copy-systems.ts'
import {
  cutoverOf,
  cutoverStage,
  PARKED,
  PUBLIC,
  switched,
  turnOf,
  TWIN,
  type CutoverStage,
} from '../support/cutover-stage.ts'
import { startFollowServer } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'
import { SQL, twoCutover, twoStage } from '../support/two-stage.ts'
import { startCopy } from './copy-kit.ts'

let server: PostgresServer

beforeAll(async () => {
  if (POSTGRES_OWN) server = await startFollowServer()
})
afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
})

type Left = {
  readonly slots: number
  readonly publications: number
  /** Tables that only the stream may write to. */
  readonly guarded: readonly (string | null)[]
  readonly switches: readonly (string | null)[]
}

async function left({ place }: CutoverStage): Promise<Left> {
  const column = async (sql: string): Promise<readonly (string | null)[]> =>
    (await place.rows(sql)).map(([one]) => one ?? null)
  return {
    slots: (await column('SELECT 1 FROM pg_replication_slots WHERE database = current_database()')).length,
    publications: (await column('SELECT 1 FROM pg_publication')).length,
    guarded: await column(
      `SELECT DISTINCT c.relname::text FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid WHERE g.tgname ~ 'sluice' AND NOT c.relispartition ORDER BY 1`,
    ),
    switches: await column('SELECT status FROM migration_switches ORDER BY turn'),
  }
}

async function endOf({ place }: CutoverStage): Promise<Operation> {
  const [[stream] = []] = await place.rows(`SELECT stream_id FROM migration_streams WHERE status = 'active'`)
  return {
    kind: 'follow',
    stream: stream ?? '',
    to: place.url,
    from: place.url,
    end: true,
    untilCaughtUp: false,
    untilEqual: false,
  }
}

describe.skipIf(!POSTGRES_OWN)(`ending a stream ${POSTGRES_MISSING}`, () => {
  test('whose first cutover was killed leaves nothing, also if ending it is killed', { timeout: 240_000 }, async () => {
    const stage = await cutoverStage(server, 400)
    const child = startCopy(cutoverOf(stage), { killedBy: { type: 'cutover.step', times: 1 } })
    expect((await child.ended).signal).toBe('SIGKILL')
    expect(await left(stage)).toMatchObject({ slots: 2, publications: 2, guarded: [TWIN], switches: ['preparing'] })
    const end = await endOf(stage)
    expect((await startCopy(end as never, { killedBy: { type: 'log', times: 1 } }).ended).signal).toBe('SIGKILL')
    expect(await left(stage)).toMatchObject({ slots: 1, guarded: [], switches: ['given up'] })
    const { finished } = await perform(end)
    expect(finished.error).toBeUndefined()
    expect(await left(stage)).toEqual({ slots: 0, publications: 0, guarded: [], switches: ['given up'] })
    await stage.place.sql(`UPDATE "${TWIN.replaceAll('"', '""')}" SET qty = -7 WHERE id = 7`)
    expect((await perform(end)).finished.error).toBeUndefined()
  })

  test(
    'whose cutover to another database has closed the source is refused until that is resolved',
    { timeout: 240_000 },
    async () => {
      const stage = await twoStage(server, 100)
      const { source, target, stream } = stage
      const child = startCopy(twoCutover(stage), { killedBy: { type: 'cutover.step', times: 2 } })
      expect((await child.ended).signal).toBe('SIGKILL')
      const insert = `INSERT INTO ${SQL} (created_at) VALUES ('2025-02-02')`
      await expect(source.sql(insert)).rejects.toThrow(/is closed/)
      const end: Operation = {
        kind: 'follow',
        stream,
        from: source.url,
        to: target.url,
        end: true,
        untilCaughtUp: false,
        untilEqual: false,
      }
      for (const operation of [end, { ...stage.copy, restart: true }]) {
        const { finished } = await perform(operation)
        expect(finished).toMatchObject({ exitCode: 5, error: { code: 'LEDGER_BUSY' } })
        expect(finished.error?.hint).toContain(`sluice cutover ${stream}`)
      }
      expect(await target.rows(`SELECT count(*) FROM ${SQL}`)).toEqual([['100']])
      const given = await perform(twoCutover(stage, { unsigned: false }))
      expect(given.finished.error?.code).toBe('NOT_SIGNED')
      await source.sql(insert)
      expect((await perform(end)).finished.error).toBeUndefined()
      for (const { rows } of [source, target])
        expect(await rows('SELECT count(*) FROM pg_replication_slots WHERE database = current_database()')).toEqual([
          ['0'],
        ])
    },
  )

  test('whose revert was killed leaves only the old table guarded', { timeout: 240_000 }, async () => {
    const stage = await cutoverStage(server, 400)
    expect((await switched(stage)).finished.error).toBeUndefined()
    const child = startCopy(turnOf(stage, true), { killedBy: { type: 'cutover.step', times: 1 } })
    expect((await child.ended).signal).toBe('SIGKILL')
    expect(await left(stage)).toMatchObject({ slots: 2, publications: 2, switches: ['done', 'preparing'] })
    const { finished } = await perform(await endOf(stage))
    expect(finished.error).toBeUndefined()
    expect(await left(stage)).toEqual({
      slots: 0,
      publications: 0,
      guarded: [PARKED],
      switches: ['done', 'given up'],
    })
    await stage.place.sql(`INSERT INTO "${PUBLIC.replaceAll('"', '""')}" (created_at) VALUES ('2025-02-02')`)
  })
})
