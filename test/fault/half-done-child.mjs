/**
 * Runs any operation in its own process, which ends by SIGKILL at a given point, or while it plans the chunks of a
 * table. SLUICE_CHILD: `{operation, host, dies, unmarked}` as JSON: `unmarked` for a ledger without identities of
 * tables, because the restored tables will have other ones; `dies` is absent, or `{type, times}` of an event,
 * `{planning: true}` for the point at which all chunks of a table are in the ledger, but the table is not yet marked as
 * planned, or `{sql, when}` for a statement of PostgreSQL that matches, or with `commits` the COMMIT of its
 * transaction. A `host` other than `here` is another machine. stdout: its events, one per line, and a last line with
 * `finished`.
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
  Planning.prototype.note = async () => void die()
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
