/** A sign-off of a stream that no program runs changes no default that a user has set at the target since. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { copyOf, makePlace, missing, perform } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-sign-off-defaults-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const DEFAULT = "SELECT column_default FROM information_schema.columns WHERE table_name = 't' AND column_name = 'n'"

describe.each(['postgresql', 'mysql'] as const)('%s', async (system) => {
  const why = await missing(system)

  test.skipIf(why !== '')(`a default that a user changed at the target stays${why}`, async () => {
    const [source, target] = [await makePlace(system, folder), await makePlace(system, folder)]
    await source.sql('CREATE TABLE t (id int PRIMARY KEY, n int DEFAULT 5)', 'INSERT INTO t VALUES (1, 1)')
    const followed = copyOf(source, target, 't', {
      with: ['defaults'],
      follow: { cdc: 'trigger', until: 'caught-up' },
    })
    const { events, finished } = await perform(followed)
    expect(finished.error).toBeUndefined()
    const stream = events.flatMap((event) => (event.type === 'follow.started' ? [event.stream] : []))[0] ?? ''
    const at = system === 'mysql' ? `${DEFAULT} AND table_schema = DATABASE()` : DEFAULT
    expect(await target.rows(at)).toEqual([['5']])
    await target.sql('ALTER TABLE t ALTER COLUMN n SET DEFAULT 7')
    const ran = await perform({ kind: 'sign-off', stream, from: source.url, to: target.url, tables: [] })
    const checks = ran.events.flatMap((event) =>
      event.type === 'check' && event.check === 'made by --with' ? [[event.status, event.found, event.hint]] : [],
    )
    expect([await target.rows(at), checks]).toEqual([
      [['7']],
      [
        [
          'fail',
          'not in the target: default n (the target has 7)',
          'sluice leaves defaults that were changed in the target: set those of the source by hand',
        ],
      ],
    ])
  })
})
