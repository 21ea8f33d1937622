/**
 * A key that one side cannot hold is a row that differs: the copy quarantines it, and no comparison reports its table
 * as equal.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { copyOf, makePlace, missing, perform, type Place, type Ran, type System } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sluice-nul-keys-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function diff(from: Place, to: Place, fix = false): Promise<Ran> {
  const options = { tables: ['kk'], rename: {}, workers: 2, limit: 10, fix, deleteExtra: fix }
  return perform({ kind: 'diff', from: from.url, to: to.url, ...options })
}

const differences = ({ events }: Ran): readonly string[] =>
  events.flatMap((event) => (event.type === 'difference' ? [`${event.key.join()} ${event.difference}`] : []))

/** Rows of which one has a key with U+0000, between the others. */
const MAKE: Partial<Record<System, readonly string[]>> = {
  sqlite: [
    'CREATE TABLE kk (k TEXT PRIMARY KEY NOT NULL, v INTEGER)',
    `INSERT INTO kk VALUES ('a', 1), ('nul', 2), (CAST(x'6e756c0078' AS TEXT), 3), ('z', 4)`,
  ],
  mysql: [
    'CREATE TABLE kk (k varchar(20) COLLATE utf8mb4_bin PRIMARY KEY, v int)',
    `INSERT INTO kk VALUES ('a', 1), ('nul', 2), (concat('nul', char(0), 'x'), 3), ('z', 4)`,
  ],
}

describe.each(['sqlite', 'mysql'] as const)('%s to postgresql', (system) => {
  it('quarantines the one row, and names it in every later comparison', async ({ skip }) => {
    for (const one of [system, 'postgresql'] as const) {
      const why = await missing(one)
      skip(why !== '', `needs ${one}: ${why}`)
    }
    const [source, target] = [await makePlace(system, folder), await makePlace('postgresql', folder)]
    await source.sql(...(MAKE[system] ?? []))
    const copied = await perform(copyOf(source, target, 'kk'))
    expect(copied.finished).toMatchObject({ exitCode: 1, totals: { written: '3', quarantined: '1' } })
    expect(await target.rows('SELECT k, v FROM kk ORDER BY v')).toEqual([
      ['a', '1'],
      ['nul', '2'],
      ['z', '4'],
    ])
    for (const fix of [false, true, false]) {
      const compared = await diff(source, target, fix)
      expect(compared.finished).toMatchObject({ exitCode: 1, totals: { rows: '4', targetRows: '3', missing: '1' } })
      expect(differences(compared)).toEqual(['nul\0x missing'])
    }
    const again = await perform(copyOf(source, target, 'kk', { again: true }))
    expect(again.finished).toMatchObject({ exitCode: 1, totals: { quarantined: '1' } })
    expect(await target.rows('SELECT count(*) FROM kk')).toEqual([['3']])
    // Different checksums of both sides are never stored as a proof.
    const [[status, read, written, source_, target_] = []] = await target.rows(
      'SELECT status, rows_read, rows_written, source_checksum, target_checksum FROM migration_checkpoints',
    )
    expect([status, read, written]).toEqual(['failed', '4', '3'])
    expect(source_).toBe(target_)
  }, 60_000)
})
