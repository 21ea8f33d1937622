/** Problems of a sceptical user, with the program as it is started: each case was a bug once. */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Event } from '../../src/model/run/event.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'

const BIN = resolve(import.meta.dirname, '../../dist/cli/bin.js')
const ORDERS = resolve(import.meta.dirname, '../../fixtures/lake/sales/orders')
const DB = ['--database-url', 'sqlite:///catalog.db']

let folder: Folder
beforeAll(() => {
  folder = temporaryFolder()
  cpSync(ORDERS, join(folder.path, 'orders'), { recursive: true, preserveTimestamps: true })
  if (sluice('import', 'orders', ...DB).status !== 0) throw new Error('the table of these tests cannot be imported')
})
afterAll(() => folder[Symbol.dispose]())

type Ended = { readonly status: number | null; readonly stdout: string; readonly stderr: string }

function sluice(...words: readonly string[]): Ended {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...words], {
    cwd: folder.path,
    encoding: 'utf8',
    timeout: 30_000,
    // A hang must end with the output of this test, not with the timeout of the suite.
    killSignal: 'SIGKILL',
    env: { ...process.env, CI: '1', GITHUB_ACTIONS: '', SLUICE_DATABASE_URL: '' },
  })
  return { status, stdout, stderr }
}

/** The last event with `--json`. */
function ending(...words: readonly string[]): Event & { type: 'run.finished' } {
  const { stdout } = sluice(...words, '--json')
  const last = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Event
  if (last.type !== 'run.finished') throw new Error(`ended with ${last.type}`)
  return last
}

describe('paths that cannot be tables are usage errors, not internal errors', () => {
  test('a file is no table', () => {
    writeFileSync(join(folder.path, 'a-file'), '')
    expect(ending('import', 'a-file', ...DB).error).toMatchObject({
      code: 'NO_SUCH_TABLE',
      message: 'a-file is a file, not a table path and not a table id of the catalog',
    })
    expect(ending('discover', 'a-file/below').error?.code).toBe('NO_SUCH_PATH')
  })
  test('a URL of another system is no lake', () => {
    expect(ending('discover', 'gs://bucket/lake').error?.code).toBe('UNSUPPORTED_URL')
  })
})

describe('tables of a catalog', () => {
  beforeAll(() => {
    for (const place of ['lake/shop/orders', 'lake/shop/returns'])
      cpSync(ORDERS, join(folder.path, place), { recursive: true, preserveTimestamps: true })
    if (sluice('batch-import', 'lake', '--recursive', ...DB).status !== 0)
      throw new Error('the lake cannot be imported')
  })
  test('are found by the end of their path, as the UI lists them', () => {
    expect(ending('history', 'shop/orders', ...DB).exitCode).toBe(0)
    expect(ending('validate', 'returns', ...DB).error?.code ?? '').toBe('')
    expect(ending('migration-status', '--table-id', 'shop/returns', ...DB).totals['imports']).toBe('1')
  })
  test('with the same path end are refused with their ids', () => {
    expect(ending('history', 'shop/orders', ...DB).status).toBe('ok')
    cpSync(ORDERS, join(folder.path, 'other/shop/orders'), { recursive: true, preserveTimestamps: true })
    expect(sluice('import', 'other/shop/orders', ...DB).status).toBe(0)
    const { error } = ending('history', 'shop/orders', ...DB)
    expect(error?.code).toBe('AMBIGUOUS_TABLE')
    expect(error?.reason).toMatch(/other\/shop\/orders; |other\/shop\/orders$/)
  })
  test.each([
    [['history', 'shop/retruns', ...DB], '(shop/returns?)'],
    [['history', 'lake/shop/retruns'], '(lake/shop/returns?)'],
    [['history', 'shop/orders'], /\((?:lake|other)\/shop\/orders\?\)/],
    [['migration-status', '--table-id', 'shop/retruns', ...DB], '(shop/returns?)'],
    [
      ['copy', '--from', 'sqlite:///catalog.db', '--to', 'sqlite:///t.db', '--table', 'delta_tabels'],
      '(delta_tables?)',
    ],
    [['query', 'delta_tabels', 'SELECT 1', '--from', 'sqlite:///catalog.db'], '(delta_tables?)'],
  ])('with a typing error are refused with the likely name: %j', (words, meant) => {
    const { error } = ending(...words)
    expect(error?.code).toBe('NO_SUCH_TABLE')
    expect(error?.message).toMatch(meant)
  })
})

