/**
 * The title of a run without a source in its command line has only the target; a pause does not mention chunks.
 */
import { expect, test } from 'vitest'
import { runSteered } from '../../src/render/steering-lines.ts'
import { fakeWorkbench } from './fake-workbench.mjs'
import { openApp } from './support/app.ts'

test('the header of a follow run without a source has no arrow', async () => {
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

test('the line on a pause does not mention chunks, which a stream does not have', () => {
  expect(runSteered({ type: 'run.steered', paused: true })).toBe('as requested: paused')
})
