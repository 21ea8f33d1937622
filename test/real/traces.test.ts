/** Traces of real programs, as a collector gets them by OTLP over HTTP. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { attributesOf, Collector } from '../support/collector.ts'
import { headless, type Headless } from '../e2e/support/program.ts'

const ROWS = 10_000
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-traces-'))
  const database = new Database(join(folder, 'source.db'))
  database.exec(`CREATE TABLE orders (id INTEGER PRIMARY KEY, v TEXT);
    WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < ${ROWS}) INSERT INTO orders SELECT i, 'v' || i FROM s`)
  database.close()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const set: string[] = []
afterEach(() => {
  for (const name of set.splice(0)) delete process.env[name]
})

function copy(target: string, variables: Readonly<Record<string, string>>): Headless {
  for (const [name, value] of Object.entries(variables)) {
    set.push(name)
    process.env[name] = value
  }
  const ends = ['--from', 'sqlite:///source.db', '--to', `sqlite:///${target}`]
  return headless(folder, ['copy', ...ends, '--table', 'orders', '--checkpoint-size', '2000', '--json'])
}

test('a copy: the run below TRACEPARENT, its table below it, and each chunk with its rows', async () => {
  using collector = await Collector.open()
  const program = copy('target.db', {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=shop',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment=test',
    TRACEPARENT: `00-${TRACE}-00f067aa0ba902b7-01`,
  })
  expect(await program.ended).toMatchObject({ code: 0 })
  expect(program.err()).not.toContain('traces')
  expect(collector.sent.map(({ url, headers }) => [url, headers['x-tenant'], headers['content-type']])).toContainEqual([
    '/v1/traces',
    'shop',
    'application/json',
  ])
  expect(attributesOf(collector.resources[0]?.resource ?? { attributes: [] })).toMatchObject({
    'service.name': 'sluice',
    'deployment.environment': 'test',
  })
  const { spans } = collector
  expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([TRACE]))
  const [root, ...others] = spans.filter(({ name }) => name === 'sluice copy')
  expect([root?.parentSpanId, others]).toEqual(['00f067aa0ba902b7', []])
  const end = program.events().at(-1)
  expect(root === undefined ? {} : attributesOf(root)).toMatchObject({
    'sluice.run': end?.runId,
    'sluice.status': 'ok',
    'sluice.exit_code': 0,
    'sluice.total.written': ROWS,
  })
  const [table] = spans.filter(({ name }) => name === 'table')
  expect(table?.parentSpanId).toBe(root?.spanId)
  expect(table === undefined ? {} : attributesOf(table)).toMatchObject({
    'sluice.table': 'orders',
    'sluice.status': 'ok',
    'sluice.written': ROWS,
  })
  const chunks = spans.filter(({ name }) => name === 'chunk')
  expect(chunks.map(({ parentSpanId }) => parentSpanId)).toEqual(chunks.map(() => table?.spanId))
  expect(chunks.reduce((sum, span) => sum + Number(attributesOf(span)['sluice.written']), 0)).toBe(ROWS)
  for (const span of spans) expect(BigInt(span.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(span.startTimeUnixNano))
}, 60_000)

test('a collector that is not reachable or does not reply is reported once, and the run completes', async () => {
  const silent = createServer(() => undefined)
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const { port } = silent.address() as AddressInfo
  const program = copy('silent.db', {
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `http://me:hunter2@127.0.0.1:${port}/v1/traces`,
  })
  expect(await program.ended).toMatchObject({ code: 0 })
  silent.closeAllConnections()
  silent.close()
  expect(program.events().at(-1)).toMatchObject({ type: 'run.finished', totals: { written: String(ROWS) } })
  expect(program.err().match(/traces cannot be sent/g)).toHaveLength(1)
  expect(program.err()).not.toContain('hunter2')
}, 60_000)

test('an invalid address of a collector is reported, and nothing is sent', async () => {
  const wrong = copy('wrong.db', { OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4317' })
  expect(await wrong.ended).toMatchObject({ code: 0 })
  expect(wrong.err()).toContain('no traces are sent')
}, 60_000)
