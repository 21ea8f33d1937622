/**
 * A stream between two versions of PostgreSQL, in both directions: killed in the middle, compared at the end.
 * SLUICE_TEST_PG_BIN runs whole suites on other versions.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ALL } from '../support/backend.ts'
import { copyOf, perform, placeOn } from '../support/copy-systems.ts'
import { expectEqual } from '../support/follow-stage.ts'
import { FOLLOW_NAMES, FOLLOW_TABLES, seedRows, startWriter } from '../support/follow-writer.ts'
import { POSTGRES_OWN, startPostgres } from '../support/servers/postgresql.ts'
import { startCopy } from './copy-kit.ts'

/** The folder of Debian and Ubuntu. */
const BIN_FOLDER = '/usr/lib/postgresql/15/bin'
const MISSING = POSTGRES_OWN && existsSync(join(BIN_FOLDER, 'postgres')) ? '' : '(needs PostgreSQL 15)'
const KEYS = 300

describe.skipIf(MISSING !== '')(`PostgreSQL 15 ${MISSING}`, { timeout: 90_000 }, () => {
  const WAYS = [
    ['followed by slot, into the newest', 'slot', true],
    ['as the target of triggers of the newest', 'trigger', false],
  ] as const
  test.each(ALL ? WAYS : WAYS.slice(0, 1))('%s: equal after a kill', async (_what, cdc, isSource) => {
    const settings = { extraSettings: ['wal_level=logical'] }
    await using old = await startPostgres({ ...settings, binFolder: BIN_FOLDER })
    await using recent = await startPostgres(settings)
    expect(await old.major()).toBe(15)
    const [from, to] = isSource ? [old, recent] : [recent, old]
    const [source, target] = [await placeOn('postgresql', from.url()), await placeOn('postgresql', to.url())]
    await source.sql(...FOLLOW_TABLES, ...seedRows(KEYS))
    const tables = [...FOLLOW_NAMES]
    const copy = { ...copyOf(source, target, 'acct', { chunkRows: 100, workers: 2 }), tables, follow: { cdc } }
    const writer = startWriter(source.url, { seed: 15, keys: KEYS, truncates: true, pauseMs: 5 })
    const child = startCopy(copy)
    await child.until('follow.progress')
    child.process.kill('SIGKILL')
    await child.ended
    await writer.stop()
    const { finished } = await perform({ ...copy, follow: { cdc, until: 'equal' } })
    expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0, totals: { live: '4' } })
    await expectEqual({ source, target, names: FOLLOW_NAMES, copy })
  })
})
