/**
 * `sync` and `prune` on the command line: the operations they start, and what they refuse before anything is opened.
 */
import { describe, expect, it } from 'vitest'
import { parseCommandLine } from '../../src/cli/parse/parse.ts'
import { SluiceError } from '../../src/shared/errors.ts'

const DB = 'sqlite:///catalog.db'

async function asked(line: string): Promise<unknown> {
  try {
    const { request } = await parseCommandLine(`${line} --database-url ${DB}`.split(' '), {})
    return request.kind === 'operation' ? request.operation : request.kind
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error
    return `${error.code} ${error.message}`
  }
}

describe('sync', () => {
  const base = {
    kind: 'sync',
    catalog: DB,
    watch: false,
    intervalMs: 30_000,
    batchSize: 10_000,
    parallel: 2,
    waitMs: 10_000,
  }
  it.each([
    ['sync /a b', { ...base, tables: ['/a', 'b'] }],
    ['sync --all', { ...base, tables: [] }],
    [
      'sync --all --watch --interval 5m --parallel 8 --batch-size 7',
      { ...base, tables: [], watch: true, intervalMs: 300_000, parallel: 8, batchSize: 7 },
    ],
    ['sync', 'BAD_FLAG no table to sync is named'],
    ['sync a --all', 'BAD_FLAG TABLE and --all exclude each other'],
    ['sync --all --interval 10ms', 'BAD_FLAG --interval must be at least 1.0 s, not 10ms'],
  ])('%s', async (line, expected) => {
    expect(await asked(line)).toEqual(expected)
  })
})

describe('partition ensure', () => {
  it('names the smallest lock timeout in milliseconds', async () => {
    const line = 'partition ensure --from postgresql://db/shop --table t --ahead 1 --lock-timeout 0ms'
    expect(await asked(line)).toBe('BAD_FLAG --lock-timeout must be at least 1.00 ms, not 0ms')
  })
})

describe('a flag under its former name', () => {
  const [copy, shared] = [
    'copy --from mysql://db/shop --to postgresql://db/cold --table t',
    '--distributed --connect postgresql://db/queue',
  ]
  const ensure = 'partition ensure --from postgresql://db/shop --table t --ahead 1'
  const plan = 'partition plan --from postgresql://db/shop --table t --by at'
  it.each([
    [`${copy} --follow --lanes 2`, `${copy} --follow --apply-workers 2`],
    [`${copy} ${shared} --slots=2`, `${copy} ${shared} --tasks=2`],
    [`${plan} --lanes 2`, `${plan} --workers 2`],
    [`${ensure} --patience 1s --budget 2s`, `${ensure} --lock-timeout 1s --retry-limit 2s`],
  ])('%s', async (former, current) => {
    const answer = await asked(former)
    expect(typeof answer).toBe('object')
    expect(answer).toEqual(await asked(current))
  })
})

describe('prune', () => {
  const base = { kind: 'prune', catalog: DB, dryRun: false, waitMs: 10_000 }
  it.each([
    ['prune t --keep-versions 3', { ...base, tables: ['t'], keep: { versions: 3 } }],
    ['prune --all --older-than 30d -n', { ...base, tables: [], keep: { forMs: 2_592_000_000 }, dryRun: true }],
    ['prune --keep-versions 3', 'BAD_FLAG no table to prune is named'],
    ['prune t', 'BAD_FLAG the versions to remove are not given'],
    ['prune t --keep-versions 0', 'BAD_FLAG --keep-versions must be a whole number of at least 1, not 0'],
    ['prune t --keep-versions 3 --older-than 1d', 'BAD_FLAG --keep-versions and --older-than exclude each other'],
  ])('%s', async (line, expected) => {
    expect(await asked(line)).toEqual(expected)
  })
})
