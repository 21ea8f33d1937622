/**
 * Roles with exactly the privileges that docs/reference/DATABASES.md lists can copy; if one is missing, the error names
 * it.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { copyOf, makePlace, missing, perform, type Place, type Ran } from '../support/copy-systems.ts'

const PAGE = readFileSync(path.join(import.meta.dirname, '../../docs/reference/DATABASES.md'), 'utf8')
const [, BLOCK = ''] = /### Rights of copies[^]*?```sql\n([^]*?)```/.exec(PAGE) ?? []

/** Statements of the page below a comment with this beginning. */
function statementsOf(heading: string): readonly string[] {
  const [, below = ''] = BLOCK.split(`-- ${heading}`)
  const lines = below.split('\n').slice(1)
  const end = lines.findIndex((line) => !line.startsWith('GRANT'))
  return lines.slice(0, end === -1 ? lines.length : end).map((line) => line.replace(/;$/, ''))
}

/** One statement per privilege, so that each can be left out. */
function singly(statements: readonly string[]): readonly string[] {
  return statements.flatMap((statement) => {
    const [, rights = '', rest = ''] = /^GRANT (.+?) (ON .+)$/.exec(statement) ?? []
    return rights.split(', ').map((right) => `GRANT ${right} ${rest}`)
  })
}

const ROWS = 20

describe.each([
  ['postgresql', 'PostgreSQL'],
  ['mysql', 'MySQL and MariaDB'],
] as const)('%s', (system, heading) => {
  let folder = ''
  let why = ''
  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'sluice-rights-'))
    why = await missing(system)
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  /** A database with a table, and a role with the privileges of the statements. */
  async function placed(rows: number, statements: readonly string[]): Promise<{ place: Place; as: Place['url'] }> {
    const place = await makePlace(system, folder)
    const role = `r${randomBytes(6).toString('hex')}`
    const url = new URL(place.url)
    const shop = url.pathname.slice(1)
    const account = system === 'mysql' ? `${role}@'%'` : role
    await place.sql(
      'CREATE TABLE orders (id INTEGER PRIMARY KEY, note VARCHAR(20))',
      ...Array.from({ length: rows }, (_, i) => `INSERT INTO orders VALUES (${i}, 'n${i}')`),
      ...(system === 'mysql'
        ? [`CREATE USER ${account} IDENTIFIED BY 'word'`]
        : [`CREATE ROLE ${role} LOGIN PASSWORD 'word'`, 'REVOKE ALL ON SCHEMA public FROM PUBLIC']),
      ...statements.map((one) => one.replace(/copier$/, account).replace('ON shop.', `ON ${shop}.`)),
    )
    url.username = role
    url.password = 'word'
    return { place, as: url.href }
  }

  const copied = async (from: readonly string[], to: readonly string[]): Promise<Ran & { place: Place }> => {
    const source = await placed(ROWS, from)
    const target = await placed(0, to)
    return { ...(await perform(copyOf({ url: source.as }, { url: target.as }, 'orders'))), place: target.place }
  }
  const SOURCE = singly(statementsOf(`${heading}, source of a copy`))
  const TARGET = singly(statementsOf(`${heading}, target of a copy`))

  test('the privileges of the page are sufficient', { timeout: 60_000 }, async (context) => {
    context.skip(why !== '', why)
    expect([SOURCE.length, TARGET.length]).toEqual(system === 'mysql' ? [1, 6] : [2, 4])
    const { finished, place } = await copied(SOURCE, TARGET)
    expect(finished.error).toBeUndefined()
    expect(await place.rows('SELECT count(*) FROM orders')).toEqual([[String(ROWS)]])
  })

  const CASES = [...SOURCE.map((one) => ['source', one] as const), ...TARGET.map((one) => ['target', one] as const)]
  test.for(CASES)(
    'without %s: %s, the error names this privilege',
    { timeout: 60_000 },
    async ([side, left], context) => {
      context.skip(why !== '', why)
      const without = (all: readonly string[]): readonly string[] => all.filter((one) => one !== left)
      const from = side === 'source' ? without(SOURCE) : SOURCE
      const to = side === 'target' ? without(TARGET) : TARGET
      const { finished } = await copied(from, to)
      const { code = '', message = '', reason = '', hint = '' } = finished.error ?? {}
      // Objects of a schema without USAGE are invisible.
      if (left === 'GRANT USAGE ON SCHEMA public TO copier' && side === 'source')
        return expect(code).toBe('NO_SUCH_TABLE')
      const [, right = '', on = ''] = /^GRANT (\w+) ON (?:SCHEMA |shop\.)?(\S+)/.exec(left) ?? []
      expect([finished.exitCode, code], `${message} ${reason} ${hint}`).not.toEqual([0, ''])
      const said = `${message} ${reason} ${hint}`
      expect(said).toMatch(new RegExp(`GRANT [A-Z, ]*\\b${right}\\b[A-Z, ]* (?:ON|on) `))
      if (system === 'postgresql') expect(said).toContain(on)
    },
  )
})
