/**
 * `lifecycle status` after a cutover that was killed, forward or back: the command that it prints continues in the same
 * direction.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LifecyclePhaseEvent } from '../../src/model/partition/lifecycle-events.ts'
import { perform } from '../support/copy-systems.ts'
import { startFollowServer } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'
import { addressIn, TABLE, twoCutover, twoStage, type TwoStage } from '../support/two-stage.ts'
import { of, startCopy } from './copy-kit.ts'

let server: PostgresServer

beforeAll(async () => {
  if (POSTGRES_OWN) server = await startFollowServer()
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
})

async function phasesOf({ source, target }: TwoStage): Promise<readonly LifecyclePhaseEvent[]> {
  const words = { table: '--config c', into: '', stream: '--config c' }
  const wanted = { ahead: 1, olderThan: '8q', archive: '/archive', oldTableGraceMs: 0 }
  const entry = { table: TABLE, from: 0, to: 1, by: 'created_at', calendar: {}, ...wanted, words }
  const { finished, events } = await perform({
    kind: 'lifecycle-status',
    tables: [TABLE],
    entries: [entry],
    databases: [source.url, target.url],
  })
  expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0 })
  return of(events, 'lifecycle.phase')
}

/** By the number of the last reported step. */
const KILLS = [
  ['when the source is closed', 2, 'running', /is at step closed/, 'switched'],
  ['when both are proved equal', 3, 'running', /is at step proved/, 'went on'],
  [
    'when the target is open',
    4,
    'due',
    /; its end is not recorded: --on-switch did not end with 0, or the slot .*--on-switch/,
    'done before',
  ],
  [
    'when users are told',
    5,
    'due',
    /; the slot of the earlier stream still exists, or its removal is not recorded$/,
    'done before',
  ],
] as const

describe.skipIf(!POSTGRES_OWN).each([false, true])(`a cutover with --revert: %s ${POSTGRES_MISSING}`, (revert) => {
  test.each(KILLS)(
    'killed %s, the status prints the command',
    { timeout: 180_000 },
    async (_, times, state, detail, said) => {
      const stage = await twoStage(server, 200)
      if (revert) expect((await perform(twoCutover(stage))).finished).toMatchObject({ exitCode: 0 })
      const child = startCopy(twoCutover(stage, { revert }), { killedBy: { type: 'cutover.step', times } })
      expect((await child.ended).signal).toBe('SIGKILL')
      const [first, phase] = await phasesOf(stage)
      // Its stream must not be run separately.
      expect(first?.state).not.toBe('due')
      expect(phase).toMatchObject({ state, detail: expect.stringMatching(detail) as string })
      const [, stream = '', back] = /^sluice cutover (\d+) --config c( --revert)?$/.exec(phase?.next ?? '') ?? []
      expect([stream === '', back !== undefined]).toEqual([false, revert])
      if (said === 'switched') {
        // Without --confirm, it only opens the source again: how long the killed try blocked writers is not recorded.
        const { confirm: _confirm, ...unconfirmed } = twoCutover({ ...stage, stream }, { revert })
        const pasted = await perform(unconfirmed)
        expect(pasted.finished).toMatchObject({ exitCode: 2, error: { code: 'MISSING_CONFIRM' } })
      }
      const { finished, events } = await perform(twoCutover({ ...stage, stream }, { revert }))
      expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0 })
      const reported = of(events, 'cutover.step').map(({ step }) => step)
      expect(said === 'switched' ? of(events, 'cutover.switched') : reported).not.toEqual([])
      if (said !== 'switched') expect(reported).toContain(said)
      expect(addressIn(stage).url).toBe((revert ? stage.source : stage.target).url)
      const after = (await phasesOf(stage))[1]?.detail
      expect(after).toMatch(
        said === 'switched' ? /, writers waited at least \d+ ms/ : /, writers waited \d+ ms at the most/,
      )
      expect(after).toMatch(revert ? /^taken back .*forward again/ : /^switched .* keeps /)
    },
  )
})
