/** Snapshots of rendered runs: `npx vitest run test/cli -u` rewrites them; review the diff. */
import { existsSync, lchownSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Frontend } from '../../src/cli/output/frontend.ts'
import { logFileFrontend } from '../../src/cli/output/log-file.ts'
import { openOutput } from '../../src/cli/output/output.ts'
import { githubFrontend } from '../../src/cli/output/render-github.ts'
import { jsonFrontend } from '../../src/cli/output/render-json.ts'
import { textFrontend } from '../../src/cli/output/render-text.ts'
import type { TextOptions } from '../../src/cli/output/render-text.ts'
import type { Event } from '../../src/model/run/event.ts'
import { predicateError } from '../../src/model/lake/predicate.ts'
import { redactText, redactValue } from '../../src/shared/redact.ts'
import { eventSchema } from './event-schema.ts'
import { batchImport, compare, listings, stamped, validate } from './recorded.ts'
import { Memory } from './surroundings.ts'

const plain: TextOptions = {
  quiet: false,
  verbose: false,
  color: false,
  github: false,
  redact: (text) => redactText(text),
}

async function render(
  events: readonly Event[],
  open: (output: ReturnType<typeof openOutput>) => readonly Frontend[],
): Promise<{ out: string; err: string }> {
  const stdout = new Memory()
  const stderr = new Memory()
  const output = openOutput(stdout, stderr)
  const faces = open(output)
  for (const event of events) for (const face of faces) face.event(event, false)
  for (const face of faces) await face.close()
  await output.flushed()
  return { out: stdout.text, err: stderr.text }
}

const asText = async (
  events: readonly Event[],
  options: Partial<TextOptions> = {},
): Promise<{ out: string; err: string }> =>
  await render(events, (output) => [textFrontend(output, { ...plain, ...options })])

const golden = (name: string): string => path.join(import.meta.dirname, 'golden', name)

