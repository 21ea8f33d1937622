/**
 * Counts the statements of a program that change its target, in any database: at one of them the program is killed or
 * frozen.
 */
import { createRequire } from 'node:module'
import process from 'node:process'

const require = createRequire(import.meta.url)
/** Reads can be repeated, so they are not steps. */
const READS =
  /^\s*(?:(?:SELECT|SET|SHOW|PRAGMA|EXPLAIN|COPY \(|DECLARE|FETCH|CLOSE)\b|WITH\b(?![^]*\b(?:INSERT|UPDATE|DELETE)\b))/i
const counts = (sql) => !READS.test(sql)
const kindOf = (sql) =>
  sql.includes("status = 'completed', records") ? 'close' : /^COMMIT\b/.test(sql) ? 'commit' : 'other'
/** How long a statement has run when its program is killed `during` it, in milliseconds. */
const UNDER_WAY_MS = 2

/**
 * @param url of the target
 * @param wishes `step`: number of the step, from 1; `when`: `before`, `during` or `after` for SIGKILL there, `frozen`
 * for SIGSTOP after it
 * @returns the steps so far: each closes a chunk, commits, or is any other statement
 */
export function countSteps(url, { step, when }) {
  const steps = []
  const signal = () => process.kill(process.pid, when === 'frozen' ? 'SIGSTOP' : 'SIGKILL')

  /** @param run gets a callback for the answer; if it returns a promise, that is awaited instead */
  const passing = (sql, run) => {
    const isIt = counts(sql) && steps.push(kindOf(sql)) === step
    if (isIt && when === 'before') signal()
    if (isIt && when === 'during') setTimeout(signal, UNDER_WAY_MS)
    const answered = () => {
      if (isIt && (when === 'after' || when === 'frozen')) signal()
    }
    const result = run(answered)
    return result instanceof Promise ? result.finally(answered) : result
  }

  const systems = {
    postgresql() {
      const { prototype } = require('pg').Client
      const { query } = prototype
      prototype.query = function (config, ...rest) {
        const sql = typeof config === 'string' ? config : (config?.text ?? '')
        return passing(sql, () => query.call(this, config, ...rest))
      }
    },
    sqlite() {
      const { prototype } = require('better-sqlite3')
      const { prepare, exec } = prototype
      const done = (sql, run) =>
        passing(sql, (answered) => {
          const result = run()
          answered()
          return result
        })
      prototype.exec = function (sql) {
        return done(sql, () => exec.call(this, sql))
      }
      prototype.prepare = function (sql) {
        const statement = prepare.call(this, sql)
        const { run } = statement
        statement.run = (...parameters) => done(sql, () => run.apply(statement, parameters))
        return statement
      }
    },
    mysql() {
      const { prototype } = require('mysql2').Connection
      for (const name of ['query', 'execute']) {
        const ask = prototype[name]
        prototype[name] = function (options, told) {
          // Only streams of rows have no callback for their end.
          if (told === undefined) return ask.call(this, options)
          return passing(options.sql, (answered) =>
            ask.call(this, options, (...answer) => {
              answered()
              told(...answer)
            }),
          )
        }
      }
    },
    duckdb() {
      const { prototype } = require('@duckdb/node-api').DuckDBConnection
      const { prepare } = prototype
      prototype.prepare = async function (sql) {
        const statement = await prepare.call(this, sql)
        const { run } = statement
        statement.run = () => passing(sql, () => run.call(statement))
        return statement
      }
    },
    d1() {
      const { fetch } = globalThis
      globalThis.fetch = (address, init) => {
        const { batch, sql = '' } = JSON.parse(/** @type {string | undefined} */ (init?.body) ?? '{}')
        const changing = (batch ?? [{ sql }]).map((one) => one.sql).filter(counts)
        return passing(changing.join('; ') || 'SELECT', () => fetch(address, init))
      }
    },
  }
  systems.cassandra = () => {
    const { prototype } = require('cassandra-driver').Client
    const { execute, batch } = prototype
    prototype.execute = function (sql, ...rest) {
      return passing(sql, () => execute.call(this, sql, ...rest))
    }
    prototype.batch = function (queries, ...rest) {
      return passing('BATCH', () => batch.call(this, queries, ...rest))
    }
  }
  systems[new URL(url).protocol.slice(0, -1)]()
  return () => steps
}
