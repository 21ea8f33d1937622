/** Metrics from events, and the text that a scrape gets. */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { METRICS } from '../../src/app/metrics/declared.ts'
import { registryOf } from '../../src/app/metrics/open-metrics.ts'
import { RunMetrics } from '../../src/app/metrics/run-metrics.ts'
import { MOST_TABLES, OTHER_TABLES } from '../../src/app/metrics/series.ts'
import type { Event, EventBody } from '../../src/model/run/event.ts'
import { run as archiveRun } from '../cli/archive-recorded.ts'
import { copy } from '../cli/recorded-copy.ts'
import { batchImport, RUN_ID, stamped } from '../cli/recorded.ts'
import { readExposition, valuesOf, type Family } from '../support/exposition.ts'

const ROOT = path.join(import.meta.dirname, '../..')

async function scraped(metrics: RunMetrics): Promise<ReadonlyMap<string, Family>> {
  return readExposition(await registryOf((metric) => metrics.of(metric)).metrics())
}

async function reported(
  events: readonly Event[],
  shown?: (text: string) => string,
): Promise<ReadonlyMap<string, Family>> {
  const metrics = new RunMetrics(shown)
  for (const event of events) metrics.take(event)
  return scraped(metrics)
}

const bodies = (...all: readonly EventBody[]): Event[] => stamped(all.map((body, at) => [at * 1000, body]))
const begun: EventBody = { type: 'run.started', command: 'copy', tool: '0.1.0' }
const counted = (table: string, inserts: number): EventBody => ({
  type: 'follow.counted',
  table,
  state: 'live',
  inserts: String(inserts),
  updates: '0',
  deletes: '0',
  truncates: '0',
})
const progress = (position: string, lagMs: number, more: object = {}): EventBody => ({
  type: 'follow.progress',
  position,
  end: '0/9',
  lagBytes: String(lagMs),
  lagMs,
  transactions: '7',
  changes: '9',
  rate: '1',
  heldBytes: '4096',
  tables: { copying: '0', catchup: '1', live: '2' },
  ...more,
})

test('a gauge without a known value has no sample', async () => {
  const text = await registryOf(() => []).metrics()
  expect(text).toContain('# TYPE sluice_worker_last_beat_timestamp_seconds gauge\n')
  expect(text).not.toMatch(/^sluice_worker_last_beat_timestamp_seconds /m)
  const gauges = Object.entries(METRICS).flatMap(([name, { kind }]) => (kind === 'gauge' ? [name] : []))
  const families = readExposition(text)
  expect(gauges.filter((name) => families.get(name)?.samples.length !== 0)).toEqual([])
})

describe('of recorded runs', () => {
  test('a copy has the counters of its last event', async () => {
    const families = await reported(copy)
    const end = copy.at(-1)
    const totals = end?.type === 'run.finished' ? end.totals : {}
    const done = copy.filter((event) => event.type === 'chunk.done')
    const rows = valuesOf(families, 'sluice_copy_rows_total', 'outcome')
    expect(rows['written']).toBe(done.reduce((sum, { written = '0' }) => sum + Number(written), 0))
    expect(valuesOf(families, 'sluice_chunks_total', 'outcome')['done']).toBe(done.length)
    expect(valuesOf(families, 'sluice_chunks_open', 'run')[RUN_ID] ?? 0).toBe(0)
    expect(valuesOf(families, 'sluice_run_exit_code', 'run')[RUN_ID]).toBe(
      end?.type === 'run.finished' ? end.exitCode : -1,
    )
    expect(Object.keys(totals).length).toBeGreaterThan(0)
  })

  test('an import and an archive have their counters', async () => {
    const families = await reported(batchImport)
    const versions = valuesOf(families, 'sluice_import_version', 'table')
    expect(Object.keys(versions).length).toBeGreaterThan(0)
    const finished = batchImport.filter((event) => event.type === 'table.finished')
    const statuses = valuesOf(families, 'sluice_tables_finished_total', 'status')
    expect(Object.values(statuses).reduce((sum, one) => sum + one, 0)).toBe(finished.length)
    const archived = valuesOf(await reported(archiveRun), 'sluice_archive_partitions_total', 'state')
    const states = archiveRun.filter((event) => event.type === 'archive.state' && event.state === 'VERIFIED')
    expect(archived['VERIFIED']).toBe(states.length)
  })
})

