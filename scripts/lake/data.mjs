/** Small real data files: Parquet from DuckDB, with the statistics that a Delta writer would store. */
import fs from 'node:fs'
import path from 'node:path'
import { quoted } from './duck.mjs'

/** @param {string} column @param {string} type of DuckDB */
function bound(column, type) {
  if (type === 'TIMESTAMP WITH TIME ZONE') return `strftime(${column}::TIMESTAMP, '%Y-%m-%dT%H:%M:%S.%gZ')`
  if (type === 'DATE') return `strftime(${column}, '%Y-%m-%d')`
  return column
}

/**
 * Writes the rows of a query; returns size, row count and statistics as JSON text.
 * @param {import('./duck.mjs').Connection} connection @param {string} rows a SELECT @param {string} file
 * @param {{mtime: number, physical?: Record<string, {name: string, id: number}>}} options `physical` with column mapping
 * @returns {Promise<{size: number, records: number, stats: string}>}
 */
export async function writeDataFile(connection, rows, file, { mtime, physical }) {
  fs.mkdirSync(path.dirname(file), { recursive: true })
  const described = await connection.runAndReadAll(`DESCRIBE ${rows}`)
  const columns = described.getRows().map(([name, type]) => ({ name: String(name), type: String(type) }))
  const stored = (/** @type {string} */ name) => physical?.[name]?.name ?? name
  const list = columns.map(({ name }) => `"${name}" AS "${stored(name)}"`).join(', ')
  const ids = physical
    ? `, FIELD_IDS {${columns.map(({ name }) => `${quoted(stored(name))}: ${physical[name].id}`).join(', ')}}`
    : ''
  await connection.run(`SET TimeZone = 'UTC'`)
  await connection.run(
    `COPY (SELECT ${list} FROM (${rows})) TO ${quoted(file)} (FORMAT parquet, COMPRESSION snappy${ids})`,
  )
  fs.utimesSync(file, mtime / 1000, mtime / 1000)

  const object = (/** @type {(column: string, type: string) => string} */ of) =>
    `json_object(${columns.map(({ name, type }) => `${quoted(stored(name))}, ${of(`"${name}"`, type)}`).join(', ')})`
  const result = await connection.runAndReadAll(
    `SELECT json_object('numRecords', count(*),
       'minValues', ${object((column, type) => bound(`min(${column})`, type))},
       'maxValues', ${object((column, type) => bound(`max(${column})`, type))},
       'nullCount', ${object((column) => `count(*) - count(${column})`)})::VARCHAR, count(*)::INTEGER FROM (${rows})`,
  )
  const [stats, records] = result.getRows()[0]
  return { size: fs.statSync(file).size, records: Number(records), stats: String(stats) }
}