describe('text', () => {
  it('prints a batch import', async () => {
    const { out, err } = await asText(batchImport)
    expect(out).toBe('')
    await expect(err).toMatchFileSnapshot(golden('batch-import.txt'))
  })
  it('keeps the columns of a table aligned, whatever the length of a command', async () => {
    const run = { type: 'run', run: '1', table: 't', status: 'ok', startedAt: '2026-11-20T12:04:16.204Z' } as const
    const long = `sluice batch-import ${'x'.repeat(200)} --recursive`
    const events = stamped([
      [0, { type: 'run.started', command: 'runs', tool: '0.1.0' }],
      [1, { ...run, command: long }],
      [1, { ...run, command: 'sluice sync --all' }],
      [2, { type: 'run.finished', status: 'ok', exitCode: 0, totals: {}, ms: 3 }],
    ])
    const { out } = await asText(events, { room: 120 })
    const rows = out.split('\n').slice(0, 3)
    expect(new Set(rows.map((row) => row.search(/STARTED|2026/))).size).toBe(1)
    expect(rows[1]).toMatch(/sluice batch-import x+\.\.\.x+ --recursive/)
    // Without a terminal the command is complete.
    expect((await asText(events)).out).toContain(long)
  })
  it('marks the error in a condition, and wraps a long list of columns', async () => {
    const hint = `Did you mean month? Columns: ${Array.from({ length: 60 }, (_, i) => `column_${i}`).join(', ')}`
    const error = predicateError('month > 3 AND monht = 4', 14, 'unknown column monht', hint).info()
    const { err } = await asText(
      stamped([
        [0, { type: 'run.started', command: 'files', tool: '0.1.0' }],
        [3, { type: 'run.finished', status: 'refused', exitCode: 2, totals: {}, ms: 3, error }],
      ]),
    )
    const lines = err.split('\n')
    const at = (lines[1] ?? '').indexOf('monht')
    expect(lines[0]).toMatch(/FAILED   unknown column monht at character 15$/)
    expect(lines[1]).toMatch(/ month > 3 AND monht = 4$/)
    expect(lines[2]).toBe(`${' '.repeat(at)}^`)
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(120)
    expect(err.replaceAll(/\n +/g, ' ')).toContain(hint)
  })
  it('prints a validation, with hostile names escaped', async () => {
    const { err } = await asText(validate)
    // eslint-disable-next-line no-control-regex
    expect(err).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f]/)
    await expect(err).toMatchFileSnapshot(golden('validate.txt'))
  })
  it('prints a comparison on stdout and its end on stderr', async () => {
    const { out, err } = await asText(compare)
    await expect(`${out}--- stderr\n${err}`).toMatchFileSnapshot(golden('compare.txt'))
  })
  it('prints lists as tables on stdout', async () => {
    const texts = await Promise.all(listings.map(async (events) => await asText(events)))
    await expect(texts.map(({ out, err }) => `${out}--- stderr\n${err}`).join('\n')).toMatchFileSnapshot(
      golden('listings.txt'),
    )
  })
  it('prints the plan of a dry run on stdout', async () => {
    const events = stamped([
      [0, { type: 'run.started', command: 'import', tool: '0.1.0', source: './t', target: 'sqlite:///c.db' }],
      [
        5,
        {
          type: 'plan.ready',
          hash: '1',
          tables: '2',
          chunks: '3',
          unit: 'commit',
          total: '3',
          estimated: false,
          bytes: '3000',
          excluded: [],
          details: [
            {
              table: 'a',
              location: '/a',
              status: 'import',
              fromVersion: '0',
              toVersion: '2',
              commits: '3',
              files: '7',
              bytes: '123456',
              rows: '1000',
              logBytes: '3000',
              estimatedMs: 20,
            },
            {
              table: 'b',
              location: '/b',
              status: 'failed',
              error: { code: 'NO_LOG', message: 'No checkpoint or JSON files found', retryable: false },
            },
          ],
        },
      ],
      [9, { type: 'run.finished', status: 'ok', exitCode: 0, totals: { tables: '2' }, ms: 9 }],
    ])
    const { out, err } = await asText(events)
    await expect(`${out}--- stderr\n${err}`).toMatchFileSnapshot(golden('dry-run.txt'))
  })
  it('--quiet keeps errors and the last line', async () => {
    const { err } = await asText(batchImport, { quiet: true })
    expect(
      err
        .split('\n')
        .filter((line) => /^\d/.test(line))
        .map((line) => line.split(/ +/)[1]),
    ).toEqual(['FAILED', 'refused', 'exit'])
  })
  it('--verbose prints each check', async () => {
    const { err } = await asText(validate, { verbose: true })
    expect(err).toContain('v0 active files           3 = 3  (own replay)')
  })
  it('prints at most one progress line in ten seconds', async () => {
    const { err } = await asText(batchImport)
    const times = [...err.matchAll(/^(\d+):(\d\d) at /gm)].map(
      ([, minutes, seconds]) => Number(minutes) * 60 + Number(seconds),
    )
    expect(times.length).toBeGreaterThan(1)
    for (const [index, time] of times.entries()) expect(time - (times[index - 1] ?? -10)).toBeGreaterThanOrEqual(10)
  })
  it('never prints 100 % before the end', async () => {
    const chunk = { table: 't', chunk: 'c', worker: 1, unit: 'action' } as const
    const { err } = await asText(
      stamped([
        [0, { type: 'run.started', command: 'import', tool: '0.1.0' }],
        [
          0,
          {
            type: 'plan.ready',
            hash: '1',
            tables: '1',
            chunks: '1',
            unit: 'action',
            total: '10',
            estimated: true,
            bytes: '0',
            excluded: [],
          },
        ],
        [11_000, { type: 'chunk.progress', ...chunk, done: '10', total: '10' }],
        [22_000, { type: 'chunk.progress', ...chunk, done: '12', total: '10' }],
      ]),
    )
    expect(err).toMatch(/at {7}99 %/)
    // A total that equals the rows done would look complete.
    expect(err).toMatch(/at {7}estimating {2}12 actions/)
    expect(err).not.toContain('100 %')
  })
  it('prints the end of a slot', async () => {
    const slot = { type: 'worker.slot', run: '7', state: 'ended', rows: '5', chunks: '1', ms: 10 } as const
    const { out, err } = await asText(
      stamped([
        [0, { ...slot, slot: '0', exitCode: 0 }],
        [1, { ...slot, slot: '1', exitCode: 4 }],
        [2, { ...slot, slot: '2', exitCode: 75 }],
        [3, { ...slot, slot: '3', state: 'resting', exitCode: 4 }],
      ]),
    )
    const text = `${out}${err}`
    expect(text).toMatch(/task 0 {2}is done: 5 rows/)
    expect(text).toMatch(/task 1 {2}has failed: 5 rows.*exit 4/)
    expect(text).toMatch(/task 3 {2}failed after .*, and is tried again after a rest: 5 rows, 1 chunk, exit 4/)
    expect(text).toMatch(/task 2 {2}has stopped: 5 rows.*exit 75/)
  })
  it('prints progress in commits if the plan counts commits', async () => {
    const chunk = { table: 'a', chunk: 'v0..v9', worker: 1, unit: 'action' } as const
    const { err } = await asText(
      stamped([
        [0, { type: 'run.started', command: 'batch-import', tool: '0.1.0' }],
        [
          0,
          {
            type: 'plan.ready',
            hash: '1',
            tables: '2',
            chunks: '20',
            unit: 'commit',
            total: '20',
            estimated: false,
            bytes: '10',
            excluded: [],
          },
        ],
        [0, { type: 'table.started', table: 'a', location: '/a', fromVersion: '0', toVersion: '9' }],
        [1000, { type: 'chunk.progress', ...chunk, done: '0', total: '1000' }],
        [11_000, { type: 'chunk.progress', ...chunk, done: '500', total: '1000' }],
      ]),
    )
    expect(err).toContain('0:11 at       25 %  0/2 tables  500 actions  45/s  0:33 left')
  })
  it('counts the differences that it omits', async () => {
    const one = {
      type: 'verify.mismatch',
      table: 't',
      version: '1',
      check: 'size',
      field: 'size',
      log: '1',
      catalog: '2',
    } as const
    const events = stamped([
      [0, { type: 'run.started', command: 'validate', tool: '0.1.0' }],
      ...Array.from({ length: 25 }, (_, n) => [1, { ...one, path: `f${n}` }] as const),
      [2, { type: 'run.finished', status: 'failed', exitCode: 1, totals: {}, ms: 2 }],
    ])
    const { err } = await asText(events)
    expect(err.match(/DIFFERS/g)).toHaveLength(20)
    expect(err).toContain('and 5 differences more; --verbose or --json shows all')
    expect(err).toContain('end      25 differences in 25 files')
  })
  it('colors only the keywords, and only on request', async () => {
    const { err } = await asText(batchImport, { color: true })
    expect(err).toContain('\u001b[31mFAILED')
    // eslint-disable-next-line no-control-regex
    expect(err.replaceAll(/\u001b\[\d+m/g, '')).toBe((await asText(batchImport)).err)
  })
})

