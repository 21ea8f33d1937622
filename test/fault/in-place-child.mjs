/**
 * Partitions a table in place in its own process, which ends at one of its durable steps: a statement outside of a
 * transaction that changes something, or a COMMIT. SLUICE_CHILD: `{operation, step?, when?}` as JSON; `step` from 1,
 * `when` is `before`, `during` or `after`. stdout: one line with `{finished, steps}`.
 */
import { createRequire } from 'node:module'
import process from 'node:process'

const { operation, step = 0, when = 'before' } = JSON.parse(process.env['SLUICE_CHILD'] ?? '{}')
const CHANGES = /^\s*(?:CREATE|ALTER|DROP|ANALYZE|COMMENT)\b/
const UNDER_WAY_MS = 2
const steps = []

const { prototype } = createRequire(import.meta.url)('pg').Client
const { query } = prototype
const inside = new WeakSet()
prototype.query = function (config, ...rest) {
  const sql = typeof config === 'string' ? config : (config?.text ?? '')
  if (/^BEGIN\b/.test(sql)) inside.add(this)
  const isStep = /^COMMIT\b/.test(sql) ? inside.has(this) : !inside.has(this) && CHANGES.test(sql)
  if (/^(?:COMMIT|ROLLBACK)\b/.test(sql)) inside.delete(this)
  if (!isStep) return query.call(this, config, ...rest)
  steps.push(sql.replace(/\s+/g, ' ').slice(0, 60))
  const isIt = steps.length === step
  const signal = () => process.kill(process.pid, 'SIGKILL')
  if (isIt && when === 'before') signal()
  if (isIt && when === 'during') setTimeout(signal, UNDER_WAY_MS)
  const result = query.call(this, config, ...rest)
  return isIt && when === 'after' ? result.then(signal) : result
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
  commandLine: 'sluice partition in-place',
  onEvent: () => undefined,
})
process.stdout.write(`${JSON.stringify({ finished, steps })}\n`)
