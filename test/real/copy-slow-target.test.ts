/** A real target that answers slowly from some time on: the copy slows down, and reports why. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { runOperation } from '../../src/app/run.ts'
import type { Event } from '../../src/model/run/event.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import { systemClock } from '../../src/shared/clock.ts'
import { copyOf, makePlace, missing, perform } from '../support/copy-systems.ts'
import { startProxy } from '../support/servers/proxy.ts'

/** More rows than a run sends before it has a baseline of the latency. */
const ROWS = 40_000
/** Factor by which the run's seconds are shorter than real ones. */
const HURRY = 5

test('slow replies slow the copy down', { timeout: 90_000 }, async (context) => {
  const why = await missing('postgresql')
  context.skip(why !== '', why)
  const folder = mkdtempSync(join(tmpdir(), 'sluice-copy-slow-'))
  context.onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('postgresql', folder)]
  await source.sql(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)',
    `INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS}) SELECT i, 'row ' || i FROM n`,
  )
  await using proxy = await startProxy(Number(new URL(target.url).port))
  let delay = 2
  // One after the other, which keeps their order.
  const lines = new Map<number, Promise<void>>()
  proxy.onClientData((data, connection) => {
    const before = lines.get(connection.id) ?? Promise.resolve()
    lines.set(
      connection.id,
      before.then(() => sleep(delay)).then(() => connection.send(data)),
    )
    return 'drop'
  })
  const events: Event[] = []
  const interrupt = new Interrupter()
  const finished = await runOperation(
    {
      ...copyOf(source, target, 't', { workers: 1, batchRows: 50, chunkRows: 200 }),
      to: target.url.replace(/:\d+\//, `:${proxy.port}/`),
    },
    {
      interrupt,
      clock: { now: () => systemClock.now(), ticks: () => systemClock.ticks() * HURRY },
      tool: 'test',
      actor: 'tester',
      host: 'here',
      commandLine: 'sluice copy',
      onEvent: (event) => {
        events.push(event)
        if (event.type === 'target.latency' && event.baselineMs !== null) delay = 170
        // The run would continue at a very low rate, which need not be tested.
        if (event.type !== 'throttle.on') return
        interrupt.requestStop()
        delay = 0
      },
    },
  )
  expect(finished.exitCode).toBe(75)
  const [slowed] = events.filter((event) => event.type === 'throttle.on')
  expect(slowed).toMatchObject({
    cause: 'latency',
    reason: expect.stringContaining('for a megabyte of rows, and usually'),
  })
  expect(slowed?.latency?.p95Ms).toBeGreaterThan((slowed?.latency?.baselineMs ?? 0) * 4)
  const rest = await perform(copyOf(source, target, 't', { chunkRows: ROWS }))
  expect(rest.finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS) } })
})
