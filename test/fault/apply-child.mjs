/**
 * Applies numbered transactions to table `rows`, from the position in the position row on, in its own process.
 * Transaction n puts row n, changes rows before it and removes one; every third is large. SLUICE_CHILD: `{url, until,
 * commit?, when?}` as JSON: it ends by SIGKILL `before`, `during` or `after` the COMMIT of transaction `commit`. With
 * `{url, pieces, rows}` it applies `pieces` pieces of `rows` rows in one transaction instead. stdout: one line with
 * `{position}` or `{first, most}` (MB of memory after the third piece, and at most).
 */
import { createRequire } from 'node:module'
import process from 'node:process'

const { url, until = 0, commit = 0, when = 'before', pieces, rows } = JSON.parse(process.env['SLUICE_CHILD'] ?? '{}')
const LARGE = 1_000
const { signal } = new AbortController()
let current = 0

const { prototype } = createRequire(import.meta.url)('pg').Client
const { query } = prototype
prototype.query = function (config, ...rest) {
  const sql = typeof config === 'string' ? config : (config?.text ?? '')
  if (sql !== 'COMMIT' || current !== commit || commit === 0) return query.call(this, config, ...rest)
  const kill = () => process.kill(process.pid, 'SIGKILL')
  if (when === 'before') kill()
  if (when === 'during') setImmediate(kill)
  const result = query.call(this, config, ...rest)
  return when === 'after' ? result.then(kill) : result
}

const { openPostgresCopy } = await import('../../build/stores/postgresql/copy/index.js')
const store = await openPostgresCopy(url)
const [table] = await store.tables('rows', signal)
const columns = table.columns.map((column) => ({ name: column.name, as: column.type, column }))
const writer = await store.offers.changeTarget.open({
  tables: [{ table, columns, identity: ['id'] }],
  fireTriggers: false,
  signal,
})
/** @param {number} from @param {number} to */
const closing = (from, to) => ({
  statements: [{ sql: 'UPDATE position SET at = ? WHERE at = ?', parameters: [to, from] }],
  guard: { sql: 'SELECT 1', parameters: [] },
  landed: { sql: 'SELECT 1 FROM position WHERE at = ?', parameters: [to] },
})
/** @param {number} id @param {number} n */
const put = (id, n) => ({ row: [String(id), String(n), `text of ${id} `.repeat(5)], key: [String(id)], base: null })

if (pieces === undefined) {
  const { rows: found } = await oneQuery('SELECT at FROM position')
  for (let n = found[0].at + 1; n <= until; n++) {
    current = n
    const puts = [put(n, n), ...(n > 2 ? [put(n - 2, n)] : [])]
    if (n % 3 === 0) for (let i = 0; i < LARGE; i++) puts.push(put(1_000_000 + i, n))
    await writer.apply(0, { puts, gone: n > 5 ? [[String(n - 5)]] : [] })
    if ((await writer.commit(closing(n - 1, n))) !== 'committed') throw new Error('fenced')
  }
  await end({ position: until })
} else {
  const memory = () => Math.round(process.memoryUsage().rss / 1e6)
  let [first, most] = [0, 0]
  for (let piece = 0; piece < pieces; piece++) {
    await writer.apply(0, { puts: Array.from({ length: rows }, (_, i) => put(piece * rows + i, piece)), gone: [] })
    if (piece === 2) first = memory()
    most = Math.max(most, memory())
  }
  if ((await writer.commit(closing(0, 1))) !== 'committed') throw new Error('fenced')
  await end({ first, most })
}

async function oneQuery(sql) {
  const { default: pg } = await import('pg')
  const client = new pg.Client(url)
  await client.connect()
  try {
    return await client.query(sql)
  } finally {
    await client.end()
  }
}

async function end(said) {
  await writer[Symbol.asyncDispose]()
  await store[Symbol.asyncDispose]()
  process.stdout.write(`${JSON.stringify(said)}\n`)
}
