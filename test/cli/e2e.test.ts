/** The built program as a process, on the demo lake. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Event } from '../../src/model/run/event.ts'
import { headless } from '../e2e/support/program.ts'
import { ALL } from '../support/backend.ts'
import { eventSchema } from './event-schema.ts'

const root = path.join(import.meta.dirname, '..', '..')
const bin = path.join(root, 'dist', 'cli', 'bin.js')
const lake = path.join(root, 'fixtures', 'lake')
const orders = path.join(lake, 'sales', 'orders')

let cwd = ''
beforeAll(() => {
  cwd = mkdtempSync(path.join(tmpdir(), 'sluice-e2e-'))
})
afterAll(() => rmSync(cwd, { recursive: true }))

/** The parent's environment without variables that select a frontend. */
function cleanEnv(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const env = { ...process.env }
  for (const name of ['CI', 'GITHUB_ACTIONS', 'FORCE_COLOR', 'NO_COLOR', 'SLUICE_DATABASE_URL']) delete env[name]
  return { ...env, ...more }
}

type Result = { readonly code: number | null; readonly out: string; readonly err: string }

function sluice(argv: readonly string[], env: Readonly<Record<string, string>> = {}, program = bin): Result {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...argv], {
    cwd,
    env: cleanEnv(env),
    encoding: 'utf8',
  })
  return { code: status, out: stdout, err: stderr }
}

/** Runs with --json and validates each line. */
function events(
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): { readonly code: number | null; readonly lines: Event[] } {
  const { code, out } = sluice([...argv, '--json'], env)
  const lines = out
    .trimEnd()
    .split('\n')
    .map((line) => eventSchema.parse(JSON.parse(line)))
  expect(lines.map(({ seq }) => seq)).toEqual(lines.map((_line, index) => index + 1))
  expect(lines[0]?.type).toBe('run.started')
  const last = lines.at(-1)
  expect(last).toMatchObject({ type: 'run.finished', exitCode: code })
  return { code, lines }
}

describe('without the engine', () => {
  it('prints --help and --version, and loads few modules for them', () => {
    const coverage = path.join(cwd, 'coverage')
    const { code, out } = sluice(['--help'], { NODE_V8_COVERAGE: coverage })
    expect(code).toBe(0)
    expect(out).toContain('Usage: sluice [PATH|URL]')
    const loaded = readdirSync(coverage).flatMap((file) =>
      [...readFileSync(path.join(coverage, file), 'utf8').matchAll(/"url":"(file:[^"]+)"/g)].map(
        (match) => match[1] ?? '',
      ),
    )
    expect(loaded.length).toBeGreaterThan(0)
    // Only the packages that measure text width, and of the program the entry and its shared modules.
    const light = /\/node_modules\/(?:string-width|strip-ansi|get-east-asian-width|ansi-regex)\//
    const heavy = loaded.filter((url) => url.includes('/node_modules/') && !light.test(url))
    expect(loaded.length - heavy.length).toBeLessThan(20)
    expect(heavy).toEqual([])
    expect(sluice(['--version']).out).toMatch(/^\d+\.\d+\.\d+\n$/)
    expect(sluice(['help', 'import']).out).toContain('--table-id')
  })
  it('reports usage errors with exit code 2', () => {
    expect(sluice(['discovr'])).toMatchObject({ code: 2, out: '' })
    expect(sluice(['--tui'])).toMatchObject({ code: 2 })
    expect(sluice(['import', 'x', '--database-url'])).toMatchObject({ code: 2 })
    expect(sluice(['import', '', '--json', '--database-url', '']).code).toBe(2)
  })
})

