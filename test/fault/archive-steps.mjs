/**
 * Counts the durable steps of a program that archives: statements that change the source, files that DuckDB writes, and
 * file operations.
 */
import fs from 'node:fs/promises'
import { createRequire, syncBuiltinESMExports } from 'node:module'
import process from 'node:process'

const require = createRequire(import.meta.url)
/** Reads can be repeated, so they are not steps; heartbeats of the lease are not either. */
const CHANGES =
  /^\s*(?:INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|TRUNCATE|COPY (?!\()|WITH \w+ AS \((?:DELETE|INSERT|UPDATE))/i
const UNDER_WAY_MS = 2

/**
 * @param wishes `step`: number of the step at which the program is killed or frozen, from 1; or `at`: the first step
 * whose name begins with this text
 * @returns names of the steps so far
 */
export function countArchiveSteps({ step, when, at }) {
  const steps = []
  const signal = () => process.kill(process.pid, when === 'frozen' ? 'SIGSTOP' : 'SIGKILL')
  let done = false

  const passing = (name, run) => {
    steps.push(name)
    const isIt = !done && (at === undefined ? steps.length === step : name.includes(at))
    if (isIt) done = true
    if (isIt && (when === 'before' || when === 'frozen')) signal()
    if (isIt && when === 'during') setTimeout(signal, UNDER_WAY_MS)
    const result = run()
    if (!isIt || when !== 'after') return result
    if (typeof result?.then === 'function') return result.then((value) => (signal(), value))
    signal()
    return result
  }
  /** The name of a COMMIT is the statement that it commits; an empty COMMIT is not a step. */
  const written = new WeakMap()
  const nameOf = (connection, sql, parameters) => {
    if (/^\s*(?:BEGIN|ROLLBACK)\b/i.test(sql)) written.delete(connection)
    const own = written.get(connection)
    if (/^\s*COMMIT\b/i.test(sql)) {
      written.delete(connection)
      return own === undefined ? null : `COMMIT ${own}`
    }
    if (!CHANGES.test(sql) || /SET lease_until/.test(sql)) return null
    const name = wordsOf(sql, parameters)
    if (own === undefined || name.startsWith('state ')) written.set(connection, name)
    return name
  }

  const { prototype: client } = require('pg').Client
  const { query } = client
  client.query = function (config, ...rest) {
    // Sending rows is not a step, but their commit is.
    if (config?.constructor?.name === 'CopyIn' && !written.has(this)) written.set(this, 'rows')
    const sql = typeof config === 'string' ? config : (config?.text ?? '')
    const name = nameOf(this, sql, config?.values ?? rest[0])
    return name === null ? query.call(this, config, ...rest) : passing(name, () => query.call(this, config, ...rest))
  }

  const { prototype: sqlite } = require('better-sqlite3')
  const { prepare, exec } = sqlite
  sqlite.exec = function (sql) {
    const name = nameOf(this, sql)
    return name === null ? exec.call(this, sql) : passing(name, () => exec.call(this, sql))
  }
  sqlite.prepare = function (sql) {
    const statement = prepare.call(this, sql)
    const { run } = statement
    statement.run = (...parameters) => {
      const name = nameOf(this, sql, parameters)
      return name === null ? run.apply(statement, parameters) : passing(name, () => run.apply(statement, parameters))
    }
    return statement
  }

  const { prototype: duckdb } = require('@duckdb/node-api').DuckDBConnection
  const { run } = duckdb
  duckdb.run = function (sql, ...rest) {
    const isWrite = /^\s*COPY/.test(sql) && sql.includes('FORMAT parquet')
    return isWrite ? passing('parquet', () => run.call(this, sql, ...rest)) : run.call(this, sql, ...rest)
  }

  // A data file is renamed by `renameIfAbsent`: a link, then the removal of the former name. A commit of the log is only
  // linked.
  const renamed = new Set()
  const operations = { link: fs.link, rename: fs.rename, unlink: fs.unlink }
  for (const [name, original] of Object.entries(operations)) {
    fs[name] = (path, ...rest) => {
      const isRename = String(path).endsWith('.parquet') && (name === 'link' || renamed.delete(path))
      if (isRename && name === 'link') renamed.add(path)
      const word = isRename ? (name === 'link' ? 'rename' : 'renamed') : name
      return passing(`${word} ${String(path).slice(-60)}`, () => original.call(fs, path, ...rest))
    }
  }
  const { open } = fs
  fs.open = async (...parameters) => {
    const handle = await open.apply(fs, parameters)
    for (const name of ['sync', 'writeFile']) {
      const original = handle[name]
      handle[name] = (...rest) =>
        passing(`${name} ${String(parameters[0]).slice(-60)}`, () => original.apply(handle, rest))
    }
    return handle
  }
  syncBuiltinESMExports()
  return () => steps
}

function wordsOf(sql, parameters) {
  const [first] = Array.isArray(parameters) ? parameters : []
  if (/SET state = /.test(sql)) return `state ${String(first)}`
  return sql.replace(/\s+/g, ' ').trim().slice(0, 120)
}
