/**
 * A copy in its own process, which ends or freezes at one of its own steps: at the nth statement that changes the
 * target. SLUICE_CHILD: `{operation, host?, leaseMs?, isSilent?, aheadMs?, jumpsEveryMs?, step?, when?, killedBy?,
 * frozenBy?}` as JSON. `when` is `before`, `during` or `after` for SIGKILL at the step, `frozen` for SIGSTOP after it;
 * `killedBy` is `{type, times}` of an event: SIGKILL once the event was emitted so often; `frozenBy` is the same for
 * SIGSTOP. All clocks are `aheadMs` ahead; with `jumpsEveryMs` they jump from ahead to as much behind, and back.
 * stdout: its events, one per line, and a last line with `finished` and its steps.
 */
import process from 'node:process'
import { countSteps } from './copy-steps.mjs'
import { leaseOfCopies, onHost, patchModules } from './patched-modules.mjs'

const {
  operation,
  host = 'here',
  leaseMs,
  isSilent,
  aheadMs = 0,
  jumpsEveryMs = 0,
  step = 0,
  when = 'before',
  killedBy,
  frozenBy,
} = JSON.parse(process.env['SLUICE_CHILD'] ?? '{}')

// Shortens the lease, because no test waits for half a minute.
patchModules([
  ...(host === 'here' ? [] : [onHost(host)]),
  ...(leaseMs === undefined ? [] : [leaseOfCopies(leaseMs)]),
  ...(isSilent === true
    ? [{ file: 'engine/copy/workers/heartbeat.js', from: 'COPY_LEASE_MS / 3', to: '2 ** 30' }]
    : []),
])

if (aheadMs !== 0) {
  const { now } = Date
  const Right = Date
  let offMs = aheadMs
  if (jumpsEveryMs > 0) setInterval(() => (offMs = -offMs), jumpsEveryMs).unref()
  Date.now = () => now() + offMs
  // @ts-expect-error -- a class cannot be called without `new`, which nothing here does
  globalThis.Date = class extends Right {
    constructor(...parts) {
      if (parts.length === 0) super(Right.now())
      // @ts-expect-error -- arguments of each form of the constructor
      else super(...parts)
    }
  }
}

const steps = countSteps(operation.to ?? operation.from, { step, when })
const { runOperation } = await import('../../build/app/run.js')
const { Interrupter } = await import('../../build/shared/abort.js')
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)
const times = { SIGKILL: 0, SIGSTOP: 0 }
const tell = (event) => {
  say(event)
  for (const [signal, by] of [
    ['SIGKILL', killedBy],
    ['SIGSTOP', frozenBy],
  ]) {
    if (event.type === by?.type && ++times[signal] === by.times) process.kill(process.pid, signal)
  }
}
const finished = await runOperation(operation, {
  interrupt: new Interrupter(),
  clock: { now: () => Date.now(), ticks: () => performance.now() },
  tool: 'test',
  actor: 'tester',
  host,
  commandLine: 'sluice copy',
  onEvent: tell,
})
say({ finished, steps: steps() })
