/**
 * Lines on a table that is decommissioned: control characters and quotes of names are escaped, and a refusal is a
 * problem.
 */
import { expect, it } from 'vitest'
import { SubjectColumn, reportAt } from '../../src/render/block.ts'
import { decommissionBlocks } from '../../src/render/decommission-lines.ts'
import { SummaryFold } from '../../src/render/summary.ts'
import type { EventBody } from '../../src/model/run/event.ts'
import { stamped } from './recorded.ts'

const table = 'public.old'

function lines(...events: readonly EventBody[]) {
  const subjects = new SubjectColumn()
  return stamped(events.map((event, i) => [i, event] as const)).flatMap((event) =>
    decommissionBlocks(event, subjects, reportAt('0:00')),
  )
}

it('reports findings with their verdict, and steps as planned, done or found', () => {
  const reported = lines(
    {
      type: 'decommission.finding',
      table,
      verdict: 'refused',
      about: 'depends on it',
      object: 'view "se\nen"',
      detail: 'the server does not drop the table while this exists',
      hint: 'drop it',
    },
    { type: 'decommission.finding', table, verdict: 'look', about: 'session', detail: 'an app' },
    { type: 'decommission.step', table, public: 'public.t', step: 'inactive', status: 'found' },
    { type: 'decommission.step', table, public: 'public.t', step: 'archived', status: 'done' },
    { type: 'decommission.step', table, public: 'public.t', step: 'dropped', status: 'planned' },
  )
  expect(
    reported.map(({ word, text, problem, details }) => [word, text.replace(/^public\.old +/, ''), problem, details]),
  ).toEqual([
    [
      'refused',
      expect.stringMatching(/^refused: depends on it view "se[^\n]+en": the server does not drop/) as string,
      true,
      [['do', 'drop it']],
    ],
    ['note', 'look: session: an app', false, []],
    ['ok', 'is inactive: only its owner may use it already', false, []],
    ['ok', 'is copied once more, and compared row by row', false, []],
    ['plan', 'would be dropped', false, []],
  ])
})

it.each([
  [{ findings: '31', refused: '1', steps: '0' }, '1 of 31 findings blocks the run'],
  [{ findings: '4', refused: '2' }, '2 of 4 findings block the run'],
  [{ ok: '3', refused: '1' }, '1 refused'],
])('a plan with %o ends with refusals, and not with copy totals', (totals, words) => {
  const finished = { type: 'run.finished', status: 'failed', exitCode: 1, ms: 5, totals } as const
  expect(new SummaryFold(true).text(finished, 'partition-decommission-database')).toBe(
    `${words}; this was the plan, and nothing was changed`,
  )
})
