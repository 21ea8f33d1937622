/**
 * Runs one operation in its own process, which is killed at the nth of its effects: a COMMIT of a row of the ledger, or
 * a change of the database itself. SLUICE_CHILD: `{operation, nth, when}` as JSON; `when` is `before` or `after`.
 */
import { createRequire } from 'node:module'
import process from 'node:process'

const { operation, nth, when } = JSON.parse(process.env['SLUICE_CHILD'] ?? '{}')

const { prototype } = createRequire(import.meta.url)('pg').Client
const { query } = prototype
const noted = new WeakSet()
let effects = 0
prototype.query = function (config, ...rest) {
  const sql = typeof config === 'string' ? config : (config?.text ?? '')
  if (/^INSERT INTO migration_database_decommissions\b/.test(sql)) noted.add(this)
  const isEffect = /^(?:ALTER|DROP) DATABASE\b/.test(sql) || (/^COMMIT\b/.test(sql) && noted.delete(this))
  if (!isEffect || ++effects !== nth) return query.call(this, config, ...rest)
  const signal = () => process.kill(process.pid, 'SIGKILL')
  if (when === 'before') signal()
  return query.call(this, config, ...rest).then(signal)
}

const { runOperation } = await import('../../build/app/run.js')
const { NEVER } = await import('../../build/shared/abort.js')
const { systemClock } = await import('../../build/shared/clock.js')
const finished = await runOperation(operation, {
  interrupt: NEVER,
  clock: systemClock,
  tool: 'test',
  actor: 'tester',
  host: 'here',
  commandLine: 'sluice partition decommission --database',
  onEvent: () => undefined,
})
process.stdout.write(JSON.stringify(finished))
