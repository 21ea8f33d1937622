/**
 * Archives in its own process, and ends or freezes at one of its durable steps: a statement that changes the source, or
 * a file that is written, synced, linked, renamed or removed. SLUICE_CHILD: `{operation, host?, leaseMs?, rows?, step?,
 * at?, when?}` as JSON. `at` is a part of the step's name. `when` is `before`, `during` or `after` for SIGKILL,
 * `frozen` for SIGSTOP before the step; `rows` is the number of rows per transaction of a plain table. stdout: its
 * events, one per line, and a last line with `finished` and its steps.
 */
import process from 'node:process'
import { countArchiveSteps } from './archive-steps.mjs'
import { onHost, patchModules } from './patched-modules.mjs'

const {
  operation,
  host = 'here',
  leaseMs,
  rows,
  step = 0,
  when = 'before',
  at,
} = JSON.parse(process.env['SLUICE_CHILD'] ?? '{}')

const ofRows = ['restore-rows', 'remove-rows', 'remove-archived'].map((name) => `archive/steps/${name}.js`)
// Shortens the lease, because no test waits for half a minute, and the transactions, because no table is large.
patchModules([
  ...(host === 'here' ? [] : [onHost(host)]),
  ...(leaseMs === undefined
    ? []
    : [{ file: 'archive/ledger/partition-ledger.js', from: /LEASE_MS = [0-9_]+/, to: `LEASE_MS = ${leaseMs}` }]),
  ...(rows === undefined
    ? []
    : ofRows.map((file) => ({ file, from: /const ROWS = [0-9_]+/, to: `const ROWS = ${rows}` }))),
])

const steps = countArchiveSteps({ step, when, at })
const { runOperation } = await import('../../build/app/run.js')
const { Interrupter } = await import('../../build/shared/abort.js')
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)
const finished = await runOperation(operation, {
  interrupt: new Interrupter(),
  clock: { now: () => Date.now(), ticks: () => performance.now() },
  tool: 'test',
  actor: 'tester',
  host,
  commandLine: 'sluice archive',
  onEvent: say,
})
say({ finished, steps: steps() })
