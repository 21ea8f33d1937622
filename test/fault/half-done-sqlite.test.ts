/**
 * Streams by triggers out of SQLite, and the run history, that an older program has left half-done are continued by
 * this one. SLUICE_MAKE_HALF_DONE=NAME creates the fixtures.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makePlace, perform } from '../support/copy-systems.ts'
import { leaveHistory, LISTED, listed, putHistory, runOf } from '../support/half-done/run-history.ts'
import { FIXTURES, neutralFolder, NEWEST, readBack, writeDown } from '../support/half-done/room.ts'
import {
  followed,
  fromHere,
  judgeStream,
  leaveStream,
  STATES,
  type State,
} from '../support/half-done/trigger-streams.ts'

const NEW = process.env['SLUICE_MAKE_HALF_DONE'] ?? ''

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-half-done-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const fixtureOf = (version: string, state: State, side: string): string =>
  join(FIXTURES, version, `stream-sqlite-${state}-${side}`)

test.runIf(NEW !== '').for(STATES)('a stream, %s: a fixture is created', { timeout: 120_000 }, async (state) => {
  const neutral = neutralFolder()
  const ends = { source: await makePlace('sqlite', neutral), target: await makePlace('sqlite', neutral) }
  await leaveStream(ends, state)
  await writeDown(ends.source, fixtureOf(NEW, state, 'source'), neutral)
  await writeDown(ends.target, fixtureOf(NEW, state, 'target'), neutral, 'text')
  rmSync(neutral, { recursive: true })
})

test.for(STATES)('a stream, %s, is continued', { timeout: 60_000 }, async (state) => {
  const source = await readBack('sqlite', fixtureOf(NEWEST, state, 'source'), folder)
  const target = await readBack('sqlite', fixtureOf(NEWEST, state, 'target'), folder, 'text', fromHere(source))
  for (const _ of [1, 2]) {
    const { finished } = await perform(followed({ source, target }))
    expect([finished.error, finished.exitCode]).toEqual([undefined, 0])
    await judgeStream({ source, target })
  }
})

test.runIf(NEW !== '')('the run history: a fixture is created', { timeout: 60_000 }, async () => {
  const neutral = neutralFolder()
  await leaveHistory(neutral, join(FIXTURES, NEW, 'run-history'))
  rmSync(neutral, { recursive: true })
})

test('the run history is read, and a run is added', { timeout: 60_000 }, async () => {
  const own = mkdtempSync(join(folder, 'history-'))
  putHistory(own, join(FIXTURES, NEWEST, 'run-history'))
  expect(await listed(own)).toEqual(LISTED)
  await runOf(own, 'u')
  expect(await listed(own)).toEqual([['u', 'ok', 0], ...LISTED])
})
