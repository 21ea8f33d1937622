/** Lines on a table that is partitioned in place: control characters of names are escaped. */
import { expect, it } from 'vitest'
import { SubjectColumn, reportAt } from '../../src/render/block.ts'
import type { EventBody } from '../../src/model/run/event.ts'
import { inPlaceBlocks } from '../../src/render/narrator.ts'
import { stamped } from './recorded.ts'

const table = 'public.t'

it('reports steps as planned, done, found or retried', () => {
  const events: readonly EventBody[] = [
    { type: 'partition.step', table, step: 'switch', status: 'planned', detail: 'it would be' },
    { type: 'partition.step', table, step: 'index', status: 'found', detail: 'for a\nb' },
    { type: 'partition.step', table, step: 'switch', status: 'again', detail: 'others held it' },
    { type: 'partition.step', table, step: 'revert', status: 'done', detail: 'it is the table again' },
    { type: 'partition.sql', table, sql: 'SELECT 1' },
  ]
  const subjects = new SubjectColumn()
  const reported = stamped(events.map((event, i) => [i, event] as const)).flatMap((event) =>
    inPlaceBlocks(event, subjects, reportAt('0:00')),
  )
  expect(reported.map(({ word, text }) => [word, text.replace(/^public\.t +/, '')])).toEqual([
    ['plan', 'switch: it would be'],
    ['ok', expect.stringMatching(/^index, done before: for a[^\n]+b$/) as string],
    ['note', 'switch, not yet: others held it'],
    ['ok', 'revert: it is the table again'],
  ])
})
