/**
 * Any operation in a program of its own, which ends by SIGKILL at what it says, or while it divides a table.
 * SLUICE_CHILD: `{operation, host, dies, unmarked}` as JSON: `unmarked` for a ledger that notes no mark of tables, because they will be others; `dies` is `{type, times}` of an event, `{planning: true}` for the moment when all pieces of a table lie in the ledger and the
 * table is not called divided, `{sql, when}` for a statement of PostgreSQL that matches, or the COMMIT of its transaction where `commits`, or absent.
 * A `host` other than `here` is another machine.
 * stdout: its events, a line each, and a last line with `finished`.
 */
import { createRequire } from 'node:module'
import process from 'node:process'
import { onHost, patchModules } from './patched-modules.mjs'

const { operation, host, dies, unmarked } = JSON.parse(process.env['SLUICE_CHILD'] ?? '{}')
const die = () => process.kill(process.pid, 'SIGKILL')

if (host !== 'here') patchModules([onHost(host)])

if (dies?.sql !== undefined) {
  const { prototype } = createRequire(import.meta.url)('pg').Client
  const { query } = prototype
  const wanted = new RegExp(dies.sql)
  const seen = new WeakSet()
  prototype.query = function (config, ...rest) {
    const sql = typeof config === 'string' ? config : (config?.text ?? '')
    if (wanted.test(sql)) seen.add(this)
    const isIt = dies.commits === true ? /^COMMIT\b/.test(sql) && seen.has(this) : wanted.test(sql)
    if (isIt && dies.when === 'before') die()
    const result = query.call(this, config, ...rest)
    return isIt ? result.then(die) : result
  }
}

const { runOperation } = await import('../../build/app/run.js')
const { Interrupter } = await import('../../build/shared/abort.js')

if (dies?.planning === true) {
  const { Planning } = await import('../../build/engine/copy/ledger/planning.js')
  Planning.prototype.note = die
}

if (unmarked === true) {
  const { RunLedger } = await import('../../build/engine/copy/ledger/runs.js')
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