describe('URLs of a catalog', () => {
  test('may name their scheme in capitals', () => {
    expect(sluice('migration-status', '--database-url', 'SQLITE:///catalog.db').status).toBe(0)
  })
  test('accept no parameters, which would become part of the name', () => {
    expect(ending('import', 'orders', '--database-url', 'sqlite:///catalog.db?mode=ro').error?.code).toBe('BAD_CONFIG')
    expect(existsSync(join(folder.path, 'catalog.db?mode=ro'))).toBe(false)
  })
  test('must name a file', () => {
    expect(ending('import', 'orders', '--database-url', 'sqlite:///orders').error).toMatchObject({
      code: 'BAD_CONFIG',
      message: 'the database URL names a folder, not a file',
    })
    for (const url of ['sqlite:///orders', 'duckdb:///orders'])
      expect(ending('discover', url).error?.message).toBe('the database URL names a folder, not a file')
    writeFileSync(join(folder.path, 'a-file'), '')
    expect(ending('validate', 'orders', '--database-url', 'sqlite:///a-file/no.db').error?.reason).toBe(
      `The folder of the file does not exist: ${join(folder.path, 'a-file')}`,
    )
  })
  test('without a file are refused with a hint', () => {
    expect(ending('validate', 'orders', '--database-url', 'sqlite:///no.db').error).toMatchObject({
      message: 'Database connection failed',
      reason: 'The file does not exist',
      hint: 'Check database URL; the first import creates the catalog',
    })
  })
  test('relative to this folder are reported if they were meant to begin at the root', () => {
    const path = `${folder.path.slice(1)}/c.db`
    expect(ending('validate', 'orders', '--database-url', `sqlite:///${path}`).error?.hint).toBe(
      `Check database URL; the folder of the file must exist. sqlite:///${path} starts at this folder, sqlite:////${path} at the root`,
    )
  })
  test('without a catalog are reported when the log is used instead', () => {
    expect(sluice('files', 'orders', '--database-url', 'sqlite:///no.db').stderr).toContain(
      'there is no catalog at sqlite:///no.db: answered from the log of orders',
    )
  })
})

test('--report is checked before anything is measured', () => {
  const { error } = ending('performance-compare', 'orders', ...DB, '--report', 'nowhere/report.md')
  expect(error).toMatchObject({ code: 'BAD_FLAG', hint: 'name another file with --report; nothing was done yet' })
})

test.skipIf(!existsSync('/dev/full'))('a log file on a full disk neither blocks nor ends a run', () => {
  const { status, stderr } = sluice('import', 'orders', ...DB, '--log-file', '/dev/full')
  expect(stderr).toContain('the log file /dev/full cannot be written any more: ENOSPC')
  expect(status).toBe(0)
})

test('shortened lists are reported as such', () => {
  expect(sluice('history', 'orders', ...DB).stderr).toContain('there are older commits')
  expect(sluice('history', 'orders', ...DB, '--limit', '40').stderr).not.toContain('there are older commits')
  expect(sluice('files', 'orders', ...DB, '--limit', '2').stderr).toContain('there are more files')
  expect(sluice('files', 'orders', ...DB, '--limit', '31').stderr).not.toContain('there are more files')
})

describe('the command that rolls back', () => {
  test('leaves the dry run out and can be pasted whatever the name of the table', () => {
    const name = "-it's $(touch made)"
    cpSync(join(folder.path, 'orders'), join(folder.path, name), { recursive: true })
    const words = [...DB, '--', name]
    expect(sluice('import', ...words).status).toBe(0)
    const { resumeCommand = '' } = JSON.parse(
      sluice('rollback', '--dry-run', '--json', ...words)
        .stdout.trimEnd()
        .split('\n')
        .at(-1) ?? '',
    ) as { resumeCommand?: string }
    expect(resumeCommand).not.toContain('--dry-run')
    const typed = spawnSync('/bin/sh', ['-c', resumeCommand.replace('sluice', `'${process.execPath}' '${BIN}'`)], {
      cwd: folder.path,
      encoding: 'utf8',
      env: { ...process.env, CI: '1' },
    })
    expect(typed.stderr).toContain('removed from the catalog: delta_files 37')
    expect(typed.status).toBe(0)
    expect(existsSync(join(folder.path, 'made'))).toBe(false)
  })
})

test('export-log into a folder that cannot be created is no internal error', () => {
  mkdirSync(join(folder.path, 'out'))
  writeFileSync(join(folder.path, 'out/_delta_log'), '')
  expect(ending('export-log', 'orders', ...DB, '--to', 'out').error).toMatchObject({ code: 'TARGET_IO' })
})

test('a catalog that was damaged by hand can be repaired by the command in the hint', () => {
  cpSync(join(folder.path, 'orders'), join(folder.path, 'damaged'), { recursive: true })
  const own = ['--database-url', 'sqlite:///damaged.db']
  expect(sluice('import', 'damaged', ...own, '--table-id', "it's").status).toBe(0)
  const database = new Database(join(folder.path, 'damaged.db'))
  database.exec('DELETE FROM delta_files WHERE path = (SELECT min(path) FROM delta_active_files)')
  expect(ending('validate', 'damaged', ...own).error?.code).toBe('DIFFERENCES')
  const { error } = ending('rollback', 'damaged', ...own, '--confirm=damaged')
  expect(error?.code).toBe('NOT_SAFE')
  database.close()
  const way = /(sluice rollback .* --forget .*), then import again/.exec(error?.hint ?? '')?.[1] ?? 'no way'
  const typed = spawnSync('/bin/sh', ['-c', way.replace('sluice', `'${process.execPath}' '${BIN}'`)], {
    cwd: folder.path,
    env: { ...process.env, CI: '1' },
  })
  expect(typed.status).toBe(0)
  expect(sluice('import', 'damaged', ...own).status).toBe(0)
  expect(sluice('validate', 'damaged', ...own).status).toBe(0)
})