describe('JSON lines', () => {
  const asJson = async (events: readonly Event[]): Promise<string> =>
    (await render(events, (output) => [jsonFrontend(output, (event) => redactValue(event))])).out

  it('prints a batch import', async () => {
    await expect(await asJson(batchImport)).toMatchFileSnapshot(golden('batch-import.jsonl'))
  })
  it('fits the schema, has no gap in seq, and merges progress', async () => {
    for (const events of [batchImport, validate, compare, ...listings]) {
      const lines = (await asJson(events)).trimEnd().split('\n')
      const parsed = lines.map((line) => eventSchema.parse(JSON.parse(line)))
      expect(parsed.map(({ seq }) => seq)).toEqual(lines.map((_line, index) => index + 1))
      for (const line of lines) expect(line).toMatch(/^\{"v":1,"seq":\d+,"ts":"[^"]+","runId":("\d+"|null),"type":"/)
      expect(parsed.at(-1)?.type).toBe('run.finished')
    }
    expect((await asJson(batchImport)).match(/chunk\.progress/g)).toHaveLength(3)
  })
  it("contains no command of GitHub's runner", async () => {
    const text = await asJson(validate)
    expect(text).not.toContain('##[')
    expect(text).toContain('##[error]'.replace('##[', String.raw`\u0023#[`))
    expect(text).not.toMatch(/^::/m)
  })
})

describe('on GitHub', () => {
  const github = async (events: readonly Event[], summaryFile?: string): Promise<{ out: string; err: string }> =>
    await render(events, (output) => [
      textFrontend(output, { ...plain, github: true }),
      githubFrontend(output, { summaryFile, redact: (text) => redactText(text) }),
    ])

  it('tables are folded into groups, and failures are annotated', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'sluice-github-'))
    const summary = path.join(folder, 'summary.md')
    const { err } = await github(batchImport, summary)
    await expect(`${err}--- summary\n${readFileSync(summary, 'utf8')}`).toMatchFileSnapshot(golden('github.txt'))
    rmSync(folder, { recursive: true })
  })
  it('hostile names do not become commands', async () => {
    const { err } = await github(validate)
    expect(err).not.toContain('##[')
    const commands = err.split('\n').filter((line) => line.startsWith('::'))
    expect(commands.every((line) => /^::(?:group|endgroup|error title=[^:,]*|warning title=[^:,]*)::/.test(line))).toBe(
      true,
    )
  })
  it('nine failures are annotated, and the rest are counted', async () => {
    const error = { code: 'NO_LOG', message: 'No checkpoint or JSON files found', retryable: false } as const
    const events = stamped([
      [0, { type: 'run.started', command: 'batch-import', tool: '0.1.0' }],
      ...Array.from(
        { length: 12 },
        (_, n) => [1, { type: 'table.finished', table: `t${n}`, status: 'failed', ms: 1, error }] as const,
      ),
      [2, { type: 'run.finished', status: 'failed', exitCode: 1, totals: {}, ms: 2 }],
    ])
    const { err } = await github(events)
    expect(err.match(/^::error /gm)).toHaveLength(10)
    expect(err).toContain('::error title=sluice::and 3 more\n')
  })
})

