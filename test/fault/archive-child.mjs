/**
 * Archives in a program of its own, which ends or freezes at one of its durable steps: a statement that changes the source, a file that is written,
 * synced, linked, renamed or removed.
 * SLUICE_CHILD: `{operation, host?, leaseMs?, rows?, step?, at?, when?}` as JSON. `at` is a part of the name of a step. `when` is `before`, `during` or `after` for SIGKILL, `frozen` for
 * SIGSTOP before it; `rows` are those of one transaction of a plain table.
 * stdout: its events, a line each, and a last line with `finished` and its steps.
 */
import { register } from 'node:module'
import process from 'node:process'
import { countArchiveSteps } from './archive-steps.mjs'

const {
  operation,
  host = 'here',
  leaseMs,
  rows,
  step = 0,
  when = 'before',
  at,
} = JSON.parse(process.env['SLUICE_CHILD'] ?? '{}')

// Nobody waits for half a minute in a test, and no table is large.
const hook = `export async function load(url, context, next) {
  const loaded = await next(url, context)
  const replaced = (before, after) => ({ ...loaded, source: String(loaded.source).replace(before, after) })
  if (url.endsWith('/shared/owner.js') && ${host !== 'here'}) return replaced('machine: readMachine()', 'machine: ${JSON.stringify(host)}')
  if (url.endsWith('/ledger/partition-ledger.js') && ${leaseMs !== undefined}) return replaced(/LEASE_MS = [0-9_]+/, 'LEASE_MS = ${leaseMs}')
  if (/lifecycle\\/(?:bring-rows|remove-rows|remove-archived)\\.js$/.test(url) && ${rows !== undefined}) return replaced(/const ROWS = [0-9_]+/, 'const ROWS = ${rows}')
  return loaded
}`
register(`data:text/javascript,${encodeURIComponent(hook)}`)

const steps = countArchiveSteps({ step, when, at })
const { runOperation } = await import('../../dist/app/run.js')
const { Interrupter } = await import('../../dist/shared/abort.js')
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
