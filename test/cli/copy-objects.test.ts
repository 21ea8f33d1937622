/** `copy --with`: the options, and the lines on indexes and constraints. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { reportAt } from '../../src/render/block.ts'
import { objectReported, plannedObjects } from '../../src/render/object-lines.ts'
import { parseCommandLine } from '../../src/cli/parse/parse.ts'
import type { CopyPlanLine, Event } from '../../src/model/run/event.ts'

const COPY = ['copy', '--from', 'sqlite:///a.db', '--to', 'sqlite:///b.db', '--table', 't']

async function asked(...flags: readonly string[]): Promise<unknown> {
  const { request } = await parseCommandLine([...COPY, ...flags], {})
  if (request.kind !== 'operation' || request.operation.kind !== 'copy') throw new Error('no copy')
  return request.operation.with
}

test('--with takes words separated by commas, several times, and all', async () => {
  expect(await asked()).toBeUndefined()
  expect(await asked('--with', 'constraints,indexes')).toEqual(['indexes', 'constraints'])
  expect(await asked('--with', 'defaults', '--with', 'indexes')).toEqual(['indexes', 'defaults'])
  expect(await asked('--with', 'all')).toEqual(['indexes', 'constraints', 'defaults'])
  await expect(asked('--with', 'triggers')).rejects.toMatchObject({
    code: 'BAD_FLAG',
    hint: 'give one or more of indexes, constraints, defaults, or all',
  })
})

test('the config file has the same option, and a flag overrides it', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-with-'))
  try {
    const config = path.join(folder, 'sluice.yaml')
    writeFileSync(config, 'with: [indexes, constraints]\n')
    expect(await asked('--config', config)).toEqual(['indexes', 'constraints'])
    expect(await asked('--config', config, '--with', 'defaults')).toEqual(['defaults'])
    writeFileSync(config, 'with: views\n')
    await expect(asked('--config', config)).rejects.toMatchObject({ code: 'BAD_CONFIG' })
  } finally {
    rmSync(folder, { recursive: true })
  }
})

const block = reportAt('0:00')
const reported = (
  blocks: readonly { word: string; text: string; details: readonly (readonly string[])[] }[],
): readonly string[] =>
  blocks.flatMap(({ word, text, details }) => [
    `${word} ${text}`,
    ...details.map(([label, line]) => `  ${label} ${line}`),
  ])

test('the plan names objects that are built, and why others are left out', () => {
  const line = {
    table: 't',
    objects: [
      { name: 'a', kind: 'index', status: 'build' },
      { name: 'b\u001b[31m', kind: 'index', status: 'build', note: 'is called t_b in the target' },
      { name: 'u', kind: 'unique', status: 'there' },
      { name: 'f', kind: 'foreign key', status: 'left', note: 'p is not copied' },
    ],
  } as unknown as CopyPlanLine
  const lines = reported(plannedObjects(line, '', block))
  expect(lines).toEqual([
    'plan then makes 2 indexes; 1 index or constraint is there',
    expect.stringMatching(/^ {2}index a, b/),
    expect.stringMatching(/^note index b.* is called t_b in the target$/),
    'note foreign key f is left out: p is not copied',
  ])
  expect(lines.join('')).not.toContain('\u001b')
  expect(plannedObjects({ ...line, objects: [] }, '', block)).toEqual([])
})

test('lines report objects that were built, and failures', () => {
  const object = { v: 1, seq: 1, ts: '', runId: null, table: 't', name: 'i', kind: 'unique' } as const
  type Reported = Extract<Event, { type: 'index.started' | 'index.done' | 'index.failed' }>
  const lines = (event: Reported): readonly string[] => reported(objectReported(event, '', block))
  expect(lines({ ...object, type: 'index.started' })).toEqual(['note unique constraint i is being created'])
  expect(lines({ ...object, type: 'index.done', ms: 61_000 })).toEqual(['note unique constraint i is made  1:01'])
  const error = { code: 'OBJECTS_FAILED', message: 'twice', hint: 'mend', retryable: false } as const
  expect(lines({ ...object, type: 'index.failed', error })).toEqual([
    'FAILED unique constraint i  OBJECTS_FAILED twice',
    '  do mend',
  ])
})
