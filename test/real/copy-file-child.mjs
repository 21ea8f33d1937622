/**
 * Begins a chunk in a SQLite or DuckDB file, writes it, stops at the given point, prints its name and waits to be
 * killed. Runs the compiled program's own store. Arguments: system, file, `written` (in the middle of the transaction)
 * or `committed`.
 */
const [system, file, stop] = process.argv.slice(2)
const open =
  system === 'sqlite'
    ? (await import('../../build/stores/sqlite/copy/index.js')).openSqliteCopy
    : (await import('../../build/stores/duckdb/copy/index.js')).openDuckdbCopy
const { signal } = new AbortController()

const store = await open(file, { mode: 'write', label: `${system}:///${file}` })
const ledger = await store.ledger()
await ledger.batch([{ sql: 'UPDATE chunks SET owner = ?', parameters: ['child'] }])
const [table] = await store.tables('t', signal)
const columns = table.columns.map((column) => ({ name: column.name, as: column.type, column }))
const range = /** @type {const} */ ({ by: 'key', after: ['1'], through: null })
const chunk = await store.target().open({ table, columns, range, onExisting: 'refuse', careful: false, signal })
await chunk.write(Array.from({ length: 5000 }, (_, i) => [String(i + 2), 'of the child']))
if (stop === 'committed') {
  const closing = { sql: "UPDATE chunks SET status = 'completed' WHERE owner = 'child'", parameters: [] }
  const outcome = await chunk.commit({ statements: [closing], guard: closing, landed: closing })
  if (outcome !== 'committed') throw new Error(outcome)
}
process.stdout.write(`${stop}\n`)
setInterval(() => undefined, 1000)
