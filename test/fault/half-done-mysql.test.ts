/**
 * Streams by triggers out of MariaDB that an older program has left half-done are continued by this one.
 * SLUICE_MAKE_HALF_DONE=NAME creates the fixtures.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { missing, perform } from '../support/copy-systems.ts'
import { leaveMysqlStream, loadMysqlStream } from '../support/half-done/mysql-streams.ts'
import { FIXTURES, neutralFolder, NEWEST } from '../support/half-done/room.ts'
import { followed, judgeStream, STATES, type State } from '../support/half-done/trigger-streams.ts'

const NEW = process.env['SLUICE_MAKE_HALF_DONE'] ?? ''
const absent = await missing('mysql')

describe.skipIf(absent !== '')(`half-done streams out of MariaDB ${absent}`, () => {
  let folder = ''
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-half-done-'))))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const fixtureOf = (version: string, state: State): string => join(FIXTURES, version, `stream-mysql-${state}`)

  test.runIf(NEW !== '').for(STATES)('%s: a fixture is created', { timeout: 120_000 }, async (state) => {
    const neutral = neutralFolder()
    await leaveMysqlStream(state, fixtureOf(NEW, state), neutral)
    rmSync(neutral, { recursive: true })
  })

  test.for(STATES)('%s, is continued', { timeout: 60_000 }, async (state) => {
    const ends = await loadMysqlStream(fixtureOf(NEWEST, state), folder)
    for (const _ of [1, 2]) {
      const { finished } = await perform(followed(ends))
      expect([finished.error, finished.exitCode]).toEqual([undefined, 0])
      await judgeStream(ends)
    }
  })
})
