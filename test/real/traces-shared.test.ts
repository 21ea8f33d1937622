/**
 * Traces of a run that workers share, as a collector gets them: one span of the whole run, and the turns of all tasks
 * below it.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { attributesOf, Collector, type Span } from '../support/collector.ts'
import { POSTGRES_MISSING, POSTGRES_OWN } from '../support/servers/postgresql.ts'
import { makeOrders, WorkerStage, type TestWorker } from '../support/worker-stage.ts'

const COPY = [
  'copy',
  '--from',
  'shop',
  '--to',
  'cold',
  '--table',
  'orders',
  '--checkpoint-size',
  '100',
  '--workers',
  '1',
]

describe.skipIf(!POSTGRES_OWN)(`traces of a shared run ${POSTGRES_MISSING}`, { timeout: 120_000 }, () => {
  let stage: WorkerStage
  beforeAll(async () => {
    stage = await WorkerStage.open()
    await makeOrders(stage, 10_000)
  }, 120_000)
  afterAll(async () => {
    await stage?.[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    await stage.forgetRuns()
    await stage.ask(stage.data, 'target', 'DROP SCHEMA public CASCADE; CREATE SCHEMA public')
  })

  const workerOf = ({ endpoint }: Collector): TestWorker =>
    stage.worker({ overTcp: true, env: { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint } })
  async function end(...workers: readonly TestWorker[]): Promise<void> {
    for (const one of workers) one.signal('SIGTERM')
    for (const one of workers) expect(await one.ended).toBe(0)
  }
  const msOf = (nanos: string | undefined): number => Number(nanos) / 1e6
  /** Spans of whole runs, and those of turns. */
  function partsOf(
    collector: Collector,
    run: string,
  ): { readonly whole: readonly Span[]; readonly turns: readonly Span[] } {
    const runs = collector.spans.filter((span) => attributesOf(span)['sluice.shared_run'] === run)
    const isTurn = (span: Span): boolean => 'sluice.slot' in attributesOf(span)
    return { whole: runs.filter((span) => !isTurn(span)), turns: runs.filter(isTurn) }
  }
  async function until(run: string, status: string): Promise<void> {
    await stage.until(status, async () => (await stage.run(run)).status === status)
  }

  test('are sent once, from submission to end by the clock of the queue, above the turns of all workers', async () => {
    using collector = await Collector.open()
    const run = await stage.distribute(...COPY, '--tasks', '2', '--rate', '2500')
    // Submitted before any of these programs began.
    const two = [workerOf(collector), workerOf(collector)]
    await stage.until('two at work', () => two.every(({ slots }) => slots.includes('begun')))
    await until(run, 'ok')
    await end(...two)
    const { whole, turns } = partsOf(collector, run)
    expect(whole).toHaveLength(1)
    const [top] = whole
    const row = await stage.run(run)
    expect(top).toMatchObject({ name: 'sluice copy', status: { code: 0 } })
    expect(top?.parentSpanId ?? '').toBe('')
    expect(attributesOf(top ?? { attributes: [] })).toMatchObject({
      'sluice.command': 'copy',
      'sluice.status': 'ok',
      'sluice.exit_code': 0,
    })
    expect(msOf(top?.startTimeUnixNano)).toBeCloseTo(row.begunAt, 1)
    expect(msOf(top?.endTimeUnixNano)).toBeCloseTo(row.endedAt ?? 0, 1)
    expect(turns.length).toBeGreaterThanOrEqual(2)
    for (const { name, traceId, parentSpanId } of turns)
      expect({ name, traceId, parentSpanId }).toEqual({
        name: 'sluice copy',
        traceId: top?.traceId,
        parentSpanId: top?.spanId,
      })
    const { password } = new URL(stage.data.url('source'))
    expect(password).not.toBe('')
    expect(JSON.stringify(collector.sent.map(({ body }) => body))).not.toContain(`:${password}@`)
  })

  test('of a run that was stopped and resumed are two in one trace, each above its own turns; a refused one has its error', async () => {
    using collector = await Collector.open()
    const run = await stage.distribute(...COPY, '--tasks', '1', '--rate', '500')
    const worker = workerOf(collector)
    await stage.until('some chunks', async () => (await stage.chunksDone()) > 2)
    await stage.sluice('ctl', run, 'stop', '--distributed')
    await until(run, 'stopped')
    await stage.sluice('ctl', run, 'resume', '--distributed')
    await stage.sluice('ctl', run, 'rate', 'off', '--distributed')
    await until(run, 'ok')
    const wrong = await stage.distribute('copy', '--from', 'shop', '--to', 'cold', '--table', 'nowhere', '--tasks', '1')
    await stage.until('its end', async () => (await stage.run(wrong)).status !== 'running')
    await end(worker)
    const { whole, turns } = partsOf(collector, run)
    expect(whole.map((span) => attributesOf(span)['sluice.status'])).toEqual(['stopped', 'ok'])
    expect(new Set([...whole, ...turns].map(({ traceId }) => traceId)).size).toBe(1)
    expect(new Set(whole.map(({ spanId }) => spanId)).size).toBe(2)
    expect(new Set(turns.map(({ parentSpanId }) => parentSpanId))).toEqual(new Set(whole.map(({ spanId }) => spanId)))
    const [first, second] = whole
    expect(BigInt(second?.startTimeUnixNano ?? 0)).toBeGreaterThan(BigInt(first?.endTimeUnixNano ?? 0))
    const [refused, ...more] = partsOf(collector, wrong).whole
    expect(more).toEqual([])
    expect(refused).toMatchObject({ status: { code: 2, message: 'NO_SUCH_TABLE' } })
    expect(attributesOf(refused ?? { attributes: [] })['error.type']).toBe('NO_SUCH_TABLE')
  })
})
