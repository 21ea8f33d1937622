/** Snapshots of rendered archives: `npx vitest run test/cli/archive-render -u` rewrites them; review the diff. */
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
import { columns, dryRun, list, query, restore, run, sweep, verify } from './archive-recorded.ts'
import { eventSchema } from './event-schema.ts'
import { stamped } from './recorded.ts'
import { Memory } from './surroundings.ts'

const redact = (text: string): string => redactText(text)
const plain: TextOptions = { quiet: false, verbose: false, color: false, github: false, redact }

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

async function asText(events: readonly Event[], options: Partial<TextOptions> = {}): Promise<string> {
  const { out, err } = await render(events, (output) => [textFrontend(output, { ...plain, ...options })])
  return out === '' ? err : `${out}--- stderr\n${err}`
}

const golden = (name: string): string => path.join(import.meta.dirname, 'golden', name)

describe('text', () => {
  it.each<[string, readonly Event[], Partial<TextOptions>]>([
    ['archive.txt', run, {}],
    ['archive-verbose.txt', run, { verbose: true }],
    ['archive-dry-run.txt', dryRun, { dryRun: true }],
    ['archive-restore.txt', restore, {}],
    ['archive-list.txt', list, {}],
    ['archive-verify.txt', verify, {}],
    ['archive-sweep.txt', sweep, {}],
    ['archive-query.txt', query, {}],
  ])('%s', async (name, events, options) => {
    const text = await asText(events, options)
    expect(text).toMatch(/^[\n -~]*$/)
    await expect(text).toMatchFileSnapshot(golden(name))
  })

  it.each([
    ['0', /end +nothing was checked/],
    ['3', /3 partitions checked, what was compared is as it was proved/],
  ])('does not claim more than a verification that failed after %s partitions', async (checked, expected) => {
    const error = { code: 'SOURCE_IO', message: 'S3 returned the error SlowDown', retryable: true } as const
    const totals = { checked, findings: '0' }
    const begun = verify.slice(0, 1)
    const text = await asText([
      ...begun,
      ...stamped([[30, { type: 'run.finished', status: 'failed', exitCode: 3, totals, ms: 30, error }]]),
    ])
    expect(text).toMatch(expected)
    expect(text).not.toMatch(/no archived partitions|all is as it was proved/)
  })

  it('does not say that there are no archived partitions if a step of one has not ended', async () => {
    const totals = { checked: '0', findings: '0' }
    const finished = { type: 'run.finished', status: 'ok', exitCode: 0, totals, ms: 30, notChecked: 'the log' } as const
    const text = await asText([...verify.slice(0, 1), ...stamped([[30, finished]])])
    expect(text).toMatch(/end +nothing was checked/)
    expect(text).not.toContain('no archived partitions')
  })

  it('counts the lines that a long plan omits', async () => {
    const [first] = dryRun
    const many = Array.from({ length: 25 }, (_, i) => {
      const partition = `2001-${String(i + 1).padStart(2, '0')}`
      const facts = { rows: '10', estimated: false, bytes: '1000' } as const
      return [20, { type: 'archive.planned', table: 't', partition, status: 'due', ...facts }] as const
    })
    const end = { type: 'run.finished', status: 'ok', exitCode: 0, totals: {}, ms: 30 } as const
    const text = await asText([...(first === undefined ? [] : [first]), ...stamped([columns, ...many, [30, end]])])
    expect(text.match(/ plan +t 2001-/g)).toHaveLength(20)
    expect(text).toContain('and 5 partitions more; --verbose or --dry-run shows all')
  })
})

describe('json', () => {
  it('fits the schema, and omits progress that comes too fast', async () => {
    const fast = run.flatMap((event): readonly Event[] =>
      event.type === 'archive.progress' ? [event, { ...event, seq: event.seq }, { ...event }] : [event],
    )
    const all = [...fast, ...dryRun, ...restore, ...list, ...verify, ...sweep, ...query]
    const { out } = await render(all, (output) => [jsonFrontend(output, (event) => redactValue(event))])
    const lines = out
      .trimEnd()
      .split('\n')
      .map((line): unknown => JSON.parse(line))
    for (const line of lines) expect(eventSchema.safeParse(line).error?.message).toBeUndefined()
    expect(lines.filter((line) => eventSchema.parse(line).type === 'archive.progress')).toHaveLength(
      [...run, ...restore, ...verify].filter(({ type }) => type === 'archive.progress').length,
    )
  })
})

describe('github', () => {
  it('annotates problems, and has a summary of the partitions', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'sluice-archive-'))
    const summaryFile = path.join(folder, 'summary.md')
    try {
      const texts: string[] = []
      for (const events of [run, verify, sweep]) {
        const { err } = await render(events, (output) => [githubFrontend(output, { summaryFile, redact })])
        texts.push(err)
      }
      const summary = readFileSync(summaryFile, 'utf8')
      await expect(`${texts.join('---\n')}--- summary\n${summary}`).toMatchFileSnapshot(golden('archive-github.txt'))
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
