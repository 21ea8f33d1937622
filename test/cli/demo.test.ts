import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { runDemo } from '../../src/cli/demo.ts'
import type { DemoOptions } from '../../src/cli/demo.ts'
import { openCliSession } from '../../src/cli/session.ts'
import type { Event, EventBody, RunStatus } from '../../src/model/run/event.ts'
import type { ErrorCode } from '../../src/shared/errors.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { stamped } from './recorded.ts'
import { fakeContext, playingEngine } from './surroundings.ts'
import type { Operation } from '../../src/app/operations/list.ts'

let cwd = ''
beforeEach(() => {
  cwd = mkdtempSync(path.join(tmpdir(), 'sluice-demo-'))
  mkdirSync(path.join(cwd, 'lake'))
})
afterEach(() => rmSync(cwd, { recursive: true }))

const ended = (command: string, middle: readonly EventBody[], exitCode = 0, status: RunStatus = 'ok'): Event[] =>
  stamped([
    [0, { type: 'run.started', command, tool: '0.1.0' }],
    ...middle.map((body) => [1, body] as const),
    [2, { type: 'run.finished', status, exitCode, totals: {}, ms: 2 }],
  ])

const table = (name: string, files: string, code?: ErrorCode): EventBody => ({
  type: 'table.finished',
  table: name,
  location: `/lake/${name}`,
  status: code === undefined ? 'ok' : 'failed',
  files,
  ms: 1,
  ...(code === undefined ? {} : { error: new SluiceError(code, 'why').info() }),
})

async function demo(
  tables: readonly EventBody[],
  options: Partial<DemoOptions> = {},
  validateExit = 0,
): Promise<{ exitCode: number; err: string; operations: Operation[] }> {
  const failed = tables.some((body) => 'error' in body)
  const { engine, started } = playingEngine((operation) => {
    if (operation.kind === 'batch-import')
      return ended('batch-import', tables, failed ? 1 : 0, failed ? 'failed' : 'ok')
    return ended(operation.kind, [], operation.kind === 'validate' ? validateExit : 0)
  })
  const around = fakeContext({ engine })
  const session = await openCliSession(around, {
    json: false,
    quiet: false,
    verbose: false,
    secrets: [],
    tool: '0.1.0',
  })
  const given = {
    lake: null,
    folder: './out',
    cwd,
    tool: '0.1.0',
    commandLine: 'sluice demo',
    ownLake: path.join(cwd, 'lake'),
  }
  const { exitCode } = await runDemo(session, { ...given, ...options })
  await session.close()
  return { exitCode, err: around.err(), operations: started.map(({ operation }) => operation) }
}

it('imports, proves every table, compares the largest, and prints the next command', async () => {
  const tables = [
    table('a', '3'),
    table('b', '40'),
    table('broken', '0', 'LOG_GAP'),
    table('managed', '0', 'TABLE_FEATURE'),
  ]
  const { exitCode, err, operations } = await demo(tables)
  expect(exitCode).toBe(0)
  const catalog = `sqlite:///${cwd}/out/lake.db`
  expect(operations.map(({ kind }) => kind)).toEqual(['batch-import', 'validate', 'validate', 'performance-compare'])
  expect(operations[0]).toMatchObject({ path: './lake', recursive: true, catalog })
  expect(operations[3]).toMatchObject({ table: '/lake/b', runs: 3, cold: false })
  expect(err).toContain('2 of 4 tables imported, 2 proved equal to their logs')
  expect(err).toContain('not imported on purpose: broken (LOG_GAP)')
  expect(err).toContain('not imported on purpose: managed (TABLE_FEATURE)')
  expect(err).toContain('sluice ./lake --database-url sqlite:///out/lake.db')
  expect(err.split('\n').filter((line) => line.length > 80)).toEqual([])
  expect(err.match(/ exit /g)).toHaveLength(1)
  expect(err).toMatch(/exit {5}0\n$/)
})

it('fails if a table is missing that is not meant to be', async () => {
  expect((await demo([table('a', '3'), table('b', '0', 'SOURCE_IO')])).exitCode).toBe(1)
  expect((await demo([table('b', '0', 'LOG_GAP')])).exitCode).toBe(1)
  expect((await demo([table('a', '3')], {}, 1)).exitCode).toBe(1)
})

it('excuses no failure in a lake of the user', async () => {
  const { exitCode, err } = await demo([table('a', '3'), table('b', '0', 'LOG_GAP')], { lake: './lake' })
  expect(exitCode).toBe(1)
  expect(err).not.toContain('on purpose')
})

it('fails without a lake, and creates nothing', async () => {
  await expect(demo([], { ownLake: path.join(cwd, 'none') })).rejects.toThrow(/there is no lake at/)
  expect(existsSync(path.join(cwd, 'out'))).toBe(false)
})
