/** Snapshots of rendered copies: `npx vitest run test/cli/copy-render -u` rewrites them; review the diff. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Frontend } from '../../src/cli/output/frontend.ts'
import { openOutput } from '../../src/cli/output/output.ts'
import { githubFrontend } from '../../src/cli/output/render-github.ts'
import { jsonFrontend } from '../../src/cli/output/render-json.ts'
import { textFrontend } from '../../src/cli/output/render-text.ts'
import type { TextOptions } from '../../src/cli/output/render-text.ts'
import type { Event } from '../../src/model/run/event.ts'
import { redactText, redactValue } from '../../src/shared/redact.ts'
import { eventSchema } from './event-schema.ts'
import { begin, copy, diff, dryRun, manyTables, planLine, planOf, relations, stopped, tokens } from './recorded-copy.ts'
import { stamped } from './recorded.ts'
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

const asText = async (events: readonly Event[], options: Partial<TextOptions> = {}): Promise<string> => {
  const { out, err } = await render(events, (output) => [textFrontend(output, { ...plain, ...options })])
  return out === '' ? err : `${out}--- stderr\n${err}`
}

const golden = (name: string): string => path.join(import.meta.dirname, 'golden', name)

describe('text', () => {
  it.each<[string, readonly Event[], Partial<TextOptions>]>([
    ['copy.txt', copy, {}],
    ['copy-verbose.txt', copy, { verbose: true }],
    ['copy-many.txt', manyTables, {}],
    ['copy-many-verbose.txt', manyTables, { verbose: true }],
    ['copy-dry-run.txt', dryRun, { dryRun: true }],
    ['copy-stopped.txt', stopped, {}],
    ['diff.txt', diff, {}],
    ['relations.txt', relations, {}],
    ['tokens.txt', tokens, {}],
  ])('%s', async (name, events, options) => {
    await expect(await asText(events, options)).toMatchFileSnapshot(golden(name))
  })
  it('--quiet keeps problems and the last line', async () => {
    const words = (await asText(manyTables, { quiet: true })).split('\n').filter((line) => /^\d/.test(line))
    expect(words.map((line) => line.split(/ +/)[1])).toEqual(['refused', 'FAILED', 'exit'])
  })
  it('prints the message of a failure once', async () => {
    const error = {
      code: 'ROWS_ASIDE',
      message: 'too many rows were refused',
      hint: 'correct them',
      retryable: false,
    } as const
    const cause = {
      code: 'TARGET_NOT_EMPTY',
      message: 'u already holds rows',
      hint: 'choose',
      retryable: false,
    } as const
    const chunks = {
      code: 'CHUNKS_FAILED',
      message: `1 of 1 chunks of u failed: ${cause.message}`,
      hint: 'go on',
      retryable: false,
    } as const
    const failed = (chunk: typeof cause | typeof error, ending: typeof chunks | typeof error) =>
      stamped([
        begin(),
        [1, planOf([planLine()])],
        [2, { type: 'chunk.failed', table: 't', chunk: '1', error: chunk }],
        [3, { type: 'run.finished', status: 'failed', exitCode: 1, totals: {}, ms: 2, error: ending }],
      ])
    const once = await asText(failed(error, error))
    for (const text of [error.message, error.hint]) expect(once.split(text)).toHaveLength(2)
    expect(once).toContain('exit     1  ROWS_ASIDE')
    const shortened = await asText(failed(cause, chunks))
    expect(shortened.split(cause.message)).toHaveLength(2)
    expect(shortened).toContain('exit     1  1 of 1 chunks of u failed\n')
  })
  it('counts the lines that it omits', async () => {
    const error = { code: 'ROW_REFUSED', message: 'no', retryable: false } as const
    const failed = (n: number) => ({ ...error, message: `cause ${n}` })
    const events = stamped([
      begin(),
      [1, planOf([planLine()])],
      ...Array.from(
        { length: 25 },
        (_, n) => [2, { type: 'row.aside', table: 't', chunk: '1', key: [String(n)], error }] as const,
      ),
      ...Array.from(
        { length: 21 },
        (_, n) => [3, { type: 'chunk.failed', table: 't', chunk: String(n), error: failed(n) }] as const,
      ),
      [4, { type: 'run.finished', status: 'failed', exitCode: 1, totals: {}, ms: 2 }],
    ])
    const text = await asText(events)
    expect(text.match(/^0:00 quarantine/gm)).toHaveLength(20)
    expect(text).toContain('and 5 more rows quarantined; --verbose or --json shows all\n')
    expect(text).toContain('and 1 more failure; --verbose or --json shows all\n')
    const last = { type: 'run.finished', status: 'failed', exitCode: 1, totals: { quarantined: '0' }, ms: 2 } as const
    const again = stamped([begin(), [1, planOf([planLine()])], ...Array.from({ length: 50 }, (_, n) => [2, { type: 'row.aside', table: 't', chunk: '1', key: [String(n % 25)], error }] as const), [4, last]]) // prettier-ignore
    expect(await asText(again)).toContain('and 5 more rows refused; --verbose or --json shows all\n')
    expect((await asText(events, { verbose: true })).match(/^0:00 quarantine/gm)).toHaveLength(25)
  })
  it('prints at most one progress line in ten seconds, and never 100 %', async () => {
    const lines = (await asText(manyTables)).split('\n').filter((line) => / at {7}/.test(line))
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(/at {7}49 % {2}1\/4 tables {2}1,100,120\/2,210,188 est\./)
  })
  it('prints no control characters of keys and names', async () => {
    for (const events of [diff, relations]) {
      // eslint-disable-next-line no-control-regex
      expect(await asText(events)).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f]/)
    }
  })
})

describe('JSON lines', () => {
  it('fit the schema', async () => {
    for (const events of [copy, manyTables, dryRun, stopped, diff, relations]) {
      const { out } = await render(events, (output) => [jsonFrontend(output, (event) => redactValue(event))])
      const lines = out.trimEnd().split('\n')
      const parsed = lines.map((line) => eventSchema.parse(JSON.parse(line)))
      expect(parsed.map(({ seq }) => seq)).toEqual(lines.map((_line, index) => index + 1))
    }
  })
})

it('on GitHub failures are annotated, and the summary has the row counts', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-github-'))
  const texts: string[] = []
  for (const [name, events] of Object.entries({ copy, manyTables, diff })) {
    const summaryFile = path.join(folder, `${name}.md`)
    const { err } = await render(events, (output) => [
      textFrontend(output, { ...plain, github: true }),
      githubFrontend(output, { summaryFile, redact: (text) => redactText(text) }),
    ])
    const commands = err.split('\n').filter((line) => line.startsWith('::'))
    texts.push(`${commands.join('\n')}\n--- summary\n${readFileSync(summaryFile, 'utf8')}`)
  }
  await expect(texts.join('\n')).toMatchFileSnapshot(golden('copy-github.txt'))
  rmSync(folder, { recursive: true })
})
