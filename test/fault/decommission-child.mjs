/**
 * Runs one operation in its own process, which is killed at the COMMIT of the transaction that revokes rights, grants
 * them again, or drops the table. SLUICE_CHILD: `{operation, when}` as JSON; `when` is `before`, `during` or `after`.
 */
import { createRequire } from 'node:module'
import process from 'node:process'

const { operation, when } = JSON.parse(process.env['SLUICE_CHILD'] ?? '{}')
const EFFECT = /^(?:REVOKE|GRANT|DROP TABLE)\b/
const UNDER_WAY_MS = 1

const { prototype } = createRequire(import.meta.url)('pg').Client
const { query } = prototype
const effective = new WeakSet()
prototype.query = function (config, ...rest) {
  const sql = typeof config === 'string' ? config : (config?.text ?? '')
  if (EFFECT.test(sql)) effective.add(this)
  if (!/^COMMIT\b/.test(sql) || !effective.has(this)) return query.call(this, config, ...rest)
  const signal = () => process.kill(process.pid, 'SIGKILL')
  if (when === 'before') signal()
  if (when === 'during') setTimeout(signal, UNDER_WAY_MS)
  const result = query.call(this, config, ...rest)
  return when === 'after' ? result.then(signal) : result
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
  commandLine: 'sluice partition decommission',
  onEvent: () => undefined,
})
process.stdout.write(JSON.stringify(finished))
