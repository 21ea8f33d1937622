/** `stores:` of the config file: a name is accepted wherever a URL is, and no secret is printed. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { commandLine } from '../../src/cli/parse/command-line.ts'
import { parseCommandLine } from '../../src/cli/parse/parse.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import { asSluiceError } from '../../src/shared/errors.ts'

let folder = ''
let file = ''
const FILE = `stores:
  prod: postgresql://app:geheim99@db.example/shop
  copy: sqlite:////data/copy.db
  lake: $LAKE_CATALOG
  cold: s3://cold/archive
  shelf: /archive
`
const ENV = { LAKE_CATALOG: 'mysql://app:auchgeheim@db.example/lake' }

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sluice-stores-'))
  file = path.join(folder, 'sluice.yaml')
  writeFileSync(file, FILE)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function operation(words: string, more = '', alone = false): Promise<Operation> {
  if (more !== '') writeFileSync(file, alone ? more : FILE + more)
  const { request } = await parseCommandLine([...words.split(' '), '--config', file], ENV)
  writeFileSync(file, FILE)
  if (request.kind !== 'operation') throw new Error(request.kind)
  return request.operation
}

async function refusal(words: string, text = FILE): Promise<string> {
  writeFileSync(file, text)
  try {
    await parseCommandLine([...words.split(' '), '--config', file], ENV)
  } catch (error) {
    const { code, message, hint } = asSluiceError(error).info()
    return `${code} ${message}: ${hint}`
  } finally {
    writeFileSync(file, FILE)
  }
  return 'taken'
}

const PROD = 'postgresql://app:geheim99@db.example/shop'

it('a name replaces a URL in --from, --to and --database-url, and in defaults of the file', async () => {
  expect(await operation('copy --from prod --to copy --table t')).toMatchObject({
    from: PROD,
    to: 'sqlite:////data/copy.db',
  })
  expect(await operation('copy --table t', 'from: prod\nto: copy\n')).toMatchObject({
    from: PROD,
    to: 'sqlite:////data/copy.db',
  })
  expect(await operation('runs --database-url lake')).toMatchObject({ catalog: ENV.LAKE_CATALOG })
  expect(await operation('runs', 'database-url: lake\n')).toMatchObject({ catalog: ENV.LAKE_CATALOG })
})

it('a name replaces a path and a URL in variables; an existing path takes precedence', async () => {
  expect(await operation('discover prod')).toMatchObject({ kind: 'discover-database', url: PROD })
  expect(await operation('discover cold')).toMatchObject({ kind: 'discover', path: 's3://cold/archive' })
  expect(await operation('doctor copy')).toMatchObject({ kind: 'doctor', catalog: 'sqlite:////data/copy.db' })
  expect(await operation('batch-import cold --database-url lake')).toMatchObject({
    path: 's3://cold/archive',
    catalog: ENV.LAKE_CATALOG,
  })
  // A folder of this name exists.
  expect(await operation('discover src', 'stores: {src: sqlite:///x.db}\n', true)).toMatchObject({ path: 'src' })
  const opened = async (...words: readonly string[]): Promise<unknown> =>
    (await parseCommandLine([...words, '--config', file], ENV)).request
  const screen = await opened('prod')
  expect(screen).toMatchObject({ kind: 'open', target: PROD })
  // The screen lists all stores, with the error of one that cannot be resolved.
  expect(screen).toHaveProperty('stores', expect.arrayContaining([{ name: 'prod', url: PROD }]))
  const unset = await parseCommandLine(['.', '--config', file], {})
  expect(unset.request).toHaveProperty(
    'stores',
    expect.arrayContaining([
      expect.objectContaining({ name: 'lake', error: expect.objectContaining({ code: 'BAD_CONFIG' }) }),
    ]),
  )
  expect(await opened('copy', '--table', 't', '--from', 'prod', '--to', 'copy')).toMatchObject({ kind: 'operation' })
  const asked = async (words: string, env: Readonly<Record<string, string>>): Promise<unknown> => {
    const { request } = await parseCommandLine([...words.split(' '), '--config', file], { ...ENV, ...env })
    return request.kind === 'operation' ? request.operation : request
  }
  expect(await asked('runs', { SLUICE_DATABASE_URL: 'lake' })).toMatchObject({ catalog: ENV.LAKE_CATALOG })
  expect(await asked('archive list', { DATABASE_URL: 'prod' })).toMatchObject({ from: PROD })
})

it('a name is accepted as a place of archives; any other word is a folder', async () => {
  const run = (to: string): Promise<Operation> =>
    operation(`archive run --from prod --table t --older-than 8q --to ${to}`)
  expect(await run('cold')).toMatchObject({ from: PROD, to: 's3://cold/archive' })
  expect(await run('shelf')).toMatchObject({ to: '/archive' })
  expect(await run('folder')).toMatchObject({ to: 'folder' })
})

it('an unknown name is refused, and the error lists the known names without a URL', async () => {
  for (const words of ['copy --from prdo --to copy --table t', 'archive list --from prdo']) {
    expect(await refusal(words)).toBe(
      'BAD_FLAG --from is neither a URL nor the name of a store: prdo (prod?): the stores of the config file are prod, copy, lake, cold, shelf',
    )
  }
  expect(await refusal('runs --database-url laek')).toBe(
    'BAD_FLAG --database-url is neither a URL nor the name of a store: laek (lake?): the stores of the config file are prod, copy, lake, cold, shelf',
  )
})

it('an unset variable and an invalid URL of a store are errors that do not show the value', async () => {
  expect(await refusal('copy --from prod --to x --table t', 'stores: {prod: $NOTHING, x: sqlite:///x.db}')).toContain(
    'BAD_CONFIG the variable NOTHING is not set, but stores.prod of the config file uses it',
  )
  const wrong = await refusal('copy --from prod --table t', 'stores: {prod: geheim99}')
  expect(wrong).toContain('stores.prod: is not a URL, a $VARIABLE or a path')
  expect(wrong).not.toContain('geheim99')
  expect(await refusal('copy --from a --table t', 'stores: {"a/b": "sqlite:///x.db"}')).toContain('BAD_CONFIG')
})

it('a printed command has the name of the store and the config file, and no password', async () => {
  const words = ['copy', '--from', 'prod', '--to', 'copy', '--table', 't', '--config', file]
  expect(commandLine(words, null, ['geheim99'])).toBe(`sluice ${words.join(' ')}`)
  const { request } = await parseCommandLine(words, ENV)
  const next = request.kind === 'operation' ? request.reported?.next : undefined
  const finished = {
    type: 'run.finished',
    status: 'failed',
    exitCode: 1,
    ms: 1,
    totals: { chunks: '2', proved: '2', quarantined: '1' },
    error: { code: 'ROWS_ASIDE', message: 'm', retryable: false },
  } as const
  expect(next?.(finished, '7')).toMatch(/^sluice .*7 --config \S+ --from prod --to copy$/)
})
