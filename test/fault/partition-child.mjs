/**
 * Creates partitions in its own process, which ends at one of its durable steps: a statement outside of a transaction
 * that changes something, or a COMMIT. SLUICE_CHILD: `{url, table, partitions, step?, when?}` as JSON; `step` from 1.
 * `when` is `before`, `during` or `after` for SIGKILL, `frozen` for SIGSTOP once the transaction that the step ends has
 * its locks. stdout: one line with `{made, steps}`.
 */
import { createRequire } from 'node:module'
import process from 'node:process'

const { url, table, partitions, step = 0, when = 'before' } = JSON.parse(process.env['SLUICE_CHILD'] ?? '{}')
const CHANGES = /\b(?:INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|TRUNCATE|ANALYZE|REVOKE|GRANT|COMMENT)\b/
const UNDER_WAY_MS = 2
const steps = []

const { prototype } = createRequire(import.meta.url)('pg').Client
const { query } = prototype
const inside = new WeakSet()
prototype.query = function (config, ...rest) {
  const sql = typeof config === 'string' ? config : (config?.text ?? '')
  if (/^BEGIN\b/.test(sql)) inside.add(this)
  const ends = /^(?:COMMIT|ROLLBACK)\b/.test(sql)
  const isStep = /^COMMIT\b/.test(sql) || (!inside.has(this) && CHANGES.test(sql) && !/^(?:SET|SELECT)\b/.test(sql))
  if (ends) inside.delete(this)
  if (!isStep) return query.call(this, config, ...rest)
  steps.push(sql.replace(/\s+/g, ' ').slice(0, 60))
  const isIt = steps.length === step
  const signal = () => process.kill(process.pid, when === 'frozen' ? 'SIGSTOP' : 'SIGKILL')
  if (isIt && (when === 'before' || when === 'frozen')) signal()
  if (isIt && when === 'during') setTimeout(signal, UNDER_WAY_MS)
  const result = query.call(this, config, ...rest)
  return isIt && when === 'after' ? result.then(signal) : result
}

const { openPostgresCopy } = await import('../../build/stores/postgresql/copy/index.js')
const store = await openPostgresCopy(url)
const maintenance = store.offers.maintenance
const { signal } = new AbortController()
const made = await maintenance.make({
  table: await maintenance.inspect(table, false, signal),
  partitions,
  lockTimeoutMs: 100,
  retryLimitMs: 10_000,
  signal,
})
await store[Symbol.asyncDispose]()
const texts = (_, value) => (typeof value === 'bigint' ? String(value) : value)
process.stdout.write(`${JSON.stringify({ made, steps }, texts)}\n`)