test('chunks that are open, released and retried are counted as they are now', async () => {
  const of = { table: 't', chunk: '3', worker: 1, unit: 'row' } as const
  const error = { code: 'TARGET_IO', message: 'm', retryable: true } as const
  const events = bodies(
    begun,
    { type: 'chunk.started', ...of, total: '10' },
    { type: 'chunk.progress', ...of, done: '4', total: '10' },
    { type: 'chunk.retried', table: 't', chunk: '3', attempt: 2, waitMs: 1, error },
    { type: 'chunk.progress', ...of, done: '2', total: '10' },
  )
  const open = await reported(events)
  expect(valuesOf(open, 'sluice_chunks_open', 'table')).toEqual({ t: 1 })
  expect(valuesOf(open, 'sluice_chunks_open_rows', 'table')).toEqual({ t: 2 })
  expect(valuesOf(open, 'sluice_chunk_retries_total', 'error')).toEqual({ TARGET_IO: 1 })
  const free = await reported([
    ...events,
    ...bodies({ type: 'chunk.released', table: 't', chunk: '3', reason: 'asked' }),
  ])
  expect(valuesOf(free, 'sluice_chunks_open', 'table')).toEqual({ t: 0 })
  expect(valuesOf(free, 'sluice_chunks_open_rows', 'table')).toEqual({ t: 0 })
  expect(valuesOf(free, 'sluice_chunks_total', 'outcome')).toEqual({ released: 1 })
})

test('a stream has lag, WAL and changes as reported; only a moving position or an idle stream is progress', async () => {
  const at = (families: ReadonlyMap<string, Family>): number =>
    valuesOf(families, 'sluice_run_last_progress_timestamp_seconds', 'run')[RUN_ID] ?? 0
  const start = bodies(begun)[0]?.ts ?? ''
  const since = (families: ReadonlyMap<string, Family>): number => Math.round(at(families) - Date.parse(start) / 1000)
  const moving = [begun, progress('0/1', 3000), counted('t', 5), progress('0/2', 2000, { safeBytes: '7' })]
  const families = await reported(bodies(...moving, counted('t', 8)))
  expect(valuesOf(families, 'sluice_follow_lag_seconds', 'run')).toEqual({ [RUN_ID]: 2 })
  expect(valuesOf(families, 'sluice_follow_lag_bytes', 'run')).toEqual({ [RUN_ID]: 2000 })
  expect(valuesOf(families, 'sluice_follow_held_bytes', 'run')).toEqual({ [RUN_ID]: 4096 })
  expect(valuesOf(families, 'sluice_follow_safe_bytes', 'run')).toEqual({ [RUN_ID]: 7 })
  expect(valuesOf(families, 'sluice_follow_tables', 'state')).toEqual({ copying: 0, catchup: 1, live: 2 })
  expect(valuesOf(families, 'sluice_follow_changes_total', 'kind')).toEqual({
    insert: 8,
    update: 0,
    delete: 0,
    truncate: 0,
  })
  expect(since(families)).toBe(3)
  // An ended stream has no lag, but its changes remain.
  const end: EventBody = { type: 'run.finished', status: 'stopped', exitCode: 130, totals: {}, ms: 1 }
  const ended = await reported(bodies(...moving, end))
  expect(valuesOf(ended, 'sluice_follow_lag_seconds', 'run')).toEqual({})
  expect(valuesOf(ended, 'sluice_follow_changes_total', 'kind')).toMatchObject({ insert: 5 })
  // The stream does not move for two seconds, and is then idle.
  const still = await reported(bodies(...moving, progress('0/2', 2000), progress('0/2', 3000)))
  expect(since(still)).toBe(3)
  expect(valuesOf(still, 'sluice_follow_safe_bytes', 'run')).toEqual({})
  expect(since(await reported(bodies(...moving, progress('0/2', 2000), progress('0/2', 0, { lagBytes: '288' }))))).toBe(
    5,
  )
})

test('an alert is firing until it is cleared, and each is counted', async () => {
  const raised = { type: 'alert', cause: 'lag', state: 'raised', value: '9 s' } as const
  const events = bodies(begun, raised, { ...raised, state: 'cleared' }, raised)
  const other: EventBody = { ...raised, cause: 'stuck', table: 'orders' }
  expect(valuesOf(await reported([...events, ...bodies(other)]), 'sluice_alert_firing', 'table')).toEqual({
    '': 1,
    orders: 1,
  })
  const families = await reported(events)
  expect(valuesOf(families, 'sluice_alert_firing', 'cause')).toEqual({ lag: 1 })
  expect(valuesOf(families, 'sluice_alerts_total', 'cause')).toEqual({ lag: 2 })
  expect(valuesOf(await reported(events.slice(0, 3)), 'sluice_alert_firing', 'cause')).toEqual({ lag: 0 })
  // An earlier run has raised and sent the alert.
  const open: EventBody = { type: 'log', level: 'note', message: 'it is open since yesterday', alert: 'lag' }
  const later = await reported(bodies(begun, open))
  expect(valuesOf(later, 'sluice_alert_firing', 'cause')).toEqual({ lag: 1 })
  expect(valuesOf(later, 'sluice_alerts_total', 'cause')).toEqual({})
})

