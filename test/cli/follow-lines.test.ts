/** Lines of a stream: rows that differ are named when a comparison finds them, up to a limit. */
import { expect, test } from 'vitest'
import { openOutput } from '../../src/cli/output/output.ts'
import { textFrontend } from '../../src/cli/output/render-text.ts'
import type { Event, EventBody } from '../../src/model/run/event.ts'
import { Memory } from './surroundings.ts'

const said = (body: EventBody): Event => ({ v: 1, seq: 1, ts: '2026-11-21T00:00:00.000Z', runId: '1', ...body })

const STARTED: EventBody = {
  type: 'follow.started',
  stream: '1',
  slot: 'sluice_1',
  position: '0/1',
  tables: '1',
  isNew: false,
}

const difference = (key: string): EventBody => ({
  type: 'difference',
  table: 'public.t',
  key: [key],
  difference: 'different',
  columns: [{ column: 'v', source: 'a', target: 'b' }],
})

const PROVED: EventBody = {
  type: 'follow.proved',
  table: 'public.t',
  position: '0/2',
  rows: '100',
  targetRows: '100',
  differing: '14',
  unread: '0',
  pauseMs: 1,
  ms: 10,
}

test('rows that differ are named when they are found, at most ten per comparison', async () => {
  const [stdout, stderr] = [new Memory(), new Memory()]
  const options = { quiet: false, verbose: false, color: false, github: false, redact: (text: string) => text }
  const face = textFrontend(openOutput(stdout, stderr), options)
  const lines = (): readonly string[] => stderr.text.trimEnd().split('\n')
  const differing = (): number => lines().filter((line) => /DIFFERS .*different: v/.test(line)).length
  face.event(said(STARTED), false)
  face.event(said(difference('1')), false)
  expect(differing()).toBe(1)
  for (let key = 2; key <= 14; key++) face.event(said(difference(String(key))), false)
  expect(differing()).toBe(10)
  expect(lines().filter((line) => line.includes('more rows differ'))).toHaveLength(1)
  face.event(said(PROVED), false)
  expect(lines().at(-1)).toContain('14 rows differ as of 0/2')
  face.event(said(difference('2')), false)
  expect(differing()).toBe(11)
  await face.close()
  expect(stdout.text).toBe('')
})
