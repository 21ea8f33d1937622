/** Small tables that readers have judged wrongly: `../shared/cases/lake`, each with what its conditions have to leave at least. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BIN, cleanEnv } from '../e2e/support/program.ts'

const CASES = path.join(process.env['SLUICE_SHARED'] ?? path.resolve('../shared'), 'cases/lake')

type Run = { readonly do: readonly string[]; readonly files?: readonly string[] }
type Case = { readonly name: string; readonly runs: readonly Run[] }

/** Cases with conditions; what fsck and validate have to say of the others is not asked here. */
const cases: readonly Case[] = (existsSync(CASES) ? readdirSync(CASES, { withFileTypes: true }) : [])
  .filter((one) => one.isDirectory())
  .map(({ name }) => ({
    name,
    runs: (JSON.parse(readFileSync(path.join(CASES, name, 'check.json'), 'utf8')) as { runs: Run[] }).runs.filter(
      ({ files }) => files !== undefined,
    ),
  }))
  .filter(({ runs }) => runs.length > 0)

describe.skipIf(cases.length === 0)('conditions on', { timeout: 60_000 }, () => {
  let folder = ''
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'sluice-cases-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  function sluice(...args: readonly string[]): { readonly code: number | null; readonly said: string } {
    const env = { ...cleanEnv(), HOME: folder }
    const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, '--json', ...args], {
      cwd: folder,
      env,
      encoding: 'utf8',
    })
    return { code: status, said: stdout + stderr }
  }

  const pathsOf = (said: string): readonly string[] =>
    said
      .split('\n')
      .filter((line) => line.includes('"type":"file"'))
      .map((line) => (JSON.parse(line) as { path: string }).path)

  test.each(cases)('$name leave the files in which rows are, of the log and of the catalog', ({ name, runs }) => {
    const table = path.join(CASES, name, 'table')
    const catalog = `sqlite:///${folder}/${name}.db`
    expect(sluice('import', table, '--database-url', catalog).code).toBe(0)
    for (const { do: words, files = [] } of runs) {
      const args = words.map((word) => (word === 'T' ? table : word))
      for (const more of [[], ['--database-url', catalog]]) {
        const ran = sluice(...args, ...more)
        expect(ran.code, ran.said).toBe(0)
        expect([args, ...more, ...pathsOf(ran.said)]).toEqual(expect.arrayContaining([...files]))
      }
    }
  })
})
