/** Metrics of real runs, requested as Prometheus does it, while they run and at their end. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, request } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { openMetrics } from '../../src/app/metrics/open-metrics.ts'
import { runOperation } from '../../src/app/run.ts'
import type { Event } from '../../src/model/run/event.ts'
import { NEVER } from '../../src/shared/abort.ts'
import { systemClock } from '../../src/shared/clock.ts'
import { headless } from '../e2e/support/program.ts'
import { copyOf, makePlace } from '../support/copy-systems.ts'
import { readExposition, valuesOf, type Family } from '../support/exposition.ts'

const HOSTILE = 'or"de\\rs\n\u001B[31m'
const ROWS = 20_000
let folder = ''
let source = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-metrics-'))
  source = join(folder, 'source.db')
  const database = new Database(source)
  const quoted = `"${HOSTILE.replaceAll('"', '""')}"`
  database.exec(`CREATE TABLE ${quoted} (id INTEGER PRIMARY KEY, v TEXT);
    WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < ${ROWS}) INSERT INTO ${quoted} SELECT i, 'v' || i FROM s;
    CREATE TABLE plain (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO plain SELECT id, v FROM ${quoted}`)
  database.close()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function scrape(url: string): Promise<ReadonlyMap<string, Family>> {
  const answer = await fetch(url)
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8'])
  return readExposition(await answer.text())
}

function asked(url: string, method: string, host?: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const headers = host === undefined ? {} : { host }
    const sent = request(url, { method, agent: false, headers }, (answer) => {
      answer.resume()
      resolve(answer.statusCode)
    })
    sent.on('error', reject)
    sent.end()
  })
}

test('metrics of a copy agree with its totals, during the run and at its end, and keep the name of its table', async () => {
  await using metrics = await openMetrics({ host: null, port: 0 }, (text) => text)
  expect(metrics.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/metrics$/)
  expect(await asked(metrics.url.replace('/metrics', '/'), 'GET')).toBe(404)
  expect(await asked(`${metrics.url}/more`, 'GET')).toBe(404)
  expect(await asked(metrics.url, 'POST')).toBe(405)
  const { port } = new URL(metrics.url)
  for (const own of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`, 'LOCALHOST', hostname()])
    expect([own, await asked(metrics.url, 'GET', own)]).toEqual([own, 200])
  // Host names of a web page that resolve to this machine.
  for (const other of [`rebound.example:${port}`, 'localhost.rebound.example', '127.0.0.1.rebound.example', 'x'])
    expect([other, await asked(metrics.url, 'GET', other)]).toEqual([other, 421])
  vi.stubEnv('SLUICE_METRICS_NAMES', 'metrics.example, X')
  expect(await asked(metrics.url, 'GET', `metrics.example:${port}`)).toBe(200)
  expect(await asked(metrics.url, 'GET', 'x')).toBe(200)
  vi.unstubAllEnvs()
  const target = await makePlace('duckdb', folder)
  const operation = copyOf({ ...target, url: `sqlite:///${source}` }, target, HOSTILE, { workers: 1, chunkRows: 2000 })
  const scrapes: Promise<readonly [events: number, written: number, families: ReadonlyMap<string, Family>]>[] = []
  let written = 0
  const heard = (event: Event): void => {
    metrics.take(event)
    if (event.type !== 'chunk.done') return
    written += Number(event.written)
    const least = written
    scrapes.push(scrape(metrics.url).then((families) => [scrapes.length, least, families] as const))
  }
  const finished = await runOperation(operation, {
    interrupt: NEVER,
    clock: systemClock,
    tool: '0.0.0',
    actor: 'test',
    host: 'here',
    commandLine: 'sluice copy',
    onEvent: heard,
  })
  expect(finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS), chunks: '10' } })
  let before = 0
  for (const [, least, families] of await Promise.all(scrapes)) {
    const reported = valuesOf(families, 'sluice_copy_rows_total', 'outcome')['written'] ?? 0
    // At least what was written when the request was sent, and never less than before.
    expect(reported).toBeGreaterThanOrEqual(Math.max(least, before))
    expect(reported).toBeLessThanOrEqual(ROWS)
    before = least
  }
  const end = await scrape(metrics.url)
  expect(valuesOf(end, 'sluice_copy_rows_total', 'table')).toEqual({ [HOSTILE]: ROWS })
  expect(valuesOf(end, 'sluice_copy_rows_total', 'outcome')).toEqual({ written: ROWS, skipped: 0, quarantined: 0 })
  expect(valuesOf(end, 'sluice_copy_bytes_total', 'table')).toEqual({ [HOSTILE]: Number(finished.totals['bytes']) })
  expect(valuesOf(end, 'sluice_chunks_total', 'outcome')).toEqual({ done: 10 })
  expect(valuesOf(end, 'sluice_chunks_planned', 'table')).toEqual({ [HOSTILE]: 10 })
  expect(valuesOf(end, 'sluice_chunks_open', 'table')).toEqual({ [HOSTILE]: 0 })
  expect(valuesOf(end, 'sluice_copy_rows_planned', 'table')).toEqual({ [HOSTILE]: ROWS })
  expect(valuesOf(end, 'sluice_run_finished', 'status')).toEqual({ ok: 1 })
  expect(end.get('process_resident_memory_bytes')?.samples[0]?.value).toBeGreaterThan(10_000_000)
})

test('a port in use ends the command before it has begun', { timeout: 30_000 }, async () => {
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  const { port } = taken.address() as AddressInfo
  const words = ['copy', '--from', `sqlite:///${source}`, '--to', 'sqlite:///taken.db', '--table', 'plain', '--json']
  const program = headless(folder, [...words, '--metrics', String(port)])
  expect(await program.ended).toMatchObject({ code: 2 })
  taken.close()
  expect(program.events().at(-1)).toMatchObject({ error: { code: 'PORT_TAKEN', where: `127.0.0.1:${port}` } })
  expect(existsSync(join(folder, 'taken.db'))).toBe(false)
})

test('metrics are served during a run, a hanging client delays nothing, and the port is closed at the end', async () => {
  const words = ['copy', '--from', `sqlite:///${source}`, '--to', 'sqlite:///target.db', '--table', 'plain', '--json']
  const slow = ['--checkpoint-size', '2000', '--rate', '8000', '--workers', '1', '--metrics', '0']
  const program = headless(folder, [...words, ...slow])
  const note = (): string | undefined =>
    program
      .events()
      .flatMap((event) => (event.type === 'log' ? (event.message.match(/^metrics (http.*)$/)?.[1] ?? []) : []))[0]
  await program.until(() => note() !== undefined)
  const url = new URL(note() ?? '')
  // One client sends half a request, and one does not read its response.
  const hanging = [connect(Number(url.port), '127.0.0.1'), connect(Number(url.port), '127.0.0.1')]
  for (const socket of hanging) socket.on('error', () => undefined)
  hanging[0]?.write('GET /metr')
  hanging[1]?.pause().write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n')
  await program.until(({ events }) => events().some(({ type }) => type === 'chunk.done'))
  const families = await scrape(url.href)
  expect(valuesOf(families, 'sluice_run_running', 'command')).toEqual({ '': 1 })
  expect(valuesOf(families, 'sluice_copy_rows_total', 'table')['plain']).toBeGreaterThanOrEqual(2000)
  expect(await program.ended).toMatchObject({ code: 0 })
  expect(program.events().at(-1)).toMatchObject({ type: 'run.finished', totals: { written: String(ROWS) } })
  for (const socket of hanging) socket.destroy()
  await expect(fetch(url)).rejects.toThrow('fetch failed')
}, 60_000)
