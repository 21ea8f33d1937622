/** The time before each line and the duration of a run have the same start. */
import { expect, test } from 'vitest'
import { Narrator } from '../../src/render/narrator.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import { runOperation, type RunOptions } from '../../src/app/run.ts'
import type { Event } from '../../src/model/run/event.ts'
import { NEVER } from '../../src/shared/abort.ts'

test('the time before the first event of a refused connection is counted', async () => {
  let at = 0
  const events: Event[] = []
  const options: RunOptions = {
    interrupt: NEVER,
    clock: { now: () => Date.UTC(2026, 0, 1) + at, ticks: () => at },
    tool: '0.0.0',
    actor: 'test',
    // The run reads this after its start and before its first event.
    get host() {
      at = 7000
      return 'here'
    },
    commandLine: 'sluice migration-status',
    onEvent: (event) => events.push(event),
  }
  const operation = { kind: 'migration-status', catalog: 'postgresql://nobody@127.0.0.1:1/none' } as Operation
  const finished = await runOperation(operation, options)
  expect(finished).toMatchObject({ error: { code: 'CONNECT_FAILED' }, ms: 7000 })
  const narrator = new Narrator(false)
  const last = events.flatMap((event) => narrator.event(event)).at(-1)
  expect(last?.elapsed).toBe('0:07')
})