it('the log file gets every event without secrets', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-log-'))
  const file = path.join(folder, 'deep', 'run.log')
  const face = logFileFrontend(file, (event) => redactValue(event, ['hunter22']))
  for (const event of batchImport) face.event(event, false)
  const [secret] = stamped([[0, { type: 'log', level: 'warn', message: 'password hunter22 rejected' }]])
  if (secret !== undefined) face.event(secret, false)
  await face.close()
  const lines = readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(lines).toHaveLength(batchImport.length + 1)
  expect(lines[0]).toMatchObject({ level: 30, type: 'run.started', command: 'batch-import', msg: 'run.started' })
  expect(lines.at(-1)).toMatchObject({ level: 40, msg: 'password *** rejected' })
  rmSync(folder, { recursive: true })
  expect(() => logFileFrontend('/dev/null/x.log', (event) => event)).toThrow('the log file cannot be opened')
  expect(existsSync('/dev/null/x.log')).toBe(false)
})

it.runIf(process.getuid?.() === 0)("the log file is not opened through another user's symbolic link", () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-log-'))
  const [file, link] = [path.join(folder, 'ours'), path.join(folder, 'run.log')]
  writeFileSync(file, 'ours\n')
  symlinkSync(file, link)
  lchownSync(link, 12_345, 12_345)
  expect(() => logFileFrontend(link, (event) => event)).toThrow('the log file cannot be opened')
  lchownSync(link, 0, 0)
  void logFileFrontend(link, (event) => event).close()
  expect(readFileSync(file, 'utf8')).toBe('ours\n')
  rmSync(folder, { recursive: true })
})

it('a line of the log file has level, event and message, byte for byte', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-log-'))
  const file = path.join(folder, 'run.log')
  writeFileSync(file, 'of the run before\n')
  const face = logFileFrontend(file, (event) => event)
  const events = stamped([
    [0, { type: 'run.started', command: 'import', tables: 1, parallel: 2, total: undefined, resumeOf: undefined }],
    [1, { type: 'chunk.progress', table: 'a"b', chunk: 'v0\\v1', rows: Number.NaN, bytes: 0, worker: 1 }],
    [
      2,
      { type: 'chunk.retried', table: 't', chunk: 'v0', attempt: 2, reason: 'tab\t, line\n, ü ##[ \u009b31m \u202e' },
    ],
    [3, { type: 'log', level: 'note', message: '100 %s of "x"', table: 't' }],
    [4, { type: 'log', level: 'error', message: '', where: { deep: [1, undefined, null] } }],
  ] as never)
  for (const event of events) face.event(event, false)
  await face.close()
  expect(readFileSync(file, 'utf8').split('\n')).toEqual([
    'of the run before',
    String.raw`{"level":30,"time":"2026-11-20T12:04:16.204Z","type":"run.started","runId":"1763625151000000000","command":"import","tables":1,"parallel":2,"msg":"run.started"}`,
    String.raw`{"level":20,"time":"2026-11-20T12:04:16.205Z","type":"chunk.progress","runId":"1763625151000000000","table":"a\"b","chunk":"v0\\v1","rows":null,"bytes":0,"worker":1,"msg":"chunk.progress"}`,
    String.raw`{"level":40,"time":"2026-11-20T12:04:16.206Z","type":"chunk.retried","runId":"1763625151000000000","table":"t","chunk":"v0","attempt":2,"reason":"tab\t, line\n, ü \u0023#[ \u009b31m \u202e","msg":"chunk.retried"}`,
    String.raw`{"level":30,"time":"2026-11-20T12:04:16.207Z","type":"log","runId":"1763625151000000000","table":"t","msg":"100 %s of \"x\""}`,
    String.raw`{"level":50,"time":"2026-11-20T12:04:16.208Z","type":"log","runId":"1763625151000000000","where":{"deep":[1,null,null]},"msg":""}`,
    '',
  ])
  rmSync(folder, { recursive: true })
})
