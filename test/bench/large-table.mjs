/**
 * `npm run bench -- large-table [--files N] [--quick]`: imports tables with a quarter of so many files and with all of
 * them, from a Parquet checkpoint into a catalog in PostgreSQL, to show what grows with a table. Then, for the rows of
 * `delta_files` of the larger table in PostgreSQL, in one partition and in sixteen hash partitions: the time to load
 * them, to index them in one and in two sessions, to find a file, and to vacuum after a tenth was removed. Floor of an
 * import: the server's own INSERT … SELECT of the same rows, and the same indexes. Asserts nothing about time.
 */
import fs from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import pg from 'pg'
import { lake, ROOT } from './lakes.mjs'
import { measure } from './measure.mjs'
import { postgresql } from './servers.mjs'
import { megabytes, textTable, time } from './table.mjs'

const PARTS = 16
const LOOKS = 2000

/** @param {{files: number}} options */
export async function largeTable({ files }) {
  const server = await postgresql(['maintenance_work_mem=512MB', 'max_wal_size=16GB'])
  if (server === null) {
    process.stderr.write('no postgresql server on this machine\n')
    process.exitCode = 1
    return
  }
  const client = new pg.Client(server.url)
  client.on('error', () => undefined)
  await client.connect()
  try {
    /** @type {string[][]} */
    const imports = []
    for (const count of [Math.round(files / 4), files]) {
      const schema = `of_${count}`
      const table = lake(['--shape', 'one-checkpoint', '--files', String(count), '--partitions', '1000'])
      const args = [path.join(ROOT, 'dist/cli/bin.js'), 'import', table, '--ci', '--json', '--database-url', `${server.url}?schema=${schema}`] // prettier-ignore
      const { ms, peak } = measure(args, 1)
      const { rows: [is] } = await client.query(`SELECT c.oid::regclass::text AS name, pg_table_size(c.oid)::float8 AS bytes, pg_indexes_size(c.oid)::float8 AS indexes, (SELECT count(*)::int FROM ${schema}.delta_files) AS files FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = '${schema}.delta_files'::regclass ORDER BY 2 DESC LIMIT 1`) // prettier-ignore
      if (is.files !== count) throw new Error(`${is.files} of ${count} files in the catalog`)
      const log = bytesOf(path.join(table, '_delta_log'))
      imports.push([`${count.toLocaleString('en')} files`, time(ms[0]), Math.round(count / (ms[0] / 1000)).toLocaleString('en'), megabytes(peak), megabytes(log), megabytes(is.bytes), megabytes(is.indexes)]) // prettier-ignore
      process.stderr.write(`${imports.at(-1)?.join('  ')}\n`)
      if (count < files) await client.query(`DROP SCHEMA ${schema} CASCADE`)
      else await compare(client, server.url, is.name, imports)
    }
  } finally {
    await client.end()
    await server.stop()
  }
}

/** @param {string} folder */
function bytesOf(folder) {
  return fs.readdirSync(folder, { recursive: true, withFileTypes: true }).reduce((sum, one) => (one.isFile() ? sum + fs.statSync(path.join(one.parentPath, one.name)).size : sum), 0) // prettier-ignore
}

/** @param {string} relation */
const indexesOf = (relation) => [
  `CREATE UNIQUE INDEX ON ${relation} (file_no)`,
  `CREATE INDEX ON ${relation} (key_hash)`,
  `CREATE INDEX ON ${relation} (partition_no, removed_version, added_version)`,
]

/** @param {pg.Client} client @param {string} url @param {string} from @param {string[][]} imports */
async function compare(client, url, from, imports) {
  const second = new pg.Client(url)
  second.on('error', () => undefined)
  await second.connect()
  const timed = async (body) => {
    const start = performance.now()
    await body()
    return performance.now() - start
  }
  const leaves = Array.from({ length: PARTS }, (_, no) => `hashed_${no}`)
  await client.query(
    `CREATE TABLE flat (LIKE ${from}); CREATE TABLE hashed (LIKE ${from}) PARTITION BY HASH (key_hash)`,
  )
  for (const [no, leaf] of leaves.entries()) await client.query(`CREATE TABLE ${leaf} PARTITION OF hashed FOR VALUES WITH (MODULUS ${PARTS}, REMAINDER ${no})`) // prettier-ignore
  const { rows } = await client.query(`SELECT key_hash::text AS key FROM ${from} TABLESAMPLE SYSTEM (1) LIMIT ${LOOKS}`)
  const layouts = [
    { name: 'one partition', table: 'flat', parts: ['flat'] },
    { name: `${PARTS} hash partitions`, table: 'hashed', parts: leaves },
  ]
  const table = []
  for (const { name, table: relation, parts } of layouts) {
    const load = await timed(() => client.query(`INSERT INTO ${relation} SELECT * FROM ${from}`))
    const wanted = parts.flatMap((part) => indexesOf(part))
    const drain = async (connection) => {
      for (let sql = wanted.shift(); sql !== undefined; sql = wanted.shift()) await connection.query(sql)
    }
    const index = await timed(() => Promise.all([drain(client), drain(second)]))
    await client.query(`ANALYZE ${relation}`)
    const look = await timed(async () => {
      for (const { key } of rows) await client.query({ name: `look ${relation}`, text: `SELECT path FROM ${relation} WHERE key_hash = $1`, values: [key] }) // prettier-ignore
    })
    await client.query(`DELETE FROM ${relation} WHERE file_no % 10 = 3`)
    const queue = [...parts]
    const sweep = async (connection) => {
      for (let part = queue.shift(); part !== undefined; part = queue.shift()) await connection.query(`VACUUM ${part}`)
    }
    const vacuum = await timed(() => Promise.all([sweep(client), sweep(second)]))
    table.push([name, time(load), time(index), time(look / rows.length), time(vacuum)])
    process.stderr.write(`${table.at(-1)?.join('  ')}\n`)
  }
  await second.end()
  process.stdout.write(`\nNode ${process.versions.node}, PostgreSQL\n`)
  process.stdout.write(`${textTable(['imports', '', 'files/s', 'memory', 'log', 'rows', 'indexes'], imports)}\n\n`)
  process.stdout.write(`${textTable(['rows of delta_files', 'INSERT … SELECT', 'three indexes, two sessions', 'a file by its hash', 'VACUUM of a tenth, two sessions'], table)}\n`) // prettier-ignore
}