test('a worker has its slots, and their work is counted for the run they belong to', async () => {
  const metrics = new RunMetrics()
  const all = bodies(
    { type: 'run.started', command: 'worker', tool: '0.1.0' },
    {
      type: 'worker.beat',
      concurrency: '2',
      working: '0',
      queue: {
        workers: { lives: '2', silent: '0', lost: '1' },
        slots: { queued: '3', working: '2', lost: '1' },
        waiting: '1',
        unconfirmed: '2',
        unconfirmedRuns: '3',
        refusedSchedules: '4',
        oldestBeatMs: '31500',
      },
    },
    { type: 'worker.slot', run: '77', slot: '1', state: 'begun', command: 'copy' },
    { type: 'worker.slot', run: '77', slot: '2', state: 'begun', command: 'copy' },
  )
  for (const event of all) metrics.take(event)
  const chunk = { table: 't', chunk: '0', worker: 1, unit: 'row', done: '5', ms: 10, read: '5', written: '5' } as const
  for (const slot of [1, 2]) {
    // Each turn is a run of its own, with the same chunk numbers as another one.
    for (const event of stamped(
      [
        [0, { ...begun }],
        [1, { type: 'chunk.started', ...chunk, total: '5' }],
      ],
      `9${slot}`,
    ))
      metrics.takeOfTask('77', slot, event)
  }
  expect(valuesOf(await scraped(metrics), 'sluice_chunks_open', 'run')).toEqual({ 77: 2 })
  expect(valuesOf(await scraped(metrics), 'sluice_worker_slots_working', '')).toEqual({ '': 2 })
  const queue = await scraped(metrics)
  expect(valuesOf(queue, 'sluice_queue_workers', 'state')).toEqual({ lives: 2, silent: 0, lost: 1 })
  expect(valuesOf(queue, 'sluice_queue_slots', 'state')).toEqual({ queued: 3, working: 2, lost: 1 })
  expect(valuesOf(queue, 'sluice_queue_runs_waiting', '')).toEqual({ '': 1 })
  expect(valuesOf(queue, 'sluice_queue_schedules_unconfirmed', '')).toEqual({ '': 2 })
  expect(valuesOf(queue, 'sluice_queue_runs_unconfirmed', '')).toEqual({ '': 3 })
  expect(valuesOf(queue, 'sluice_queue_schedules_refused', '')).toEqual({ '': 4 })
  expect(valuesOf(queue, 'sluice_queue_oldest_beat_seconds', '')).toEqual({ '': 31.5 })
  const end: EventBody = { type: 'run.finished', status: 'ok', exitCode: 0, totals: {}, ms: 1 }
  for (const event of stamped(
    [
      [0, { type: 'chunk.done', ...chunk }],
      [1, end],
    ],
    '91',
  ))
    metrics.takeOfTask('77', 1, event)
  metrics.takeOfTask('77', 2, stamped([[0, { ...end, status: 'stopped', exitCode: 75 }]], '92')[0] as Event)
  for (const event of bodies(
    { type: 'worker.slot', run: '77', slot: '1', state: 'ended' },
    { type: 'worker.slot', run: '77', slot: '2', state: 'queued' },
  ))
    metrics.take(event)
  const families = await scraped(metrics)
  expect(valuesOf(families, 'sluice_worker_turns_total', 'status')).toEqual({ ok: 1, stopped: 1 })
  expect(valuesOf(families, 'sluice_worker_slots_total', 'state')).toEqual({ ended: 1, queued: 1 })
  expect(valuesOf(families, 'sluice_copy_rows_total', 'outcome')).toEqual({ written: 5, skipped: 0, quarantined: 0 })
  expect(valuesOf(families, 'sluice_chunks_open', 'run')).toEqual({ 77: 0 })
  expect(valuesOf(families, 'sluice_worker_slots_working', '')).toEqual({ '': 0 })
  expect(valuesOf(families, 'sluice_worker_concurrency', '')).toEqual({ '': 2 })
  // A killed slot reports no end; its open chunks count no more.
  metrics.take(bodies({ type: 'worker.slot', run: '77', slot: '2', state: 'begun', command: 'copy' })[0] as Event)
  const open = { table: 't', chunk: '7', worker: 1, unit: 'row' } as const
  for (const event of stamped(
    [
      [0, { type: 'chunk.started', ...open, total: '5' }],
      [1, { type: 'chunk.progress', ...open, done: '3', total: '5' }],
    ],
    '93',
  ))
    metrics.takeOfTask('77', 2, event)
  expect(valuesOf(await scraped(metrics), 'sluice_chunks_open_rows', 'run')).toEqual({ 77: 3 })
  metrics.take(bodies({ type: 'worker.slot', run: '77', slot: '2', state: 'resting' })[0] as Event)
  const killed = await scraped(metrics)
  expect(valuesOf(killed, 'sluice_chunks_open', 'run')).toEqual({ 77: 0 })
  expect(valuesOf(killed, 'sluice_chunks_open_rows', 'run')).toEqual({ 77: 0 })
})

