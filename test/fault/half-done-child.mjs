/**
 * Any operation in a program of its own, which ends by SIGKILL at what it says, or while it divides a table.
 * SLUICE_CHILD: `{operation, host, dies, unmarked}` as JSON: `unmarked` for a ledger that notes no mark of tables, because they will be others; `dies` is `{type, times}` of an event, `{planning: true}` for the moment when all pieces of a table lie in the ledger and the
 * table is not called divided, or absent.
 * stdout: its events, a line each, and a last line with `finished`.
 */
import process from 'node:process'
import { runOperation } from '../../dist/engine/run.js'
import { Interrupter } from '../../dist/shared/abort.js'

const { operation, host, dies, unmarked } = JSON.parse(process.env['SLUICE_CHILD'] ?? '{}')
const die = () => process.kill(process.pid, 'SIGKILL')

if (dies?.planning === true) {
  const { Planning } = await import('../../dist/engine/copy/ledger/planning.js')
  Planning.prototype.note = die
}

if (unmarked === true) {
  const { RunLedger } = await import('../../dist/engine/copy/ledger/runs.js')
  RunLedger.prototype.noteTargetMark = async () => undefined
}

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)
let times = 0
const finished = await runOperation(operation, {
  interrupt: new Interrupter(),
  clock: { now: () => Date.now(), ticks: () => performance.now() },
  tool: 'test',
  actor: 'tester',
  host,
  commandLine: `sluice ${operation.kind}`,
  onEvent: (event) => {
    say(event)
    if (event.type === dies?.type && ++times === dies.times) die()
  },
})
say({ finished })
