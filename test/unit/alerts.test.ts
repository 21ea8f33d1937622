/**
 * Alert conditions: how they are parsed, that each is reported once when it begins and once when it ends, and how
 * alerts are sent.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { readAlert as read } from '../../src/cli/flags/alert-flags.ts'
import { Alerts } from '../../src/engine/run/alerts/alerts.ts'
import { RunAlerts } from '../../src/app/alerts/run-alerts.ts'
import { runShell } from '../../src/engine/run/alerts/shell.ts'
import { send, type SentAlert } from '../../src/engine/run/alerts/sinks.ts'
import { taskEnd } from '../../src/app/share/task-end.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import { systemClock } from '../../src/shared/clock.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { STREAM_CAUSES, type StreamVerdict } from '../../src/model/run/alert.ts'

const readAlert = (args: Parameters<typeof read>[0]): ReturnType<typeof read> =>
  read(args, { command: 'follow', causes: STREAM_CAUSES })

test('conditions are parsed from --alert', () => {
  expect(readAlert({ alert: 'lag>30s, wal>10GB,stalled>2m,rate<1000,error,slot-lost' })).toEqual({
    conditions: [
      { cause: 'lag', limit: 30_000 },
      { cause: 'wal', limit: 10_000_000_000 },
      { cause: 'stalled', limit: 120_000 },
      { cause: 'rate', limit: 1000 },
      { cause: 'error' },
      { cause: 'slot-lost' },
    ],
  })
  expect(readAlert({})).toBeUndefined()
  for (const alert of ['lag<3s', 'lag', 'wal>x', 'rate>5', 'lag>1s,lag>2s', '', 'lag>-1s'])
    expect(() => readAlert({ alert }), alert).toThrow(expect.objectContaining({ code: 'BAD_FLAG' }))
  expect(() => readAlert({ 'alert-exit': true })).toThrow('--alert-exit requires --alert')
})

test('a condition is reported when it is first known, when it begins and when it ends', () => {
  const reported: StreamVerdict[] = []
  const conditions = [{ cause: 'lag', limit: 1000 }, { cause: 'rate', limit: 10 }, { cause: 'error' }] as const
  const alerts = new Alerts({ conditions, exit: true }, (event) => reported.push(event))
  alerts.update({ lagMs: 1000, lagIs: 'at least' })
  expect(reported).toEqual([])
  // An earlier run may have raised these alerts.
  alerts.update({ lagMs: 1000, rate: 10, walBytes: 1e12 })
  expect(reported.splice(0).map(({ cause, holds }) => `${cause} ${holds}`)).toEqual(['lag false', 'rate false'])
  expect(alerts.mustEndRun).toBe(false)
  for (const lagMs of [1001, 5000, 2000]) alerts.update({ lagMs })
  alerts.update({ rate: 9 })
  // Unknown values change nothing.
  alerts.update({})
  alerts.raise('error', 'the line broke')
  alerts.raise('error', 'and again')
  alerts.raise('slot-lost', 'nobody asked')
  expect(alerts.mustEndRun).toBe(true)
  expect(alerts.raised).toEqual(['lag', 'rate', 'error'])
  alerts.update({ lagMs: 0, rate: 'kept up' })
  alerts.clear('error')
  expect(alerts.mustEndRun).toBe(false)
  expect(reported.map(({ cause, holds }) => `${cause} ${holds}`)).toEqual([
    'lag true',
    'rate true',
    'error true',
    'lag false',
    'rate false',
    'error false',
  ])
  expect(reported[0]).toMatchObject({ value: '1.0 s', limit: '1.0 s' })
})

test('a command gets values that no environment variable can hold, and a hanging shell is killed with its children', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-alert-'))
  const file = join(folder, 'said')
  const event: SentAlert = {
    id: '9',
    type: 'alert',
    cause: 'quarantine',
    state: 'raised',
    value: 'the row with the key a\0b',
  }
  const sinks = { command: `printf '%s' "$SLUICE_ALERT_VALUE" > '${file}'`, run: '7', about: 'a -> b', host: 'here' }
  try {
    expect(await send(event, sinks)).toEqual([])
    expect(readFileSync(file, 'utf8')).toBe('the row with the key a\u{fffd}b')
    expect(await send({ ...event, value: 'ö'.repeat(300_000) }, sinks)).toEqual([])
    expect(readFileSync(file, 'utf8')).toBe(`${'ö'.repeat(30_000)}…`)
    const pid = join(folder, 'pid')
    expect(await runShell(`sleep 300 & echo $! > '${pid}'; wait`, {}, 500)).toBe('ended with SIGKILL')
    const sleeping = Number(readFileSync(pid, 'utf8'))
    await vi.waitUntil(() => !isAlive(sleeping), 5000)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

/** A zombie counts as ended. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

test('a webhook that redirects to another host fails, and that host gets no request', async () => {
  let reached = 0
  const other = createServer((_, response) => {
    reached++
    response.writeHead(204).end()
  })
  await new Promise<void>((ready) => other.listen(0, '127.0.0.1', ready))
  const { port: otherPort } = other.address() as AddressInfo
  const server = createServer((request, response) => {
    request.resume()
    const status = Number(request.url?.slice(1))
    response.writeHead(status, { location: `http://127.0.0.1:${otherPort}/` }).end()
  })
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  const { port } = server.address() as AddressInfo
  const event: SentAlert = { id: '9', type: 'alert', cause: 'wal', state: 'raised', value: '11 GB', limit: '10 GB' }
  try {
    for (const status of [301, 302, 303, 307, 308]) {
      const failed = await send(event, {
        webhook: `http://127.0.0.1:${port}/${status}`,
        run: '7',
        about: 'a -> b',
        host: 'here',
      })
      expect(failed).toEqual([
        `the webhook of the alert answered ${status}: it redirects to another URL, and sluice does not follow redirects`,
      ])
    }
    expect(reached).toBe(0)
  } finally {
    server.close()
    other.close()
  }
})

test('a command and a webhook get the alert, and a failure is reported without the URL', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-alert-'))
  const bodies: unknown[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (data: Buffer) => (body += data.toString()))
    request.on('end', () => {
      bodies.push(JSON.parse(body))
      response.writeHead(request.url === '/fails' ? 500 : 204).end()
    })
  })
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  const { port } = server.address() as AddressInfo
  const event: SentAlert = { id: '9', type: 'alert', cause: 'wal', state: 'raised', value: '11 GB', limit: '10 GB' }
  const about = { run: '7', about: 'a -> b', host: 'here' }
  const file = join(folder, 'said')
  const command = `printf '%s %s %s %s %s %s' "$SLUICE_ALERT_ID" "$SLUICE_ALERT_CAUSE" "$SLUICE_ALERT_STATE" "$SLUICE_ALERT_VALUE" "$SLUICE_ALERT_LIMIT" "$SLUICE_ALERT_RUN" > '${file}'`
  try {
    expect(await send(event, { command, webhook: `http://127.0.0.1:${port}/token-secret`, ...about })).toEqual([])
    expect(readFileSync(file, 'utf8')).toBe('9 wal raised 11 GB 10 GB 7')
    expect(bodies).toEqual([{ id: '9', cause: 'wal', state: 'raised', value: '11 GB', limit: '10 GB', ...about }])
    const failed = await send(event, { command: 'exit 3', webhook: `http://127.0.0.1:${port}/fails`, ...about })
    expect(failed).toEqual(['the command of the alert ended with 3', 'the webhook of the alert answered 500'])
    expect(await send(event, { webhook: 'http://127.0.0.1:1/token-secret', ...about })).toEqual([
      'the webhook of the alert cannot be reached',
    ])
  } finally {
    server.close()
    rmSync(folder, { recursive: true, force: true })
  }
})

test.each([
  ['CONNECTION_LOST', []],
  ['TABLES_FAILED', ['failed raised']],
] as const)('a run that ends with %s is reported as failed only if it is not retried', async (code, expected) => {
  const reported: string[] = []
  const alerts = new RunAlerts(
    { kind: 'copy', from: 'sqlite:///a', to: 'sqlite:///b', tables: ['t'] } as unknown as Operation,
    { conditions: [{ cause: 'failed' }] },
    {
      runId: '7',
      host: 'here',
      goesOn: ({ exitCode, error }) =>
        taskEnd({ exitCode, crashed: false, ...(error === undefined ? {} : { error }) }, { times: 0, cause: null })
          .left !== 'none',
      clock: systemClock,
      emit: (event) => void (event.type === 'alert' && reported.push(`${event.cause} ${event.state}`)),
      memory: undefined,
      stop: () => undefined,
    },
  )
  const error = new SluiceError(code, 'the server is away')
  const end = { type: 'run.finished', status: 'failed', exitCode: error.exitCode, totals: {}, ms: 1 } as const
  expect(await alerts.ended({ ...end, error: error.info() })).toBe(null)
  expect(reported).toEqual(expected)
})

test.each([
  [false, true, []],
  [false, false, ['drift raised']],
  // A watch does not end by the error, so its task is not retried.
  [true, true, ['drift raised']],
])(
  'a table that the task of a queue retries raises no drift (watch %s, retryable %s)',
  async (watch, retryable, expected) => {
    const reported: string[] = []
    const alerts = new RunAlerts(
      { kind: 'sync', catalog: 'sqlite:///c', tables: ['t'], watch } as unknown as Operation,
      { conditions: [{ cause: 'drift' }] },
      {
        runId: '7',
        host: 'here',
        goesOn: ({ exitCode, error }) =>
          taskEnd({ exitCode, crashed: false, ...(error === undefined ? {} : { error }) }, { times: 0, cause: null })
            .left !== 'none',
        clock: systemClock,
        emit: (event) => void (event.type === 'alert' && reported.push(`${event.cause} ${event.state}`)),
        memory: undefined,
        stop: () => undefined,
      },
    )
    const error = new SluiceError('SOURCE_IO', 'S3 returned the error SlowDown', { retryable })
    alerts.take({ type: 'table.finished', table: 't', status: 'failed', ms: 1, error: error.info() })
    const end = { type: 'run.finished', status: 'failed', exitCode: error.exitCode, totals: {}, ms: 1 } as const
    expect(await alerts.ended({ ...end, error: error.info() })).toBe(null)
    expect(reported).toEqual(expected)
  },
)
