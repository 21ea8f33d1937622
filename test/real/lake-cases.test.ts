/**
 * Small tables that readers have judged wrongly: `../shared/cases/lake`. The `check.json` of each folder has the
 * expected findings of fsck and validate, and the files that conditions must return. New folders are found
 * automatically.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseCommandLine } from '../../src/cli/parse/parse.ts'
import type { Event } from '../../src/model/run/event.ts'
import { fsckOf, importOf, perform, validateOf, type Performed } from './operation-kit.ts'

const CASES = path.join(process.env['SLUICE_SHARED'] ?? path.resolve('../shared'), 'cases/lake')

type Run = {
  /** `judge`: fsck --deep and validate; otherwise the words of a command, with `T` for the table. */
  readonly do: 'judge' | readonly string[]
  /** Exit code of a check: null means success with a note. */
  readonly exit?: number | null
  readonly says?: readonly string[]
  /** Files that a condition must return at least. */
  readonly files?: readonly string[]
}
type Case = { readonly name: string; readonly runs: readonly Run[] }

const cases: readonly Case[] = (existsSync(CASES) ? readdirSync(CASES, { withFileTypes: true }) : [])
  .filter((one) => one.isDirectory())
  .map(({ name }) => ({
    name,
    runs: (JSON.parse(readFileSync(path.join(CASES, name, 'check.json'), 'utf8')) as { runs: Run[] }).runs,
  }))

/** What an event reports about a table, without the table's own name. */
function saidOf(events: readonly Event[]): string {
  return events
    .filter(({ type }) => ['fsck.finding', 'verify.mismatch', 'log'].includes(type))
    .map((event) => JSON.stringify({ ...event, table: undefined }).replaceAll(/[\w/.-]+\/table\b/g, 'T'))
    .join('\n')
}

describe.skipIf(cases.length === 0)('the case', { timeout: 60_000 }, () => {
  let folder = ''
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'sluice-cases-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  /** A command in this process: parsed as typed, and its events as the lines that `--json` prints. */
  async function sluice(...args: readonly string[]): Promise<{
    readonly code: number
    readonly said: string
    readonly paths: readonly string[]
  }> {
    const { request } = await parseCommandLine(args, {})
    if (request.kind !== 'operation') throw new Error(`${args.join(' ')} is no operation`)
    const { events, finished } = await perform(request.operation)
    return {
      code: finished.exitCode,
      said: events.map((event) => JSON.stringify(event)).join('\n'),
      paths: events.flatMap((event) => (event.type === 'file' ? [event.path] : [])),
    }
  }

  async function judge(table: string, catalog: string, { exit, says = [] }: Run): Promise<void> {
    const ran: readonly Performed[] = [
      await perform(validateOf(table, catalog)),
      await perform(fsckOf(table, { deep: true })),
    ]
    const said = ran.map(({ events }) => saidOf(events)).join('\n')
    const codes = ran.map(({ finished }) => (finished.error?.code ?? 'OK').replace('DIFFERENCES', 'wrong'))
    if (exit === 1) expect(codes, said).toContain('wrong')
    if (exit === 0) expect(codes, said).toEqual(['OK', 'OK'])
    for (const word of says) expect(said).toContain(word)
  }

  test.each(cases)('$name has the results of its check.json', async ({ name, runs }) => {
    const table = path.join(CASES, name, 'table')
    const catalog = `sqlite:///${folder}/${name}.db`
    expect((await perform(importOf(table, catalog))).finished.status).toBe('ok')
    for (const run of runs) {
      if (run.do === 'judge') {
        await judge(table, catalog, run)
        continue
      }
      const args = run.do.map((word) => (word === 'T' ? table : word))
      // A condition is evaluated on the catalog and on the log, a comparison on both at once.
      const sides =
        run.do[0] === 'files'
          ? [[], ['--database-url', catalog]]
          : run.do[0] === 'fsck'
            ? [[]]
            : [['--database-url', catalog]]
      for (const more of sides) {
        const { code, said, paths } = await sluice(...args, ...more)
        expect(code, said).toBe(run.exit ?? 0)
        for (const word of run.says ?? []) expect(said).toContain(word)
        if (run.files !== undefined) expect(paths).toEqual(expect.arrayContaining([...run.files]))
      }
    }
  })
})