describe('the seven commands of the guide, and back', () => {
  const env = { SLUICE_DATABASE_URL: 'sqlite:///lake.db' }

  it('discover', () => {
    const { code, lines } = events(['discover', lake, '--recursive'])
    expect(code).toBe(0)
    expect(lines.filter((event) => event.type === 'table')).toHaveLength(6)
    expect(sluice(['discover', lake, '--recursive']).out.split('\n')).toHaveLength(8)
    expect(events([lake]).lines.filter((event) => event.type === 'table')).toHaveLength(6)
  })
  it('batch-import ends with 1 because of the broken table, and import names the cause', () => {
    const dry = events(['batch-import', lake, '--recursive', '--dry-run'], env)
    expect(dry.lines.some((event) => event.type === 'plan.ready' && event.details?.length === 6)).toBe(true)
    expect(readdirSync(cwd)).not.toContain('lake.db')
    const { code, lines } = events(
      ['batch-import', lake, '--recursive', '--parallel', '2', '--exclude', 'nothing'],
      env,
    )
    expect(code).toBe(1)
    const statuses = lines.flatMap((event) => (event.type === 'table.finished' ? [event.status] : []))
    expect(statuses.toSorted()).toEqual(['failed', 'ok', 'ok', 'ok', 'ok', 'refused'])
    expect(sluice(['import', path.join(lake, 'legacy', 'broken')], env)).toMatchObject({ code: 3 })
    expect(sluice(['import', path.join(lake, 'staging', 'managed')], env)).toMatchObject({ code: 6 })
    expect(events(['import', orders, '--resume', '--verbose'], env).code).toBe(0)
  })
  it('validate, performance-compare', () => {
    expect(events(['validate', orders, '--verbose'], env).code).toBe(0)
    const { code, lines } = events(['performance-compare', orders, '--runs', '1', '--no-cold'], env)
    expect(code).toBe(0)
    expect(lines.filter((event) => event.type === 'question').length).toBeGreaterThan(5)
  })
  it('history, files, changes', () => {
    expect(events(['history', orders, '--limit', '3']).lines.filter((event) => event.type === 'commit')).toHaveLength(3)
    expect(events(['files', orders, '--version', '5'], env).code).toBe(0)
    expect(events(['changes', orders, '--from-version', '22', '--to-version', '24'], env).code).toBe(0)
    expect(events(['files', orders, '--version', '999'], env)).toMatchObject({ code: 2 })
  })
  it('migration-status, verify-rollback, rollback, runs', () => {
    const { lines } = events(['migration-status'], env)
    const row = lines.find((event) => event.type === 'run' && event.table.startsWith('orders-'))
    const id = row?.type === 'run' ? row.table : ''
    expect(id).toMatch(/^orders-[0-9a-f]{8}$/)
    expect(events(['migration-status', '--table-id', id], env).code).toBe(0)
    expect(events(['verify-rollback', id], env).code).toBe(0)
    expect(events(['rollback', id], env).lines.at(-1)).toMatchObject({
      exitCode: 2,
      error: { code: 'MISSING_CONFIRM' },
    })
    expect(events(['rollback', id, `--confirm=${id}`], env).code).toBe(0)
    expect(events(['validate', id], env).code).not.toBe(0)
    expect(events(['runs'], env).code).toBe(0)
  })
})

describe('a reader that leaves', () => {
  it('does not make a list fail', async () => {
    const child = spawn(process.execPath, [bin, 'discover', lake, '-r', '--json'], { cwd, env: cleanEnv() })
    child.stdout.once('data', () => child.stdout.destroy())
    let err = ''
    child.stderr.on('data', (chunk: Buffer) => {
      err += chunk.toString()
    })
    const code = await new Promise((resolve) => child.once('close', resolve))
    expect({ code, err }).toEqual({ code: 0, err: '' })
  })
  it.skipIf(process.platform !== 'linux')('a full disk is an error', () => {
    const { status, stderr } = spawnSync(
      '/bin/sh',
      ['-c', `"${process.execPath}" "${bin}" discover "${lake}" -r >/dev/full`],
      {
        env: cleanEnv(),
        encoding: 'utf8',
      },
    )
    expect(status).toBe(4)
    expect(stderr).toContain('the output cannot be written')
  })
})

it('npm start without arguments is the demo, and a signal ends it cleanly', { timeout: 120_000 }, async () => {
  const start = path.join(root, 'dist', 'cli', 'start.js')
  const demo = headless(cwd, [], start)
  if (!ALL) {
    // The last step runs the same query seven times, each in a program of its own, which takes longer than all steps
    // before.
    await demo.until(({ err }) => err().includes('start    performance-compare'))
    demo.child.kill('SIGINT')
  }
  expect(await demo.ended).toEqual({ code: ALL ? 0 : 130, signal: null })
  expect(demo.err()).toContain('4 of 6 tables imported, 4 proved equal to their logs')
  expect(demo.err()).toMatch(/not imported(?: on purpose)?: staging\/managed \(TABLE_FEATURE\)/)
  if (ALL) expect(demo.err()).toContain('not imported on purpose: legacy/broken (LOG_GAP)')
  expect(readdirSync(path.join(cwd, 'sluice-demo'))).toContain('lake.db')
  expect(sluice(['--version'], {}, start).out).toMatch(/^\d/)
})
