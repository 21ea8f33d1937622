/** Invalid UTF-8 texts of MariaDB: it stores lone surrogates in each Unicode character set. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseCommandLine } from '../../src/cli/parse/parse.ts'
import { copyOf, makePlace, missing, perform, type Place, type Ran } from '../support/copy-systems.ts'

let folder = ''
let absent = ''
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-broken-'))
  absent = await missing('mysql')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A lone surrogate between two letters, and a stored U+FFFD. MariaDB refuses a lone surrogate in utf16. */
const TEXTS = [
  ['utf8mb4', "X'61EDA08062'", "X'61EFBFBD62'"],
  ['utf8mb3', "X'61EDA08062'", "X'61EFBFBD62'"],
  ['ucs2', "X'0061D8000062'", "X'0061FFFD0062'"],
  ['utf32', "X'000000610000D80000000062'", "X'000000610000FFFD00000062'"],
] as const
const REFUSED = 'the text is not valid in the character set of its column'

const quarantined = ({ events }: Ran): unknown =>
  events.flatMap((event) => (event.type === 'row.aside' ? [[event.key, event.error.message]] : []))

function compare(source: Place, target: Place): Promise<Ran> {
  const options = { rename: {}, workers: 1, limit: 10, fix: false, deleteExtra: false }
  return perform({ kind: 'diff', from: source.url, to: target.url, tables: ['t'], ...options })
}

describe.each(TEXTS)('%s', (charset, broken, whole) => {
  async function filled(...rows: readonly string[]): Promise<Place> {
    const place = await makePlace('mysql', folder)
    await place.sql(
      `CREATE TABLE t (id INT PRIMARY KEY, t VARCHAR(20) CHARACTER SET ${charset})`,
      `INSERT INTO t VALUES ${rows.join(', ')}`,
    )
    return place
  }

  test('a copy quarantines the row; a comparison names it', { timeout: 60_000 }, async ({ skip }) => {
    skip(absent !== '', absent)
    const source = await filled(`(1, ${broken})`, "(2, 'whole')", `(3, ${whole})`, '(4, NULL)')
    for (const system of ['mysql', 'sqlite'] as const) {
      const target = await makePlace(system, folder)
      const ran = await perform(copyOf(source, target, 't'))
      expect(ran.finished).toMatchObject({ exitCode: 1, totals: { read: '4', written: '3', quarantined: '1' } })
      expect(quarantined(ran)).toEqual([[['1'], REFUSED]])
      expect(await target.rows('SELECT id FROM t ORDER BY id')).toEqual([['2'], ['3'], ['4']])
      const diff = await compare(source, target)
      expect(diff.finished).toMatchObject({ exitCode: 1, error: { message: 'one row could not be compared' } })
      const logged = diff.events.flatMap((event) => (event.type === 'log' ? [event.message] : []))
      expect(logged.join('\n')).toContain(`${REFUSED} (1, \\x61eda08062)`)
    }
  })

  test('in a target it differs from U+FFFD', { timeout: 60_000 }, async ({ skip }) => {
    skip(absent !== '', absent)
    const source = await makePlace('sqlite', folder)
    await source.sql(
      'CREATE TABLE t (id INTEGER PRIMARY KEY, t TEXT)',
      "INSERT INTO t VALUES (1, 'a\ufffd\ufffd\ufffdb')",
    )
    const diff = await compare(source, await filled(`(1, ${broken})`))
    expect(diff.finished).toMatchObject({ exitCode: 1, totals: { different: '1' } })
  })
})

test('an archive refuses the table, and removes no row', { timeout: 60_000 }, async ({ skip }) => {
  skip(absent !== '', absent)
  const source = await makePlace('mysql', folder)
  await source.sql(
    'CREATE TABLE past (id INT PRIMARY KEY, at DATETIME NOT NULL, t VARCHAR(20) CHARACTER SET utf8mb4)',
    "INSERT INTO past VALUES (1, '2020-02-01', X'61EDA08062'), (2, '2020-02-02', 'whole')",
  )
  const words = ['archive', 'run', '--from', source.url, '--to', join(folder, 'archive'), '--table', 'past']
  const due = ['--by', 'at', '--calendar', 'quarter', '--older-than', '1q', '--grace', '0d']
  const { request } = await parseCommandLine([...words, ...due, '--drop', '--confirm=past'], {})
  if (request.kind !== 'operation') throw new Error(JSON.stringify(request))
  const { error } = (await perform(request.operation)).finished
  expect(error).toMatchObject({ code: 'VALUE_REFUSED', message: expect.stringContaining(REFUSED) as string })
  // The archive stores the column as text already.
  expect(error?.hint).not.toContain('--as-text')
  expect(await source.rows('SELECT id FROM past ORDER BY id')).toEqual([['1'], ['2']])
})

test('keys at the ends of chunks', { timeout: 60_000 }, async ({ skip }) => {
  skip(absent !== '', absent)
  const [source, target] = [await makePlace('mysql', folder), await makePlace('sqlite', folder)]
  await source.sql(
    'CREATE TABLE t (k VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY, v INT)',
    "INSERT INTO t VALUES ('a', 1), (X'61EDA080', 2), (X'61EDBFBF', 3), (X'61EE8080', 4), (X'61EFBFBD', 5), ('b', 6)",
  )
  const ran = await perform(copyOf(source, target, 't', { chunkRows: 1 }))
  expect(ran.finished).toMatchObject({ exitCode: 1, totals: { read: '6', written: '4', quarantined: '2' } })
  expect(await target.rows('SELECT v FROM t ORDER BY v')).toEqual([['1'], ['4'], ['5'], ['6']])
})
