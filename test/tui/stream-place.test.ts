/** A run over a stream is named by its target, as the command line does not say its source; a pause says nothing of chunks. */
import { expect, test } from 'vitest'
import { runSteered } from '../../src/render/steering-lines.ts'
import { fakeWorkbench } from './fake-workbench.mjs'
import { openApp } from './support/app.ts'

test('the header of a followed stream has no arrow out of nothing', async () => {
  const to = 'postgresql://app@db/copy'
  const operation = { kind: 'follow', stream: '7', to, end: false, untilCaughtUp: false, untilEqual: false } as const
  const fake = fakeWorkbench({ hold: true, lake: null, catalog: null })
  const app = openApp({ columns: 120, rows: 40, fake, initial: { operation, commandLine: 'follow 7' } })
  try {
    await app.until('follow 7')
    expect(app.screen().split('\n')[0]).toMatch(/^ sluice {2}postgresql:\/\/app@db\/copy /)
  } finally {
    await app.quit()
  }
})

test('a pause is told without chunks, which a stream does not have', () => {
  expect(runSteered({ type: 'run.steered', paused: true })).toBe('as requested: paused')
})