test('tables above the limit share one label with their sum, and runs that ended long ago are dropped', async () => {
  const names = Array.from({ length: MOST_TABLES + 50 }, (_, no) => `t${no}`)
  const finished: EventBody = { type: 'table.finished', table: 'last', status: 'ok', version: '4', ms: 1 }
  const events = bodies(
    begun,
    ...names.map((name) => counted(name, 1)),
    ...names.map((name) => counted(name, 3)),
    finished,
  )
  const metrics = new RunMetrics()
  for (const event of events) metrics.take(event)
  const inserts = [...metrics.of('sluice_follow_changes_total')].filter(({ labels }) => labels['kind'] === 'insert')
  expect(inserts).toHaveLength(MOST_TABLES + 1)
  expect(inserts.find(({ labels }) => labels['table'] === OTHER_TABLES)?.value).toBe(150)
  // Versions have no sum.
  expect([...metrics.of('sluice_import_version')]).toEqual([])
  for (let no = 0; no < 30; no++) {
    const end: EventBody = { type: 'run.finished', status: 'ok', exitCode: 0, totals: {}, ms: 1 }
    for (const event of stamped(
      [
        [0, begun],
        [1, finished],
        [2, end],
      ],
      `5${no}`,
    ))
      metrics.take(event)
  }
  const runs = [...metrics.of('sluice_run_info')].map(({ labels }) => labels['run'])
  // The run that has not ended, and the last twenty that have.
  expect(runs).toHaveLength(21)
  expect(runs).toContain(RUN_ID)
  expect(runs).not.toContain('50')
})

test('a hostile table name is read back unchanged, and secrets are masked', async () => {
  const hostile = 'a"b\\c\nd\r\u001B[31mred\u001B[0m{x="y"} 1\t\u202E# TYPE sluice_run_info gauge\\'
  const families = await reported(bodies(begun, counted(hostile, 2), counted('x-hunter2-y', 1)), (text) =>
    text.replaceAll('hunter2', '***'),
  )
  expect(valuesOf(families, 'sluice_follow_changes_total', 'table')).toEqual({ [hostile]: 2, 'x-***-y': 1 })
})

describe('docs/reference/METRICS.md', () => {
  const file = path.join(ROOT, 'docs/reference/METRICS.md')

  test('lists every metric as declared', () => {
    const rows = Object.entries(METRICS).map(([name, { kind, labels, help }]) => {
      const shown = labels.map((label) => `\`${label}\``).join(', ')
      return [`\`${name}\``, kind, shown, help.replaceAll('|', '\\|')]
    })
    const head = ['metric', 'type', 'labels', 'says']
    const widths = head.map((word, at) => Math.max(word.length, ...rows.map((row) => row[at]?.length ?? 0)))
    const line = (cells: readonly string[]): string =>
      `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`
    const table = [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
    const text = readFileSync(file, 'utf8')
    const listed = /(<!-- list -->\n\n)(.*?)(\n\n<!-- \/list -->)/su
    if (process.env['UPDATE_GOLDEN'] !== undefined)
      writeFileSync(
        file,
        text.replace(listed, (_, before: string, _old, after: string) => before + table + after),
      )
    expect(listed.exec(readFileSync(file, 'utf8'))?.[2]).toBe(table)
  })

  test('metric names follow the conventions', () => {
    for (const [name, { kind, labels }] of Object.entries(METRICS)) {
      expect(name).toMatch(/^sluice_[a-z_]+$/)
      expect([name, name.endsWith('_total')]).toEqual([name, kind === 'counter'])
      expect([name, /_(?:ms|milliseconds|kb|mb|percent)(?:_|$)/.test(name)]).toEqual([name, false])
      expect(labels.filter((label) => /path|key|url|message/.test(label))).toEqual([])
    }
  })
})
