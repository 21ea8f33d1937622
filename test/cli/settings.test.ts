/** `--settings migrator_settings.yaml`: the keys of the parallel script's file, and their effect. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseCommandLine } from '../../src/cli/parse/parse.ts'
import { MigratorLines, migratorLogFrontend } from '../../src/cli/settings/migrator-log.ts'
import { parseSettings, readSettingsFile } from '../../src/cli/settings/settings-file.ts'
import { ScriptLines } from '../../src/render/script-lines.ts'
import { blockText } from '../../src/cli/output/render-text.ts'
import { reportAt } from '../../src/render/block.ts'
import { CopySummary } from '../../src/engine/copy/compat/script/summary.ts'
import type { CopyOperation } from '../../src/engine/copy/operations/copy/declaration.ts'
import { presetBySize, SCRIPT_PRESETS } from '../../src/model/copy/script-presets.ts'
import type { CopyEvent } from '../../src/engine/copy/copy-run.ts'
import type { Event, EventBody } from '../../src/model/run/event.ts'
import { asSluiceError, type SluiceError } from '../../src/shared/errors.ts'
import { redactValue } from '../../src/shared/redact.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sluice-settings-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const FILE = 'migrator_settings.yaml'
const fails = (text: string): SluiceError => {
  try {
    parseSettings(text, FILE)
  } catch (error) {
    return asSluiceError(error)
  }
  throw new Error('it was taken')
}

describe('migrator_settings.yaml', () => {
  it('is read as the script documents it', () => {
    const text = `MAX_WORKERS: 5              # Parallel threads (1-10 recommended)
BATCH_INSERT_SIZE: 50       # Batch size (10-100 recommended)
FETCH_BATCH_SIZE: 100       # Chunk size (50-500 recommended)
`
    expect(parseSettings(text, FILE)).toEqual({ values: { workers: 5, batchRows: 50, pageRows: 100 }, warnings: [] })
  })
  it.each(['', '# nothing yet\n', '---\n', '{}\n'])('may be empty: %j', (text) => {
    expect(parseSettings(text, FILE)).toEqual({ values: {}, warnings: [] })
  })
  it('of an older version is accepted, and its keys are named', () => {
    const { values, warnings } = parseSettings('HOSTS: [10.0.0.1]\nPASSWORD: geheim99\n', FILE)
    expect(values).toEqual({})
    expect(warnings).toEqual([
      'keys that are not known are left out: HOSTS, PASSWORD; hosts and tables come from --from, --to and --table',
    ])
    expect(JSON.stringify(warnings)).not.toContain('geheim99')
  })
  it('has a warning with the likely name of an unknown key', () => {
    expect(parseSettings('max_workers: 3\nBATCH_INSERT_SIZ: 20\n', FILE).warnings[0]).toContain(
      'max_workers (MAX_WORKERS?), BATCH_INSERT_SIZ (BATCH_INSERT_SIZE?)',
    )
  })
  it('has a warning for a value outside the recommended range, which is still used', () => {
    const { values, warnings } = parseSettings('MAX_WORKERS: 20\nBATCH_INSERT_SIZE: 5\nFETCH_BATCH_SIZE: 1000\n', FILE)
    expect(values).toEqual({ workers: 20, batchRows: 5, pageRows: 1000 })
    expect(warnings).toEqual([
      'MAX_WORKERS is 20, and 1 to 10 are recommended',
      'BATCH_INSERT_SIZE is 5, and 10 to 100 are recommended',
      'FETCH_BATCH_SIZE is 1,000, and 50 to 500 are recommended',
    ])
  })
  it('has a warning for a value above the maximum, which is used in its place', () => {
    const { values, warnings } = parseSettings('MAX_WORKERS: 500\n', FILE)
    expect(values).toEqual({ workers: 64 })
    expect(warnings[0]).toContain('64 are used')
  })
  it.each([
    ['MAX_WORKERS: 0', 1],
    ['BATCH_INSERT_SIZE: 50\nMAX_WORKERS: -3', 2],
    ['\n\nFETCH_BATCH_SIZE: 2.5', 3],
    ['MAX_WORKERS: many', 1],
    ['MAX_WORKERS: "5"', 1],
    ['MAX_WORKERS:', 1],
    ['MAX_WORKERS: [5]', 1],
    ['MAX_WORKERS: .nan', 1],
    ['MAX_WORKERS: 5\nMAX_WORKERS: 6', 2],
    ['MAX_WORKERS: [5', 1],
    ['just words', 1],
  ])('%j is refused, and the error has the line', (text, line) => {
    const error = fails(text)
    expect(error.code).toBe('BAD_CONFIG')
    expect(error.where).toBe(`${FILE}:${line}`)
  })
  it('is an error if it does not exist', () => {
    expect(() => readSettingsFile(path.join(folder, 'none.yaml'))).toThrow('the settings file cannot be read')
  })
})

describe('presets', () => {
  it('have the values of the tuning table', () => {
    expect(SCRIPT_PRESETS.small).toEqual({ workers: 3, batchRows: 25, pageRows: 50 })
    expect(SCRIPT_PRESETS.medium).toEqual({ workers: 5, batchRows: 50, pageRows: 100 })
    expect(SCRIPT_PRESETS.large).toEqual({ workers: 8, batchRows: 100, pageRows: 500 })
    const { workers, batchRows } = SCRIPT_PRESETS.unstable
    expect(workers >= 2 && workers <= 3 && batchRows >= 10 && batchRows <= 25).toBe(true)
  })
  it('are chosen by the number of rows', () => {
    expect([0n, 999n, 1000n, 10_000n, 10_001n].map(presetBySize)).toEqual([
      'small',
      'small',
      'medium',
      'medium',
      'large',
    ])
  })
})

describe('copy --settings', () => {
  it('with auto prints that the size of the table decides', async () => {
    const { told: reported } = await asked(null, '--preset', 'auto')
    expect(JSON.stringify(reported)).toContain(
      'N workers, batches of N rows, pages of N; N depends on the size of the largest table',
    )
  })
  const ENDS = ['--from', 'cassandra://a/ks', '--to', 'cassandra://b/ks', '--table', 'ks.t']
  const asked = async (
    yaml: string | null,
    ...words: string[]
  ): Promise<{ operation: CopyOperation; told: object }> => {
    const file = path.join(folder, FILE)
    if (yaml !== null) writeFileSync(file, yaml)
    const settings = yaml === null ? [] : ['--settings', file]
    const { request } = await parseCommandLine(['copy', ...ENDS, ...settings, ...words], {})
    if (request.kind !== 'operation' || request.operation.kind !== 'copy') throw new Error('no copy')
    return { operation: request.operation, told: request.reported ?? {} }
  }

  it('has the defaults of the script', async () => {
    const { operation, told: reported } = await asked('')
    expect(operation).toMatchObject({
      workers: 5,
      cassandra: { batchRows: 50, pageRows: 100, fallBackToOne: true },
      maxAside: Number.MAX_SAFE_INTEGER,
      onExisting: 'upsert',
      script: {},
    })
    expect(reported).toMatchObject({ log: 'migrator.log', warnings: [] })
  })
  it('flags override the file, and the file overrides the preset', async () => {
    const { operation } = await asked('MAX_WORKERS: 7\nBATCH_INSERT_SIZE: 80\n', '--preset', 'large', '--workers', '2')
    expect(operation).toMatchObject({ workers: 2, cassandra: { batchRows: 80, pageRows: 500 } })
  })
  it('accepts a preset without a file', async () => {
    const { operation } = await asked(null, '--preset', 'unstable', '--page-rows', '70', '--batch-rows', '12')
    expect(operation).toMatchObject({ workers: 2, cassandra: { batchRows: 12, pageRows: 70 } })
  })
  it('with auto chooses only values that are not set', async () => {
    const { operation } = await asked('MAX_WORKERS: 7\n', '--preset', 'auto')
    expect(operation).toMatchObject({ workers: 7, script: { auto: ['batchRows', 'pageRows'] } })
  })
  it('keeps --max-aside and --on-existing if they are given', async () => {
    const { operation } = await asked('', '--max-aside', '3', '--on-existing', 'refuse')
    expect(operation).toMatchObject({ maxAside: 3, onExisting: 'refuse' })
  })
  it('differs from a copy without settings', async () => {
    const { operation, told: reported } = await asked(null)
    expect(operation).toMatchObject({ workers: 4, maxAside: 1000, onExisting: 'refuse' })
    expect(operation.script).toBeUndefined()
    expect(operation.cassandra?.fallBackToOne).toBeUndefined()
    expect(reported).not.toHaveProperty('log')
  })
  it('refuses an unknown preset', async () => {
    await expect(asked(null, '--preset', 'huge')).rejects.toMatchObject({ code: 'BAD_FLAG' })
  })
})

const at = (body: EventBody, seq = 1): Event => ({ v: 1, seq, ts: '2026-11-20T12:04:16.204Z', runId: '1', ...body })
const STARTED: CopyEvent = {
  type: 'copy.started',
  table: 'ks.orders',
  to: 'ks.orders',
  rows: '10',
  estimated: true,
  key: ['tenant', 'region', 'at'],
  ring: { partitioner: 'murmur3', columns: 2 },
  chunkRows: '10',
  chunks: '1',
  done: { chunks: '0', rows: '0' },
}
const ASIDE: CopyEvent = {
  type: 'row.aside',
  table: 'ks.orders',
  chunk: '3',
  key: ['7', 'eu', '2026-01-01'],
  error: { code: 'ROW_REFUSED', message: 'the value is too large', retryable: false },
}

describe('migrator.log', () => {
  it('names failed rows with table, partition and key, and whether the error is recoverable', () => {
    const lines = new MigratorLines()
    const text = [
      STARTED,
      ASIDE,
      {
        type: 'chunk.retried',
        table: 'ks.orders',
        chunk: '4',
        attempt: 2,
        waitMs: 400,
        error: { code: 'CONNECTION_LOST', message: 'no host answers', retryable: true },
      } satisfies CopyEvent,
      {
        type: 'rows.fallback',
        table: 'ks.orders',
        level: 'ONE',
        rows: '1',
        keys: [['8', 'us', 'x']],
      } satisfies CopyEvent,
      {
        type: 'chunk.done',
        table: 'ks.orders',
        chunk: '4',
        worker: 2,
        done: '5000',
        unit: 'row',
        ms: 2000,
        written: '5000',
        bytes: '100000',
      } satisfies CopyEvent,
    ]
      .map((body) => lines.event(at(body)))
      .join('')
    expect(text).toContain(
      '2026-11-20T12:04:16.204Z ERROR   ks.orders row failed: partition tenant 7, region eu; row at 2026-01-01 (chunk 3): ROW_REFUSED the value is too large (not recoverable)\n',
    )
    expect(text).toContain(
      'WARNING ks.orders chunk 4 retry 2 in 0.4 s: CONNECTION_LOST no host answers (recoverable)\n',
    )
    expect(text).toContain('WARNING ks.orders row written at ONE only, to be checked again: partition tenant 8')
    expect(text).toContain('INFO    ks.orders chunk 4 done: 5,000 rows (100 KB) in 2.0 s, 2,500 rows/s, worker 2\n')
  })
  it('has the stack of an unexpected error', () => {
    const error = asSluiceError(new TypeError('no such thing\nat all')).info()
    const text = new MigratorLines().event(
      at({ type: 'run.finished', status: 'failed', exitCode: 70, totals: {}, ms: 1, error }),
    )
    expect(text).toMatch(/ERROR {3}FAILED/)
    expect(text).toMatch(/^ {4}\s*at .*settings\.test\.ts/m)
    expect(text.split('\n').every((line) => line === '' || /^(?:2026-|\s{4})/.test(line))).toBe(true)
  })
  it('is appended to, and contains no secret', () => {
    const file = path.join(folder, 'migrator.log')
    for (const no of [1, 2]) {
      const face = migratorLogFrontend(file, (event) => redactValue(event, ['geheim99']))
      face.event(at({ type: 'log', level: 'warn', message: `try ${no} of cassandra://u:geheim99@h/k` }), false)
      void face.close()
    }
    const text = readFileSync(file, 'utf8')
    expect(text.split('\n')).toHaveLength(3)
    expect(text).toContain('WARNING')
    expect(text).not.toContain('geheim99')
  })
  it('is an error if its folder does not exist', () => {
    expect(() => migratorLogFrontend(path.join(folder, 'none', 'migrator.log'), (event) => event)).toThrow(
      'cannot be opened',
    )
  })
})

describe('the final summary', () => {
  it('lists tables with problems first, with their counts, times and errors', () => {
    const summary = new CopySummary()
    const done = (table: string, written: string, quarantined: string): CopyEvent => ({
      type: 'chunk.done',
      table,
      chunk: '1',
      worker: 1,
      done: written,
      unit: 'row',
      ms: 1000,
      written,
      quarantined,
    })
    const lost = { code: 'CONNECTION_LOST', message: 'gone', retryable: true } as const
    const events: CopyEvent[] = [
      { ...STARTED, table: 'ks.a' },
      { ...STARTED, table: 'ks.b' },
      { ...STARTED, table: 'ks.weak' },
      { type: 'chunk.retried', table: 'ks.a', chunk: '1', attempt: 2, waitMs: 1, error: lost },
      done('ks.a', '100', '0'),
      done('ks.b', '98', '2'),
      done('ks.weak', '50', '0'),
      { type: 'rows.fallback', table: 'ks.weak', level: 'ONE', rows: '4', keys: [['1'], ['2'], ['3'], ['4']] },
      { type: 'table.finished', table: 'ks.a', status: 'ok', ms: 1000 },
      {
        type: 'table.finished',
        table: 'ks.b',
        status: 'failed',
        ms: 2000,
        error: { code: 'ROWS_ASIDE', message: '2 rows of ks.b are not in the target', retryable: false },
      },
      { type: 'table.finished', table: 'ks.weak', status: 'ok', ms: 500 },
    ]
    for (const event of events) summary.event(event)
    const tables = summary.lines()
    expect(tables.map(({ table }) => table)).toEqual(['ks.b', 'ks.weak', 'ks.a'])
    expect(tables[0]).toMatchObject({
      status: 'failed',
      written: '98',
      failed: '2',
      unrecovered: '2',
      rowsPerSecond: '49',
    })
    expect(tables[1]).toMatchObject({ fallback: '4' })
    expect(tables[2]).toMatchObject({ recovered: '1', unrecovered: '0', rowsPerSecond: '100' })
    const lines = new ScriptLines()
    lines.fellBack(at({ type: 'rows.fallback', table: 'ks.weak', level: 'ONE', rows: '4', keys: [] }) as never)
    const resumed = tables.slice(2).map((line) => ({ ...line, earlier: '3800' }))
    expect(
      new ScriptLines()
        .summary(at({ type: 'copy.summary', tables: resumed }) as never, reportAt('0:09'))
        .map((b) => blockText(b))[1],
    ).toContain('ks.a  success, 3,900 rows ok (3,800 of them before this run), 0 failed')
    const text = lines.summary(at({ type: 'copy.summary', tables }) as never, reportAt('0:09')).map((b) => blockText(b))
    expect(text).toMatchInlineSnapshot(`
      [
        "0:09 note     summary: 2 of 3 tables ok, 1 not",
        "0:09 FAILED   ks.b     failed, 98 rows ok, 2 failed, 0 at ONE, 2.0 s, 49 rows/s, 2 permanent errors  ROWS_ASIDE",
        "0:09 ok       ks.weak  success, 50 rows ok, 0 failed, 4 at ONE, 0.5 s, 100 rows/s",
        "0:09 ok       ks.a     success, 100 rows ok, 0 failed, 0 at ONE, 1.0 s, 100 rows/s, 1 recoverable error, all passed",
        "0:09 note     4 rows could only be written at ONE: sluice quarantine retry checks them again at the requested level",
      ]
    `)
  })
})
