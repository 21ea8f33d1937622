import { expect, test } from 'vitest'
import { CopyWatch, type CopyWatchParts } from '../../src/engine/follow/progress/copy-watch.ts'
import { Alerts } from '../../src/engine/run/alerts/alerts.ts'
import type { StreamVerdict } from '../../src/model/run/alert.ts'
import { SluiceError } from '../../src/shared/errors.ts'

test('a run that an alert ended reports ALERTED, whatever its chunks report afterwards', async () => {
  const reported: StreamVerdict[] = []
  let stops = 0
  const alerts = new Alerts(
    { conditions: [{ cause: 'error' }], exit: true } as never,
    (event) => void reported.push(event),
  )
  const label = { label: 'here' }
  const planned = { from: label, to: { ...label, can: { writers: 1 } } }
  const parts = { alerts, planned, changes: {}, database: {}, run: {}, stop: () => void stops++ }
  await using watch = new CopyWatch(parts as unknown as CopyWatchParts, 'slot', null)
  expect(watch.ended).toBe(null)
  const chunk = { table: 't', chunk: '1' }
  const error = new SluiceError('CONNECT_FAILED', 'the connection is lost').info()
  watch.handleEvent({ type: 'chunk.retried', ...chunk, error } as never)
  watch.handleEvent({ type: 'chunk.released', ...chunk, reason: 'stopped' } as never)
  expect([stops, reported.map(({ holds }) => holds)]).toEqual([1, [true]])
  expect(watch.ended).toMatchObject({ code: 'ALERTED', message: 'an alert ended the run: error' })
})
