/**
 * Applies numbered transactions to table `rows` of a file, from the position in the position row on, in its own
 * process. Transaction n puts row n, changes the row before the last and removes one. SLUICE_CHILD: `{system, file,
 * until, commit?, when?}` as JSON: it ends by SIGKILL `before`, `during` or `after` the COMMIT of transaction `commit`.
 * stdout: one line with `{position}`.
 */
import { createRequire } from 'node:module'
import process from 'node:process'

const { system, file, until, commit = 0, when = 'before' } = JSON.parse(process.env['SLUICE_CHILD'] ?? '{}')
const require = createRequire(import.meta.url)
const { signal } = new AbortController()
let current = 0
const kill = () => process.kill(process.pid, 'SIGKILL')

/** @param {string} sql @param {() => any} run */
function passing(sql, run) {
  if (sql !== 'COMMIT' || current !== commit || commit === 0) return run()
  if (when === 'before') kill()
  if (when === 'during') setImmediate(kill)
  const result = run()
  if (when !== 'after') return result
  return result instanceof Promise ? result.finally(kill) : kill()
}

if (system === 'sqlite') {
  const { prototype } = require('better-sqlite3')
  const { exec } = prototype
  prototype.exec = function (sql) {
    return passing(sql, () => exec.call(this, sql))
  }
} else {
  const { prototype } = require('@duckdb/node-api').DuckDBConnection
  const { prepare } = prototype
  prototype.prepare = async function (sql) {
    const statement = await prepare.call(this, sql)
    const { run } = statement
    statement.run = () => passing(sql, () => run.call(statement))
    return statement
  }
}

const { openSqliteCopy } = await import('../../build/stores/sqlite/copy/index.js')
const { openDuckdbCopy } = await import('../../build/stores/duckdb/copy/index.js')
const options = /** @type {const} */ ({ mode: 'write', label: 'a file' })
const store = await (system === 'sqlite' ? openSqliteCopy(file, options) : openDuckdbCopy(file, options))
const ledger = await store.ledger()
const [table] = await store.tables('rows', signal)
const columns = table.columns.map((column) => ({ name: column.name, as: column.type, column }))
const tables = [{ table, columns, identity: ['id'] }]
const writer = await store.offers.changeTarget.open({ tables, fireTriggers: false, signal })
/** @param {number} id @param {number} n */
const put = (id, n) => ({ row: [String(id), String(n)], key: [String(id)], base: null })

const [[from]] = await ledger.all('SELECT n FROM place')
for (let n = Number(from) + 1; n <= until; n++) {
  current = n
  await writer.apply(0, { puts: [put(n, n), ...(n > 2 ? [put(n - 2, n)] : [])], gone: n > 5 ? [[String(n - 5)]] : [] })
  const statements = [{ sql: 'UPDATE place SET n = ? WHERE n = ?', parameters: [n, n - 1] }]
  const none = { sql: 'SELECT 1', parameters: [] }
  if ((await writer.commit({ statements, guard: none, landed: none })) !== 'committed') throw new Error('fenced')
}
await writer[Symbol.asyncDispose]()
await ledger[Symbol.asyncDispose]()
await store[Symbol.asyncDispose]()
process.stdout.write(`${JSON.stringify({ position: until })}\n`)
