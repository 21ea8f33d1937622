/**
 * The bare work of a copy from one keyspace of Cassandra to another by the driver alone, without write times, ledger or
 * proof. argv: way, host:port, source, target, most rows. `serial` waits for each row; `many` has 256 requests in
 * flight.
 */
import process from 'node:process'
import { Client } from 'cassandra-driver'

const [way = '', point = '', source = '', target = '', most = '0'] = process.argv.slice(2)
const client = new Client({ contactPoints: [point], localDataCenter: 'datacenter1' })
await client.connect()
const begun = performance.now()
const { columns, ...first } = await client.execute(`SELECT * FROM ${source}.rides`, [], {
  prepare: true,
  fetchSize: 5000,
})
const names = columns.map(({ name }) => name)
const insert = `INSERT INTO ${target}.rides (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`
const options = { prepare: true, isIdempotent: true }
let rows = 0
const lanes = way === 'serial' ? 1 : 256
for (let page = first; ;) {
  const some = page.rows.slice(0, Number(most) - rows)
  let next = 0
  const lane = async () => {
    while (next < some.length) await client.execute(insert, some[next++].values(), options)
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  rows += some.length
  if (page.pageState == null || rows >= Number(most)) break
  page = await client.execute(`SELECT * FROM ${source}.rides`, [], {
    prepare: true,
    fetchSize: 5000,
    pageState: page.pageState,
  })
}
const ms = performance.now() - begun
await client.shutdown()
process.stdout.write(`${JSON.stringify({ ms, rows })}\n`)
