/**
 * Begins a stream in its own process, which ends by SIGKILL at one of its durable steps: creating or dropping a
 * publication or a slot. SLUICE_CHILD: `{url, name, table, step?, when?}` as JSON; `step` from 1, `when` is `before`,
 * `during` or `after`. stdout: one line with `{steps}`.
 */
import { createRequire } from 'node:module'
import process from 'node:process'

const { url, name, table, step = 0, when = 'before' } = JSON.parse(process.env['SLUICE_CHILD'] ?? '{}')
const CHANGES =
  /\b(?:CREATE PUBLICATION|DROP PUBLICATION|pg_create_logical_replication_slot|pg_drop_replication_slot)\b/
/** Time in ms until the server has begun to execute a statement. */
const UNDER_WAY_MS = 20
const steps = []

const { prototype } = createRequire(import.meta.url)('pg').Client
const { query } = prototype
prototype.query = function (config, ...rest) {
  const sql = typeof config === 'string' ? config : (config?.text ?? '')
  if (!CHANGES.test(sql)) return query.call(this, config, ...rest)
  steps.push(CHANGES.exec(sql)?.[0])
  const isIt = steps.length === step
  const kill = () => process.kill(process.pid, 'SIGKILL')
  if (isIt && when === 'before') kill()
  if (isIt && when === 'during') setTimeout(kill, UNDER_WAY_MS)
  const result = query.call(this, config, ...rest)
  return isIt && when === 'after' ? result.then(kill) : result
}

const { openPostgresCopy } = await import('../../build/stores/postgresql/copy/index.js')
const store = await openPostgresCopy(url)
const { signal } = new AbortController()
const [found] = await store.tables(table, signal)
const columns = found.columns.map((column) => ({ name: column.name, as: column.type, column }))
await store.offers.slotChanges().begin(name, [{ table: found, columns, identity: found.key }], signal)
await store[Symbol.asyncDispose]()
process.stdout.write(`${JSON.stringify({ steps })}\n`)
